//! The trials of both halves: every method at every size, and the draws of both constructions.

use std::fmt;

use lab::{Experiment, Kernels, Memory, Planned, Trial, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use super::{Scaling, Settings};
use crate::matrix::{MatrixOutcome, MatrixTrial, ScaleMethod, ScaleOutcome, ScaleTrial, Start};

/// What is varied, in either half: which row it is comes with the [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// What the tables call the network or the construction.
    pub(super) network: &'static str,
    /// Rows and columns of the target, d.
    pub(super) size: usize,
    /// Number of the trial or of the draw, from 0.
    pub(super) trial: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, d = {}, trial {}", self.network, self.size, self.trial)
    }
}

/// A trial of either half of the experiment.
#[derive(Clone, Debug, Serialize)]
pub enum Run {
    /// One network at one size.
    Scale(ScaleTrial),
    /// One draw of one construction.
    Equivalence(MatrixTrial),
}

/// What it yields.
#[derive(Serialize, Deserialize)]
pub enum Outcome {
    /// Of a [`Run::Scale`].
    Scale(ScaleOutcome),
    /// Of a [`Run::Equivalence`].
    Equivalence(MatrixOutcome),
}

impl Trial for Run {
    type Inputs = ();
    type Outcome = Outcome;

    fn memory(&self, inputs: &()) -> Memory {
        match self {
            Self::Scale(trial) => trial.memory(inputs),
            Self::Equivalence(trial) => trial.memory(inputs).within("equivalence"),
        }
    }

    fn run(&self, (): &(), context: &TrialContext) -> Result<Outcome, TrialError> {
        match self {
            Self::Scale(trial) => trial.run(&(), context).map(Outcome::Scale),
            Self::Equivalence(trial) => trial.run(&(), context).map(Outcome::Equivalence),
        }
    }
}

/// All sizes and methods, one at a time on all threads; then the draws, side by side.
pub(super) fn plan(settings: &Settings) -> Vec<Planned<Point, Run>> {
    let mut plan = Vec::new();
    for sizes in &settings.sizes {
        for (method, iterations) in ScaleMethod::ALL.into_iter().zip([sizes.sampled, sizes.explicit, sizes.original]) {
            let Some(max_iterations) = iterations else { continue };
            for trial in 0..*settings.trials {
                let run = scale_trial(settings, *sizes.size, method, *max_iterations, trial);
                plan.push(Planned {
                    at: Point { network: method.name(), size: *sizes.size, trial },
                    kernels: Kernels::Parallel,
                    cost: work(&run),
                    trial: Run::Scale(run),
                });
            }
        }
    }
    let size = *settings.equivalence.problem.size;
    plan.extend(settings.equivalence.draws(Scaling::NAME, settings.seed).map(|(network, draw, trial)| Planned {
        at: Point { network, size, trial: draw },
        trial: Run::Equivalence(trial),
        kernels: Kernels::Sequential,
        cost: 1.0,
    }));
    plan
}

fn scale_trial(
    settings: &Settings,
    size: usize,
    method: ScaleMethod,
    max_iterations: u64,
    instance: usize,
) -> ScaleTrial {
    ScaleTrial {
        start: Start { experiment: Scaling::NAME, seed: settings.seed, instance, initialization: 0 },
        size,
        problem: settings.problem.clone(),
        method,
        network: settings.network.clone(),
        max_iterations,
        tolerance: *settings.tolerance,
        record_every: *settings.record_every,
        held_out_entries: *settings.held_out_entries,
    }
}

/// Multiply-adds of a trial, roughly, in millions.
fn work(trial: &ScaleTrial) -> f64 {
    let (size, iterations) = (trial.size as f64, trial.max_iterations as f64);
    let sparse = iterations * size * (*trial.problem.observed_per_row * *trial.network.rank_guess) as f64;
    let dense = match trial.method {
        ScaleMethod::Sampled => 0.0,
        ScaleMethod::Explicit => 50.0 * size.powi(3),
        ScaleMethod::Original => (10.0 + 3.0 * iterations) * size.powi(3),
    };
    (sparse + dense) / 1e6
}
