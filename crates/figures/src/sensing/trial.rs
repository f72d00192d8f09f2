//! One network trained on one instance.

use std::time::Instant;

use anyhow::Context;
use dynamics::{Factorization, Objective, Observer, Optimizer, Record, Schedule, train};
use faer::Par;
use lab::{Memory, Trial, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use super::instance::LastInstance;
use super::network::{Network, Seeds};
use super::settings::SensingProblem;
use crate::matrix::{Start, as_trial_error};

/// Square matrices in use at once: those of a dense decomposition, and a gradient for each task of the kernel.
const SQUARES: usize = 32;
/// Matrices for each factor of the original in training.
const PER_FACTOR: usize = 4;

/// Everything that determines one run.
#[derive(Clone, Debug, Serialize)]
pub struct SensingTrial {
    pub(super) start: Start,
    pub(super) problem: SensingProblem,
    pub(super) network: Network,
    pub(super) depth: usize,
    pub(super) init_scale: f64,
    pub(super) step_size: f64,
    pub(super) max_iterations: u64,
    /// Training loss, in units of that of zeros, at which it stops.
    pub(super) tolerance: f64,
    pub(super) record_every: u64,
}

/// What one run yields, record by record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SensingOutcome {
    pub(super) iterations: Vec<u64>,
    pub(super) losses: Vec<f64>,
    pub(super) relative_errors: Vec<f64>,
    /// Seconds spent in iterations up to each record.
    pub(super) seconds: Vec<f64>,
    /// Seconds spent on making the initial factors and, with fixed bases, on projecting the measurements.
    pub(super) setup_seconds: f64,
}

impl Trial for SensingTrial {
    type Inputs = LastInstance;
    type Outcome = SensingOutcome;

    /// The settings are called as in `experiments/sensing.toml`.
    fn memory(&self, _: &LastInstance) -> Memory {
        let (size, measurements) = (*self.problem.size, *self.problem.measurements);
        let memory = Memory::default()
            .and("problem.measurements", 8, &[measurements, size, size])
            .and("problem.size", 8, &[SQUARES, size, size])
            .and("depth", 8, &[PER_FACTOR, self.depth, size, size]);
        match self.network {
            Network::Compressed { rank_guess, .. } => {
                memory.and("rank_guess", 8, &[measurements, 2, rank_guess, 2, rank_guess])
            }
            Network::Original | Network::Spectral { .. } => memory,
        }
    }

    fn run(&self, last: &LastInstance, context: &TrialContext) -> Result<SensingOutcome, TrialError> {
        let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
        let objective = last.of(&self.start, &self.problem, par).context("making the problem")?;
        let clock = Instant::now();
        let (size, depth, init_scale) = (*self.problem.size, self.depth, self.init_scale);
        let seeds = Seeds { start: &self.start, size, depth, init_scale };
        let mut model = self.network.model(&seeds, &objective, par).context("making the network")?;
        let setup_seconds = clock.elapsed().as_secs_f64();
        let zeros = 0.5 * objective.weight() * objective.values().iter().map(|value| value * value).sum::<f64>();
        let schedule = Schedule {
            max_iterations: self.max_iterations,
            tolerance: self.tolerance * zeros,
            record_every: self.record_every,
        };
        let mut optimizer = Optimizer::gradient_descent(self.step_size).context("gradient descent")?;
        let outcome = SensingOutcome { setup_seconds, ..SensingOutcome::default() };
        let mut recorder = Recorder { trial: self, objective: &objective, context, par, outcome };
        train(&mut model, &objective, &mut optimizer, schedule, &mut recorder, par).map_err(as_trial_error)?;
        Ok(recorder.outcome)
    }
}

/// Writes down a run as it goes.
struct Recorder<'a> {
    trial: &'a SensingTrial,
    objective: &'a Objective,
    context: &'a TrialContext,
    par: Par,
    outcome: SensingOutcome,
}

impl<F: Factorization> Observer<F> for Recorder<'_> {
    fn iteration(&mut self, iteration: u64, loss: f64) {
        self.context.progress(iteration, self.trial.max_iterations, loss);
    }

    fn record(&mut self, record: &Record<'_, F>) {
        let (p, q) = record.model.halves();
        self.outcome.iterations.push(record.iteration);
        self.outcome.losses.push(record.loss);
        self.outcome.relative_errors.push(self.objective.relative_error(p, q, self.par));
        self.outcome.seconds.push(record.elapsed.as_secs_f64());
    }
}
