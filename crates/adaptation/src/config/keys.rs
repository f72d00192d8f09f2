//! `config.json`: what each key does here.
//!
//! A key is one of four kinds, so that nothing that would change the forward pass is passed over in silence:
//!
//! 1. The keys of [`Config`] are honoured. A missing `layer_norm_eps` is 1e-12, as in Google's own files; the others must
//!    be there.
//! 2. `model_type` says which architecture it is; one that is not known is refused by name. Keys that ask for another
//!    network than this architecture's (position scheme, activation, a decoder, pruned heads, quantized weights, …) may be
//!    there with the value that leaves it as it is; any other value is refused by name. They are `architectures`, the
//!    activations, `relative_attention_num_buckets`, [`SAME_SIZE`] and [`OFF`].
//! 3. Keys that do not bear on hidden states (heads for tasks, tokens, generation, the library's own notes) are ignored:
//!    [`HARMLESS`].
//! 4. Keys that are in none of these lists and are not null are ignored too, but given back by their names, for a warning.
//!
//! The lists are made from the configurations of BERT, MPNet and their relatives in Hugging Face transformers.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Architecture, Config};
use crate::model_error::ModelError;
use crate::model_files as files;
use sources::excerpt;

/// Where a configuration has no `layer_norm_eps`, as Google's do; transformers has the same for MPNet.
const LAYER_NORM_EPSILON: f64 = 1e-12;

/// Keys of kind 1, and of kind 2 those with a check of their own.
const CHECKED: &[&str] = &[
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "hidden_act",
    "model_type",
    "architectures",
    "position_embedding_type",
    BUCKETS,
];

/// Number of buckets of relative positions.
const BUCKETS: &str = "relative_attention_num_buckets";

/// Names of the exact GELU, `x Φ(x)`.
const GELU: &[&str] = &["gelu", "gelu_python"];

/// Other names of the activation, which must say the same.
const ACTIVATIONS: &[&str] = &["activation", "activation_function", "hidden_activation"];

/// Sizes that the architectures have no choice in, and the size they must be.
const SAME_SIZE: &[(&str, Size)] = &[
    ("embedding_size", Size::Hidden),
    ("input_embedding_size", Size::Hidden),
    ("output_embedding_size", Size::Hidden),
    ("num_key_value_heads", Size::Heads),
    ("attention_head_size", Size::OfHead),
    ("head_dim", Size::OfHead),
];

/// Sizes of [`SAME_SIZE`].
#[derive(Clone, Copy)]
enum Size {
    Hidden,
    Heads,
    OfHead,
}

/// Keys that switch on what none of the architectures has. Off is null, false, 0, or nothing in a text, list or table.
const OFF: &[&str] = &[
    // A decoder.
    "add_cross_attention",
    "cross_attention_hidden_size",
    "is_decoder",
    "is_encoder_decoder",
    // Other weights than those in the file, or code of the repository's own.
    "adapter_config",
    "adapters",
    "auto_map",
    "compression_config",
    "per_layer_config",
    "pruned_heads",
    "quant_mode",
    "quantization_config",
    // Positions.
    "alibi",
    "alibi_starting_size",
    "max_2d_position_embeddings",
    "max_relative_positions",
    "pos_att_type",
    "relative_attention",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "rotary_emb_fraction",
    "rotary_value",
    "sinusoidal_pos_embds",
    // Attention.
    "attention_type",
    "attention_window",
    "conv_kernel_size",
    "global_attn_every_n_layers",
    "head_ratio",
    "layer_types",
    "local_attention",
    "num_hash",
    "num_landmarks",
    "num_random_blocks",
    "sliding_window",
    "use_entity_aware_attention",
    "use_qk_norm",
    // Norms, residual sums, sharing of layers, bottlenecks, mixtures.
    "emb_layer_norm_before",
    "embedding_multiplier",
    "inner_group_num",
    "key_query_shared_bottleneck",
    "layer_drop",
    "layerdrop",
    "ln_before_adapter",
    "norm_first",
    "num_experts",
    "num_feedforward_networks",
    "num_hidden_groups",
    "num_local_experts",
    "pre_norm",
    "prenorm",
    "rescale_embeddings",
    "residual_multiplier",
    "rms_norm_eps",
    "scale_embeddings",
    "token_dropout",
    "trigram_input",
    "use_bottleneck",
    "use_bottleneck_attention",
    "use_rms_norm",
    "use_task_id",
];

/// Keys that do not bear on hidden states.
pub(crate) const HARMLESS: &[&str] = &[
    // The library's own notes.
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_attn_implementation_internal",
    "_commit_hash",
    "_name_or_path",
    "attn_implementation",
    "chunk_size_feed_forward",
    "custom_pipelines",
    "dtype",
    "gradient_checkpointing",
    "name_or_path",
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "tf_legacy_loss",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "use_bfloat16",
    "use_cache",
    "use_flash_attn",
    // How weights are drawn that are here read.
    "initializer_range",
    "initializer_std",
    // Heads for tasks, which are not read.
    "classifier_activation",
    "classifier_dropout",
    "classifier_dropout_prob",
    "finetuning_task",
    "id2label",
    "label2id",
    "num_labels",
    "pretraining_tp",
    "problem_type",
    "qa_dropout",
    "sentence_transformers",
    "seq_classif_dropout",
    "summary_activation",
    "summary_last_dropout",
    "summary_type",
    "summary_use_proj",
    "task_specific_params",
    "tie_encoder_decoder",
    "tie_word_embeddings",
    // Google's notes on pooling, which no implementation reads.
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    // Tokens.
    "bos_token_id",
    "cls_token_id",
    "decoder_start_token_id",
    "eos_token_id",
    "mask_token_id",
    "pad_token_id",
    "prefix",
    "sep_token_id",
    "tokenizer_class",
    // Generation of text.
    "bad_words_ids",
    "begin_suppress_tokens",
    "diversity_penalty",
    "do_sample",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "length_penalty",
    "max_length",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_scores",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict_in_generate",
    "suppress_tokens",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
];

impl Config {
    /// Reads a `config.json` of Hugging Face transformers, see the module `config::keys` for what each key does. Keys that
    /// nothing is known about are ignored; [`Pretrained::load`](crate::Pretrained::load) warns of them.
    ///
    /// # Errors
    /// If the file cannot be read, misses a key, or has a value that is not allowed or asks for a network that is not known.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        read(path).map(|(config, _)| config)
    }
}

/// A configuration, and the names of the keys that nothing is known about.
pub(crate) fn read(path: &Path) -> Result<(Config, Vec<String>), ModelError> {
    let keys = Keys { path, keys: &files::object(path)? };
    let architecture = keys.architecture()?;
    let config = Config {
        architecture,
        hidden_size: keys.size("hidden_size")?,
        layers: keys.size("num_hidden_layers")?,
        heads: keys.size("num_attention_heads")?,
        intermediate_size: keys.size("intermediate_size")?,
        vocabulary: keys.size("vocab_size")?,
        positions: keys.size("max_position_embeddings")?,
        token_types: if architecture.has_token_types() { keys.size("type_vocab_size")? } else { 0 },
        layer_norm_epsilon: keys.epsilon()?,
        hidden_dropout: keys.dropout("hidden_dropout_prob")?,
        attention_dropout: keys.dropout("attention_probs_dropout_prob")?,
    };
    if !config.hidden_size.is_multiple_of(config.heads) {
        let allowed = format!("a divisor of hidden_size ({})", config.hidden_size);
        return Err(keys.refused("num_attention_heads", allowed));
    }
    if config.token_types > 256 {
        return Err(keys.refused("type_vocab_size", "an integer from 1 to 256"));
    }
    if config.most_tokens() == 0 {
        let (first, title) = (architecture.first_position(), architecture.title());
        return Err(
            keys.refused("max_position_embeddings", format!("more than {first}: {title} does not use the first"))
        );
    }
    keys.check_activation()?;
    keys.check_positions()?;
    keys.check_same_sizes(&config)?;
    keys.check_buckets(architecture)?;
    keys.check_all_off(architecture.title(), OFF)?;
    Ok((config, keys.unknown()))
}

/// The keys of a file.
pub(crate) struct Keys<'a> {
    pub(crate) path: &'a Path,
    pub(crate) keys: &'a Map<String, Value>,
}

impl Keys<'_> {
    /// The value of a key; null is as good as none.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn needed(&self, key: &'static str, allowed: &'static str) -> Result<&Value, ModelError> {
        self.get(key).ok_or_else(|| ModelError::MissingKey { path: self.path.to_owned(), key, allowed })
    }

    /// That the value of a key is not allowed.
    pub(crate) fn refused(&self, key: &str, allowed: impl Into<String>) -> ModelError {
        let found = excerpt(&self.keys.get(key).unwrap_or(&Value::Null).to_string());
        ModelError::Setting { path: self.path.to_owned(), key: key.to_owned(), found, allowed: allowed.into() }
    }

    pub(crate) fn size(&self, key: &'static str) -> Result<usize, ModelError> {
        let allowed = "an integer from 1";
        let size = self.needed(key, allowed)?.as_u64().and_then(|size| usize::try_from(size).ok());
        size.filter(|&size| size >= 1).ok_or_else(|| self.refused(key, allowed))
    }

    fn dropout(&self, key: &'static str) -> Result<f64, ModelError> {
        let allowed = "a number p with 0 ≤ p < 1";
        let p = self.needed(key, allowed)?.as_f64();
        p.filter(|p| (0.0..1.0).contains(p)).ok_or_else(|| self.refused(key, allowed))
    }

    fn epsilon(&self) -> Result<f64, ModelError> {
        let Some(value) = self.get("layer_norm_eps") else { return Ok(LAYER_NORM_EPSILON) };
        let sensible = value.as_f64().filter(|epsilon| (1e-20..=0.1).contains(epsilon));
        sensible.ok_or_else(|| self.refused("layer_norm_eps", "a number from 1e-20 to 0.1, or no such key: 1e-12"))
    }

    /// What `model_type` says, and `architectures` does not deny. Google's own files say nothing, and are of BERT.
    fn architecture(&self) -> Result<Architecture, ModelError> {
        let found = match self.get("model_type") {
            None => Some(Architecture::Bert),
            Some(kind) => Architecture::ALL.into_iter().find(|architecture| kind == architecture.model_type()),
        };
        let allowed = "\"bert\", \"mpnet\" (other architectures compute something else)";
        let found = found.ok_or_else(|| self.refused("model_type", allowed))?;
        let (class, allowed) = match found {
            Architecture::Bert => ("Bert", "BertModel, or BERT with a head (BertFor…)"),
            Architecture::Mpnet => ("MPNet", "MPNetModel, or MPNet with a head (MPNetFor…)"),
        };
        let belongs = |name: &Value| {
            let name = name.as_str().unwrap_or_default();
            name.starts_with(class) && !name.starts_with("BertGeneration")
        };
        let names = self.get("architectures");
        if names.is_none_or(|names| names.as_array().is_some_and(|names| names.iter().all(belongs))) {
            return Ok(found);
        }
        Err(self.refused("architectures", allowed))
    }

    fn check_activation(&self) -> Result<(), ModelError> {
        let is_gelu = |value: &Value| value.as_str().is_some_and(|name| GELU.contains(&name));
        let allowed = "\"gelu\" (the exact one)";
        self.needed("hidden_act", allowed)?;
        let mut names = ["hidden_act"].into_iter().chain(ACTIVATIONS.iter().copied());
        match names.find(|key| !self.get(key).is_none_or(is_gelu)) {
            Some(key) => Err(self.refused(key, allowed)),
            None => Ok(()),
        }
    }

    fn check_positions(&self) -> Result<(), ModelError> {
        let key = "position_embedding_type";
        if self.get(key).is_none_or(|value| value == "absolute") {
            Ok(())
        } else {
            Err(self.refused(key, "\"absolute\""))
        }
    }

    fn check_same_sizes(&self, config: &Config) -> Result<(), ModelError> {
        for &(key, size) in SAME_SIZE {
            let (size, what) = match size {
                Size::Hidden => (config.hidden_size, "that of hidden_size"),
                Size::Heads => (config.heads, "that of num_attention_heads"),
                Size::OfHead => (config.head_size(), "hidden_size / num_attention_heads"),
            };
            if self.get(key).is_some_and(|value| value.as_u64() != Some(size as u64)) {
                return Err(self.refused(key, format!("{size} ({what})")));
            }
        }
        Ok(())
    }

    /// transformers counts MPNet's buckets as 32 whatever the configuration says, so that another number is a mistake.
    fn check_buckets(&self, architecture: Architecture) -> Result<(), ModelError> {
        let Some(positions) = architecture.relative_positions() else {
            return self.check_all_off(architecture.title(), &[BUCKETS]);
        };
        if self.get(BUCKETS).is_none_or(|value| value.as_u64() == Some(positions.buckets as u64)) {
            return Ok(());
        }
        Err(self.refused(BUCKETS, format!("{}, or no such key", positions.buckets)))
    }

    pub(crate) fn check_all_off(&self, title: &str, keys: &[&str]) -> Result<(), ModelError> {
        let is_off = |value: &Value| match value {
            Value::Null => true,
            Value::Bool(on) => !on,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(table) => table.is_empty(),
        };
        match keys.iter().find(|key| !self.get(key).is_none_or(is_off)) {
            Some(key) => {
                Err(self
                    .refused(key, format!("false, null, 0, an empty list, or no such key: {title} does not have it")))
            }
            None => Ok(()),
        }
    }

    fn unknown(&self) -> Vec<String> {
        let is_known = |key: &str| {
            let lists = [CHECKED, ACTIVATIONS, OFF, HARMLESS];
            lists.iter().any(|list| list.contains(&key)) || SAME_SIZE.iter().any(|(name, _)| *name == key)
        };
        let unknown = self.keys.iter().filter(|(key, value)| !value.is_null() && !is_known(key));
        unknown.map(|(key, _)| excerpt(key)).collect()
    }
}
