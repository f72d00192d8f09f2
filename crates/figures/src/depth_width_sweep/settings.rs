//! `experiments/depth-width-sweep.toml`: its fields and what is allowed.

use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::checks::{check_depth, check_init_scale, check_list, check_positive, check_runs};
use crate::matrix::{ProblemSettings, ScheduleSettings};

/// `experiments/depth-width-sweep.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: usize,
    pub(super) widths: Vec<usize>,
    pub(super) init_scale: f64,
    pub(super) problem: ProblemSettings,
    pub(super) depths: Vec<DepthSettings>,
    pub(super) schedule: ScheduleSettings,
}

/// `[[depths]]`: a depth with its step size.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DepthSettings {
    pub(super) depth: usize,
    pub(super) step_size: f64,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[self.depths.len(), self.widths.len()])?;
        check_list("widths", &self.widths, |width| width >= 1, "an integer from 1")?;
        self.problem.check("problem")?;
        Invalid::unless(!self.depths.is_empty(), "depths", "[]", "at least one table")?;
        for (i, DepthSettings { depth, step_size }) in self.depths.iter().enumerate() {
            check_depth(&format!("depths.{i}.depth"), *depth)?;
            check_init_scale("init_scale", self.init_scale, *depth)?;
            check_positive(&format!("depths.{i}.step_size"), *step_size)?;
        }
        self.schedule.check("schedule", &self.problem)
    }
}

impl Settings {
    /// Whether the problem is the paper's; other problems do not bear on its statements.
    pub(super) fn as_in_the_paper(&self) -> bool {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        (size, rank, observed_fraction, self.init_scale) == (100, 10, 0.3, 1e-3)
    }

    pub(super) fn subtitle(&self) -> String {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        let (scale, trials) = (self.init_scale, self.trials);
        format!(
            "d = {size}, r = {rank}, p = {observed_fraction}, ε = {scale}; mean and 95 % interval of {trials} initializations, one target"
        )
    }
}
