//! `[head]`: the frozen random head.

use adaptation::Config;
use lab::checked::{PositiveSingle, UpTo};
use serde::{Deserialize, Serialize};

/// `[head]`: the frozen random head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadSettings {
    /// Standard deviation of its weights.
    pub deviation: Deviation,
    /// How many heads (with their random poolers) are drawn.
    pub draws: Draws,
}

/// The key `deviation` of a head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "\"lecun\" (1/√hidden), or a number greater than 0 in single precision")]
pub enum Deviation {
    /// By name.
    Named(NamedDeviation),
    /// As a number.
    Number(PositiveSingle),
}

/// A standard deviation with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamedDeviation {
    /// 1/√hidden (LeCun et al. 1998): the authors'.
    Lecun,
}

impl Deviation {
    /// For an encoder.
    pub fn of(self, config: &Config) -> f64 {
        match self {
            Self::Named(NamedDeviation::Lecun) => 1.0 / (config.hidden_size as f64).sqrt(),
            Self::Number(deviation) => *deviation,
        }
    }

    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Named(NamedDeviation::Lecun) => "LeCun head".to_owned(),
            Self::Number(deviation) => format!("head of deviation {deviation}"),
        }
    }
}

/// The key `draws` of a head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a whole number from 1 to 1000, each crossed with all trials (1: the authors'), or \"per-trial\""
)]
pub enum Draws {
    /// So many, each used by all trials.
    Crossed(UpTo<1000>),
    /// One for each trial.
    Named(PerTrial),
}

/// A way to draw heads that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PerTrial {
    /// One for each trial.
    PerTrial,
}

impl Draws {
    /// The pairs of draw and trial.
    pub fn crossed(self, trials: usize) -> Vec<(usize, usize)> {
        match self {
            Self::Crossed(draws) => (0..*draws).flat_map(|draw| (0..trials).map(move |trial| (draw, trial))).collect(),
            Self::Named(PerTrial::PerTrial) => (0..trials).map(|trial| (trial, trial)).collect(),
        }
    }

    /// Heads that are shared by trials; 0 if every trial has its own.
    pub fn shared(self) -> usize {
        if let Self::Crossed(draws) = self { *draws } else { 0 }
    }
}
