//! The dev score against the step size: how much LoRA and Deep LoRA depend on it.

mod claims;
mod draw;
mod settings;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

pub use self::settings::Settings;
use crate::adaptation::*;
use crate::drawing::drawing;

/// The protocol of all runs.
const GRID: &str = "grid";

/// The experiment.
pub struct StepSize;

impl Experiment for StepSize {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "step-size";
    const ABOUT: &'static str = "Few-shot fine-tuning: dev score against the step size (in addition to the paper)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA and Deep LoRA at the step sizes of a grid, and \
        shows the score on the dev split against the step size: how robust each is, which the paper calls a simplified \
        setting of hyperparameters.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        let Settings { encoder, sources, tasks, .. } = settings;
        let inputs = FineTuningInputs::gather(encoder, sources, tasks, gathering)?;
        inputs.check_rank("methods.rank", *settings.methods.rank)?;
        inputs.check_pool(&settings.examples, 0)?;
        inputs.check_dev(settings.seed, settings.training.dev_examples)?;
        Ok(inputs)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        let Settings { seed, adapted, ref encoder, ref training, .. } = *settings;
        let common = Common { seed, inputs, pooling: encoder.pooling, adapted, training };
        let rank = *settings.methods.rank;
        let mut plan: Plan<Self> = Vec::new();
        for task in &inputs.tasks {
            for &examples in &settings.examples {
                for &name in &settings.methods.names {
                    for &step_size in &settings.step_sizes {
                        let method = (settings.methods.method(name, rank), rank);
                        let run = common.run(GRID, task, method, *step_size, *examples);
                        plan.extend(run.with(|trial| trial.divergence = Divergence::Counts).seeds(*settings.trials));
                    }
                }
            }
        }
        Ok(plan)
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
