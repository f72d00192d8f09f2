//! How one fine-tuning trial is run.

use adaptation::training::{self, FineTuning, TrainingError};
use adaptation::{AdamW, Reach};
use faer::Par;
use lab::{Memory, Trial, TrialContext, TrialError};
use rand::RngExt;

use super::estimate;
use super::inputs::FineTuningInputs;
use super::log::Log;
use super::outcome::FineTuningOutcome;
use super::trial::FineTuningTrial;

impl Trial for FineTuningTrial {
    type Inputs = FineTuningInputs;
    type Outcome = FineTuningOutcome;

    fn memory(&self, inputs: &FineTuningInputs) -> Memory {
        estimate::memory(self, inputs)
    }

    fn run(&self, inputs: &FineTuningInputs, context: &TrialContext) -> Result<FineTuningOutcome, TrialError> {
        let (encoder, task) = (&inputs.encoder.encoder, inputs.task(&self.task)?);
        let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
        let network = self.head.network(encoder, task, self.seed);
        let reach = Reach::of(&network, &mut self.stream("reach"));
        let (examples, loss, plan) = (self.training(task)?, task.loss(), self.plan());
        let (sites, seed) = (self.sites(encoder.config()), self.stream("adapters").random());
        let adapters =
            training::adapters(&self.method, &sites, &network, &examples, loss, &plan, seed, par).map_err(failed)?;
        let optimizer = AdamW::new(self.optimizer(), &adapters);
        let mut tuning = FineTuning::new(&network, adapters, optimizer, &examples, loss, plan).map_err(failed)?;

        let mut log = Log::new(self, task, &examples, reach, context, par)?;
        log.start_or_resume(&mut tuning)?;
        while tuning.steps_done() < self.steps {
            match tuning.step(par) {
                Ok(loss) => log.observe(&mut tuning, loss)?,
                Err(TrainingError::Diverged { step, .. }) => return Ok(log.diverged(step)),
                Err(error) => return Err(failed(error)),
            }
        }
        log.finish(&mut tuning)
    }
}

/// A trial that cannot go on.
pub fn failed(error: TrainingError) -> TrialError {
    match error {
        TrainingError::Diverged { step, loss } => TrialError::Diverged { iteration: step, loss },
        other => TrialError::Failed(other.into()),
    }
}
