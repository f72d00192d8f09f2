//! `experiments/scaling.toml`: its fields and what is allowed.

use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use super::equivalence::EquivalenceSettings;
use crate::checks::{check_runs, check_size, check_steps};
use crate::matrix::{RelativeNetwork, WideProblem};

/// Most unobserved entries that the recovery error is estimated on.
const MOST_HELD_OUT: usize = 100_000_000;

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
        check_runs(self.trials, &[3, self.sizes.len()])?;
        let allowed = "a number from 0 to below 1, the training loss at the start";
        Invalid::unless((0.0..1.0).contains(&self.tolerance), "tolerance", format!("{:e}", self.tolerance), allowed)?;
        Invalid::unless(self.record_every >= 1, "record_every", self.record_every, "an integer from 1")?;
        let held_out = self.held_out_entries;
        let allowed =
            format!("an integer from 2 to {MOST_HELD_OUT}: more would not change the estimate's first four digits");
        Invalid::unless((2..=MOST_HELD_OUT).contains(&held_out), "held_out_entries", held_out, allowed)?;
        Invalid::unless(!self.sizes.is_empty(), "sizes", "[]", "a list with at least one size")?;
        for (i, size) in self.sizes.iter().enumerate() {
            let known = self.sizes[..i].iter().any(|other| other.size == size.size);
            Invalid::unless(!known, format!("sizes.{i}.size"), size.size, "each size once")?;
            check_size(&format!("sizes.{i}.size"), size.size)?;
            for (method, steps) in [("sampled", size.sampled), ("explicit", size.explicit), ("original", size.original)]
            {
                steps.map_or(Ok(()), |steps| check_steps(&format!("sizes.{i}.{method}"), steps))?;
            }
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
