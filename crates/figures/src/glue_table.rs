//! The table of GLUE: LoRA and Deep LoRA on eight tasks, with few examples.

use charts::{Axis, Bars, Figure, Histogram};
use lab::{Claim, Drawing, Experiment, Inputs, LabError, Planned, Results, Table, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::statements::Statement;
use crate::summary::mean_and_deviation;

const RUN: &str = "run";
const NOT_RUN: &str = "not run: no data";
const FAILED: &str = "failed: a method has no finished run";

/// One task: a row of `glue-table.csv`, in the percents of the usual tables.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    protocol: String,
    task: String,
    metric: String,
    status: String,
    trials: usize,
    lora_mean_percent: Option<f64>,
    lora_deviation_percent: Option<f64>,
    deep_lora_mean_percent: Option<f64>,
    deep_lora_deviation_percent: Option<f64>,
    difference_percent: Option<f64>,
    difference_low_percent: Option<f64>,
    difference_high_percent: Option<f64>,
}

impl Row {
    /// The task as the figure names it, which says why there are no bars.
    fn label(&self) -> String {
        match &*self.status {
            RUN => self.task.clone(),
            NOT_RUN => format!("{}: no data", self.task),
            _ => format!("{}: failed", self.task),
        }
    }
}

/// The experiment.
pub struct GlueTable;

impl Experiment for GlueTable {
    type Settings = PairExperiment;
    type Trial = FineTuningTrial;
    type Outcome = FineTuningOutcome;

    const NAME: &'static str = "glue-table";
    const ABOUT: &'static str =
        "Fine-tuning on 1024 examples of each GLUE task: table of LoRA and Deep LoRA (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA and Deep LoRA on some examples of each task of GLUE, \
        and tabulates the dev scores. Tasks whose data is neither in the directory given with --data-dir nor to be downloaded \
        are listed as not run.";

    fn gather(settings: &PairExperiment, inputs: &Inputs) -> anyhow::Result<()> {
        settings.gather(inputs)
    }

    fn plan(settings: &PairExperiment) -> Vec<Planned<FineTuningTrial>> {
        settings.plan(&Keep::Nothing)
    }

    fn run(trial: &FineTuningTrial, context: &TrialContext) -> Result<FineTuningOutcome, TrialError> {
        run(trial, context)
    }

    fn tables(settings: &PairExperiment, finished: &[Run]) -> Result<Vec<Table>, LabError> {
        let runs: Vec<RunRow> = finished.iter().map(RunRow::of).collect();
        let differences = differences(&runs);
        let there = inventories(&settings.encoder, &settings.tasks);
        let rows = settings.protocols.iter().flat_map(|protocol| {
            settings.tasks.iter().map(|task| {
                let found = differences.iter().find(|row| row.protocol == protocol.name && row.task == *task);
                let row = row(&protocol.name, task, &at(&runs, &protocol.name, task), found);
                let is_there = there.iter().any(|inventory| inventory.task == *task);
                if is_there { row } else { Row { status: NOT_RUN.to_owned(), ..row } }
            })
        });
        Ok(vec![
            Table::new(Self::NAME, rows)?,
            Table::companion(Self::NAME, "runs", runs.clone())?,
            timing_table(Self::NAME, finished)?,
        ])
    }

    fn draw(settings: &PairExperiment, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let mut figure = Figure::new("GLUE with few examples: LoRA and Deep LoRA")
            .subtitle(settings.subtitle())
            .columns(1)
            .panel_size(1000, 280)
            .shared_legend();
        for protocol in &settings.protocols {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.protocol == protocol.name).collect();
            figure = figure.panel(
                Histogram::new(protocol.in_title_of_all())
                    .categories(rows.iter().map(|row| row.label()))
                    .y(Axis::linear("Pearson, Matthews or accuracy (%)"))
                    .bars(bars(LORA, 0, rows.iter().map(|row| (row.lora_mean_percent, row.lora_deviation_percent))))
                    .bars(bars(
                        DEEP_LORA,
                        1,
                        rows.iter().map(|row| (row.deep_lora_mean_percent, row.deep_lora_deviation_percent)),
                    )),
            );
        }
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &PairExperiment, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let tested = settings.encoder.is_pretrained() && settings.training.steps >= 1000 && settings.trials >= 3;
        let mut claims = Vec::new();
        for protocol in &settings.protocols {
            let rows: Vec<&Row> =
                rows.iter().filter(|row| row.protocol == protocol.name && row.status == RUN).collect();
            let differences: Vec<f64> = rows.iter().filter_map(|row| row.difference_percent).collect();
            let positive = differences.iter().filter(|difference| **difference > 0.0).count();
            let overall = mean_and_deviation(&differences).0;
            let measured = (!differences.is_empty())
                .then(|| format!("on {positive} of {} tasks, {overall:+.1} points on average", differences.len()));
            let claim = format!("{}: Deep LoRA scores higher than LoRA on most tasks and on average", protocol.name);
            let statement = Statement { claim: &claim, paper: "on most of the eight tasks and overall", tested };
            claims.push(statement.judged(measured, 2 * positive > differences.len() && overall > 0.0));
        }
        Ok(claims)
    }
}

/// The row of a task from its runs and their paired difference.
fn row(protocol: &str, task: &str, runs: &[&RunRow], difference: Option<&DifferenceRow>) -> Row {
    let percent = |x: f64| 100.0 * x;
    let of = |method: &str| {
        let scores: Vec<f64> = runs.iter().filter(|run| run.method == method).map(|run| run.counted()).collect();
        let (mean, deviation) = mean_and_deviation(&scores);
        // One run has no deviation.
        ((!scores.is_empty()).then(|| percent(mean)), (scores.len() > 1).then(|| percent(deviation)))
    };
    let ((lora_mean_percent, lora_deviation_percent), (deep_lora_mean_percent, deep_lora_deviation_percent)) =
        (of(LORA), of(DEEP_LORA));
    Row {
        protocol: protocol.to_owned(),
        task: task.to_owned(),
        metric: runs.first().map_or(String::new(), |run| run.metric.clone()),
        status: if difference.is_some() { RUN } else { FAILED }.to_owned(),
        trials: difference.map_or(0, |row| row.pairs),
        lora_mean_percent,
        lora_deviation_percent,
        deep_lora_mean_percent,
        deep_lora_deviation_percent,
        difference_percent: difference.map(|row| percent(row.mean)),
        difference_low_percent: difference.and_then(|row| row.low).map(percent),
        difference_high_percent: difference.and_then(|row| row.high).map(percent),
    }
}

/// Bars of (mean, deviation), with whiskers of half a deviation; `None` leaves one out.
fn bars(label: &str, hue: usize, values: impl Iterator<Item = (Option<f64>, Option<f64>)>) -> Bars {
    let values: Vec<(f64, f64)> =
        values.map(|(mean, deviation)| (mean.unwrap_or(f64::NAN), deviation.unwrap_or(f64::NAN))).collect();
    let errors: Vec<(f64, f64)> =
        values.iter().map(|(mean, deviation)| (mean - deviation / 2.0, mean + deviation / 2.0)).collect();
    let bars = Bars::new(label, values.iter().map(|(mean, _)| *mean).collect::<Vec<_>>()).hue(hue);
    // A single run has no deviation.
    if values.iter().any(|(_, deviation)| *deviation > 0.0) { bars.errors(errors) } else { bars }
}
