//! Adapters of T5 that PEFT wrote: what is T5's own about their import, what is refused, and how they are written.

use std::fs;

use adaptation::peft::{ImportError, Imported, Names, export, import};
use adaptation::{Batch, Dropout, PairActivations, PairBatch, PretrainedT5, Real, Site, T5, TextToText};
use faer::{Mat, Par};
use serde_json::{Value, json};

use crate::encoder::integers;
use crate::peft_import::{Case, assert_same, steps};
use crate::peft_refusals::{Tensors, outcome, read, refusal};

pub fn t5<T: Real>(case: &Case) -> T5<T> {
    PretrainedT5::load(&case.model()).expect("a tiny T5").t5
}

fn imported<T: Real>(case: &Case, t5: &T5<T>) -> Imported<T> {
    import(&case.directory, t5).unwrap_or_else(|error| panic!("{}: {error}", case.directory.display()))
}

/// Outputs × sequences, of the last token that the decoder reads.
pub fn logits(case: &Case) -> Mat<f32> {
    let t5 = t5::<f32>(case);
    let t5 = t5.with(&imported(case, &t5).adapters);
    let pack = |key| {
        let mut batch = Batch::new();
        let sequences = case.check["sequences"].as_array().expect("sequences");
        sequences.iter().for_each(|sequence| batch.push_ids(&integers(&sequence[key])));
        batch
    };
    let (sources, targets) = (pack("ids"), pack("target"));
    let states = t5.decode(&targets, &mut t5.cache(&sources, Par::Seq), Par::Seq);
    let (logits, every) = (t5.logits(states.as_ref(), Par::Seq), case.every());
    let last = |sequence| targets.range(sequence).end - 1;
    Mat::from_fn(logits.nrows().div_ceil(every), targets.sequences(), |i, j| logits[(every * i, last(j))])
}

/// The losses of training on.
pub fn train(case: &Case) -> Vec<f64> {
    let t5 = t5::<f64>(case);
    let mut adapters = imported(case, &t5).adapters;
    let (mut pairs, mut work) = (PairBatch::new(t5.config()), PairActivations::new());
    case.texts().iter().for_each(|text| pairs.push(text));
    let model = TextToText::new(t5);
    steps(case, &mut adapters, pairs.sources(), |adapters| {
        model.loss_and_gradient(&pairs, adapters, &Dropout::Off, &mut work, Par::Seq)
    })
}

/// Layers count through encoder and decoder; the list's whole names are not restricted to layers.
#[test]
fn names_are_those_of_encoder_and_decoder() {
    let sites = |name| {
        let case = Case::fixture(name);
        imported(&case, &t5::<f32>(&case)).adapters.sites().collect::<Vec<_>>()
    };
    let found = sites("t5-default");
    let expected = (0..5).flat_map(|l| [Site::Query(l), Site::Value(l)]);
    let crossed = (2..5).flat_map(|l| [Site::CrossQuery(l), Site::CrossValue(l)]);
    let mut expected: Vec<Site> = expected.chain(crossed).collect();
    expected.sort();
    let mut sorted = found;
    sorted.sort();
    assert_eq!(sorted, expected);
    let mut found = sites("t5-gated-patterns");
    found.sort();
    let of_layer = |l| [Site::AttentionOutput(l), Site::Up(l), Site::Down(l)];
    let mut expected = [of_layer(1), of_layer(3)].concat();
    expected.extend([Site::Gate(3), Site::Head]);
    expected.sort();
    assert_eq!(found, expected);
}

/// The embedding's uses have one ΔW where PEFT's factors of all of them are equal; that of a tied head is one of them.
#[test]
fn equal_factors_of_all_uses_are_one_delta() {
    for (name, site) in [("t5-one-delta", Site::TiedEmbedding), ("t5-gated-one-delta", Site::WordEmbeddings)] {
        let case = Case::fixture(name);
        let Imported { adapters, warnings } = imported(&case, &t5::<f32>(&case));
        assert!(adapters.sites().any(|own| own == site), "{name}");
        assert!(warnings.len() == 1 && warnings[0].contains("PEFT trains the factors of each use"), "{warnings:?}");
    }
}

/// What a configuration of the tied T5's ΔW cannot mean here.
#[test]
fn uses_of_the_embedding_that_differ_are_refused() {
    let name = "t5-one-delta";
    let flipped = |tensors: &mut Tensors| {
        tensors.get_mut("base_model.model.decoder.embed_tokens.lora_embedding_B").expect("there").2[0] ^= 1;
    };
    let message = refusal(name, |_| (), flipped);
    let words = "encoder.embed_tokens and decoder.embed_tokens are two uses of a tied weight, and their factors differ";
    assert!(message.contains(words), "{message}");
    let message = refusal(name, |config| config["alpha_pattern"] = json!({ "lm_head": 1 }), |_| ());
    assert!(message.contains("encoder.embed_tokens and lm_head are two uses"), "{message}");
    assert!(message.contains("their scalings differ"), "{message}");
    for (targets, module, other) in [
        (json!(["embed_tokens", "wi"]), "encoder.embed_tokens", "lm_head"),
        (json!(["lm_head", "wi"]), "lm_head", "encoder.embed_tokens"),
        (json!(["encoder.embed_tokens", "lm_head", "wi"]), "encoder.embed_tokens", "decoder.embed_tokens"),
    ] {
        let error = outcome(name, |config| config["target_modules"] = targets, |_| ()).expect_err("refused");
        let ImportError::SomeUses { module: found, other: missing } = &error else { panic!("{error}") };
        assert_eq!((found.as_str(), missing.as_str()), (module, other), "{error}");
    }
}

/// `ensure_weight_tying` is of no use for T5: PEFT ties the head to `shared`, which is not read, and then loads but `shared`.
#[test]
fn tying_of_the_embedding_is_refused() {
    let ensured = |targets: Value| {
        move |config: &mut Value| {
            config["ensure_weight_tying"] = json!(true);
            config["target_modules"] = targets;
        }
    };
    for targets in [json!(["embed_tokens", "wi"]), json!(["lm_head"]), json!(r"(?:.*(embed_tokens|lm_head)|^shared$)")]
    {
        let message = refusal("t5-one-delta", ensured(targets), |_| ());
        assert!(message.contains("ensure_weight_tying is true, allowed: false where T5's embedding"), "{message}");
    }
    // What PEFT saves of the first.
    let message = refusal("t5-one-delta", ensured(json!(["shared", "wi"])), |_| ());
    assert!(message.contains("target_modules means shared: T5's forward pass does not go through it"), "{message}");
    // PEFT warns that there is nothing to tie.
    assert!(outcome("t5-default", ensured(json!(["q", "v"])), |_| ()).is_ok());
}

#[test]
fn modules_that_are_not_adapted_are_named() {
    for (targets, module) in [
        (json!(["shared", "q"]), "shared"),
        (json!(["relative_attention_bias"]), "encoder.block.0.layer.0.SelfAttention.relative_attention_bias"),
        (json!(r"encoder\..*SelfAttention\..*"), "encoder.block.0.layer.0.SelfAttention.relative_attention_bias"),
        (json!(r"decoder\..*SelfAttention\..*"), "decoder.block.0.layer.0.SelfAttention.relative_attention_bias"),
    ] {
        let error = outcome("t5-default", |config| config["target_modules"] = targets, |_| ()).expect_err("refused");
        assert!(matches!(&error, ImportError::LeftOut { module: found, .. } if *found == module), "{error}");
        assert!(!error.to_string().contains("  "), "{error}");
        assert!(
            error.to_string().contains(&format!("adapter_config.json: target_modules means {module}: ")),
            "{error}"
        );
    }
    let excluded = |config: &mut Value| {
        config["target_modules"] = json!(r".*SelfAttention\.([qv]|relative_attention_bias)|.*EncDecAttention\.[qv]");
        config["exclude_modules"] = json!(["relative_attention_bias"]);
    };
    assert!(outcome("t5-default", excluded, |_| ()).is_ok());
}

/// A `T5EncoderModel` has the encoder's names, and no decoder.
#[test]
fn an_adapter_of_the_encoder_alone_lacks_the_decoder() {
    let encoder = |tensors: &mut Tensors| tensors.retain(|name, _| name.contains(".encoder."));
    let message = refusal("t5-default", |_| (), encoder);
    assert!(message.contains("24 tensors missing, 0 unexpected, 0 misshapen"), "{message}");
    let first = "missing     base_model.model.decoder.block.0.layer.0.SelfAttention.q.lora_A.weight [1, 24]";
    assert!(message.contains(first) && message.lines().count() == 25, "{message}");
    let wide = refusal("t5-default", |config| config["target_modules"] = json!(["q", "v", "wi_0"]), encoder);
    assert!(!wide.contains("wi_0"), "T5 without gates has none: {wide}");
}

#[test]
fn all_dense_layers_are_those_but_the_head() {
    let all = |config: &mut Value| config["target_modules"] = json!("all-linear");
    assert_eq!(outcome("t5-gated-all-linear", all, |_| ()).expect("taken"), [""; 0]);
    assert_eq!(outcome("t5-default", |config| config["target_modules"] = Value::Null, |_| ()).expect("taken"), [""; 0]);
}

/// PEFT adds that of the head, and that of `shared` once the vocabulary has grown.
#[test]
fn frozen_weights_are_those_of_the_model() {
    for (case, frozen, own) in [
        ("t5-gated-patterns", "lm_head.base_layer.weight", "lm_head.weight"),
        ("t5-gated-patterns", "shared.weight", "shared.weight"),
        ("t5-default", "shared.weight", "shared.weight"),
    ] {
        let weight = read(&Case::fixture(case).model().join("model.safetensors"))[own].clone();
        let frozen = format!("base_model.model.{frozen}");
        let with = |flip: u8| {
            let (mut weight, frozen) = (weight.clone(), frozen.clone());
            weight.2[0] ^= flip;
            outcome(case, |_| (), |tensors| drop(tensors.insert(frozen, weight)))
        };
        assert!(with(0).is_ok(), "{case}, {frozen}");
        let error = with(1).expect_err("refused");
        assert!(matches!(&error, ImportError::OtherWeight { name, .. } if *name == frozen), "{error}");
    }
}

/// Out and in again: the same ΔW on the same weights, under the names of all uses, and with nothing to tie.
#[test]
fn what_is_exported_is_imported() {
    for (name, embedding) in [
        ("t5-regex-rslora", &[][..]),
        ("t5-one-delta", &["decoder.embed_tokens", "encoder.embed_tokens", "lm_head"]),
        ("t5-gated-patterns", &["lm_head"]),
        ("t5-gated-one-delta", &["decoder.embed_tokens", "encoder.embed_tokens"]),
    ] {
        let (case, directory) = (Case::fixture(name), tempfile::tempdir().expect("a directory"));
        let t5 = t5::<f64>(&case);
        let first = imported(&case, &t5).adapters;
        export(&first, t5.config(), "tiny", directory.path()).expect("exported");
        assert_same(&first, &import(directory.path(), &t5).expect("imported").adapters);
        let text = fs::read(directory.path().join("adapter_config.json")).expect("read");
        let config: Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!((&config["task_type"], config.get("ensure_weight_tying")), (&json!("SEQ_2_SEQ_LM"), None));
        let targets = config["target_modules"].as_array().expect("a list").iter().filter_map(Value::as_str);
        let ends: Vec<&str> = targets.filter(|name| !name.contains("block")).collect();
        assert_eq!(ends, embedding, "{name}");
        assert!(matches!(Names::from(t5.config()), Names::T5 { encoder_layers: 2, .. }));
    }
}
