//! The keys of `adapter_config.json`: which are read, which bear on nothing, and which are refused.

use std::path::Path;

use serde_json::{Map, Value};
use sources::excerpt;

use super::ImportError;
use crate::model_error::ModelError;

/// Keys that are read here.
const READ: &[&str] = &[
    "alpha_pattern",
    "ensure_weight_tying",
    "exclude_modules",
    "fan_in_fan_out",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_dropout",
    "peft_type",
    "r",
    "rank_pattern",
    "target_modules",
    "use_rslora",
];

/// Keys that bear on nothing that is computed once the adapter is there. The settings of initializations are among them: those
/// that change frozen weights are refused by `init_lora_weights`.
const HARMLESS: &[&str] = &[
    "auto_mapping",
    "base_model_name_or_path",
    "corda_config",
    "eva_config",
    "inference_mode",
    "loftq_config",
    "lora_ga_config",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "task_type",
];

/// What other keys must be, with a word on what they would do.
const REFUSED: &[(&str, &str)] = &[
    ("alora_invocation_tokens", "null (activated LoRA works behind some tokens only)"),
    ("arrow_config", "null (Arrow chooses among several adapters)"),
    ("bias", "\"none\" (biases are not trained)"),
    ("kasa_config", "null (KaSA changes the frozen weights)"),
    ("layer_replication", "null (it makes another network)"),
    ("lora_bias", "false (there is no bias beside B)"),
    ("megatron_config", "null (Megatron's layers are not read)"),
    ("modules_to_save", "null (only LoRA is read: the modules would be left out)"),
    ("monteclora_config", "null (MonteCLoRA adds noise)"),
    ("target_parameters", "null (parameters are not adapted by name)"),
    ("trainable_token_indices", "null (single tokens are not replaced)"),
    ("use_bdlora", "null (BD-LoRA's factors are of blocks)"),
    ("use_dora", "false (DoRA also trains magnitudes)"),
    ("use_qalora", "false (QA-LoRA pools the input)"),
    ("velora_config", "null (VeLoRA's gradients are approximate)"),
];

/// Initializations that leave the frozen weights as they are. PEFT repeats an initialization when it loads an adapter, so that
/// PiSSA, OLoRA, CorDA, LoftQ and LoRA-GA would change them again.
const PLAIN: &[&str] = &["gaussian", "eva", "orthogonal"];

/// What asks for nothing.
fn is_neutral(key: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || key == "bias" && text == "none",
        Value::Array(list) => list.is_empty(),
        Value::Object(keys) => keys.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// The keys of a configuration.
pub(super) struct Keys<'a> {
    pub(super) path: &'a Path,
    pub(super) keys: Map<String, Value>,
}

impl Keys<'_> {
    pub(super) fn refused(&self, key: &str, allowed: &str) -> ImportError {
        let found = self.keys.get(key).map_or("missing".to_owned(), |value| excerpt(&value.to_string()));
        let (path, allowed) = (self.path.to_owned(), allowed.to_owned());
        ModelError::Setting { path, key: excerpt(key), found, allowed }.into()
    }

    /// A key's value; what PEFT takes if it is not there, or null.
    pub(super) fn value<V>(
        &self,
        key: &'static str,
        allowed: &str,
        otherwise: Option<V>,
        read: impl Fn(&Value) -> Option<V>,
    ) -> Result<V, ImportError> {
        let found = self.keys.get(key).filter(|value| !value.is_null());
        found.map_or(otherwise, read).ok_or_else(|| self.refused(key, allowed))
    }

    /// A number that may not be null; what PEFT takes if it is not there.
    pub(super) fn number<V>(
        &self,
        key: &'static str,
        allowed: &str,
        otherwise: V,
        read: impl Fn(&Value) -> Option<V>,
    ) -> Result<V, ImportError> {
        self.keys.get(key).map_or(Some(otherwise), read).ok_or_else(|| self.refused(key, allowed))
    }

    /// True or false; false if it is not there, or null.
    pub(super) fn switch(&self, key: &'static str) -> Result<bool, ImportError> {
        self.value(key, "true or false", Some(false), Value::as_bool)
    }

    /// Refuses what would compute something else.
    pub(super) fn check(&self) -> Result<(), ImportError> {
        let kind = self.value("peft_type", "\"LORA\"", None, |value| value.as_str().map(str::to_owned))?;
        if kind != "LORA" {
            return Err(self.refused("peft_type", "\"LORA\""));
        }
        for (key, value) in &self.keys {
            if READ.contains(&key.as_str()) || HARMLESS.contains(&key.as_str()) || is_neutral(key, value) {
                continue;
            }
            let known = REFUSED.iter().find(|(refused, _)| refused == key).map(|(_, allowed)| *allowed);
            return Err(self.refused(key, known.unwrap_or("null, false or empty (nothing is known about this key)")));
        }
        let plain = |value: &Value| value.is_boolean() || value.as_str().is_some_and(|text| PLAIN.contains(&text));
        let allowed =
            "true, false, \"gaussian\", \"eva\", \"orthogonal\" (others change the frozen weights, or freeze factors)";
        self.value("init_lora_weights", allowed, Some(()), |value| plain(value).then_some(()))
    }

    pub(super) fn warnings(&self) -> Result<Vec<String>, ImportError> {
        let path = self.path.display();
        let dropout = self.value("lora_dropout", "a number in [0, 1)", Some(0.0), |value| {
            value.as_f64().filter(|rate| (0.0..1.0).contains(rate))
        })?;
        let dropout = (dropout > 0.0).then(|| {
            format!("{path}: lora_dropout is {dropout}; there is no such dropout here, so that training on differs from PEFT's")
        });
        let transposed = self.switch("fan_in_fan_out")?;
        let transposed =
            transposed.then(|| format!("{path}: fan_in_fan_out is ignored, as PEFT does where layers are not Conv1D"));
        Ok(dropout.into_iter().chain(transposed).collect())
    }
}
