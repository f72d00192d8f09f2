//! What completes the ratings.

use charts::Hue;
use dynamics::completion::NetworkKind;
use serde::{Deserialize, Serialize};

use crate::palette;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkName {
    /// The compressed network of an original that is never built, bases moving.
    Compressed,
    /// The same with fixed bases.
    CompressedFixed,
    /// The spectral initialization of Kwon et al.
    Spectral,
    /// A narrow network from a random start, as wide as the compressed one.
    Narrow,
    /// The original, as wide as the matrix: in `[original]` alone.
    #[serde(skip_deserializing)]
    Original,
}

impl NetworkName {
    pub(super) const ALL: [Self; 5] =
        [Self::Original, Self::Compressed, Self::CompressedFixed, Self::Spectral, Self::Narrow];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Compressed => "compressed",
            Self::CompressedFixed => "fixed bases",
            Self::Spectral => "spectral",
            Self::Narrow => "narrow",
            Self::Original => "original",
        }
    }

    pub(super) fn hue(self) -> Hue {
        match self {
            Self::Compressed => palette::COMPRESSED,
            Self::CompressedFixed => palette::FIXED,
            Self::Spectral => palette::SPECTRAL,
            Self::Narrow => palette::NARROW,
            Self::Original => palette::ORIGINAL,
        }
    }

    pub(super) fn kind(self) -> NetworkKind {
        match self {
            Self::Compressed | Self::CompressedFixed => NetworkKind::Compressed,
            Self::Spectral => NetworkKind::Spectral,
            Self::Narrow => NetworkKind::Narrow,
            Self::Original => NetworkKind::Original,
        }
    }
}

/// What completes the ratings, with the settings that the validation error chooses among.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Method {
    /// The mean of the training ratings.
    Mean,
    /// Mean and biases.
    Biases,
    /// Biased matrix factorization by alternating least squares.
    Als { rank: usize, regularization: f64, weighted: bool, sweeps: usize },
    /// The nuclear norm, about mean and biases.
    SoftImpute { rank: usize, regularization: f64, max_iterations: usize, tolerance: f64 },
    /// A deep factorization, about mean and biases.
    Network {
        name: NetworkName,
        depth: usize,
        /// `None`: it has no rank guess.
        rank_guess: Option<usize>,
        init_scale: f64,
        step_size: f64,
        discrepant_step: f64,
        max_iterations: u64,
        check_every: u64,
        patience: u64,
    },
}

pub(super) const MEAN: &str = "mean";
pub(super) const BIASES: &str = "mean and biases";
pub(super) const ALS: &str = "biased ALS";
pub(super) const SOFT_IMPUTE: &str = "soft-impute";

impl Method {
    /// What tables and figures call it: of those with one label, the validation error chooses.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Mean => MEAN.to_owned(),
            Self::Biases => BIASES.to_owned(),
            Self::Als { .. } => ALS.to_owned(),
            Self::SoftImpute { .. } => SOFT_IMPUTE.to_owned(),
            Self::Network { name, depth, .. } => network_label(*name, *depth),
        }
    }

    /// The rank it may have at most; of a network its rank guess.
    pub(super) fn rank(&self) -> Option<usize> {
        match self {
            Self::Mean | Self::Biases => None,
            Self::Als { rank, .. } | Self::SoftImpute { rank, .. } => Some(*rank),
            Self::Network { rank_guess, .. } => *rank_guess,
        }
    }

    pub(super) fn regularization(&self) -> Option<f64> {
        match self {
            Self::Als { regularization, .. } | Self::SoftImpute { regularization, .. } => Some(*regularization),
            _ => None,
        }
    }
}

pub(super) fn network_label(name: NetworkName, depth: usize) -> String {
    format!("{}, L = {depth}", name.label())
}
