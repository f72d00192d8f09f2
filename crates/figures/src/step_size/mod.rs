//! The dev score against the step size: how much LoRA and Deep LoRA depend on it.

mod claims;
mod draw;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

use crate::adaptation::*;
use crate::drawing::drawing;

no_keys!(
    /// The step sizes and the numbers of examples are varied.
    ByStepSize,
    &[Varied::StepSizes, Varied::Examples]
);

/// `experiments/step-size.toml`.
pub type Settings = FineTuningSettings<ByStepSize>;

/// The experiment.
pub struct StepSize;

impl Experiment for StepSize {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "step-size";
    const ABOUT: &'static str = "Few-shot fine-tuning: dev score against the step size (in addition to the paper)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with each method at the step sizes of a grid, and \
        shows the score on the dev split against the step size: how robust each is, which the paper calls a simplified \
        setting of hyperparameters.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        settings.gather(gathering)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        Ok(settings.plan(inputs, |_| {}))
    }

    fn tables(_: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows = finished.iter().map(RunRow::of);
        Ok(vec![Table::new(Self::NAME, rows)?, timing_table(Self::NAME, finished)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<RunRow> = results.read(Self::NAME)?;
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &rows))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<RunRow>(Self::NAME)?))
    }
}
