//! `experiments/ablations.toml`: its fields and what is allowed.

use lab::checked::{Count, Depth, Distinct, Fraction, NotNegative, Positive, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::checks::{check_init_scale, check_runs};
use crate::matrix::{
    InitializationSettings, Law, ProblemSettings, ScheduleSettings, check_partly_observed, check_rank_guess,
};

/// `experiments/ablations.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) problem: ProblemSettings,
    pub(super) base: Base,
    pub(super) vary: Vary,
    pub(super) schedule: ScheduleSettings,
}

/// `[base]`: the networks that all factors are varied away from.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Base {
    pub(super) depth: Depth,
    pub(super) init_scale: Positive,
    pub(super) step_size: Positive,
    pub(super) rank_guess: Count,
    pub(super) discrepant_step: NotNegative,
    #[serde(default)]
    pub(super) initialization: InitializationSettings,
}

/// `[vary]`: the values of each factor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vary {
    pub(super) discrepant_steps: Distinct<NotNegative>,
    pub(super) observed_fractions: Distinct<Fraction>,
    pub(super) init_scales: Distinct<Positive>,
    pub(super) depths: Vec<DepthSettings>,
    /// Laws of originals of independent entries, at every depth.
    pub(super) laws: Vec<Law>,
}

/// `[[vary.depths]]`: a depth with an init scale and a step size that suit it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DepthSettings {
    pub(super) depth: Depth,
    pub(super) init_scale: Positive,
    pub(super) step_size: Positive,
}

impl Vary {
    /// Number of values of all factors.
    fn values(&self) -> usize {
        let Self { discrepant_steps, observed_fractions, init_scales, depths, laws } = self;
        discrepant_steps.len() + observed_fractions.len() + init_scales.len() + depths.len() * (1 + laws.len())
    }
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(*self.trials, &[2, self.vary.values()])?;
        self.problem.check("problem")?;
        check_partly_observed("problem.observed_fraction", self.problem.observed_fraction)?;
        for (i, fraction) in self.vary.observed_fractions.iter().enumerate() {
            check_partly_observed(&format!("vary.observed_fractions.{i}"), *fraction)?;
        }
        let Base { depth, init_scale, rank_guess, initialization, .. } = &self.base;
        check_init_scale("base.init_scale", **init_scale, **depth)?;
        check_rank_guess("base.rank_guess", *rank_guess, self.problem.size)?;
        initialization.check("base.initialization", &self.problem)?;
        for (i, scale) in self.vary.init_scales.iter().enumerate() {
            check_init_scale(&format!("vary.init_scales.{i}"), **scale, **depth)?;
        }
        for (i, DepthSettings { depth, init_scale, .. }) in self.vary.depths.iter().enumerate() {
            let once = self.vary.depths[..i].iter().all(|other| other.depth != *depth);
            Invalid::unless(once, format!("vary.depths.{i}.depth"), depth, "each depth once")?;
            check_init_scale(&format!("vary.depths.{i}.init_scale"), **init_scale, **depth)?;
        }
        for (i, law) in self.vary.laws.iter().enumerate() {
            let once = !self.vary.laws[..i].contains(law);
            Invalid::unless(once, format!("vary.laws.{i}"), format!("{law:?}").to_lowercase(), "each law once")?;
        }
        self.schedule.check("schedule", &self.problem)
    }
}

impl Settings {
    pub(super) fn subtitle(&self) -> String {
        let Settings { problem, base, trials, .. } = self;
        let ProblemSettings { size, rank, observed_fraction, .. } = problem;
        let Base { depth, init_scale, step_size, rank_guess, discrepant_step, .. } = base;
        format!(
            "not in the paper; base: d = {size}, r = {rank}, r̂ = {rank_guess}, p = {observed_fraction}, L = {depth}, ε = {init_scale}, \
             η = {step_size}, γ = {discrepant_step}; lines: medians of {trials} trials (dots)"
        )
    }
}
