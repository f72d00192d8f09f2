//! `experiments/ablations.toml`: its fields and what is allowed.

use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::checks::{check_depth, check_init_scale, check_list, check_not_negative, check_positive, check_runs};
use crate::matrix::{InitializationSettings, ProblemSettings, ScheduleSettings, check_rank_guess};

/// `experiments/ablations.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: usize,
    pub(super) problem: ProblemSettings,
    pub(super) base: Base,
    pub(super) vary: Vary,
    pub(super) schedule: ScheduleSettings,
}

/// `[base]`: the networks that all factors are varied away from.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Base {
    pub(super) depth: usize,
    pub(super) init_scale: f64,
    pub(super) step_size: f64,
    pub(super) rank_guess: usize,
    pub(super) discrepant_step: f64,
    #[serde(default)]
    pub(super) initialization: InitializationSettings,
}

/// `[vary]`: the values of each factor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vary {
    pub(super) discrepant_steps: Vec<f64>,
    pub(super) observed_fractions: Vec<f64>,
    pub(super) init_scales: Vec<f64>,
    pub(super) depths: Vec<DepthSettings>,
}

/// `[[vary.depths]]`: a depth with an init scale and a step size that suit it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DepthSettings {
    pub(super) depth: usize,
    pub(super) init_scale: f64,
    pub(super) step_size: f64,
}

impl Vary {
    /// Number of values of all factors.
    fn values(&self) -> usize {
        let Self { discrepant_steps, observed_fractions, init_scales, depths } = self;
        discrepant_steps.len() + observed_fractions.len() + init_scales.len() + depths.len()
    }
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[2, self.vary.values()])?;
        self.problem.check("problem")?;
        check_depth("base.depth", self.base.depth)?;
        check_init_scale("base.init_scale", self.base.init_scale, self.base.depth)?;
        check_positive("base.step_size", self.base.step_size)?;
        check_rank_guess("base.rank_guess", self.base.rank_guess, self.problem.size)?;
        check_not_negative("base.discrepant_step", self.base.discrepant_step)?;
        check_list(
            "vary.discrepant_steps",
            &self.vary.discrepant_steps,
            |step| step >= 0.0 && step.is_finite(),
            "a number from 0",
        )?;
        let fractions = &self.vary.observed_fractions;
        check_list("vary.observed_fractions", fractions, |p| p > 0.0 && p <= 1.0, "a number in (0, 1]")?;
        let most = fractions.iter().copied().fold(self.problem.observed_fraction, f64::max);
        self.base.initialization.check("base.initialization", most)?;
        check_list(
            "vary.init_scales",
            &self.vary.init_scales,
            |scale| scale > 0.0 && scale.is_finite(),
            "a number above 0",
        )?;
        for (i, scale) in self.vary.init_scales.iter().enumerate() {
            check_init_scale(&format!("vary.init_scales.{i}"), *scale, self.base.depth)?;
        }
        for (i, DepthSettings { depth, init_scale, step_size }) in self.vary.depths.iter().enumerate() {
            let key = format!("vary.depths.{i}.depth");
            check_depth(&key, *depth)?;
            let once = self.vary.depths[..i].iter().all(|other| other.depth != *depth);
            Invalid::unless(once, key, depth, "each depth once")?;
            check_init_scale(&format!("vary.depths.{i}.init_scale"), *init_scale, *depth)?;
            check_positive(&format!("vary.depths.{i}.step_size"), *step_size)?;
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
            "base: d = {size}, r = {rank}, r̂ = {rank_guess}, p = {observed_fraction}, L = {depth}, ε = {init_scale}, \
             η = {step_size}, γ = {discrepant_step}; dots: {trials} trials (hollow: tolerance not met), lines: medians"
        )
    }
}
