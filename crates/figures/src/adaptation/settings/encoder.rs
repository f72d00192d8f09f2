//! `[encoder]` and what pools its hidden states.

use adaptation::Pooling;
use lab::checked::PositiveSingle;
use serde::{Deserialize, Serialize};

use crate::adaptation::made_up;

/// `[encoder]`: the pretrained encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSettings {
    /// Name of its source, or "tiny-random": a small one made in code.
    pub source: String,
    /// What of the last hidden states goes to the head.
    pub pooling: PoolingChoice,
    /// What the standard deviation of a random pooler is multiplied with.
    pub pooler_scale: PositiveSingle,
    /// Most tokens of an example, those at the beginning and the end of sentences included; longer ones are left out.
    /// Without it the paper's 128, or the encoder's positions where it has fewer.
    pub max_tokens: Option<usize>,
}

impl EncoderSettings {
    /// Whether it has learned something; what a random one does bears on no claim.
    pub fn is_pretrained(&self) -> bool {
        self.source != made_up::ENCODER
    }
}

/// The key `pooling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolingChoice {
    /// `tanh(W h)` of the first token's, W random: the authors'.
    RandomPooler,
    /// `tanh(W h + b)` with the encoder's own pooler.
    Pooler,
    /// The mean over all tokens.
    Mean,
}

impl PoolingChoice {
    /// As the network computes it.
    pub fn pooling(self) -> Pooling {
        if self == Self::Mean { Pooling::Mean } else { Pooling::Pooler }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::RandomPooler => "random pooler",
            Self::Pooler => "the encoder's pooler",
            Self::Mean => "mean of the tokens",
        }
    }
}
