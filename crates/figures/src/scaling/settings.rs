//! `experiments/scaling.toml`: its fields and what is allowed.

use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use super::equivalence::EquivalenceSettings;
use crate::matrix::{RelativeNetwork, WideProblem, check_not_negative, check_trials};

/// `experiments/scaling.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: usize,
    pub(super) tolerance: f64,
    pub(super) record_every: u64,
    pub(super) held_out_entries: usize,
    pub(super) problem: WideProblem,
    pub(super) network: RelativeNetwork,
    pub(super) sizes: Vec<SizeSettings>,
    pub(super) equivalence: EquivalenceSettings,
}

/// `[[sizes]]`: iterations of each method at one size; none: it is not run.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SizeSettings {
    pub(super) size: usize,
    pub(super) sampled: Option<u64>,
    pub(super) explicit: Option<u64>,
    pub(super) original: Option<u64>,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_trials(self.trials)?;
        check_not_negative("tolerance", self.tolerance)?;
        Invalid::unless(self.record_every >= 1, "record_every", self.record_every, "an integer from 1")?;
        let held_out = self.held_out_entries;
        Invalid::unless(held_out >= 2, "held_out_entries", held_out, "an integer from 2")?;
        Invalid::unless(!self.sizes.is_empty(), "sizes", "[]", "a list with at least one size")?;
        for (i, size) in self.sizes.iter().enumerate() {
            let known = self.sizes[..i].iter().any(|other| other.size == size.size);
            Invalid::unless(!known, format!("sizes.{i}.size"), size.size, "each size once")?;
            self.problem.check("problem", size.size)?;
            self.network.check("network", size.size)?;
        }
        self.equivalence.check("equivalence")
    }
}

impl Settings {
    /// The largest size.
    pub(super) fn largest(&self) -> usize {
        self.sizes.iter().map(|size| size.size).max().unwrap_or(0)
    }

    pub(super) fn subtitle(&self) -> String {
        let WideProblem { rank, observed_per_row, .. } = self.problem;
        let RelativeNetwork { depth, rank_guess, .. } = self.network;
        format!(
            "{observed_per_row} observed entries per row, r = {rank}, r̂ = {rank_guess}, L = {depth}; last panel: d = {}, {} draws",
            self.equivalence.problem.size, self.equivalence.draws
        )
    }
}
