//! What each key of T5's `config.json` does.
//!
//! 1. Sizes, ε, the probability of dropout, and the tokens where a text starts and ends are read; where transformers has a value for
//!    a missing key, it is the same here.
//! 2. Keys that ask for another network may be there with the value that leaves it T5; any other value is refused by name:
//!    `model_type`, `architectures`, `is_encoder_decoder`, `feed_forward_proj` and what it says of `dense_act_fn` and `is_gated_act`,
//!    `scale_decoder_outputs`, [`SAME`] and [`OFF`].
//! 3. Keys that do not bear on the numbers are ignored; all others too, but given back by their names, for a warning.

use std::path::Path;

use serde_json::Value;
use sources::excerpt;

use super::T5Config;
use crate::config::keys::{HARMLESS, Keys};
use crate::model_error::ModelError;
use crate::model_files as files;

/// Keys of kind 1, and of kind 2 those with a check of their own.
const CHECKED: &[&str] = &[
    "architectures",
    "d_ff",
    "d_kv",
    "d_model",
    "decoder_start_token_id",
    "dense_act_fn",
    "dropout_rate",
    "eos_token_id",
    "feed_forward_proj",
    "is_encoder_decoder",
    "is_gated_act",
    "layer_norm_epsilon",
    "model_type",
    "num_decoder_layers",
    "num_heads",
    "num_layers",
    "relative_attention_max_distance",
    "relative_attention_num_buckets",
    "scale_decoder_outputs",
    "tie_word_embeddings",
    "vocab_size",
];

/// Other names of sizes, which must say the same.
const SAME: &[(&str, &str)] = &[
    ("head_dim", "d_kv"),
    ("hidden_size", "d_model"),
    ("num_attention_heads", "num_heads"),
    ("num_hidden_layers", "num_layers"),
];

/// Keys that switch on what T5 does not have. Off is null, false, 0, or nothing in a text, list or table.
const OFF: &[&str] = &[
    "adapter_config",
    "adapters",
    "add_cross_attention",
    "auto_map",
    "compression_config",
    "cross_attention_hidden_size",
    "encoder_attention_type",
    "final_logit_softcapping",
    "is_decoder",
    "layer_types",
    "num_experts",
    "num_local_experts",
    "num_sparse_decoder_layers",
    "num_sparse_encoder_layers",
    "pruned_heads",
    "quantization_config",
    "rope_parameters",
    "rope_scaling",
    "scalable_attention",
    "sliding_window",
    "tie_encoder_decoder",
];

/// Keys of kind 3 beside those of encoders.
const HARMLESS_TOO: &[&str] =
    &["initializer_factor", "max_new_tokens", "n_positions", "output_past", "transformers.js_config"];

/// What a `config.json` says.
pub(super) struct Read {
    pub(super) config: T5Config,
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
    let encoder_layers = keys.size("num_layers")?;
    let vocabulary = keys.size("vocab_size")?;
    let config = T5Config {
        hidden_size: keys.size("d_model")?,
        encoder_layers,
        decoder_layers: or("num_decoder_layers", encoder_layers)?,
        heads: keys.size("num_heads")?,
        head_size: keys.size("d_kv")?,
        intermediate_size: keys.size("d_ff")?,
        gated: gated(&keys)?,
        vocabulary,
        buckets: or("relative_attention_num_buckets", 32)?,
        farthest: or("relative_attention_max_distance", 128)?,
        dropout: number(&keys, "dropout_rate", 0.1, "a number p with 0 ≤ p < 1", |p| (0.0..1.0).contains(&p))?,
        norm_epsilon: number(&keys, "layer_norm_epsilon", 1e-6, "a number from 1e-20 to 0.1", |epsilon| {
            (1e-20..=0.1).contains(&epsilon)
        })?,
        tied: tied(&keys)?,
        start: token(&keys, "decoder_start_token_id", vocabulary)?,
    };
    if !config.buckets.is_multiple_of(4) {
        return Err(keys.refused("relative_attention_num_buckets", "a multiple of 4"));
    }
    if 2 * config.farthest <= config.buckets {
        return Err(keys.refused("relative_attention_max_distance", "more than half of relative_attention_num_buckets"));
    }
    for &(other, key) in SAME {
        if keys.get(other).is_some_and(|value| Some(value) != keys.get(key)) {
            return Err(keys.refused(other, format!("the value of {key}, or no such key")));
        }
    }
    keys.check_all_off("T5", OFF)?;
    Ok(Read { ends: ends(&keys, vocabulary)?, unknown: unknown(&keys), config })
}

fn check_architecture(keys: &Keys<'_>) -> Result<(), ModelError> {
    let allowed = "\"t5\" (other architectures compute something else)";
    if keys.needed("model_type", allowed)? != "t5" {
        return Err(keys.refused("model_type", allowed));
    }
    let allowed = ["T5ForConditionalGeneration", "T5WithLMHeadModel"];
    let is_t5 = |name: &Value| name.as_str().is_some_and(|name| allowed.contains(&name));
    if !keys.get("architectures").is_none_or(|names| names.as_array().is_some_and(|names| names.iter().all(is_t5))) {
        return Err(keys.refused("architectures", allowed[0]));
    }
    if flag(keys, "is_encoder_decoder")? == Some(false) {
        return Err(keys.refused("is_encoder_decoder", "true"));
    }
    Ok(())
}

/// Whether the head is the embedding. transformers 5 writes `tie_word_embeddings` = true of either kind, and says by
/// `scale_decoder_outputs` which it is; the head of kind 1.1 is then in the file.
fn tied(keys: &Keys<'_>) -> Result<bool, ModelError> {
    let (tied, scaled) = (flag(keys, "tie_word_embeddings")?, flag(keys, "scale_decoder_outputs")?);
    if (tied, scaled) == (Some(false), Some(true)) {
        return Err(keys.refused("scale_decoder_outputs", "false, as tie_word_embeddings, or no such key"));
    }
    Ok(scaled.or(tied).unwrap_or(true))
}

/// Whether the feed-forward part has a gate.
fn gated(keys: &Keys<'_>) -> Result<bool, ModelError> {
    let (key, allowed) = ("feed_forward_proj", "\"relu\", \"gated-gelu\"");
    let gated = match keys.get(key).map(Value::as_str) {
        None | Some(Some("relu")) => false,
        Some(Some("gated-gelu")) => true,
        Some(_) => return Err(keys.refused(key, allowed)),
    };
    // transformers writes them too, and goes by them.
    let activation = if gated { "gelu_new" } else { "relu" };
    if keys.get("dense_act_fn").is_some_and(|name| name != activation) {
        return Err(keys.refused("dense_act_fn", format!("\"{activation}\", as feed_forward_proj says")));
    }
    if flag(keys, "is_gated_act")?.is_some_and(|flag| flag != gated) {
        return Err(keys.refused("is_gated_act", format!("{gated}, as feed_forward_proj says")));
    }
    Ok(gated)
}

fn flag(keys: &Keys<'_>, key: &str) -> Result<Option<bool>, ModelError> {
    let value = keys.get(key).map(|value| value.as_bool().ok_or_else(|| keys.refused(key, "true or false")));
    value.transpose()
}

fn number(
    keys: &Keys<'_>,
    key: &str,
    otherwise: f64,
    allowed: &str,
    is_allowed: impl Fn(f64) -> bool,
) -> Result<f64, ModelError> {
    let Some(value) = keys.get(key) else { return Ok(otherwise) };
    value.as_f64().filter(|&value| is_allowed(value)).ok_or_else(|| keys.refused(key, allowed))
}

fn token(keys: &Keys<'_>, key: &'static str, vocabulary: usize) -> Result<u32, ModelError> {
    let allowed = "the id of a token";
    id(keys.needed(key, allowed)?, vocabulary).ok_or_else(|| keys.refused(key, allowed))
}

fn id(value: &Value, vocabulary: usize) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok()).filter(|&id| (id as usize) < vocabulary)
}

/// The tokens that end a text: one or several.
fn ends(keys: &Keys<'_>, vocabulary: usize) -> Result<Vec<u32>, ModelError> {
    let key = "eos_token_id";
    let ids = match keys.get(key) {
        None => Some(vec![1]),
        Some(Value::Array(list)) => list.iter().map(|value| id(value, vocabulary)).collect(),
        Some(one) => id(one, vocabulary).map(|id| vec![id]),
    };
    let ids = ids.filter(|ids| !ids.is_empty());
    ids.ok_or_else(|| keys.refused(key, "the id of a token, or a list of them"))
}

fn unknown(keys: &Keys<'_>) -> Vec<String> {
    let lists = [CHECKED, OFF, HARMLESS, HARMLESS_TOO];
    let is_known =
        |key: &str| lists.iter().any(|list| list.contains(&key)) || SAME.iter().any(|(other, _)| *other == key);
    let unknown = keys.keys.iter().filter(|(key, value)| !value.is_null() && !is_known(key));
    unknown.map(|(key, _)| excerpt(key)).collect()
}
