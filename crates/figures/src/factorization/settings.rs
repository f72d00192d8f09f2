//! `experiments/factorization.toml`: its fields, what is allowed, and the networks it names.

use lab::checked::{Count, Depth, Positive, Trials};
use lab::{Check, Experiment, Invalid};
use serde::{Deserialize, Serialize};

use super::Factorization;
use crate::checks::{check_init_scale, check_runs};
use crate::matrix::*;
use crate::palette;

/// What the tables call the original.
pub(super) const ORIGINAL: &str = "original";
/// What the tables call its compressed network.
pub(super) const COMPRESSED: &str = "compressed, γ = 0";

/// `experiments/factorization.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) depth: Depth,
    pub(super) init_scale: Positive,
    pub(super) step_size: Positive,
    pub(super) trajectory_records: Count,
    pub(super) problem: ProblemSettings,
    pub(super) schedule: ScheduleSettings,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        self.schedule.check("schedule", &self.problem)?;
        check_runs(*self.trials, &[2])?;
        check_init_scale("init_scale", *self.init_scale, *self.depth)?;
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        let full = *observed_fraction == 1.0;
        Invalid::unless(full, "problem.observed_fraction", observed_fraction, "1, full observation")?;
        let ranks = format!("a whole number from 1 to less than half the size ({size})");
        Invalid::unless(2 * *rank < *size, "problem.rank", rank, ranks)?;
        self.problem.check_drawn(Factorization::NAME, self.seed, *self.trials)?;
        self.problem.draw.check_value("depth".to_owned(), *self.depth, &[recipe::DEPTH])
    }
}

impl Settings {
    pub(super) fn networks(&self) -> [Compared; 2] {
        let (depth, init_scale) = (*self.depth, *self.init_scale);
        let tolerance = self.schedule.tolerance;
        let original = Network::Deep { depth, width: *self.problem.size, init_scale };
        let compressed = Network::CompressedExact { depth, init_scale };
        [
            Compared { name: ORIGINAL.to_owned(), hue: palette::ORIGINAL, network: original, tolerance },
            Compared { name: COMPRESSED.to_owned(), hue: palette::FIXED, network: compressed, tolerance },
        ]
    }

    pub(super) fn subtitle(&self) -> String {
        let ProblemSettings { size, rank, .. } = self.problem;
        format!(
            "Figure 4 of the paper; d = {size}, r = {rank}, L = {}, all entries observed, ε = {}, η = {}{}",
            self.depth,
            self.init_scale,
            self.step_size,
            over_trials(*self.trials)
        )
    }
}
