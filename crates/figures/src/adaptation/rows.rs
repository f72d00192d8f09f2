//! Tables that several fine-tuning experiments write: one row per run or record, and the seconds.

use std::fmt::Display;

use lab::{Finished, LabError, Table};
use serde::{Deserialize, Serialize};

use super::outcome::FineTuningOutcome;
use super::plan::RunPoint;

/// One run: a row of the main table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// The encoder's source.
    pub encoder: String,
    /// Pooler and head, in words.
    pub head: String,
    /// The task.
    pub task: String,
    /// What it is evaluated in.
    pub metric: String,
    /// The method.
    pub method: String,
    /// Training examples n.
    pub examples: usize,
    /// Inner width r; 0 for full width.
    pub rank: usize,
    /// Steps.
    pub steps: u64,
    /// Step size η.
    pub step_size: f64,
    /// AdamW's ϵ.
    pub epsilon: f64,
    /// Number of the draw of pooler and head.
    pub head_draw: usize,
    /// Number of the run; the same one means the same examples and order of batches.
    pub trial: usize,
    /// The metric at the end; empty if the run diverged or the metric is undefined (constant predictions).
    pub score: Option<f64>,
    /// The last recorded training loss.
    pub training_loss: f64,
    /// The training loss of the best constant.
    pub constant_loss: f64,
    /// The smallest logit that pooler and head were found to give.
    pub smallest_logit: f64,
    /// The largest one.
    pub largest_logit: f64,
    /// ‖w‖₁ of the head: no logit is larger, whatever becomes of the pooler.
    pub logit_bound: f64,
    /// The step at which the run diverged, if it did.
    pub diverged_at_step: Option<u64>,
}

/// A finished fine-tuning run.
pub type FinishedRun = Finished<RunPoint, FineTuningOutcome>;

impl RunRow {
    /// The row of a run.
    pub fn of(run: &FinishedRun) -> Self {
        let Finished { at, outcome, .. } = run;
        Self {
            encoder: at.encoder.clone(),
            head: at.head.clone(),
            task: at.task.clone(),
            metric: at.metric.to_owned(),
            method: at.method.clone(),
            examples: at.examples,
            rank: at.rank,
            steps: at.steps,
            step_size: at.step_size,
            epsilon: at.epsilon,
            head_draw: at.head_draw,
            trial: at.trial,
            score: outcome.metric,
            training_loss: outcome.training_loss(),
            constant_loss: outcome.constant_loss,
            smallest_logit: outcome.reach.smallest,
            largest_logit: outcome.reach.largest,
            logit_bound: outcome.reach.bound,
            diverged_at_step: outcome.diverged_at,
        }
    }

    /// Draw of the head and number of the run: what runs have in common that belong together.
    pub fn key(&self) -> (usize, usize) {
        (self.head_draw, self.trial)
    }

    /// The score, 0 where it is undefined: a run that diverged, or predicts a constant, has learned nothing, and leaving
    /// it out of a mean would flatter its method.
    pub fn counted(&self) -> f64 {
        self.score.unwrap_or(0.0)
    }

    /// Whether it learned anything: a run that ends above the best constant's training loss did not, and no claim is made
    /// from it. A loss that is not a number is never below.
    pub fn is_trained(&self) -> bool {
        self.diverged_at_step.is_none() && self.training_loss < self.constant_loss
    }

    /// With its score in the percents of the usual tables.
    pub fn in_percent(&self) -> Self {
        Self { score: self.score.map(|score| 100.0 * score), ..self.clone() }
    }
}

/// What was recorded at one step of one run: a row of the tables of curves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordRow {
    /// The encoder's source.
    pub encoder: String,
    /// The task.
    pub task: String,
    /// What it is evaluated in.
    pub metric: String,
    /// The method.
    pub method: String,
    /// Training examples n.
    pub examples: usize,
    /// Number of the draw of pooler and head.
    pub head_draw: usize,
    /// Number of the run.
    pub trial: usize,
    /// Steps done.
    pub step: u64,
    /// Mean training loss since the record before.
    pub training_loss: f64,
    /// The training loss of the best constant.
    pub constant_loss: f64,
    /// The metric on dev, where it was measured and is defined.
    pub score: Option<f64>,
    /// The metric on the training examples, where it was measured and is defined.
    pub training_score: Option<f64>,
}

impl RecordRow {
    /// The rows of a run.
    pub fn of(run: &FinishedRun) -> impl Iterator<Item = Self> {
        let Finished { at, outcome, .. } = run;
        outcome.records.iter().map(|record| Self {
            encoder: at.encoder.clone(),
            task: at.task.clone(),
            metric: at.metric.to_owned(),
            method: at.method.clone(),
            examples: at.examples,
            head_draw: at.head_draw,
            trial: at.trial,
            step: record.step,
            training_loss: record.training_loss,
            constant_loss: outcome.constant_loss,
            score: record.metric,
            training_score: record.training_metric,
        })
    }

    /// Draw of the head and number of the run.
    pub fn key(&self) -> (usize, usize) {
        (self.head_draw, self.trial)
    }

    /// Whether the loss is below the best constant's.
    pub fn is_trained(&self) -> bool {
        self.training_loss < self.constant_loss
    }
}

/// The last record of every run.
pub fn ends<'a>(rows: &[&'a RecordRow]) -> Vec<&'a RecordRow> {
    let runs = distinct(rows, |row| (&row.task, &row.method, row.examples, row.key()));
    let last = |run: &(&String, &String, usize, (usize, usize))| {
        rows.iter().copied().rfind(|row| (&row.task, &row.method, row.examples, row.key()) == *run)
    };
    runs.iter().filter_map(last).collect()
}

/// Seconds of one run: a row of `NAME.timing.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TimingRow {
    /// The run's label.
    pub run: String,
    /// Seconds, evaluation included.
    pub seconds: f64,
}

/// `NAME.timing.csv`.
///
/// # Errors
/// If the table cannot be made.
pub fn timing_table<P: Display, O>(name: &str, runs: &[Finished<P, O>]) -> Result<Table, LabError> {
    Table::companion(name, "timing", runs.iter().map(|run| TimingRow { run: run.at.to_string(), seconds: run.seconds }))
}

/// The distinct values of a column, in the order of the rows.
pub fn distinct<R, T: PartialEq>(rows: &[R], value: impl Fn(&R) -> T) -> Vec<T> {
    let mut values = Vec::new();
    for value in rows.iter().map(value) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// How a metric is written in figures.
pub fn metric_label(metric: &str) -> &'static str {
    match metric {
        "pearson" => "Pearson correlation (dev)",
        "matthews" => "Matthews correlation (dev)",
        _ => "accuracy (dev)",
    }
}
