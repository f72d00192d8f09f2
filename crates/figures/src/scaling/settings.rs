//! `experiments/scaling.toml`: its fields and what is allowed.

use lab::checked::{NotEmpty, RelativeLoss, Sample, Size, Steps, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use super::equivalence::EquivalenceSettings;
use crate::checks::check_runs;
use crate::matrix::{RelativeNetwork, WideProblem};

/// `experiments/scaling.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) tolerance: RelativeLoss,
    pub(super) record_every: Steps,
    pub(super) held_out_entries: Sample,
    pub(super) problem: WideProblem,
    pub(super) network: RelativeNetwork,
    pub(super) sizes: NotEmpty<SizeSettings>,
    pub(super) equivalence: EquivalenceSettings,
}

/// `[[sizes]]`: iterations of each method at one size; none: it is not run.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SizeSettings {
    pub(super) size: Size,
    pub(super) sampled: Option<Steps>,
    pub(super) explicit: Option<Steps>,
    pub(super) original: Option<Steps>,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(*self.trials, &[3, self.sizes.len()])?;
        for (i, size) in self.sizes.iter().enumerate() {
            let known = self.sizes[..i].iter().any(|other| other.size == size.size);
            Invalid::unless(!known, format!("sizes.{i}.size"), size.size, "each size once")?;
            let runs = [&size.sampled, &size.explicit, &size.original].iter().any(|iterations| iterations.is_some());
            let allowed = "a table with one of sampled, explicit and original at least, the iterations of that network";
            Invalid::unless(runs, format!("sizes.{i}"), format!("{{ size = {} }}", size.size), allowed)?;
            self.problem.check("problem", size.size)?;
            self.network.check("network", size.size)?;
        }
        self.equivalence.check("equivalence")
    }
}

impl Settings {
    /// The largest size.
    pub(super) fn largest(&self) -> usize {
        self.sizes.iter().map(|size| *size.size).max().unwrap_or(0)
    }

    /// Runs of the sampled construction at a size; 0 if it is not run there.
    pub(super) fn sampled_runs(&self, size: usize) -> usize {
        let is_run = self.sizes.iter().any(|at| *at.size == size && at.sampled.is_some());
        if is_run { *self.trials } else { 0 }
    }

    pub(super) fn subtitle(&self) -> String {
        let WideProblem { rank, observed_per_row, .. } = self.problem;
        let RelativeNetwork { depth, rank_guess, .. } = self.network;
        format!(
            "not in the paper; {observed_per_row} observed entries per row, r = {rank}, r̂ = {rank_guess}, L = {depth}; last panel: d = {}, {} draws",
            self.equivalence.problem.size, self.equivalence.draws
        )
    }
}
