//! Completion at any size, in units that do not depend on it: the trials of `scaling`, and what they cost.

mod run;
mod settings;

use std::time::Instant;

use anyhow::Context;
use dynamics::random::{Generator, stream};
use dynamics::{
    CompressedFactorization, DeepFactorization, DynamicsError, HeldOut, Initialization, LossForm, Objective, Observed,
    Target, compression,
};
use faer::Par;
use lab::{Memory, Trial, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use self::run::Run;
pub use self::settings::{RelativeNetwork, ScaleMethod, TargetSettings, WideProblem};
use super::Start;
use crate::memory::Watch;

/// Everything that determines one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScaleTrial {
    /// Where its random numbers come from.
    pub start: Start,
    /// Rows and columns of the target, d.
    pub size: usize,
    pub problem: WideProblem,
    pub method: ScaleMethod,
    /// The network and its training.
    pub network: RelativeNetwork,
    pub max_iterations: u64,
    /// Training loss, in units of its start, at which it stops.
    pub tolerance: f64,
    pub record_every: u64,
    /// Unobserved entries the recovery error is estimated on.
    pub held_out_entries: usize,
}

/// What one run yields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScaleOutcome {
    /// Number of observed entries.
    pub observed_entries: usize,
    pub iterations: Vec<u64>,
    /// Training loss at each.
    pub losses: Vec<f64>,
    /// Held-out error at each: the recovery error as estimated on the sample, and its standard error.
    pub held_out: Vec<(f64, f64)>,
    /// Seconds spent on target, observed entries and the sample of unobserved ones.
    pub problem_seconds: f64,
    /// Seconds spent on making the initial factors.
    pub setup_seconds: f64,
    /// Seconds spent in iterations.
    pub training_seconds: f64,
    /// The most memory in use at once, bytes.
    pub peak_bytes: u64,
}

impl Trial for ScaleTrial {
    type Inputs = ();
    type Outcome = ScaleOutcome;

    fn memory(&self, (): &()) -> Memory {
        self.estimate()
    }

    /// The peak memory is right if no other trial runs at the same time.
    fn run(&self, (): &(), context: &TrialContext) -> Result<ScaleOutcome, TrialError> {
        let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
        let (watch, clock) = (Watch::start(), Instant::now());
        let objective = self.objective().context("making the problem")?;
        let held_out = HeldOut::draw(&objective, self.held_out_entries, &mut self.instance_stream("held-out entries"))
            .context("drawing held-out entries")?;
        let problem_seconds = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let (scale, step, gamma) = self.network.absolute(&objective);
        let run = Run { trial: self, objective: &objective, held_out: &held_out, step, context, par, clock };
        let outcome = match self.method {
            ScaleMethod::Original => run.train(self.original(scale).context("drawing the factors")?),
            ScaleMethod::Explicit => run.train(self.explicit(scale, gamma, &objective, par).context("compressing")?),
            ScaleMethod::Sampled => run.train(self.sampled(scale, gamma, &objective, par).context("compressing")?),
        }?;
        Ok(ScaleOutcome { problem_seconds, peak_bytes: watch.peak() as u64, ..outcome })
    }
}

impl ScaleTrial {
    /// The target, the observed entries and the loss of this trial.
    fn objective(&self) -> Result<Objective, DynamicsError> {
        let WideProblem { target, rank, observed_per_row } = self.problem;
        let (d, rank, rng) = (self.size, *rank, &mut self.instance_stream("target"));
        let target = match target {
            TargetSettings::Gaussian => Target::gaussian(d, d, rank, rng)?,
            TargetSettings::Factors => Target::gaussian_factors(d, d, rank, rng)?,
        };
        let mut rng = self.instance_stream("observed entries");
        let observed = Observed::uniform_sparse(d, d, d * *observed_per_row, &mut rng)?;
        Objective::new(target, observed, LossForm::Mean)
    }

    fn original(&self, scale: f64) -> Result<DeepFactorization, DynamicsError> {
        let (d, mut rng) = (self.size, self.instance_stream("initial factors"));
        DeepFactorization::draw((d, d), *self.network.depth, d, Initialization::Orthogonal, scale, &mut rng)
    }

    fn explicit(
        &self,
        scale: f64,
        gamma: f64,
        objective: &Objective,
        par: Par,
    ) -> Result<CompressedFactorization, DynamicsError> {
        compression::compress(&mut self.original(scale)?, objective, *self.network.rank_guess, gamma, par)
    }

    fn sampled(
        &self,
        scale: f64,
        gamma: f64,
        objective: &Objective,
        par: Par,
    ) -> Result<CompressedFactorization, DynamicsError> {
        let RelativeNetwork { depth, rank_guess, .. } = self.network;
        let mut rng = self.instance_stream("sampled construction");
        compression::sampled(objective, *rank_guess, *depth, scale, gamma, &mut rng, par)
    }

    fn instance_stream(&self, purpose: &str) -> Generator {
        let Start { experiment, seed, instance, .. } = &self.start;
        stream(*seed, &[experiment, &format!("size {}, instance {instance}", self.size), purpose])
    }
}
