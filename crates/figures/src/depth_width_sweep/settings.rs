//! `experiments/depth-width-sweep.toml`: its fields and what is allowed.

use lab::checked::{Count, Depth, Distinct, NotEmpty, Positive, Trials};
use lab::{Check, Experiment, Invalid};
use serde::{Deserialize, Serialize};

use super::DepthWidthSweep;
use crate::checks::{check_init_scale, check_runs};
use crate::matrix::{
    DrawSettings, LossSettings, ProblemSettings, ScheduleSettings, check_partly_observed, of_means, recipe,
};

/// `experiments/depth-width-sweep.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) widths: Distinct<Count>,
    pub(super) init_scale: Positive,
    pub(super) problem: ProblemSettings,
    pub(super) depths: NotEmpty<DepthSettings>,
    pub(super) schedule: ScheduleSettings,
    pub(super) other_targets: OtherTargets,
}

/// `[[depths]]`: a depth with its step size.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DepthSettings {
    pub(super) depth: Depth,
    pub(super) step_size: Positive,
}

/// `[other_targets]`: targets of the same law with observed entries and a network of their own, always drawn from the seed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OtherTargets {
    pub(super) targets: Trials,
    pub(super) widths: Distinct<Count>,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_partly_observed("problem.observed_fraction", self.problem.observed_fraction)?;
        check_runs(*self.trials, &[self.depths.len(), self.widths.len()])?;
        check_runs(*self.other_targets.targets, &[self.depths.len(), self.other_targets.widths.len()])?;
        self.problem.check_drawn(DepthWidthSweep::NAME, self.seed, *self.trials)?;
        let draw = self.problem.draw;
        for (i, width) in self.widths.iter().enumerate() {
            draw.check_value(format!("widths.{i}"), **width, &recipe::WIDTHS)?;
        }
        for (i, case) in self.depths.iter().enumerate() {
            draw.check_value(format!("depths.{i}.depth"), *case.depth, &recipe::DEPTHS)?;
            check_init_scale("init_scale", *self.init_scale, *case.depth)?;
        }
        self.schedule.check("schedule", &self.problem)
    }
}

impl Settings {
    /// Whether the problem and the training are the paper's; others do not bear on its statements. Of the widths, the ends
    /// must be.
    pub(super) fn as_in_the_paper(&self) -> bool {
        let ProblemSettings { size, rank, observed_fraction, loss, .. } = self.problem;
        let ScheduleSettings { max_iterations, tolerance, record_every } = self.schedule;
        let widths = || self.widths.iter().map(|width| **width);
        let depths = self.depths.iter().map(|case| (*case.depth, *case.step_size));
        (*size, *rank, *observed_fraction, loss) == (100, 10, 0.3, LossSettings::Mean)
            && *self.init_scale == 1e-3
            && (widths().min(), widths().max()) == (Some(10), Some(100))
            && depths.eq([(2, 1e2), (3, 3e2)])
            && (*max_iterations, *tolerance, *record_every) == (60_000, 1e-10, 100)
    }

    pub(super) fn subtitle(&self) -> String {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        let (scale, trials) = (self.init_scale, *self.trials);
        let target = match self.problem.draw {
            DrawSettings::Authors => "the authors' target",
            DrawSettings::Seeded => "one target",
        };
        format!(
            "Figure 1 of the paper; d = {size}, r = {rank}, p = {observed_fraction}, ε = {scale}; {target}, {}",
            of_means(trials, "initializations")
        )
    }
}
