//! What each key of a decoder's `config.json` does.
//!
//! 1. Sizes, θ and ε are read; `num_key_value_heads`, `head_dim` and `tie_word_embeddings` may be missing, as in transformers.
//! 2. Keys that ask for another network (another activation, scaled positions, biases, quantized weights, …) may be there with
//!    the value that leaves it Llama; any other value is refused by name: `model_type`, `architectures`, `hidden_act`,
//!    `rope_scaling`, `rope_parameters` and [`OFF`].
//! 3. Keys that do not bear on the numbers are ignored; all others too, but given back by their names, for a warning.

use std::path::Path;

use serde_json::Value;

use super::config::{BASE, DecoderConfig, EPSILON};
use crate::config::keys::{HARMLESS, Keys};
use crate::model_error::ModelError;
use crate::model_files as files;
use sources::excerpt;

/// Keys of kind 1, and of kind 2 those with a check of their own.
const CHECKED: &[&str] = &[
    "architectures",
    "eos_token_id",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "tie_word_embeddings",
    "vocab_size",
];

/// Keys that switch on what Llama does not have. Off is null, false, 0, or nothing in a text, list or table.
const OFF: &[&str] = &[
    "adapter_config",
    "adapters",
    "add_cross_attention",
    "alibi",
    "attention_bias",
    "attention_dropout",
    "attention_multiplier",
    "attn_logit_softcapping",
    "auto_map",
    "compression_config",
    "embedding_multiplier",
    "final_logit_softcapping",
    "is_encoder_decoder",
    "layer_types",
    "logit_scale",
    "logits_scaling",
    "mlp_bias",
    "no_rope_layers",
    "num_experts",
    "num_local_experts",
    "partial_rotary_factor",
    "pruned_heads",
    "quantization_config",
    "residual_multiplier",
    "rope_interleaved",
    "rotary_emb_fraction",
    "sliding_window",
    "use_qk_norm",
];

/// Keys of kind 3 beside those of encoders.
const HARMLESS_TOO: &[&str] = &["is_decoder", "is_llama_config", "pad_token_id", "transformers.js_config"];

/// What a `config.json` says.
pub(super) struct Read {
    pub(super) config: DecoderConfig,
    /// Ids of the tokens that end a text.
    pub(super) ends: Vec<u32>,
    /// Keys that nothing is known about.
    pub(super) unknown: Vec<String>,
}

/// Reads a `config.json`.
pub(super) fn read(path: &Path) -> Result<Read, ModelError> {
    let keys = Keys { path, keys: &files::object(path)? };
    check_architecture(&keys)?;
    let or = |key, otherwise| if keys.get(key).is_some() { keys.size(key) } else { Ok(otherwise) };
    let (hidden_size, heads) = (keys.size("hidden_size")?, keys.size("num_attention_heads")?);
    let config = DecoderConfig {
        hidden_size,
        layers: keys.size("num_hidden_layers")?,
        heads,
        key_value_heads: or("num_key_value_heads", heads)?,
        head_size: or("head_dim", hidden_size / heads)?,
        intermediate_size: keys.size("intermediate_size")?,
        vocabulary: keys.size("vocab_size")?,
        positions: keys.size("max_position_embeddings")?,
        rotary_base: rotary_base(&keys)?,
        norm_epsilon: keys
            .needed("rms_norm_eps", EPSILON)?
            .as_f64()
            .ok_or_else(|| keys.refused("rms_norm_eps", EPSILON))?,
        tied: match keys.get("tie_word_embeddings") {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => return Err(keys.refused("tie_word_embeddings", "true or false")),
        },
    };
    let names = ["num_attention_heads", "num_key_value_heads", "head_dim", "rope_theta", "rms_norm_eps"];
    if let Some((key, allowed)) = names.iter().zip(config.wrong()).find_map(|(key, wrong)| wrong.map(|it| (key, it))) {
        return Err(keys.refused(key, allowed));
    }
    keys.check_all_off("Llama", OFF)?;
    Ok(Read { config, ends: ends(&keys)?, unknown: unknown(&keys) })
}

fn check_architecture(keys: &Keys<'_>) -> Result<(), ModelError> {
    let single = |key, allowed: &'static str, is: &dyn Fn(&Value) -> bool| {
        if is(keys.needed(key, allowed)?) { Ok(()) } else { Err(keys.refused(key, allowed)) }
    };
    single("model_type", "\"llama\" (other architectures compute something else)", &|kind| kind == "llama")?;
    single("hidden_act", "\"silu\"", &|name| name == "silu" || name == "swish")?;
    let allowed = "LlamaForCausalLM";
    let is_llama = |names: &Value| names.as_array().is_some_and(|names| names.iter().all(|name| name == allowed));
    if keys.get("architectures").is_none_or(is_llama) { Ok(()) } else { Err(keys.refused("architectures", allowed)) }
}

/// θ, which stands in `rope_theta` or, as transformers 5 writes it, in `rope_parameters`.
fn rotary_base(keys: &Keys<'_>) -> Result<f64, ModelError> {
    let allowed = "{ \"rope_type\": \"default\" } with rope_theta alone: scaled positions are not known";
    let mut base = keys.get("rope_theta");
    for key in ["rope_parameters", "rope_scaling"] {
        let Some(value) = keys.get(key) else { continue };
        let table = value.as_object().ok_or_else(|| keys.refused(key, allowed))?;
        let is_plain = |(name, value): (&String, &Value)| match name.as_str() {
            "rope_type" | "type" => value == "default",
            name => name == "rope_theta",
        };
        if !table.iter().all(is_plain) {
            return Err(keys.refused(key, allowed));
        }
        base = table.get("rope_theta").or(base);
    }
    match base {
        None => Ok(1e4),
        Some(base) => base.as_f64().ok_or_else(|| keys.refused("rope_theta", BASE)),
    }
}

/// The tokens that end a text: one, several or none.
fn ends(keys: &Keys<'_>) -> Result<Vec<u32>, ModelError> {
    let key = "eos_token_id";
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let ids = match keys.get(key) {
        None => Some(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(id).collect(),
        Some(one) => id(one).map(|id| vec![id]),
    };
    ids.ok_or_else(|| keys.refused(key, "the id of a token, or a list of them"))
}

fn unknown(keys: &Keys<'_>) -> Vec<String> {
    let lists = [CHECKED, OFF, HARMLESS, HARMLESS_TOO];
    let is_known = |key: &str| lists.iter().any(|list| list.contains(&key));
    let unknown = keys.keys.iter().filter(|(key, value)| !value.is_null() && !is_known(key));
    unknown.map(|(key, _)| excerpt(key)).collect()
}
