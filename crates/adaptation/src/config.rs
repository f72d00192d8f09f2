//! The sizes of a BERT encoder, as its `config.json` gives them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Site;

/// Sizes and constants of a BERT encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Length of a hidden state.
    pub hidden_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads of a layer; they share the hidden size evenly.
    pub heads: usize,
    /// Length of the hidden state between a layer's two last dense layers.
    pub intermediate_size: usize,
    /// Number of word pieces.
    pub vocabulary: usize,
    /// Most tokens of a sequence.
    pub positions: usize,
    /// Number of token types (first sentence, second sentence).
    pub token_types: usize,
    /// Added to the variance in LayerNorm.
    pub layer_norm_epsilon: f64,
    /// Dropout of hidden states: after the embeddings, before each residual sum, and before the head.
    pub hidden_dropout: f64,
    /// Dropout of attention probabilities.
    pub attention_dropout: f64,
}

/// Why a pretrained encoder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `config.json` is not what it must be: no JSON, a key missing, a value of another type.
    #[error("{path} is no configuration of a BERT encoder: {source}")]
    Config {
        /// Which file.
        path: PathBuf,
        /// What is wrong, where.
        source: serde_json::Error,
    },
    /// `config.json` has a value that this encoder cannot have.
    #[error("{path}: {key} is {found}, allowed: {allowed}")]
    Setting {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// The weights' file is damaged: cut short, or no safetensors at all.
    #[error("{path} is cut short or no safetensors file: {source}")]
    Weights {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
    /// A weight is missing.
    #[error("{path} has no tensor {name} (nor bert.{name})")]
    Missing {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
    },
    /// A weight has another shape than the configuration says.
    #[error("{path}: tensor {name} is {found:?}, by the configuration it must be {expected:?}")]
    Shape {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// The shape by the configuration.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A weight is of a number type that is not read.
    #[error("{path}: tensor {name} is of type {found}, allowed: F32")]
    Type {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// Its type.
        found: String,
    },
}

/// The keys of `config.json` that matter here, under their names there; all others are ignored, a pretrained file has many.
#[derive(Deserialize)]
struct File {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    hidden_dropout_prob: f64,
    attention_probs_dropout_prob: f64,
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl Config {
    /// Reads a `config.json` of Hugging Face transformers.
    ///
    /// # Errors
    /// If the file cannot be read, misses a key, or has a value that is not allowed.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        let file: File =
            serde_json::from_str(&text).map_err(|source| ModelError::Config { path: path.to_owned(), source })?;
        file.check().map_err(|(key, found, allowed)| ModelError::Setting {
            path: path.to_owned(),
            key,
            found,
            allowed,
        })?;
        Ok(Self {
            hidden_size: file.hidden_size,
            layers: file.num_hidden_layers,
            heads: file.num_attention_heads,
            intermediate_size: file.intermediate_size,
            vocabulary: file.vocab_size,
            positions: file.max_position_embeddings,
            token_types: file.type_vocab_size,
            layer_norm_epsilon: file.layer_norm_eps,
            hidden_dropout: file.hidden_dropout_prob,
            attention_dropout: file.attention_probs_dropout_prob,
        })
    }

    /// A very small encoder, for tests: hidden size 24, two layers of four heads, 40 positions.
    pub fn tiny(vocabulary: usize) -> Self {
        Self {
            hidden_size: 24,
            layers: 2,
            heads: 4,
            intermediate_size: 40,
            vocabulary,
            positions: 40,
            token_types: 2,
            layer_norm_epsilon: 1e-12,
            hidden_dropout: 0.1,
            attention_dropout: 0.1,
        }
    }

    /// The sizes of all-MiniLM-L6-v2, the default encoder: hidden size 384, six layers of twelve heads. For benchmarks
    /// and reckonings that need no weights; an encoder has its sizes from its file.
    pub fn mini_lm() -> Self {
        Self {
            hidden_size: 384,
            layers: 6,
            heads: 12,
            intermediate_size: 1536,
            vocabulary: 30_522,
            positions: 512,
            token_types: 2,
            layer_norm_epsilon: 1e-12,
            hidden_dropout: 0.1,
            attention_dropout: 0.1,
        }
    }

    /// Length of a hidden state within one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.heads
    }

    /// (rows, columns) of a weight: (outputs, inputs) of a dense layer, (entries, hidden size) of an embedding.
    pub fn shape(&self, site: Site) -> (usize, usize) {
        let hidden = self.hidden_size;
        match site {
            Site::WordEmbeddings => (self.vocabulary, hidden),
            Site::PositionEmbeddings => (self.positions, hidden),
            Site::Intermediate(_) => (self.intermediate_size, hidden),
            Site::Output(_) => (hidden, self.intermediate_size),
            Site::Query(_) | Site::Key(_) | Site::Value(_) | Site::AttentionOutput(_) | Site::Pooler => {
                (hidden, hidden)
            }
        }
    }
}

impl File {
    /// Err: the key, its value, and what is allowed.
    fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        let sizes = [
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        for (key, size) in sizes {
            if size == 0 {
                return Err((key, size.to_string(), "1 or more"));
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(("num_attention_heads", self.num_attention_heads.to_string(), "a divisor of hidden_size"));
        }
        if self.type_vocab_size > 256 {
            return Err(("type_vocab_size", self.type_vocab_size.to_string(), "at most 256"));
        }
        for (key, p) in [
            ("hidden_dropout_prob", self.hidden_dropout_prob),
            ("attention_probs_dropout_prob", self.attention_probs_dropout_prob),
        ] {
            if !(0.0..1.0).contains(&p) {
                return Err((key, p.to_string(), "0 ≤ p < 1"));
            }
        }
        if !(self.layer_norm_eps >= 0.0 && self.layer_norm_eps.is_finite()) {
            return Err(("layer_norm_eps", self.layer_norm_eps.to_string(), "0 or more"));
        }
        if self.hidden_act != "gelu" {
            return Err(("hidden_act", format!("{:?}", self.hidden_act), "\"gelu\" (the exact one)"));
        }
        if self.position_embedding_type != "absolute" {
            return Err(("position_embedding_type", format!("{:?}", self.position_embedding_type), "\"absolute\""));
        }
        Ok(())
    }
}
