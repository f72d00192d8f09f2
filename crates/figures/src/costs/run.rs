//! A few steps of one method, measured.

use std::time::Instant;

use adaptation::AdamW;
use adaptation::training::{self, FineTuning, TrainingError};
use anyhow::Context;
use faer::Par;
use lab::statistics::median;
use lab::{Memory, Trial, TrialContext, TrialError};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::adaptation::{FineTuningInputs, FineTuningTrial, failed};
use crate::memory::Watch;

/// The first steps of a fine-tuning run.
#[derive(Clone, Debug, Serialize)]
pub struct CostTrial(pub(super) FineTuningTrial);

/// What they cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostOutcome {
    pub(super) parameters: usize,
    pub(super) setup_seconds: f64,
    pub(super) seconds_per_step: f64,
    pub(super) peak_bytes: usize,
}

impl Trial for CostTrial {
    type Inputs = FineTuningInputs;
    type Outcome = CostOutcome;

    fn memory(&self, inputs: &FineTuningInputs) -> Memory {
        self.0.memory(inputs)
    }

    fn run(&self, inputs: &FineTuningInputs, context: &TrialContext) -> Result<CostOutcome, TrialError> {
        let (trial, task) = (&self.0, inputs.task(&self.0.task)?);
        let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
        let encoder = &inputs.encoder.encoder;
        let network = trial.head.network(encoder, task, trial.seed);
        let (examples, loss, plan) = (trial.training(task)?, task.loss(), trial.plan());
        let (sites, seed) = (trial.sites(encoder.config()), trial.stream("adapters").random());
        let (watch, clock) = (Watch::start(), Instant::now());
        let adapters =
            training::adapters(&trial.method, &sites, &network, &examples, loss, &plan, seed, par).map_err(failed)?;
        let parameters = adapters.parameters().map(|(_, one)| one.value.nrows() * one.value.ncols()).sum();
        let optimizer = AdamW::new(trial.optimizer(), &adapters);
        let mut tuning = FineTuning::new(&network, adapters, optimizer, &examples, loss, plan).map_err(failed)?;
        let setup_seconds = clock.elapsed().as_secs_f64();
        let mut seconds = Vec::new();
        for step in 0..trial.steps {
            let clock = Instant::now();
            let loss = match tuning.step(par) {
                Ok(loss) => loss,
                // What the steps before cost is known.
                Err(TrainingError::Diverged { step, .. }) if !seconds.is_empty() => {
                    tracing::warn!("{}: diverged at step {step}; its costs are of the steps before", context.label());
                    break;
                }
                Err(error) => return Err(failed(error)),
            };
            seconds.push(clock.elapsed().as_secs_f64());
            context.progress(step + 1, trial.steps, loss);
        }
        let seconds_per_step = median(seconds).context("at least one step")?;
        Ok(CostOutcome { parameters, setup_seconds, seconds_per_step, peak_bytes: watch.peak() })
    }
}
