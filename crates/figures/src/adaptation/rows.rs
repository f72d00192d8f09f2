//! Tables that several fine-tuning experiments write: one row per run, paired differences, inputs, seconds.

use lab::statistics::{Estimate, paired};
use lab::{Finished, LabError, Table};
use serde::{Deserialize, Serialize};

use super::settings::{DEEP_LORA, LORA};

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

/// The difference of two methods over runs of the same numbers: a row of `NAME.differences.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceRow {
    /// How the step sizes were come by.
    pub protocol: String,
    /// The task.
    pub task: String,
    /// What it is evaluated in.
    pub metric: String,
    /// What is subtracted from what.
    pub difference: String,
    /// Training examples n.
    pub examples: usize,
    /// Inner width r.
    pub rank: usize,
    /// Pairs of runs; an undefined score counts as 0.
    pub pairs: usize,
    /// Mean of the differences.
    pub mean: f64,
    /// Lower end of its 95 % confidence interval (Student's t); empty with fewer than two pairs.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Deep LoRA − LoRA for every protocol, task, n and r, in the order of the rows.
pub fn differences(rows: &[RunRow]) -> Vec<DifferenceRow> {
    let same = |a: &RunRow, b: &RunRow| {
        (&a.protocol, &a.task, a.examples, a.rank) == (&b.protocol, &b.task, b.examples, b.rank)
    };
    let mut found: Vec<DifferenceRow> = Vec::new();
    let mut seen: Vec<&RunRow> = Vec::new();
    for row in rows.iter().filter(|row| row.method == LORA) {
        if seen.iter().any(|other| same(row, other)) {
            continue;
        }
        seen.push(row);
        let of = |method: &str| -> Vec<(usize, f64)> {
            let rows = rows.iter().filter(|other| other.method == method && same(row, other));
            rows.map(|row| (row.trial, row.counted())).collect()
        };
        if let Some(estimate) = Estimate::of(&paired(&of(DEEP_LORA), &of(LORA))) {
            let interval = estimate.interval();
            found.push(DifferenceRow {
                protocol: row.protocol.clone(),
                task: row.task.clone(),
                metric: row.metric.clone(),
                difference: format!("{DEEP_LORA} - {LORA}"),
                examples: row.examples,
                rank: row.rank,
                pairs: estimate.n,
                mean: estimate.mean,
                low: interval.map(|ends| ends.0),
                high: interval.map(|ends| ends.1),
            });
        }
    }
    found
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: &str, trial: usize, score: Option<f64>) -> RunRow {
        RunRow {
            protocol: "p".into(),
            task: "t".into(),
            metric: "pearson".into(),
            method: method.into(),
            examples: 16,
            rank: 8,
            steps: 1,
            step_size: 0.1,
            trial,
            score,
            training_loss: 0.0,
            diverged_at_step: None,
        }
    }

    #[test]
    fn differences_are_of_runs_of_the_same_number() {
        let rows = [
            row(LORA, 0, Some(0.1)),
            row(LORA, 1, Some(0.5)),
            row(LORA, 2, None),
            row(DEEP_LORA, 1, Some(0.75)),
            row(DEEP_LORA, 0, Some(0.2)),
            row(DEEP_LORA, 2, Some(0.9)),
        ];
        let found = differences(&rows);
        assert_eq!((found.len(), found[0].pairs), (1, 3));
        assert!((found[0].mean - 1.25 / 3.0).abs() < 1e-12);
        assert!(found[0].low.unwrap() < 0.1 && found[0].high.unwrap() > 0.8);
    }
}
