//! One network trained on one instance, and the instance: drawn once for all networks, because its measurements are large.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use dynamics::compression::{compress, spectral};
use dynamics::decomposition::thin_svd;
use dynamics::kernel::cheapest_form;
use dynamics::random::gaussian;
use dynamics::{
    DeepFactorization, DynamicsError, Factorization, Initialization, LossForm, Measurements, Objective, Observed,
    Observer, Optimizer, Record, Schedule, Target, train,
};
use faer::{Mat, Par, Scale};
use lab::{Memory, Trial, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

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

/// A network, with what makes its initial factors beside depth and init scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Network {
    /// Factors `ε ×` orthogonal, as wide as the target.
    Original,
    /// The compressed twin of the original, `2r̂` wide.
    Compressed { rank_guess: usize, discrepant_step: f64 },
    /// Factors `ε Vᵀ, ε I, …, ε U`, `2r̂` wide, with the singular vectors of the measurements' surrogate (Kwon et al.).
    Spectral { rank_guess: usize },
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

/// The instance that was drawn last: the next trial often needs it again.
#[derive(Default)]
pub struct LastInstance(Mutex<Option<((Start, SensingProblem), Arc<Objective>)>>);

impl LastInstance {
    /// The instance of a trial; another one is dropped before it is drawn, so that there are never two.
    fn of(&self, trial: &SensingTrial, par: Par) -> Result<Arc<Objective>, DynamicsError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (trial.start.clone(), trial.problem.clone());
        if let Some((_, objective)) = last.as_ref().filter(|(known, _)| *known == key) {
            return Ok(objective.clone());
        }
        *last = None;
        let objective = Arc::new(trial.objective(par)?);
        *last = Some((key, objective.clone()));
        Ok(objective)
    }
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
        let objective = last.of(self, par).context("making the problem")?;
        let clock = Instant::now();
        let mut model = self.model(&objective, par).context("making the network")?;
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

impl SensingTrial {
    /// The measured target: of a Gaussian matrix the singular triplets number 0, d/2r, 2d/2r, …, whose values differ, as in the
    /// authors' code.
    fn objective(&self, par: Par) -> Result<Objective, DynamicsError> {
        let (size, rank) = (*self.problem.size, *self.problem.rank);
        let svd = thin_svd(gaussian(size, size, &mut self.start.instance_stream("target")).as_ref())?;
        let number = |k: usize| k * size / (2 * rank);
        let kept = |vectors: &Mat<f64>| Mat::from_fn(size, rank, |i, k| vectors[(i, number(k))]);
        let values = (0..rank).map(|k| svd.values[number(k)]).collect();
        let target = Target::from_factors(kept(&svd.left), values, kept(&svd.right))?;
        let mut rng = self.start.instance_stream("measurements");
        let measurements = Measurements::gaussian(size, size, *self.problem.measurements, &mut rng, par)?;
        Objective::new(target, Observed::Measurements(measurements), LossForm::Mean)
    }

    fn original(&self) -> Result<DeepFactorization, DynamicsError> {
        let size = *self.problem.size;
        let mut rng = self.start.network_stream("initial factors");
        DeepFactorization::draw((size, size), self.depth, size, Initialization::Orthogonal, self.init_scale, &mut rng)
    }

    fn model(&self, objective: &Objective, par: Par) -> Result<Box<dyn Factorization>, DynamicsError> {
        Ok(match self.network {
            Network::Original => Box::new(self.original()?),
            Network::Compressed { rank_guess, discrepant_step } => {
                let compressed = compress(&mut self.original()?, objective, rank_guess, discrepant_step, par)?;
                cheapest_form(compressed, objective)
            }
            Network::Spectral { rank_guess } => {
                let (width, scale) = (2 * rank_guess, Scale(self.init_scale));
                let bases = spectral(objective, width, self.depth, self.init_scale, 0.0)?;
                let mut factors = vec![Mat::<f64>::identity(width, width) * scale; self.depth];
                factors[0] = bases.right().transpose() * scale;
                factors[self.depth - 1] = bases.left() * scale;
                Box::new(DeepFactorization::new(factors)?)
            }
        })
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
