//! What is refused of adapters that PEFT wrote, and with which words.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::peft_import::{Case, tied};
use crate::peft_t5;
use adaptation::ModelError;
use adaptation::peft::{ImportError, Imported, Misshapen, import};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Tensors by name: number type, shape, bytes.
pub type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

pub fn read(path: &Path) -> Tensors {
    let bytes = fs::read(path).expect("read");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    file.iter().map(|(name, t)| (name.to_owned(), (t.dtype(), t.shape().to_vec(), t.data().to_vec()))).collect()
}

/// A fixture's adapter, changed.
fn changed(name: &str, config: impl FnOnce(&mut Value), tensors: impl FnOnce(&mut Tensors)) -> TempDir {
    let (case, directory) = (Case::fixture(name), tempfile::tempdir().expect("a directory"));
    let text = fs::read(case.directory.join("adapter_config.json")).expect("read");
    let mut value = serde_json::from_slice(&text).expect("JSON");
    config(&mut value);
    fs::write(directory.path().join("adapter_config.json"), value.to_string()).expect("written");
    let mut list = read(&case.directory.join("adapter_model.safetensors"));
    tensors(&mut list);
    let views = list
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor")));
    let bytes = safetensors::serialize(views, None).expect("safetensors");
    fs::write(directory.path().join("adapter_model.safetensors"), bytes).expect("written");
    directory
}

/// What comes of a changed adapter of a fixture's model.
pub fn outcome(
    name: &str,
    config: impl FnOnce(&mut Value),
    tensors: impl FnOnce(&mut Tensors),
) -> Result<Vec<String>, ImportError> {
    let (case, directory) = (Case::fixture(name), changed(name, config, tensors));
    if case.is_t5() {
        import(directory.path(), &peft_t5::t5::<f32>(&case)).map(|Imported { warnings, .. }| warnings)
    } else if case.is_decoder() {
        import(directory.path(), &case.decoder::<f32>()).map(|Imported { warnings, .. }| warnings)
    } else {
        import(directory.path(), &case.encoder()).map(|Imported { warnings, .. }| warnings)
    }
}

pub fn refusal(name: &str, config: impl FnOnce(&mut Value), tensors: impl FnOnce(&mut Tensors)) -> String {
    outcome(name, config, tensors).expect_err("refused").to_string()
}

// Configuration.

#[test]
fn keys_that_would_change_the_numbers_are_refused() {
    for (key, value, expected) in [
        ("peft_type", json!("ADALORA"), "peft_type is \"ADALORA\", allowed: \"LORA\""),
        ("use_dora", json!(true), "use_dora is true, allowed: false"),
        ("bias", json!("lora_only"), "bias is \"lora_only\", allowed: \"none\""),
        ("lora_bias", json!(true), "lora_bias is true, allowed: false"),
        (
            "modules_to_save",
            json!(["classifier", "score"]),
            "modules_to_save is [\"classifier\",\"score\"], allowed: null",
        ),
        ("trainable_token_indices", json!([1]), "trainable_token_indices is [1], allowed: null"),
        ("layer_replication", json!([[0, 1]]), "layer_replication is [[0,1]], allowed: null"),
        ("target_parameters", json!(["a.b"]), "target_parameters is [\"a.b\"], allowed: null"),
        ("megatron_config", json!({ "a": 1 }), "megatron_config is {\"a\":1}, allowed: null"),
        ("use_qalora", json!(true), "use_qalora is true, allowed: false"),
        ("alora_invocation_tokens", json!([5]), "alora_invocation_tokens is [5], allowed: null"),
        ("kasa_config", json!({ "beta": 1 }), "kasa_config is"),
        ("init_lora_weights", json!("pissa"), "init_lora_weights is \"pissa\", allowed: true, false"),
        ("init_lora_weights", json!("olora"), "init_lora_weights is \"olora\""),
        ("invented", json!(3), "invented is 3, allowed: null, false or empty (nothing is known about this key)"),
        ("r", json!(0), "r is 0, allowed: an integer from 1"),
        ("r", Value::Null, "r is null, allowed: an integer from 1"),
        ("lora_alpha", json!("much"), "lora_alpha is \"much\", allowed: a finite number"),
        ("rank_pattern", json!({ "query": 0 }), "rank_pattern.query is 0, allowed: an integer from 1"),
        ("rank_pattern", json!([3]), "is not JSON: invalid type: sequence, expected an object of patterns"),
        ("alpha_pattern", json!({ "(": 2 }), "alpha_pattern has the pattern \"(\", which is no regular expression"),
        ("lora_alpha", json!(1e200), "lora_alpha is 1e+200, allowed: a finite number of single precision"),
        ("use_rslora", json!(1), "use_rslora is 1, allowed: true or false"),
        ("lora_dropout", json!(1.5), "lora_dropout is 1.5, allowed: a number in [0, 1)"),
        ("target_modules", json!([1]), "target_modules is [1], allowed: a list of texts, or a regular expression"),
        ("target_modules", json!("*"), "target_modules has the pattern \"*\", which is no regular expression"),
        (
            "target_modules",
            json!(["c_attn"]),
            "means no weight of this model that can be adapted, such as encoder.layer.0.",
        ),
        ("target_modules", json!("query"), "target_modules is \"query\", which means no weight"),
        ("target_modules", json!([]), "target_modules is [], which means no weight"),
        ("exclude_modules", json!(".*"), "which means no weight of this model"),
        ("layers_to_transform", json!("1"), "layers_to_transform is \"1\", allowed: null, an integer from 0 or a list"),
        (
            "layers_pattern",
            json!(["layer"]),
            "layers_pattern is [\"layer\"], allowed: null without layers_to_transform",
        ),
    ] {
        let message = refusal("bert-embeddings", |config| config[key] = value.clone(), |_| ());
        assert!(message.contains(expected) && message.contains("adapter_config.json"), "{key} = {value}: {message}");
    }
    let message = refusal("bert-regex-rslora", |config| config["layers_to_transform"] = json!(1), |_| ());
    assert!(message.contains("layers_to_transform is 1, allowed: null where target_modules is no list"), "{message}");
    let message = refusal("mpnet-list", |config| config["target_modules"] = Value::Null, |_| ());
    assert!(message.contains("target_modules is null, allowed: a list or a regular expression"), "{message}");
}

#[test]
fn keys_that_change_nothing_are_taken() {
    for (key, value) in [
        ("init_lora_weights", json!("gaussian")),
        ("invented", json!(false)),
        ("inference_mode", json!(false)),
        ("base_model_name_or_path", json!("any")),
        ("revision", json!("main")),
        ("peft_version", json!("0.9.0")),
        ("loftq_config", json!({ "loftq_bits": 4 })),
        ("task_type", json!("FEATURE_EXTRACTION")),
        ("ensure_weight_tying", json!(true)),
    ] {
        let warnings = outcome("bert-embeddings", |config| config[key] = value, |_| ()).expect("taken");
        assert!(warnings.is_empty(), "{key}: {warnings:?}");
    }
    for (key, value, expected) in [
        ("lora_dropout", json!(0.1), "lora_dropout is 0.1"),
        ("fan_in_fan_out", json!(true), "fan_in_fan_out is ignored"),
    ] {
        let warnings = outcome("bert-embeddings", |config| config[key] = value, |_| ()).expect("taken");
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{warnings:?}");
    }
}

/// PEFT saves what these mean; a configuration by hand may have them.
#[test]
fn targets_may_be_all_dense_layers_or_the_defaults() {
    for (name, value) in [
        ("llama-all-linear", json!("all-linear")),
        ("llama-all-linear", json!("ALL-linear")),
        ("llama-default-bare", Value::Null),
        ("llama-embeddings", json!(r"(?!.*layers).*(embed_tokens|lm_head)|.*(?<=self_attn\.)o_proj")),
    ] {
        let outcome = outcome(name, |config| config["target_modules"] = value.clone(), |_| ());
        assert_eq!(outcome.unwrap_or_else(|error| panic!("{name}, {value}: {error}")), [""; 0], "{name}, {value}");
    }
    // Of the default encoder's pooler too, which PEFT finds among the dense layers.
    let message = refusal("bert-patterns", |config| config["target_modules"] = json!("all-linear"), |_| ());
    assert!(message.contains("missing     base_model.model.pooler.dense.lora_A.weight"), "{message}");
}

// Tensors.

#[test]
fn missing_unexpected_and_misshapen_tensors_are_all_listed() {
    let part = |layer, part| format!("base_model.model.encoder.layer.{layer}.{part}");
    let error = outcome(
        "bert-patterns",
        |config| config["r"] = json!(6),
        |tensors| {
            for name in ["attention.self.query.lora_A.weight", "attention.self.value.lora_B.weight"] {
                let moved = tensors.remove(&part(1, name)).expect("there");
                tensors.insert(part(7, name), moved);
            }
            let of_other = tensors[&part(0, "attention.self.query.lora_A.weight")].clone();
            tensors.insert(
                "base_model.model.roberta.encoder.layer.0.attention.self.query.lora_A.weight".to_owned(),
                of_other,
            );
        },
    );
    let error = error.expect_err("refused");
    let ImportError::Tensors(mismatch) = &error else { panic!("{error}") };
    // Edited as JSON, the patterns are in the order of the alphabet, so that the ranks of queries are others too.
    let names = |list: &[(String, Vec<usize>)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let moved = |layer| {
        ["attention.self.query.lora_A.weight", "attention.self.value.lora_B.weight"].map(|name| part(layer, name))
    };
    assert_eq!(names(&mismatch.missing), moved(1));
    assert_eq!(names(&mismatch.unexpected)[..2], moved(7));
    assert_eq!(mismatch.unexpected.len(), 3);
    let output =
        Misshapen { name: part(0, "attention.output.dense.lora_A.weight"), found: vec![3, 24], expected: vec![6, 24] };
    assert!(mismatch.misshapen.contains(&output), "{error}");
    let message = error.to_string();
    assert!(message.contains("2 tensors missing, 3 unexpected, 5 misshapen"), "{message}");
    assert!(message.contains(
        "misshapen   base_model.model.encoder.layer.0.attention.output.dense.lora_A.weight [3, 24], must be [6, 24]"
    ));
    assert_eq!(message.lines().count(), 1 + 2 + 3 + 5, "{message}");
}

/// Each of the three alone is an error too.
#[test]
fn one_tensor_is_enough_to_refuse() {
    let name = "base_model.model.pooler.dense.lora_A.weight";
    for (other, words) in [
        ("base_model.model.classifier.weight", "0 tensors missing, 1 unexpected, 0 misshapen"),
        ("base_model.model.embeddings.token_type_embeddings.lora_embedding_A", "0 tensors missing, 1 unexpected, 0"),
        ("pooler.dense.lora_A.weight", "0 tensors missing, 1 unexpected, 0 misshapen"),
    ] {
        let message = refusal(
            "bert-embeddings",
            |_| (),
            |tensors| {
                let tensor = tensors[name].clone();
                tensors.insert(other.to_owned(), tensor);
            },
        );
        assert!(message.contains(words) && message.contains(&format!("unexpected  {other} [2, 24]")), "{message}");
    }
    let message = refusal("bert-embeddings", |_| (), |tensors| drop(tensors.remove(name)));
    assert!(message.contains(&format!("missing     {name} [2, 24]")) && message.lines().count() == 2, "{message}");
    let message = refusal("bert-embeddings", |_| (), |tensors| tensors.get_mut(name).expect("there").1 = vec![48]);
    assert!(message.contains(&format!("misshapen   {name} [48], must be [2, 24]")), "{message}");
}

#[test]
fn an_adapter_of_another_model_is_all_missing_and_unexpected() {
    let (bert, mpnet) = (Case::fixture("bert-embeddings"), Case::fixture("mpnet-list"));
    let error = import(&mpnet.directory, &bert.encoder()).err().expect("refused").to_string();
    // MPNet's own names are unexpected; `dense` is there in both.
    assert!(error.contains("unexpected  base_model.model.encoder.layer.1.attention.attn.q.lora_A.weight"), "{error}");
    assert!(
        error.contains("missing     base_model.model.encoder.layer.1.attention.output.dense.lora_A.weight"),
        "{error}"
    );
}

#[test]
fn numbers_that_are_not_finite_or_of_another_type_are_refused() {
    let name = "base_model.model.pooler.dense.lora_B.weight";
    for (value, shown) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
        let message = refusal(
            "bert-embeddings",
            |_| (),
            |tensors| {
                tensors.get_mut(name).expect("there").2[8..12].copy_from_slice(&value.to_le_bytes());
            },
        );
        assert!(message.contains(&format!("tensor {name} has an entry that is {shown}")), "{message}");
    }
    let message = refusal("bert-embeddings", |_| (), |tensors| tensors.get_mut(name).expect("there").0 = Dtype::I32);
    assert!(message.contains(&format!("tensor {name} is of type I32, allowed: F32")), "{message}");
}

#[test]
fn files_that_are_missing_or_damaged_are_named() {
    let (case, directory) = (Case::fixture("bert-embeddings"), tempfile::tempdir().expect("a directory"));
    let message = || import(directory.path(), &case.encoder()).err().expect("refused").to_string();
    assert!(message().contains("has no adapter_config.json"), "{}", message());
    fs::copy(case.directory.join("adapter_config.json"), directory.path().join("adapter_config.json")).expect("copied");
    assert!(message().contains("has no adapter_model.safetensors"), "{}", message());
    fs::write(directory.path().join("adapter_model.bin"), "").expect("written");
    assert!(message().contains("adapter_model.bin is not read"), "{}", message());
    fs::write(directory.path().join("adapter_model.safetensors"), "nothing").expect("written");
    assert!(message().contains("is cut short or no safetensors file"), "{}", message());
}

// Weights that PEFT adds, or has twice.

/// PEFT adds the frozen embedding to the file; it is taken where it is the model's own.
#[test]
fn a_frozen_weight_in_the_file_must_be_that_of_the_model() {
    let weights = read(&Case::fixture("llama-embeddings").directory.join("../../tiny-llama/model.safetensors"));
    let name = "base_model.model.model.embed_tokens.base_layer.weight";
    let with = |change: fn(&mut (Dtype, Vec<usize>, Vec<u8>))| {
        outcome(
            "llama-embeddings",
            |_| (),
            |tensors| {
                let mut weight = weights["model.embed_tokens.weight"].clone();
                change(&mut weight);
                tensors.insert(name.to_owned(), weight);
            },
        )
    };
    assert!(with(|_| ()).is_ok());
    let message = with(|(_, _, bytes)| bytes[0] ^= 1).expect_err("refused").to_string();
    assert!(message.contains(&format!("tensor {name} is a frozen weight, and not that of this model")), "{message}");
    let grown = with(|(_, shape, bytes)| {
        shape[0] += 1;
        bytes.extend([0; 4 * 32]);
    });
    let message = grown.expect_err("refused").to_string();
    assert!(message.contains(&format!("misshapen   {name} [289, 32], must be [288, 32]")), "{message}");
}

/// PEFT adapts one use of a tied weight alone, or both, each by its own factors: no one ΔW.
#[test]
fn uses_of_a_tied_weight_are_refused_one_by_one() {
    let tied = tied::<f32>(&Case::fixture("llama-tied").directory.join("../../tiny-llama"));
    for name in ["llama-one-use", "llama-embeddings"] {
        let error = import(&Case::fixture(name).directory, &tied).err().expect("refused");
        assert!(matches!(&error, ImportError::OneUse { module } if module == "model.embed_tokens"), "{error}");
        assert!(error.to_string().contains("Decoder::untied"), "{error}");
        assert!(import(&Case::fixture(name).directory, &tied.untied()).is_ok());
    }
    // PEFT matches a regular expression with the bare names to see whether it is to tie.
    let seen = outcome("llama-tied", |config| config["target_modules"] = json!(".*embed_tokens|.*down_proj"), |_| ());
    let warnings = seen.expect("both uses");
    assert!(warnings.len() == 1 && warnings[0].contains("PEFT trains them as two parameters"), "{warnings:?}");
    let unseen = |config: &mut Value| config["target_modules"] = json!(r"model\.embed_tokens|.*down_proj");
    assert!(matches!(outcome("llama-tied", unseen, |_| ()), Err(ImportError::OneUse { .. })));
    let message = refusal("llama-tied", |config| config["alpha_pattern"] = json!({ "lm_head": 32 }), |_| ());
    assert!(message.contains("lm_head are two uses of a tied weight, and their scalings differ"), "{message}");
    let message = refusal(
        "llama-tied",
        |_| (),
        |tensors| {
            tensors.get_mut("base_model.model.lm_head.lora_B.weight").expect("there").2[0] ^= 1;
        },
    );
    assert!(
        message.contains("model.embed_tokens and lm_head are two uses of a tied weight, and their factors differ"),
        "{message}"
    );
}

/// A model with a head may have no pooler; the bare one has it.
#[test]
fn a_pooler_may_be_missing_behind_a_head_alone() {
    let with_pooler = |config: &mut Value| {
        let targets = config["target_modules"].as_array_mut().expect("a list");
        targets.push(json!("pooler.dense"));
        config["layers_to_transform"] = Value::Null;
        config["layers_pattern"] = Value::Null;
        config["exclude_modules"] = json!(r".*layer\.0.*|.*attention\.output.*");
    };
    let of_pooler = "pooler.dense";
    let warnings = outcome("bert-classifier-bf16", with_pooler, |_| ()).expect("taken");
    assert!(warnings.len() == 1 && warnings[0].contains(of_pooler), "{warnings:?}");
    let message = refusal("bert-embeddings", |_| (), |tensors| tensors.retain(|name, _| !name.contains(of_pooler)));
    assert!(message.contains("2 tensors missing, 0 unexpected, 0 misshapen"), "{message}");
}

#[test]
fn errors_of_files_keep_their_kind() {
    let error = outcome("bert-embeddings", |config| config["use_dora"] = json!(true), |_| ()).expect_err("refused");
    assert!(matches!(error, ImportError::Files(ModelError::Setting { .. })), "{error}");
}
