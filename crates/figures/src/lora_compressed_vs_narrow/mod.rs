//! Full-width Deep LoRA (the original), its compressed twin, and a random narrow one: training loss and dev score against
//! the steps.

mod claims;
mod draw;
mod settings;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};
use serde::{Deserialize, Serialize};

pub use self::settings::Settings;
use self::settings::Twin;
use crate::adaptation::*;
use crate::drawing::drawing;

/// What was recorded at one step of one run: a row of `lora-compressed-vs-narrow.csv`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) task: String,
    pub(super) metric: String,
    pub(super) network: String,
    pub(super) trial: usize,
    pub(super) step: u64,
    pub(super) training_loss: f64,
    /// The training loss of the best constant; empty in tables of before it was recorded.
    #[serde(default)]
    pub(super) constant_loss: Option<f64>,
    pub(super) score: Option<f64>,
}

/// The experiment.
pub struct LoraCompressedVsNarrow;

impl Experiment for LoraCompressedVsNarrow {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "lora-compressed-vs-narrow";
    const ABOUT: &'static str = "Fine-tuning: full-width Deep LoRA, its compressed twin, a narrow one (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes the query and value matrices of a frozen encoder on a few labelled sentences \
        with Deep LoRA of full width (the original), with its compressed twin, and with one as narrow from a random start. \
        Shows training loss and dev score against the steps.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        let Settings { encoder, sources, tasks, .. } = settings;
        let inputs = FineTuningInputs::gather(encoder, sources, tasks, gathering)?;
        inputs.check_rank("rank", *settings.rank)?;
        inputs.check_pool(&[settings.examples], 0)?;
        inputs.check_dev(settings.seed, settings.training.dev_examples)?;
        Ok(inputs)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        let Settings { seed, adapted, ref encoder, ref training, .. } = *settings;
        let common = Common { seed, inputs, pooling: encoder.pooling, adapted, training };
        let mut plan: Plan<Self> = Vec::new();
        for task in &inputs.tasks {
            for twin in Twin::ALL {
                let (method, step_size) = settings.method(twin);
                let run = common.run("paper", task, (method, *settings.rank), step_size, *settings.examples);
                let run = run.named(twin.name()).with(|trial| trial.evaluate_every = Some(*settings.evaluate_every));
                plan.extend(run.seeds(*settings.trials));
            }
        }
        Ok(plan)
    }

    fn tables(_: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows = finished.iter().flat_map(|run| {
            run.outcome.records.iter().map(|record| Row {
                task: run.at.task.clone(),
                metric: run.at.metric.to_owned(),
                network: run.at.method.clone(),
                trial: run.at.part.number(),
                step: record.step,
                training_loss: record.training_loss,
                constant_loss: Some(run.outcome.constant_loss),
                score: record.metric,
            })
        });
        Ok(vec![Table::new(Self::NAME, rows)?, timing_table(Self::NAME, finished)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &results.read::<Row>(Self::NAME)?)?)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<Row>(Self::NAME)?))
    }
}

/// A quantity of all runs of a network, by step.
fn curve(rows: &[&Row], twin: Twin, value: impl Fn(&Row) -> Option<f64>) -> Vec<(f64, f64)> {
    let rows = rows.iter().filter(|row| row.network == twin.name());
    rows.filter_map(|row| Some((row.step as f64, value(row)?))).collect()
}
