//! The weights of a decoder by their places, and what files call them.

use super::DecoderConfig;
use crate::Site;

/// A weight; layers count from 0. A matrix is outputs × inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The embedding, vocabulary × hidden.
    Embedding,
    /// The RMSNorm before a layer's attention, hidden.
    AttentionNorm(usize),
    /// Queries, (heads · head size) × hidden.
    Query(usize),
    /// Keys, (key-value heads · head size) × hidden.
    Key(usize),
    /// Values, (key-value heads · head size) × hidden.
    Value(usize),
    /// The dense layer after attention, hidden × (heads · head size).
    AttentionOutput(usize),
    /// The RMSNorm before a layer's feed-forward part, hidden.
    FeedForwardNorm(usize),
    /// What SiLU is taken of, intermediate × hidden.
    Gate(usize),
    /// What is multiplied by it, intermediate × hidden.
    Up(usize),
    /// The way back to the hidden states, hidden × intermediate.
    Down(usize),
    /// The last RMSNorm, hidden.
    LastNorm,
    /// The head where it is not the embedding, vocabulary × hidden.
    Head,
}

impl Weight {
    /// The weight that an adapter on this site is added to; `None` of a site that no decoder has.
    pub fn of_site(site: Site) -> Option<Self> {
        match site {
            Site::WordEmbeddings | Site::TiedEmbedding => Some(Self::Embedding),
            Site::Query(l) => Some(Self::Query(l)),
            Site::Key(l) => Some(Self::Key(l)),
            Site::Value(l) => Some(Self::Value(l)),
            Site::AttentionOutput(l) => Some(Self::AttentionOutput(l)),
            Site::Gate(l) => Some(Self::Gate(l)),
            Site::Up(l) => Some(Self::Up(l)),
            Site::Down(l) => Some(Self::Down(l)),
            Site::Head => Some(Self::Head),
            Site::PositionEmbeddings | Site::Pooler | Site::Intermediate(_) | Site::Output(_) => None,
            Site::CrossQuery(_) | Site::CrossKey(_) | Site::CrossValue(_) | Site::CrossOutput(_) => None,
        }
    }

    /// Its tensor in files of safetensors, without the prefix `model.`.
    pub fn name(self) -> String {
        let of = |l: usize, what| format!("layers.{l}.{what}.weight");
        match self {
            Self::Embedding => "embed_tokens.weight".to_owned(),
            Self::AttentionNorm(l) => of(l, "input_layernorm"),
            Self::Query(l) => of(l, "self_attn.q_proj"),
            Self::Key(l) => of(l, "self_attn.k_proj"),
            Self::Value(l) => of(l, "self_attn.v_proj"),
            Self::AttentionOutput(l) => of(l, "self_attn.o_proj"),
            Self::FeedForwardNorm(l) => of(l, "post_attention_layernorm"),
            Self::Gate(l) => of(l, "mlp.gate_proj"),
            Self::Up(l) => of(l, "mlp.up_proj"),
            Self::Down(l) => of(l, "mlp.down_proj"),
            Self::LastNorm => "norm.weight".to_owned(),
            Self::Head => "lm_head.weight".to_owned(),
        }
    }

    /// Its tensor in GGUF files.
    pub fn gguf_name(self) -> String {
        let of = |l: usize, what| format!("blk.{l}.{what}.weight");
        match self {
            Self::Embedding => "token_embd.weight".to_owned(),
            Self::AttentionNorm(l) => of(l, "attn_norm"),
            Self::Query(l) => of(l, "attn_q"),
            Self::Key(l) => of(l, "attn_k"),
            Self::Value(l) => of(l, "attn_v"),
            Self::AttentionOutput(l) => of(l, "attn_output"),
            Self::FeedForwardNorm(l) => of(l, "ffn_norm"),
            Self::Gate(l) => of(l, "ffn_gate"),
            Self::Up(l) => of(l, "ffn_up"),
            Self::Down(l) => of(l, "ffn_down"),
            Self::LastNorm => "output_norm.weight".to_owned(),
            Self::Head => "output.weight".to_owned(),
        }
    }

    /// (rows, columns) of a matrix; of a norm (length, 1).
    pub fn shape(self, config: &DecoderConfig) -> (usize, usize) {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        match self {
            Self::Embedding | Self::Head => (config.vocabulary, hidden),
            Self::AttentionNorm(_) | Self::FeedForwardNorm(_) | Self::LastNorm => (hidden, 1),
            Self::Query(_) => (config.queries(), hidden),
            Self::Key(_) | Self::Value(_) => (config.keys(), hidden),
            Self::AttentionOutput(_) => (hidden, config.queries()),
            Self::Gate(_) | Self::Up(_) => (intermediate, hidden),
            Self::Down(_) => (hidden, intermediate),
        }
    }

    /// Whether it is a list, no matrix.
    pub(super) fn is_norm(self) -> bool {
        matches!(self, Self::AttentionNorm(_) | Self::FeedForwardNorm(_) | Self::LastNorm)
    }

    /// Whether its rows are paired for the rotary positions.
    pub(super) fn is_rotated(self) -> bool {
        matches!(self, Self::Query(_) | Self::Key(_))
    }
}
