//! `experiments/sensing.toml`: its fields, what is allowed, and the networks it names.

use charts::Hue;
use lab::checked::{Count, Depth, Positive, RelativeLoss, Size, Steps, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use super::network::Network;
use crate::checks::{check_init_scale, check_runs};
use crate::label::number;
use crate::matrix::{check_rank_guess, over_trials};
use crate::palette;

/// `experiments/sensing.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) depth: Depth,
    pub(super) init_scale: Positive,
    pub(super) step_size: Positive,
    pub(super) rank_guess: Count,
    pub(super) discrepant_step: Positive,
    pub(super) max_iterations: Steps,
    pub(super) tolerance: RelativeLoss,
    pub(super) record_every: Steps,
    pub(super) problem: SensingProblem,
}

/// `[problem]`: a square low-rank target, and how often it is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensingProblem {
    /// Rows and columns of the target, d.
    pub(super) size: Size,
    /// Rank of the target, r.
    pub(super) rank: Count,
    /// Number of measurements, m.
    pub(super) measurements: Count,
}

/// A network of the comparison.
pub(super) struct Compared {
    /// Its name in tables and legends.
    pub(super) name: String,
    pub(super) hue: Hue,
    pub(super) network: Network,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        let SensingProblem { size, rank, .. } = self.problem;
        let allowed = format!("a whole number from 1 to half the size ({})", *size / 2);
        Invalid::unless(*rank <= *size / 2, "problem.rank", rank, allowed)?;
        check_rank_guess("rank_guess", self.rank_guess, size)?;
        check_init_scale("init_scale", *self.init_scale, *self.depth)?;
        check_runs(*self.trials, &[self.networks().len()])
    }
}

impl Settings {
    /// The networks, the original first.
    pub(super) fn networks(&self) -> [Compared; 4] {
        let (rank_guess, step) = (*self.rank_guess, *self.discrepant_step);
        let compressed = |discrepant_step| Network::Compressed { rank_guess, discrepant_step };
        [
            (ORIGINAL.to_owned(), palette::ORIGINAL, Network::Original),
            (self.moving(), palette::COMPRESSED, compressed(step)),
            (FIXED.to_owned(), palette::FIXED, compressed(0.0)),
            (SPECTRAL.to_owned(), palette::SPECTRAL, Network::Spectral { rank_guess }),
        ]
        .map(|(name, hue, network)| Compared { name, hue, network })
    }

    /// What the tables call the compressed network whose bases move.
    pub(super) fn moving(&self) -> String {
        format!("compressed, γ = {}", number(*self.discrepant_step))
    }

    /// Whether the instance is as large as Kwon et al.'s.
    pub(super) fn at_papers_size(&self) -> bool {
        *self.problem.size >= 200 && *self.problem.measurements >= 4000
    }

    pub(super) fn subtitle(&self) -> String {
        let SensingProblem { size, rank, measurements } = self.problem;
        format!(
            "Kwon et al., arXiv 2311.05061; d = {size}, r = {rank}, m = {measurements}, r̂ = {}, L = {}, ε = {}, η = {}{}",
            self.rank_guess,
            self.depth,
            self.init_scale,
            self.step_size,
            over_trials(*self.trials)
        )
    }
}

/// What the tables call the original.
pub(super) const ORIGINAL: &str = "original";
/// What the tables call the compressed network with fixed bases.
pub(super) const FIXED: &str = "compressed, γ = 0";
/// What the tables call the network of Kwon et al.
pub(super) const SPECTRAL: &str = "spectral";
