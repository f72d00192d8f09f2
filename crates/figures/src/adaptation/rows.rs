//! Tables that several fine-tuning experiments write: one row per run, and its seconds.

use lab::{Finished, LabError, Table};
use serde::{Deserialize, Serialize};

use super::outcome::FineTuningOutcome;
use super::plan::RunPoint;

/// One run: a row of the main table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// How the step size was come by.
    pub protocol: String,
    /// The task.
    pub task: String,
    /// What it is evaluated in.
    pub metric: String,
    /// The method.
    pub method: String,
    /// Training examples n.
    pub examples: usize,
    /// Inner width r.
    pub rank: usize,
    /// Steps.
    pub steps: u64,
    /// Step size η.
    pub step_size: f64,
    /// Number of the run; the same one means the same examples, head and order of batches.
    pub trial: usize,
    /// The metric at the end; empty if the run diverged or the metric is undefined (constant predictions).
    pub score: Option<f64>,
    /// The last recorded training loss.
    pub training_loss: f64,
    /// The training loss of the best constant; empty in tables of before it was recorded.
    #[serde(default)]
    pub constant_loss: Option<f64>,
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
            protocol: at.protocol.clone(),
            task: at.task.clone(),
            metric: at.metric.to_owned(),
            method: at.method.clone(),
            examples: at.examples,
            rank: at.rank,
            steps: at.steps,
            step_size: at.step_size,
            trial: at.part.number(),
            score: outcome.metric,
            training_loss: outcome.training_loss(),
            constant_loss: Some(outcome.constant_loss),
            diverged_at_step: outcome.diverged_at,
        }
    }
}

impl RunRow {
    /// The score, 0 where it is undefined: a run that diverged, or predicts a constant, has learned nothing, and leaving
    /// it out of a mean would flatter its method.
    pub fn counted(&self) -> f64 {
        self.score.unwrap_or(0.0)
    }

    /// Whether it learned anything: a run that ends above the best constant's training loss did not, and no claim is made
    /// from it.
    pub fn is_trained(&self) -> bool {
        self.diverged_at_step.is_none() && self.constant_loss.is_none_or(|constant| self.training_loss < constant)
    }
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
pub fn timing_table(name: &str, runs: &[FinishedRun]) -> Result<Table, LabError> {
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

/// The rows of one protocol and task.
pub fn at<'a>(rows: &'a [RunRow], protocol: &str, task: &str) -> Vec<&'a RunRow> {
    rows.iter().filter(|row| row.protocol == protocol && row.task == task).collect()
}

/// How a metric is written in figures.
pub fn metric_label(metric: &str) -> &'static str {
    match metric {
        "pearson" => "Pearson correlation (dev)",
        "matthews" => "Matthews correlation (dev)",
        _ => "accuracy (dev)",
    }
}
