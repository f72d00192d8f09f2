//! `experiments/svd-evolution.toml`: its fields and what is allowed.

use std::collections::HashSet;

use lab::checked::{Depth, NotEmpty, Positive, Steps, Trials};
use lab::{Check, Experiment, Invalid};
use serde::{Deserialize, Serialize};

use super::SvdEvolution;
use crate::checks::{check_init_scale, check_runs};
use crate::matrix::{EvolutionTrial, LossSettings, MethodSettings, OptimizerSettings, ProblemSettings, recipe};

/// `experiments/svd-evolution.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) depth: Depth,
    pub(super) init_scale: Positive,
    pub(super) iterations: Steps,
    pub(super) problem: ProblemSettings,
    pub(super) variants: NotEmpty<Variant>,
}

/// `[[variants]]`: the same factors, trained otherwise.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) optimizer: OptimizerSettings,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(*self.trials, &[self.variants.len()])?;
        check_init_scale("init_scale", *self.init_scale, *self.depth)?;
        self.problem.check_drawn(SvdEvolution::NAME, self.seed, *self.trials)?;
        let ProblemSettings { size, rank, draw, .. } = self.problem;
        draw.check_value("depth".to_owned(), *self.depth, &[recipe::DEPTH])?;
        let allowed = format!("a whole number from 1, below half the size ({size})");
        Invalid::unless(2 * *rank < *size, "problem.rank", rank, allowed)?;
        let mut names = HashSet::new();
        self.variants.iter().enumerate().try_for_each(|(i, Variant { name, .. })| {
            let unique = !name.is_empty() && names.insert(name);
            Invalid::unless(unique, format!("variants.{i}.name"), name, "a name that no other variant has")
        })
    }
}

impl Settings {
    /// One run of one variant.
    pub(super) fn trial(&self, variant: &Variant, trial: usize) -> EvolutionTrial {
        EvolutionTrial {
            experiment: SvdEvolution::NAME,
            seed: self.seed,
            trial,
            problem: self.problem.clone(),
            depth: *self.depth,
            init_scale: *self.init_scale,
            iterations: *self.iterations,
            optimizer: variant.optimizer,
        }
    }

    /// Whether problem and first variant are the paper's; others do not bear on its statements.
    pub(super) fn as_in_the_paper(&self) -> bool {
        let ProblemSettings { size, rank, observed_fraction, loss, .. } = self.problem;
        let OptimizerSettings { method, step_size, weight_decay } = self.variants[0].optimizer;
        (*size, *rank, *observed_fraction, loss) == (30, 3, 1.0, LossSettings::Mean)
            && (*self.depth, *self.init_scale, *self.iterations) == (3, 1.0, 50)
            && (method, *step_size, *weight_decay) == (MethodSettings::GradientDescent, 1.0, 0.0)
    }

    pub(super) fn subtitle(&self, trained: &str) -> String {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        let (depth, scale) = (self.depth, self.init_scale);
        format!("d = {size}, r = {rank}, L = {depth}, p = {observed_fraction}, ε = {scale}; {trained}")
    }
}
