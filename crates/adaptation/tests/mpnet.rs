//! MPNet against Hugging Face transformers (fixtures by `python/make_fixtures.py`), and what of it is refused.

use std::fs;
use std::sync::Arc;

use crate::encoder::{Tensors, batch, columns, difference, fixture, integers, json};
use adaptation::{
    Activations, Adapters, Architecture, Config, Dropout, Encoder, Head, ModelError, Network, Pooling, Pretrained,
    Real, RelativePositions, Site,
};
use faer::{Mat, Par};
use serde_json::{Value, json};
use sources::{Cache, Source, silent};
use tempfile::TempDir;

/// A directory with the tiny MPNet; its weights are those of `weights`.
fn copy(weights: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (from, to) in
        [("config.json", "config.json"), ("tokenizer.json", "tokenizer.json"), (weights, "model.safetensors")]
    {
        fs::copy(fixture("tiny-mpnet").join(from), directory.path().join(to)).expect("copied");
    }
    directory
}

fn load(directory: &TempDir) -> Result<Pretrained, ModelError> {
    Pretrained::load(directory.path())
}

fn tiny() -> Pretrained {
    load(&copy("model.safetensors")).expect("the tiny MPNet")
}

/// A head that gives back what is pooled.
fn identity<T: Real>(size: usize) -> Head<T> {
    Head { weight: Mat::identity(size, size), bias: vec![T::of(0.0); size] }
}

#[test]
fn buckets_are_those_of_transformers() {
    let fixture = json("relative-positions.json");
    for table in fixture["tables"].as_array().expect("tables") {
        let [buckets, farthest] = ["buckets", "farthest"].map(|key| table[key].as_u64().expect("a number") as usize);
        let positions = RelativePositions { buckets, farthest, causal: false };
        let found: Vec<usize> = (0..=600).map(|key| positions.bucket(300, key)).collect();
        assert_eq!(found, integers::<usize>(&table["of_offset"]), "{positions:?}");
    }
}

fn forward<T: Real>(encoder: Encoder<T>, tolerance: f64) {
    let (fixture, tensors) = (json("mpnet.json"), Tensors::open("mpnet.safetensors"));
    let (batch, encoder) = (batch(&fixture["sequences"]), Arc::new(encoder));
    for pooling in [Pooling::Pooler, Pooling::Mean] {
        let network = Network { encoder: Arc::clone(&encoder), pooling, head: identity(24) };
        let mut activations = Activations::new();
        network.forward(&batch, &Adapters::new(), &Dropout::Off, &mut activations, Par::Seq);
        for place in 0..batch.sequences() {
            let expected = tensors.matrix(&format!("hidden/{place}")).transpose().to_owned();
            let (expected, pooled) = match pooling {
                Pooling::Mean => (expected, None),
                Pooling::Pooler => {
                    let pooled = columns(&[tensors.list(&format!("pooler/{place}"))]);
                    (expected.subcols(0, 1).to_owned(), Some(pooled))
                }
            };
            let error = difference(activations.hidden_states(&batch, 24, place), &expected);
            assert!(error < tolerance, "{pooling:?}, sequence {place}: hidden states off by {error:.1e}");
            let error = pooled.map_or(0.0, |pooled| difference(activations.logits().subcols(place, 1), &pooled));
            assert!(error < tolerance, "sequence {place}: pooled state off by {error:.1e}");
        }
    }
}

/// Sentences, pairs, and sequences that reach the last buckets.
#[test]
fn hidden_states_are_those_of_transformers() {
    forward(tiny().encoder.to_f64(), 1e-10);
    forward(tiny().encoder, 2e-5);
}

/// Tokens of every text of a fixture.
fn assert_tokens(pretrained: &Pretrained, sequences: &Value) {
    for sequence in sequences.as_array().expect("sequences").iter().filter(|sequence| !sequence["text"].is_null()) {
        let text = &sequence["text"];
        let first = text.as_str().or(text[0].as_str()).expect("a sentence");
        let tokens = pretrained.tokenizer.encode(first, text[1].as_str()).expect("tokens");
        assert_eq!(tokens.ids, integers::<u32>(&sequence["ids"]), "{first}");
        assert_eq!(tokens.token_types, integers::<u8>(&sequence["type_ids"]), "{first}");
        pretrained.encoder.config().check(&tokens.ids, &tokens.token_types).expect("tokens the encoder takes");
    }
}

#[test]
fn tokens_are_those_of_the_reference() {
    let tiny = tiny();
    assert_tokens(&tiny, &json("mpnet.json")["sequences"]);
    let pair = tiny.tokenizer.encode("a", Some("b")).expect("tokens");
    assert_eq!((pair.ids[0], &pair.ids[2..4], pair.ids[5]), (0, &[2, 2][..], 2), "<s> a </s></s> b </s>");
    assert_eq!(tiny.encoder.max_tokens(None).expect("the paper's"), 128);
    assert_eq!(tiny.encoder.max_tokens(Some(200)).expect("all"), 200);
    let text = tiny.encoder.max_tokens(Some(201)).expect_err("refused").to_string();
    assert!(text.contains("= 200"), "{text}");
}

/// As `MPNetForMaskedLM` saves it: names with a prefix, a head, no pooler.
#[test]
fn a_file_with_a_head_and_without_a_pooler() {
    let (whole, headed) = (tiny().encoder, load(&copy("prefixed.safetensors")).expect("usable by mean").encoder);
    for site in [Site::WordEmbeddings, Site::PositionEmbeddings, Site::Query(1), Site::AttentionOutput(0)] {
        assert_eq!(headed.weight(site), whole.weight(site));
    }
    assert!(whole.has_pooler() && !headed.has_pooler());
    headed.check_pooling(Pooling::Mean).expect("usable");
    let text = headed.check_pooling(Pooling::Pooler).expect_err("no pooler").to_string();
    assert!(text.contains("no pooler") && text.contains("set it to \"random-pooler\""), "{text}");
    whole.check_pooling(Pooling::Pooler).expect("usable");
}

fn message(directory: &TempDir) -> String {
    let text = load(directory).err().expect("refused").to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// The tiny MPNet with another key.
fn with_key(key: &str, value: Value) -> TempDir {
    let directory = copy("model.safetensors");
    let path = directory.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    config[key] = value;
    fs::write(&path, config.to_string()).expect("written");
    directory
}

#[test]
fn whatever_would_make_it_another_network_is_refused_by_key_and_value() {
    for (key, value, expected) in [
        ("model_type", json!("roberta"), "model_type is \"roberta\", allowed: \"bert\", \"mpnet\""),
        ("model_type", Value::Null, "architectures is [\"MPNetModel\"], allowed: BertModel"),
        ("architectures", json!(["MPNetModel", "BertModel"]), "allowed: MPNetModel, or MPNet with a head"),
        ("relative_attention_num_buckets", json!(64), "relative_attention_num_buckets is 64, allowed: 32"),
        ("relative_attention_num_buckets", json!("32"), "relative_attention_num_buckets is \"32\", allowed: 32"),
        ("max_position_embeddings", json!(2), "max_position_embeddings is 2, allowed: more than 2"),
        ("hidden_act", json!("relu"), "hidden_act is \"relu\""),
        ("embedding_size", json!(12), "embedding_size is 12, allowed: 24"),
        ("is_decoder", json!(true), "MPNet does not have it"),
        ("num_attention_heads", json!(3), "encoder.relative_attention_bias.weight is [32, 4]"),
    ] {
        let text = message(&with_key(key, value));
        assert!(text.contains(expected), "{text}");
    }
    // What transformers has 32 and 1e-12 for.
    for key in ["relative_attention_num_buckets", "layer_norm_eps"] {
        assert!(load(&with_key(key, Value::Null)).expect("MPNet").warnings.is_empty());
    }
    let warnings = load(&with_key("frobnicate", json!(1))).expect("MPNet").warnings;
    assert!(warnings[0].ends_with("as if the encoder were plain MPNet: frobnicate"), "{warnings:?}");
}

#[test]
fn tensors_and_tokenizers_of_bert_are_refused() {
    let bert = fixture("tiny-bert");
    let directory = copy("model.safetensors");
    fs::copy(bert.join("model.safetensors"), directory.path().join("model.safetensors")).expect("copied");
    let text = message(&directory);
    assert!(text.contains("embeddings.position_embeddings.weight is [40, 24]"), "{text}");
    let config = with_key("max_position_embeddings", json!(40));
    let text = Encoder::load(&config.path().join("config.json"), &bert.join("model.safetensors"));
    let text = text.expect_err("BERT's").to_string();
    assert!(
        text.ends_with(
            "no tensor encoder.relative_attention_bias.weight (nor mpnet.encoder.relative_attention_bias.weight)"
        ),
        "{text}"
    );

    let directory = copy("model.safetensors");
    fs::copy(bert.join("tokenizer.json"), directory.path().join("tokenizer.json")).expect("copied");
    let text = message(&directory);
    assert!(
        text.ends_with(
            "does not make <s> first </s></s> second </s>, all of type 0, of a pair, as MPNet's tokenizers do"
        )
    );
    fs::remove_file(directory.path().join("tokenizer.json")).expect("removed");
    fs::write(directory.path().join("vocab.txt"), "<s>\n").expect("written");
    assert!(message(&directory).ends_with("has no tokenizer.json"));
}

/// A pair's second sentence of type 1, which transformers would ignore.
#[test]
fn a_tokenizer_with_types_is_refused() {
    let directory = copy("model.safetensors");
    let path = directory.path().join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let piece = |id: &str, kind: u32| json!({"SpecialToken": {"id": id, "type_id": kind}});
    let sentence = |id: &str, kind: u32| json!({"Sequence": {"id": id, "type_id": kind}});
    let pair = |kind| {
        json!([
            piece("<s>", 0),
            sentence("A", 0),
            piece("</s>", 0),
            piece("</s>", kind),
            sentence("B", kind),
            piece("</s>", kind)
        ])
    };
    let token = |id: &str, number: u32| json!({"id": id, "ids": [number], "tokens": [id]});
    for (kind, taken) in [(0, true), (1, false)] {
        tokenizer["post_processor"] = json!({"type": "TemplateProcessing", "pair": pair(kind),
            "single": [piece("<s>", 0), sentence("A", 0), piece("</s>", 0)],
            "special_tokens": {"<s>": token("<s>", 0), "</s>": token("</s>", 2)}});
        fs::write(&path, tokenizer.to_string()).expect("written");
        assert_eq!(load(&directory).is_ok(), taken, "type {kind}");
    }
}

#[test]
fn sizes_and_names() {
    let config = Config::read(&fixture("tiny-mpnet/config.json")).expect("a configuration");
    assert_eq!((config.architecture, config.token_types), (Architecture::Mpnet, 0));
    assert_eq!((config.positions, config.most_tokens()), (202, 200));
    let names = [Site::Key(3), Site::Output(3)].map(|site| Architecture::Mpnet.module(site));
    assert_eq!(names, ["encoder.layer.3.attention.attn.k", "encoder.layer.3.output.dense"]);
}

/// The files of all-mpnet-base-v2, if it was ever downloaded.
fn cached() -> Option<sources::Files> {
    let cache = Cache::from_env();
    let entries = fs::read_dir(cache.directory().ok()?).ok()?;
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_entry = |name: String| name.starts_with("all-mpnet-base-v2.zip-") && !name.ends_with(".lock");
    let source = Source::named("all-mpnet-base-v2").expect("a known source");
    names.any(is_entry).then(|| source.fetch(&cache, &silent).expect("the encoder"))
}

/// Runs where the encoder is in the cache.
#[test]
fn all_mpnet_base_v2_is_that_of_transformers() {
    let Some(files) = cached() else {
        eprintln!("skipped: all-mpnet-base-v2 is not in the cache");
        return;
    };
    let pretrained = Pretrained::load(files.directory()).expect("the encoder");
    let (fixture, tensors) = (json("real-mpnet.json"), Tensors::open("real-mpnet.safetensors"));
    assert_tokens(&pretrained, &fixture["sequences"]);
    let (batch, hidden) = (batch(&fixture["sequences"]), 768);
    let network = Network { encoder: Arc::new(pretrained.encoder), pooling: Pooling::Mean, head: identity(hidden) };
    let mut activations = Activations::new();
    network.predict(&batch, &Adapters::new(), &mut activations, Par::rayon(0));
    for place in 0..batch.sequences() {
        let states = activations.hidden_states(&batch, hidden, place);
        let found = [("cls", states.subcols(0, 1)), ("last", states.subcols(states.ncols() - 1, 1))];
        for (name, found) in found.into_iter().chain([("mean", activations.logits().subcols(place, 1))]) {
            let error = difference(found, &columns(&[tensors.list(&format!("{name}/{place}"))]));
            assert!(error < 2e-5, "sequence {place}: {name} off by {error:.1e}");
        }
    }
}
