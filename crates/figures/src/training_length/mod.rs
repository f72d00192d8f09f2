//! The length of training: the dev score against the steps, at equal steps and at equal training loss.

mod claims;
mod draw;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

use crate::adaptation::*;
use crate::drawing::drawing;

no_keys!(
    /// Only the tasks are varied; a run is looked at along its way.
    ByTask,
    &[]
);

/// `experiments/training-length.toml`.
pub type Settings = FineTuningSettings<ByTask>;

/// The experiment.
pub struct TrainingLength;

impl Experiment for TrainingLength {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "training-length";
    const ABOUT: &'static str = "Fine-tuning on 1024 examples: the score against the steps (in addition to the paper)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA and Deep LoRA, and shows the scores on the dev split and \
        on the training examples on the way: which method leads at equal steps, which at equal training loss, and which \
        overfits.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        settings.gather(gathering)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        Ok(settings.plan(inputs, |trial| trial.scores_training = true))
    }

    fn tables(_: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        Ok(vec![
            Table::new(Self::NAME, finished.iter().flat_map(RecordRow::of))?,
            Table::companion(Self::NAME, "runs", finished.iter().map(RunRow::of))?,
            timing_table(Self::NAME, finished)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &results.read::<RecordRow>(Self::NAME)?))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<RecordRow>(Self::NAME)?))
    }
}
