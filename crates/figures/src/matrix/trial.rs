//! One trial of a matrix experiment: one network trained by gradient descent on one instance.

use std::collections::VecDeque;
use std::time::Instant;

use anyhow::Context;
use dynamics::kernel::cheapest_form;
use dynamics::random::{Generator, stream};
use dynamics::trajectory::Snapshot;
use dynamics::{
    CompressedFactorization, DeepFactorization, DynamicsError, Factorization, Initialization, Objective, Observed,
    Observer, Optimizer, Record, Stop, Target, compression, train,
};
use faer::{Mat, Par};
use lab::{Memory, Trial, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use super::{ProblemSettings, ScheduleSettings};

/// Everything that determines one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MatrixTrial {
    /// Where its random numbers come from.
    pub start: Start,
    /// The target and what is observed of it.
    pub problem: ProblemSettings,
    /// The network to be trained.
    pub network: Network,
    /// Step size η.
    pub step_size: f64,
    /// When to record and to stop.
    pub schedule: ScheduleSettings,
    /// When the recovery error is measured.
    pub recovery: Recovery,
    /// How many of the last recorded end-to-end products are kept.
    pub snapshots: usize,
}

/// The random streams of a trial: those with the same instance share target and observed entries; those with the same
/// initialization too share the network's initial factors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Start {
    /// The experiment's name.
    pub experiment: &'static str,
    /// The experiment's seed.
    pub seed: u64,
    /// Which target and observed entries.
    pub instance: usize,
    /// Which initial factors.
    pub initialization: usize,
}

/// A network, with what makes its initial factors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Network {
    /// Factors `ε ×` orthogonal, rows or columns cut off: the original (width d) or a narrow one.
    Deep {
        /// Number of factors L.
        depth: usize,
        /// Width w.
        width: usize,
        /// Init scale ε.
        init_scale: f64,
    },
    /// The compressed twin of the original of width d.
    Compressed {
        /// Number of factors L of the original.
        depth: usize,
        /// Init scale ε.
        init_scale: f64,
        /// Rank guess r̂.
        rank_guess: usize,
        /// Discrepant step γ.
        discrepant_step: f64,
    },
    /// The exact compression under full observation: null-space construction, fixed bases.
    CompressedExact {
        /// Number of factors L of the original.
        depth: usize,
        /// Init scale ε.
        init_scale: f64,
    },
    /// The compressed twin of an original of width d that is never built.
    Sampled {
        /// Number of factors L of the original.
        depth: usize,
        /// Init scale ε.
        init_scale: f64,
        /// Rank guess r̂.
        rank_guess: usize,
        /// Discrepant step γ.
        discrepant_step: f64,
    },
    /// The spectral initialization of Kwon et al.
    Spectral {
        /// Number of small factors L.
        depth: usize,
        /// Init scale ε.
        init_scale: f64,
        /// Rank guess r̂, which is the width.
        rank_guess: usize,
        /// Discrepant step γ.
        discrepant_step: f64,
    },
}

/// When the recovery error is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Recovery {
    /// At every record.
    EveryRecord,
    /// At the end only.
    AtEnd,
}

/// What one run yields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatrixOutcome {
    /// Recorded iterations.
    pub iterations: Vec<u64>,
    /// Training loss at each.
    pub losses: Vec<f64>,
    /// Recovery error at each; empty if measured at the end only.
    pub recovery_errors: Vec<f64>,
    /// Seconds spent in iterations up to each record.
    pub seconds: Vec<f64>,
    /// Seconds spent on making the initial factors (target and observed entries not counted).
    pub setup_seconds: f64,
    /// Recovery error at the end.
    pub final_recovery_error: f64,
    /// Whether the tolerance was met.
    pub converged: bool,
    /// The last recorded end-to-end products, oldest first.
    pub products: Vec<StoredProduct>,
}

/// A recorded end-to-end product, as `left · rightᵀ`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredProduct {
    /// The iteration.
    pub iteration: u64,
    left: Vec<f64>,
    right: Vec<f64>,
    width: usize,
}

impl MatrixOutcome {
    /// The last recorded iteration: the number of steps taken.
    pub fn final_iteration(&self) -> u64 {
        self.iterations.last().copied().unwrap_or(0)
    }

    /// The training loss at the end.
    pub fn final_loss(&self) -> f64 {
        self.losses.last().copied().unwrap_or(f64::NAN)
    }

    /// Seconds spent in iterations.
    pub fn final_seconds(&self) -> f64 {
        self.seconds.last().copied().unwrap_or(0.0)
    }
}

impl StoredProduct {
    fn new(iteration: u64, snapshot: &Snapshot) -> Self {
        let flat = |m: &Mat<f64>| m.col_iter().flat_map(|c| c.iter().copied().collect::<Vec<_>>()).collect();
        Self { iteration, left: flat(&snapshot.left), right: flat(&snapshot.right), width: snapshot.left.ncols() }
    }

    /// The product as the numerical core knows it.
    pub fn snapshot(&self) -> Snapshot {
        let matrix = |flat: &[f64]| {
            let rows = flat.len() / self.width;
            Mat::from_fn(rows, self.width, |i, j| flat[j * rows + i])
        };
        Snapshot { left: matrix(&self.left), right: matrix(&self.right) }
    }
}

impl Trial for MatrixTrial {
    type Inputs = ();
    type Outcome = MatrixOutcome;

    fn memory(&self, (): &()) -> Memory {
        self.estimate()
    }

    fn run(&self, (): &(), context: &TrialContext) -> Result<MatrixOutcome, TrialError> {
        let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
        let objective = self.objective().context("making the problem")?;
        let clock = Instant::now();
        match self.network {
            Network::Deep { depth, width, init_scale } => {
                let mut model = self.deep(depth, width, init_scale).context("drawing the factors")?;
                self.train(&mut model, &objective, clock, context, par)
            }
            _ => {
                let compressed = self.compressed(&objective, par)?;
                self.train(&mut cheapest_form(compressed, &objective), &objective, clock, context, par)
            }
        }
    }
}

impl MatrixTrial {
    /// The target, the observed entries and the loss of this trial.
    pub fn objective(&self) -> Result<Objective, DynamicsError> {
        let ProblemSettings { size, rank, observed_fraction, loss } = self.problem;
        let target = Target::gaussian(*size, *size, *rank, &mut self.instance_stream("target"))?;
        let mut rng = self.instance_stream("observed entries");
        let observed = Observed::uniform(*size, *size, *observed_fraction, &mut rng)?;
        Objective::new(target, observed, loss.into())
    }

    /// A deep network of this trial's initialization.
    pub fn deep(&self, depth: usize, width: usize, scale: f64) -> Result<DeepFactorization, DynamicsError> {
        let shape = (*self.problem.size, *self.problem.size);
        let mut rng = self.network_stream("initial factors");
        DeepFactorization::draw(shape, depth, width, Initialization::Orthogonal, scale, &mut rng)
    }

    /// A compressed network of this trial.
    fn compressed(&self, objective: &Objective, par: Par) -> anyhow::Result<CompressedFactorization> {
        match self.network {
            Network::Deep { .. } => anyhow::bail!("a deep network is not compressed"),
            Network::Compressed { depth, init_scale, rank_guess, discrepant_step } => {
                let mut original = self.deep(depth, *self.problem.size, init_scale).context("drawing the factors")?;
                compression::compress(&mut original, objective, rank_guess, discrepant_step, par)
            }
            Network::Sampled { depth, init_scale, rank_guess, discrepant_step } => {
                let mut rng = self.network_stream("sampled construction");
                compression::sampled(objective, rank_guess, depth, init_scale, discrepant_step, &mut rng, par)
            }
            Network::CompressedExact { depth, init_scale } => {
                let original = self.deep(depth, *self.problem.size, init_scale).context("drawing the factors")?;
                compression::compress_exact(&original, objective.target())
            }
            Network::Spectral { depth, init_scale, rank_guess, discrepant_step } => {
                compression::spectral(objective, rank_guess, depth, init_scale, discrepant_step)
            }
        }
        .context("compressing")
    }

    fn instance_stream(&self, purpose: &str) -> Generator {
        let Start { experiment, seed, instance, .. } = &self.start;
        stream(*seed, &[experiment, &format!("instance {instance}"), purpose])
    }

    fn network_stream(&self, purpose: &str) -> Generator {
        let Start { experiment, seed, instance, initialization } = &self.start;
        let trial = format!("instance {instance}, initialization {initialization}");
        stream(*seed, &[experiment, &trial, purpose])
    }

    fn train<F: Factorization>(
        &self,
        model: &mut F,
        objective: &Objective,
        clock: Instant,
        context: &TrialContext,
        par: Par,
    ) -> Result<MatrixOutcome, TrialError> {
        let setup_seconds = clock.elapsed().as_secs_f64();
        let mut optimizer = Optimizer::gradient_descent(self.step_size).context("gradient descent")?;
        let mut recorder = Recorder::new(self, objective, context, par);
        let schedule = (&self.schedule).into();
        let end = train(model, objective, &mut optimizer, schedule, &mut recorder, par).map_err(as_trial_error)?;
        let mut outcome = recorder.outcome;
        outcome.setup_seconds = setup_seconds;
        outcome.converged = end.stop == Stop::Tolerance;
        let (p, q) = model.halves();
        outcome.final_recovery_error = objective.recovery_error(p, q, par);
        outcome.products = recorder.products.into();
        Ok(outcome)
    }
}

/// A divergence is the trial's, everything else a failure.
pub(super) fn as_trial_error(error: DynamicsError) -> TrialError {
    match error {
        DynamicsError::Diverged { iteration, loss } => TrialError::Diverged { iteration, loss },
        other => TrialError::Failed(other.into()),
    }
}

/// Writes down a run as it goes and reports its progress.
struct Recorder<'a> {
    trial: &'a MatrixTrial,
    objective: &'a Objective,
    context: &'a TrialContext,
    par: Par,
    sketch: Generator,
    products: VecDeque<StoredProduct>,
    outcome: MatrixOutcome,
}

impl<'a> Recorder<'a> {
    fn new(trial: &'a MatrixTrial, objective: &'a Objective, context: &'a TrialContext, par: Par) -> Self {
        let outcome = MatrixOutcome {
            iterations: Vec::new(),
            losses: Vec::new(),
            recovery_errors: Vec::new(),
            seconds: Vec::new(),
            setup_seconds: 0.0,
            final_recovery_error: f64::NAN,
            converged: false,
            products: Vec::new(),
        };
        let sketch = trial.network_stream("sketch");
        Self { trial, objective, context, par, sketch, products: VecDeque::new(), outcome }
    }
}

impl<F: Factorization> Observer<F> for Recorder<'_> {
    fn iteration(&mut self, iteration: u64, loss: f64) {
        self.context.progress(iteration, *self.trial.schedule.max_iterations, loss);
    }

    fn record(&mut self, record: &Record<'_, F>) {
        self.outcome.iterations.push(record.iteration);
        self.outcome.losses.push(record.loss);
        self.outcome.seconds.push(record.elapsed.as_secs_f64());
        if self.trial.recovery == Recovery::EveryRecord {
            let (p, q) = record.model.halves();
            self.outcome.recovery_errors.push(self.objective.recovery_error(p, q, self.par));
        }
        if self.trial.snapshots > 0 {
            // Twice the width of the compressed twin: the products are that low-rank up to ∏ε.
            let snapshot = Snapshot::new(record.model, 4 * *self.trial.problem.rank, &mut self.sketch);
            if self.products.len() == self.trial.snapshots {
                self.products.pop_front();
            }
            self.products.push_back(StoredProduct::new(record.iteration, &snapshot));
        }
    }
}
