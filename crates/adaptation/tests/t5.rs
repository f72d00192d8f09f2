//! T5 against Hugging Face transformers (fixtures by `python/make_t5_fixtures.py`), and what is refused.

use std::fs;
use std::path::Path;

use crate::encoder::{Tensors, difference, fixture, integers, json};
use adaptation::{Batch, Generation, ModelError, PretrainedT5, Real, SequenceError, T5};
use faer::{Mat, Par};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Both kinds.
pub const KINDS: [&str; 2] = ["tiny-t5", "tiny-t5-gated"];

fn load<T: Real>(path: &Path) -> Result<PretrainedT5<T>, ModelError> {
    PretrainedT5::load(path)
}

pub fn tiny<T: Real>(kind: &str) -> PretrainedT5<T> {
    load(&fixture(kind)).expect("a tiny T5")
}

fn message(path: &Path) -> String {
    let text = load::<f32>(path).err().expect("refused").to_string();
    assert!(text.len() < 700 && text.lines().count() == 1, "{text}");
    text
}

fn sequences(value: &Value) -> Vec<Vec<u32>> {
    value.as_array().expect("sequences").iter().map(integers).collect()
}

fn pack(sequences: &[Vec<u32>]) -> Batch {
    let mut batch = Batch::new();
    sequences.iter().for_each(|ids| batch.push_ids(ids));
    batch
}

/// Sources, and what the decoder reads of their targets.
fn pairs(start: u32) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
    let pairs = json("t5.json")["pairs"].as_array().expect("pairs").iter().map(sequences).collect::<Vec<_>>();
    let shifted = |target: &[u32]| [&[start], &target[..target.len() - 1]].concat();
    pairs.into_iter().map(|pair| (pair[0].clone(), shifted(&pair[1]))).unzip()
}

/// The logits of all tokens of the targets.
fn logits<T: Real>(t5: &T5<T>, sources: &[Vec<u32>], targets: &[Vec<u32>], par: Par) -> Mat<T> {
    let mut cache = t5.cache(&pack(sources), par);
    let states = t5.decode(&pack(targets), &mut cache, par);
    t5.logits(states.as_ref(), par)
}

// Logits.

/// To a tolerance relative to the largest logit.
fn assert_logits<T: Real>(kind: &str, tolerance: f64) {
    let (t5, tensors) = (tiny::<T>(kind).t5, Tensors::open("t5.safetensors"));
    let (sources, targets) = pairs(t5.config().start);
    let (all, batch) = (logits(&t5, &sources, &targets, Par::Seq), pack(&targets));
    for place in 0..targets.len() {
        let expected = tensors.matrix(&format!("logits/{kind}/{place}")).transpose().to_owned();
        let tokens = batch.range(place);
        let own = all.subcols(tokens.start, tokens.len());
        let found = Mat::from_fn(own.nrows().div_ceil(7), own.ncols(), |i, j| own[(7 * i, j)]);
        let (error, size) = (difference(found.as_ref(), &expected), expected.norm_max());
        assert!(error < tolerance * size, "{kind}/{place}: off by {error:.1e} of {size:.1e}");
    }
}

#[test]
fn logits_are_those_of_transformers() {
    for kind in KINDS {
        assert_logits::<f64>(kind, 1e-7);
        assert_logits::<f32>(kind, 5e-6);
    }
}

/// Threads, neighbours in the batch, and a cache that is filled bit by bit.
#[test]
fn a_pass_in_steps_is_the_pass_as_a_whole() {
    for kind in KINDS {
        let t5 = tiny::<f64>(kind).t5;
        let (source, ids): (Vec<u32>, Vec<u32>) = ((3..33).collect(), (0..37).collect());
        let whole = logits(&t5, &[vec![7, 8], source.clone()], &[vec![0; 60], ids.clone()], Par::rayon(2));
        let alone = logits(&t5, std::slice::from_ref(&source), std::slice::from_ref(&ids), Par::Seq);
        assert_eq!(whole.subcols(60, ids.len()).to_owned(), alone);
        let mut cache = t5.cache(&pack(&[source]), Par::Seq);
        for (first, count) in [(0, 5), (5, 1), (6, 1), (7, 20), (27, 1), (28, 9)] {
            let states = t5.decode(&pack(&[ids[first..first + count].to_vec()]), &mut cache, Par::Seq);
            let found = t5.logits(states.as_ref(), Par::Seq);
            let error = difference(found.as_ref(), &alone.subcols(first, count).to_owned());
            assert!(error < 1e-12, "{kind}, tokens from {first}: off by {error:.1e}");
        }
        assert_eq!(cache.sequences(), 1);
    }
}

#[test]
fn targets_of_a_cache_can_be_exchanged() {
    let t5 = tiny::<f64>(KINDS[0]).t5;
    let (sources, targets) = ([vec![3, 4, 5], vec![6], vec![7, 8, 9, 10]], [vec![0, 30], vec![0], vec![0, 31, 32]]);
    let mut cache = t5.cache(&pack(&sources), Par::Seq);
    t5.decode(&pack(&targets), &mut cache, Par::Seq);
    cache.select(&[2, 0, 2], Par::Seq);
    let next = [vec![11], vec![12], vec![13]];
    let states = t5.decode(&pack(&next), &mut cache, Par::Seq);
    for (place, from) in [2, 0, 2].into_iter().enumerate() {
        let ids = [targets[from].clone(), next[place].clone()].concat();
        let mut fresh = t5.cache(&pack(&[sources[from].clone()]), Par::Seq);
        let whole = t5.decode(&pack(&[ids]), &mut fresh, Par::Seq);
        let error = difference(states.subcols(place, 1), &whole.subcols(whole.ncols() - 1, 1).to_owned());
        assert!(error < 1e-12, "target {place}: off by {error:.1e}");
    }
}

#[test]
fn sequences_that_do_not_fit_are_named() {
    let config = tiny::<f32>(KINDS[0]).t5.config().clone();
    assert_eq!(config.check(&[3; 1000]), Ok(()));
    assert_eq!(config.check(&[]), Err(SequenceError::Empty));
    assert_eq!(config.check(&[3, 128]), Err(SequenceError::UnknownToken { id: 128, place: 1, limit: 128 }));
}

// Generation.

/// All sources at once, by greedy search and by four beams; and alone.
fn assert_texts<T: Real>(kind: &str) {
    let (pretrained, fixture) = (tiny::<T>(kind), json("t5.json"));
    let most_tokens = fixture["new_tokens"].as_u64().expect("a number") as usize;
    let sources = sequences(&fixture["sources"]);
    for (name, beams) in [("greedy", 1), ("beams", 4)] {
        let how = Generation { beams, most_tokens, ends: pretrained.ends.clone(), length_penalty: 1.0 };
        let generate = |sources: &[Vec<u32>]| pretrained.t5.generate(sources, &how, Par::rayon(0)).expect("texts");
        let expected = sequences(&fixture[kind][name]);
        assert_eq!(generate(&sources), expected, "{kind}, {name}");
        assert_eq!(generate(&sources[2..3]), expected[2..3], "{kind}, {name}, alone");
        assert_eq!(generate(&[]), [[0u32; 0]; 0]);
    }
}

#[test]
fn texts_are_those_of_transformers() {
    for kind in KINDS {
        assert_texts::<f64>(kind);
        assert_texts::<f32>(kind);
    }
}

#[test]
fn sources_that_do_not_fit_are_errors() {
    let t5 = tiny::<f32>(KINDS[1]).t5;
    let how = Generation { beams: 1, most_tokens: 2, ends: vec![], length_penalty: 1.0 };
    assert_eq!(t5.generate(&[vec![3], vec![]], &how, Par::Seq), Err(SequenceError::Empty));
}

// Tokens.

#[test]
fn tokens_are_those_of_the_reference() {
    let pretrained = tiny::<f32>(KINDS[0]);
    assert_eq!(pretrained.ends, [1]);
    for entry in json("t5.json")["texts"].as_array().expect("texts") {
        let text = entry["text"].as_str().expect("a text");
        let ids = pretrained.tokenizer.encode(text).expect("tokens");
        assert_eq!([&ids[..], &[1]].concat(), integers::<u32>(&entry["ids"]), "{text}");
    }
    let ids = pretrained.tokenizer.encode("  the  film\n").expect("tokens");
    assert_eq!(pretrained.tokenizer.decode(&[&ids[..], &[1]].concat()).expect("a text"), "the film");
}

// What is refused.

/// A tiny T5 with another key in its `config.json`; null takes a key out.
fn with_key(kind: &str, key: &str, value: Value) -> TempDir {
    with_keys(kind, &[(key, value)])
}

fn with_keys(kind: &str, changed: &[(&str, Value)]) -> TempDir {
    let directory = copy(kind);
    let path = directory.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let keys = config.as_object_mut().expect("keys");
    for (key, value) in changed {
        if value.is_null() { drop(keys.remove(*key)) } else { drop(keys.insert((*key).to_owned(), value.clone())) }
    }
    fs::write(&path, config.to_string()).expect("written");
    directory
}

fn copy(kind: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(fixture(kind).join(name), directory.path().join(name)).expect("copied");
    }
    directory
}

#[test]
fn whatever_would_change_the_numbers_is_refused_by_key_and_value() {
    for (key, value, expected) in [
        ("model_type", json!("mt5"), "model_type is \"mt5\", allowed: \"t5\""),
        ("model_type", Value::Null, "no key model_type; it must be \"t5\""),
        ("architectures", json!(["T5EncoderModel"]), "allowed: T5ForConditionalGeneration"),
        ("is_encoder_decoder", json!(false), "is_encoder_decoder is false, allowed: true"),
        (
            "feed_forward_proj",
            json!("gated-silu"),
            "feed_forward_proj is \"gated-silu\", allowed: \"relu\", \"gated-gelu\"",
        ),
        ("feed_forward_proj", json!("gelu"), "feed_forward_proj is \"gelu\""),
        ("dense_act_fn", json!("gelu"), "dense_act_fn is \"gelu\", allowed: \"relu\""),
        ("is_gated_act", json!(true), "is_gated_act is true, allowed: false"),
        ("scale_decoder_outputs", json!(0.5), "scale_decoder_outputs is 0.5, allowed: true or false"),
        ("scale_decoder_outputs", json!(false), "no tensor lm_head.weight"),
        ("tie_word_embeddings", json!("yes"), "tie_word_embeddings is \"yes\", allowed: true or false"),
        ("tie_word_embeddings", json!(false), "no tensor lm_head.weight"),
        ("relative_attention_num_buckets", json!(6), "relative_attention_num_buckets is 6, allowed: a multiple of 4"),
        ("relative_attention_num_buckets", json!(12), "relative_attention_bias.weight is [8, 3]"),
        ("relative_attention_max_distance", json!(4), "allowed: more than half of relative_attention_num_buckets"),
        ("dropout_rate", json!(1.0), "dropout_rate is 1.0, allowed: a number p with 0 ≤ p < 1"),
        ("layer_norm_epsilon", json!(0.5), "layer_norm_epsilon is 0.5, allowed: a number from 1e-20 to 0.1"),
        ("decoder_start_token_id", Value::Null, "no key decoder_start_token_id"),
        ("decoder_start_token_id", json!(128), "decoder_start_token_id is 128"),
        ("eos_token_id", json!(-1), "eos_token_id is -1"),
        ("eos_token_id", json!(3), "it must put the token that ends a text behind it"),
        ("hidden_size", json!(25), "hidden_size is 25, allowed: the value of d_model"),
        ("head_dim", json!(8), "head_dim is 8, allowed: the value of d_kv"),
        ("sliding_window", json!(64), "sliding_window is 64"),
        ("quantization_config", json!({"bits": 4}), "quantization_config is {\"bits\":4}"),
        ("d_kv", json!(8), "SelfAttention.q.weight is [18, 24]"),
        ("vocab_size", json!(20), "but the model only 20 word embeddings"),
        (
            "num_layers",
            json!(1),
            "tensor encoder.block.1.layer.0.SelfAttention.k.weight has no place in a model of T5's",
        ),
        ("num_decoder_layers", json!(4), "no tensor decoder.block.3.layer.2.layer_norm.weight"),
    ] {
        let text = message(with_key(KINDS[0], key, value).path());
        assert!(text.contains(expected), "{text}");
    }
    for (key, value, expected) in [
        ("dense_act_fn", json!("relu"), "allowed: \"gelu_new\", as feed_forward_proj says"),
        ("scale_decoder_outputs", json!(true), "scale_decoder_outputs is true, allowed: false, as tie_word_embeddings"),
        ("tie_word_embeddings", json!(true), "tensor lm_head.weight is not equal to shared.weight"),
    ] {
        let text = message(with_key(KINDS[1], key, value).path());
        assert!(text.contains(expected), "{text}");
    }
    let warnings = load::<f32>(with_key(KINDS[0], "frobnicate", json!(1)).path()).expect("T5").warnings;
    assert!(warnings.len() == 1 && warnings[0].ends_with("they are ignored: frobnicate"), "{warnings:?}");
}

/// Of several tokens that end a text, the tokenizer's own ends sources and targets, as with transformers.
#[test]
fn the_end_that_the_tokenizer_puts_behind_a_text_comes_first() {
    let directory = with_key(KINDS[0], "eos_token_id", json!([5, 1]));
    assert_eq!(load::<f32>(directory.path()).expect("T5").ends, [1, 5]);
}

#[test]
fn a_template_that_names_a_token_that_is_not_there_is_refused() {
    let directory = copy(KINDS[0]);
    let path = directory.path().join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    tokenizer["post_processor"]["special_tokens"] = json!({});
    fs::write(&path, tokenizer.to_string()).expect("written");
    let text = message(directory.path());
    assert!(text.contains("tokenizer.json") && text.contains("names tokens or sentences that are not there"), "{text}");
}

/// Outcomes are kept by this hash, and texts depend on the tokenizer.
#[test]
fn the_hash_is_of_weights_and_tokenizer() {
    let hash = |path: &Path| load::<f32>(path).expect("T5").hash;
    let directory = copy(KINDS[0]);
    assert_eq!(hash(directory.path()), hash(&fixture(KINDS[0])));
    let path = directory.path().join("tokenizer.json");
    fs::write(&path, fs::read_to_string(&path).expect("read") + "\n").expect("written");
    assert_ne!(hash(directory.path()), hash(&fixture(KINDS[0])));
}

/// What transformers takes where a key is missing.
#[test]
fn missing_keys_have_the_values_of_transformers() {
    let read = |kind, key| load::<f32>(with_key(kind, key, Value::Null).path()).expect("T5").t5.config().clone();
    assert!(!read(KINDS[0], "feed_forward_proj").gated && read(KINDS[0], "tie_word_embeddings").tied);
    assert_eq!(read(KINDS[1], "num_decoder_layers").decoder_layers, 2);
    assert_eq!(
        (read(KINDS[1], "dropout_rate").dropout, read(KINDS[0], "layer_norm_epsilon").norm_epsilon),
        (0.1, 1e-6)
    );
    let gated = [read(KINDS[1], "relative_attention_num_buckets"), read(KINDS[1], "relative_attention_max_distance")];
    assert!(gated.iter().all(|config| (config.buckets, config.farthest) == (32, 128)));
}

/// transformers 5 writes that either kind is tied, and of which kind it is in another key.
#[test]
fn what_transformers_5_writes_is_read() {
    for (kind, scaled) in [(KINDS[0], true), (KINDS[1], false)] {
        let directory =
            with_keys(kind, &[("tie_word_embeddings", json!(true)), ("scale_decoder_outputs", json!(scaled))]);
        assert_eq!(load::<f32>(directory.path()).expect("T5").t5.config(), tiny::<f32>(kind).t5.config());
    }
}

/// The embedding may be in the file once more, for the decoder or a tied head, but not another one.
#[test]
fn copies_of_the_embedding_must_be_equal() {
    for (name, expected) in
        [("decoder.embed_tokens.weight", None), ("lm_head.weight", Some("not equal to shared.weight"))]
    {
        let directory = copy(KINDS[0]);
        let path = directory.path().join("model.safetensors");
        let bytes = fs::read(&path).expect("read");
        let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
        let other = if expected.is_some() {
            vec![0; tensors.tensor("shared.weight").expect("there").data().len()]
        } else {
            vec![]
        };
        let shared = tensors.tensor("shared.weight").expect("there");
        let data = if expected.is_some() { &other[..] } else { shared.data() };
        let more =
            safetensors::tensor::TensorView::new(shared.dtype(), shared.shape().to_vec(), data).expect("a tensor");
        let all = tensors.tensors().into_iter().chain([(name.to_owned(), more)]);
        let written = safetensors::serialize(all.collect::<Vec<_>>(), None).expect("bytes");
        fs::write(&path, written).expect("written");
        match expected {
            None => drop(load::<f32>(directory.path()).expect("T5")),
            Some(expected) => assert!(message(directory.path()).contains(expected)),
        }
    }
}
