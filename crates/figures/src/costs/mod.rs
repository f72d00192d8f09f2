//! What each method costs: parameters, optimizer memory, seconds a step, peak memory.

mod claims;
mod draw;
mod run;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};
use serde::{Deserialize, Serialize};

use self::run::{CostOutcome, CostTrial};
use crate::adaptation::*;
use crate::drawing::drawing;

no_keys!(
    /// Only the methods are varied.
    ByMethod,
    &[]
);

/// `experiments/costs.toml`.
pub type Settings = FineTuningSettings<ByMethod>;

/// The memory of one method: a row of `costs.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    encoder: String,
    task: String,
    method: String,
    rank: usize,
    head_draw: usize,
    trial: usize,
    /// Trained numbers.
    parameters: usize,
    /// Two moments of each.
    optimizer_mib: f64,
}

/// The time of one run and its peak memory: a row of `costs.timing.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Cost {
    encoder: String,
    task: String,
    method: String,
    rank: usize,
    head_draw: usize,
    trial: usize,
    /// Of making adapters and optimizer.
    setup_seconds: f64,
    /// Median over the steps.
    seconds_per_step: f64,
    /// The most that was allocated at once beyond the frozen encoder and the data.
    peak_memory_mib: f64,
}

/// The experiment.
pub struct Costs;

impl Experiment for Costs {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = CostTrial;

    const NAME: &'static str = "costs";
    // 2: the peak memory is without the buffers that threads keep.
    const VERSION: u32 = 2;
    const ABOUT: &'static str = "Fine-tuning: parameters, memory and seconds a step of every method (section 5)";
    const LONG_ABOUT: &'static str = "Runs a few steps of every method on a frozen encoder, one run at a time, and shows the number \
        of trained parameters, the memory of the optimizer, the seconds of a step and the peak memory.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        settings.gather(gathering)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        // With all threads, so one at a time: memory is counted for the whole process.
        let alone =
            |Planned { at, trial, cost, .. }| Planned { at, trial: CostTrial(trial), kernels: Kernels::Parallel, cost };
        Ok(settings.plan(inputs, |_| {}).into_iter().map(alone).collect())
    }

    fn tables(_: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let row = |at: &RunPoint, outcome: &CostOutcome| Row {
            encoder: at.encoder.clone(),
            task: at.task.clone(),
            method: at.method.clone(),
            rank: at.rank,
            head_draw: at.head_draw,
            trial: at.trial,
            parameters: outcome.parameters,
            optimizer_mib: mib(2 * size_of::<f32>() * outcome.parameters),
        };
        let cost = |at: &RunPoint, outcome: &CostOutcome| Cost {
            encoder: at.encoder.clone(),
            task: at.task.clone(),
            method: at.method.clone(),
            rank: at.rank,
            head_draw: at.head_draw,
            trial: at.trial,
            setup_seconds: outcome.setup_seconds,
            seconds_per_step: outcome.seconds_per_step,
            peak_memory_mib: mib(outcome.peak_bytes),
        };
        Ok(vec![
            Table::new(Self::NAME, finished.iter().map(|run| row(&run.at, &run.outcome)))?,
            Table::companion(Self::NAME, "timing", finished.iter().map(|run| cost(&run.at, &run.outcome)))?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let (rows, costs): (Vec<Row>, Vec<Cost>) = (results.read(Self::NAME)?, results.read("costs.timing")?);
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &rows, &costs))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<Cost>("costs.timing")?))
    }
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
