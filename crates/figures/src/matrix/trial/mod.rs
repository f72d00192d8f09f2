//! One trial of a matrix experiment: one network trained by gradient descent on one instance.

mod network;
mod outcome;
mod recorder;

use std::time::Instant;

use anyhow::Context;
use dynamics::kernel::cheapest_form;
use dynamics::random::{Generator, stream};
use dynamics::{DynamicsError, Factorization, Objective, Optimizer, Stop, train};
use faer::Par;
use lab::{Memory, Trial, TrialContext, TrialError};
use serde::Serialize;

pub use self::network::{Law, Network};
pub use self::outcome::{MatrixOutcome, StoredProduct};
use self::recorder::Recorder;
use super::{ProblemSettings, ScheduleSettings};

/// Everything that determines one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MatrixTrial {
    /// Where its random numbers come from.
    pub start: Start,
    pub problem: ProblemSettings,
    pub network: Network,
    pub step_size: f64,
    pub schedule: ScheduleSettings,
    /// When the recovery error is measured.
    pub recovery: Recovery,
    /// How many of the last recorded end-to-end products are kept.
    pub snapshots: usize,
}

/// The random streams of a trial: those with the same instance share target and observed entries; those with the same
/// initialization too share the network's initial factors. Of the authors' draw, there is one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Start {
    pub experiment: &'static str,
    pub seed: u64,
    /// Which target and observed entries.
    pub instance: usize,
    /// Which initial factors.
    pub initialization: usize,
}

/// When the recovery error is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Recovery {
    /// At every record.
    EveryRecord,
    /// At the end only.
    AtEnd,
}

impl Trial for MatrixTrial {
    type Inputs = ();
    type Outcome = MatrixOutcome;

    fn memory(&self, (): &()) -> Memory {
        self.estimate()
    }

    fn run(&self, (): &(), context: &TrialContext) -> Result<MatrixOutcome, TrialError> {
        let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
        let objective = self.problem.objective(self.start.experiment, |purpose| self.start.instance_stream(purpose));
        let objective = objective.context("making the problem")?;
        let clock = Instant::now();
        match self.network {
            Network::Deep { depth, width, init_scale } => {
                let mut model = self.deep(depth, width, init_scale).context("drawing the factors")?;
                self.train(&mut model, &objective, clock, context, par)
            }
            Network::Independent { depth, width, init_scale, law } => {
                let mut model = self.drawn(depth, width, init_scale, law.into()).context("drawing the factors")?;
                self.train(&mut model, &objective, clock, context, par)
            }
            _ => {
                let compressed = self.compressed(&objective, par)?;
                self.train(&mut cheapest_form(compressed, &objective), &objective, clock, context, par)
            }
        }
    }
}

impl Start {
    /// The generator for a purpose that trials of one instance share.
    pub fn instance_stream(&self, purpose: &str) -> Generator {
        let Start { experiment, seed, instance, .. } = self;
        stream(*seed, &[experiment, &format!("instance {instance}"), purpose])
    }

    /// The generator for a purpose that trials of one initialization share.
    pub fn network_stream(&self, purpose: &str) -> Generator {
        let Start { experiment, seed, instance, initialization } = self;
        let trial = format!("instance {instance}, initialization {initialization}");
        stream(*seed, &[experiment, &trial, purpose])
    }
}

impl MatrixTrial {
    /// A trial of which nothing but its end is wanted.
    pub fn to_the_end(
        start: Start,
        problem: ProblemSettings,
        network: Network,
        step_size: f64,
        schedule: &ScheduleSettings,
    ) -> Self {
        let (schedule, recovery, snapshots) = (schedule.clone(), Recovery::AtEnd, 0);
        Self { start, problem, network, step_size, schedule, recovery, snapshots }
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
        let (p, q) = model.halves();
        Ok(MatrixOutcome {
            setup_seconds,
            final_recovery_error: objective.recovery_error(p, q, par),
            converged: end.stop == Stop::Tolerance,
            ..recorder.outcome()
        })
    }
}

/// A divergence is the trial's, everything else a failure.
pub fn as_trial_error(error: DynamicsError) -> TrialError {
    match error {
        DynamicsError::Diverged { iteration, loss } => TrialError::Diverged { iteration, loss },
        other => TrialError::Failed(other.into()),
    }
}
