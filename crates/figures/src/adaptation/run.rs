//! How one fine-tuning trial is run.

use std::sync::Arc;

use adaptation::training::{self, FineTuning, TrainingError};
use adaptation::{Head, Network};
use faer::Par;
use lab::{Memory, Trial, TrialContext, TrialError};
use rand::RngExt;

use super::estimate;
use super::inputs::FineTuningInputs;
use super::log::Log;
use super::outcome::FineTuningOutcome;
use super::trial::{Divergence, FineTuningTrial};

impl Trial for FineTuningTrial {
    type Inputs = FineTuningInputs;
    type Outcome = FineTuningOutcome;

    fn memory(&self, inputs: &FineTuningInputs) -> Memory {
        estimate::memory(self, inputs)
    }

    fn run(&self, inputs: &FineTuningInputs, context: &TrialContext) -> Result<FineTuningOutcome, TrialError> {
        let (encoder, task) = (Arc::clone(&inputs.encoder.encoder), inputs.task(&self.task)?);
        let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
        let hidden = encoder.config().hidden_size;
        let head = Head::random(task.outputs(), hidden, &mut self.stream("head"));
        let network = Network { encoder, pooling: self.pooling, head };
        let (examples, loss, plan) = (self.training(task)?, task.loss(), self.plan());
        let (sites, seed) = (self.sites(&network), self.stream("adapters").random());
        let adapters =
            training::adapters(&self.method, &sites, &network, &examples, loss, &plan, seed, par).map_err(failed)?;
        let optimizer = training::optimizer(&self.method, &adapters);
        let mut tuning = FineTuning::new(&network, adapters, optimizer, &examples, loss, plan).map_err(failed)?;

        let mut log = Log::new(self, task, &examples, context, par)?;
        log.start_or_resume(&mut tuning)?;
        while tuning.steps_done() < self.steps {
            match tuning.step(par) {
                Ok(loss) => log.observe(&mut tuning, loss)?,
                Err(TrainingError::Diverged { step, .. }) if self.divergence == Divergence::Counts => {
                    return Ok(log.diverged(step));
                }
                Err(error) => return Err(failed(error)),
            }
        }
        log.finish(&mut tuning)
    }
}

fn failed(error: TrainingError) -> TrialError {
    match error {
        TrainingError::Diverged { step, loss } => TrialError::Diverged { iteration: step, loss },
        other => TrialError::Failed(other.into()),
    }
}
