//! Tables that several fine-tuning experiments write: one row per run, paired differences, inputs, seconds.

use std::collections::{BTreeMap, BTreeSet};

use lab::{Finished, LabError, Table};
use serde::{Deserialize, Serialize};

use super::settings::{DEEP_LORA, LORA};
use super::statistics::Interval;
use super::trial::{FineTuningOutcome, FineTuningTrial};

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
pub type Run = Finished<FineTuningTrial, FineTuningOutcome>;

impl RunRow {
    /// The row of a run.
    pub fn of(run: &Run) -> Self {
        let Finished { trial, outcome, .. } = run;
        Self {
            protocol: trial.protocol.clone(),
            task: trial.task.clone(),
            metric: trial.metric.clone(),
            method: trial.name.clone(),
            examples: trial.examples,
            rank: trial.rank,
            steps: trial.steps,
            step_size: trial.step_size,
            trial: trial.part.number(),
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

/// (x, score) of runs, an undefined score counted as [`RunRow::counted`] says; where no run of an x has a score there is nothing
/// to average, and no point.
pub fn scored<'a>(rows: impl IntoIterator<Item = &'a RunRow>, x: impl Fn(&RunRow) -> f64) -> Vec<(f64, f64)> {
    let rows: Vec<(f64, &RunRow)> = rows.into_iter().map(|row| (x(row), row)).collect();
    let defined: BTreeSet<u64> = rows.iter().filter(|(_, row)| row.score.is_some()).map(|(x, _)| x.to_bits()).collect();
    let points = rows.into_iter().filter(|(x, _)| defined.contains(&x.to_bits()));
    points.map(|(x, row)| (x, row.counted())).collect()
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
pub fn timing_table(name: &str, runs: &[Run]) -> Result<Table, LabError> {
    Table::companion(name, "timing", runs.iter().map(|run| TimingRow { run: run.label.clone(), seconds: run.seconds }))
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
    /// Pairs of runs of the same number.
    pub pairs: usize,
    /// Of their scores, those that are undefined (a run that diverged, constant predictions) and counted as 0.
    #[serde(default)]
    pub undefined: usize,
    /// Runs of either method without a partner, which are left out.
    #[serde(default)]
    pub unpaired: usize,
    /// Mean of the differences; empty without a pair, or if no score of any pair is defined.
    pub mean: Option<f64>,
    /// Lower end of its 95 % confidence interval (Student's t); empty with fewer than two pairs.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl DifferenceRow {
    /// The mean with its interval, if there is one.
    pub fn interval(&self) -> Option<Interval> {
        Some(Interval { count: self.pairs, mean: self.mean?, low: self.low, high: self.high })
    }

    /// What a reader of the interval must know of it, if anything.
    pub fn doubts(&self) -> String {
        let scores = 2 * self.pairs;
        if self.undefined > 0 {
            format!(" with {} of {scores} scores undefined", self.undefined)
        } else {
            String::new()
        }
    }
}

/// Deep LoRA − LoRA for every protocol, task, n and r, in the order of the rows; nothing if one of them was not run at all.
pub fn differences(rows: &[RunRow]) -> Vec<DifferenceRow> {
    if rows.iter().all(|row| row.method != DEEP_LORA) {
        return Vec::new();
    }
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
        let of = |method: &str| -> BTreeMap<usize, &RunRow> {
            let rows = rows.iter().filter(|other| other.method == method && same(row, other));
            rows.map(|row| (row.trial, row)).collect()
        };
        let (lora, deep) = (of(LORA), of(DEEP_LORA));
        let paired: Vec<_> = lora.iter().filter_map(|(trial, row)| Some((*row, *deep.get(trial)?))).collect();
        let undefined = paired.iter().flat_map(|(a, b)| [a, b]).filter(|row| row.score.is_none()).count();
        let differences: Vec<f64> = paired.iter().map(|(lora, deep)| deep.counted() - lora.counted()).collect();
        let interval = Interval::of(&differences).filter(|_| undefined < 2 * paired.len());
        found.push(DifferenceRow {
            protocol: row.protocol.clone(),
            task: row.task.clone(),
            metric: row.metric.clone(),
            difference: format!("{DEEP_LORA} - {LORA}"),
            examples: row.examples,
            rank: row.rank,
            pairs: paired.len(),
            undefined,
            unpaired: lora.len() + deep.len() - 2 * paired.len(),
            mean: interval.map(|interval| interval.mean),
            low: interval.and_then(|interval| interval.low),
            high: interval.and_then(|interval| interval.high),
        });
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
        assert!((found[0].mean.unwrap() - 1.25 / 3.0).abs() < 1e-12);
        assert!(found[0].low.unwrap() < 0.1 && found[0].high.unwrap() > 0.8);
        assert_eq!((found[0].undefined, found[0].unpaired), (1, 0));
        assert_eq!(found[0].doubts(), " with 1 of 6 scores undefined");
    }

    #[test]
    fn differences_of_nothing_are_empty() {
        let undefined = [row(LORA, 0, None), row(LORA, 1, None), row(DEEP_LORA, 0, None), row(DEEP_LORA, 1, None)];
        let found = &differences(&undefined)[0];
        assert_eq!((found.pairs, found.undefined, found.mean, found.low, found.high), (2, 4, None, None, None));
        assert_eq!(found.interval(), None);
        let one = [row(LORA, 0, Some(0.1)), row(DEEP_LORA, 0, Some(0.3)), row(DEEP_LORA, 1, Some(0.9))];
        let found = &differences(&one)[0];
        assert_eq!((found.pairs, found.unpaired, found.low, found.high), (1, 1, None, None));
        let found = &differences(&[row(LORA, 0, Some(0.1)), row(DEEP_LORA, 1, Some(0.3))])[0];
        assert_eq!((found.pairs, found.unpaired, found.mean), (0, 2, None));
        assert_eq!(differences(&[row(LORA, 0, Some(0.1))]), []);
    }

    #[test]
    fn scores_are_averaged_only_where_there_is_one() {
        let mut rows = [row(LORA, 0, None), row(LORA, 1, Some(0.5)), row(LORA, 2, None)];
        rows[2].examples = 32;
        assert_eq!(scored(&rows, |row| row.examples as f64), [(16.0, 0.0), (16.0, 0.5)]);
    }
}
