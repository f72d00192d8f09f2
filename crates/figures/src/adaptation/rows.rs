//! Tables that several fine-tuning experiments write: one row per run, and its seconds.

use std::collections::BTreeSet;

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
        self.diverged_at_step.is_none() && is_trained(self.training_loss, self.constant_loss)
    }

    /// With its score in the percents of the usual tables.
    pub fn in_percent(&self) -> Self {
        Self { score: self.score.map(|score| 100.0 * score), ..self.clone() }
    }

    /// Why a figure marks the run, if it does.
    pub fn failure(&self) -> Option<&'static str> {
        match (self.diverged_at_step, self.score) {
            (Some(_), _) => Some("diverged"),
            (None, None) => Some("constant predictions"),
            (None, Some(_)) => (!self.is_trained()).then_some("not trained"),
        }
    }
}

/// Whether a run that ends at this training loss learned anything: it is below the best constant's, which a loss that is
/// not a number never is. Without the constant's there is nothing to go by, and the run counts.
pub fn is_trained(training_loss: f64, constant: Option<f64>) -> bool {
    constant.is_none_or(|constant| training_loss < constant)
}

/// What a subtitle says of tables without the training loss of the best constant, after a semicolon.
pub const UNKNOWN: &str = "; whether runs beat the best constant was not recorded";

/// What happened to the runs that failed, each once: the legend's words for their marks.
pub fn failures<'a>(rows: impl IntoIterator<Item = &'a RunRow>) -> String {
    let found: BTreeSet<&str> = rows.into_iter().filter_map(RunRow::failure).collect();
    found.into_iter().collect::<Vec<_>>().join(" or ")
}

/// What a subtitle says of runs that failed, after a semicolon; empty if there is nothing to say.
pub fn what_failed<'a>(rows: impl IntoIterator<Item = &'a RunRow> + Clone) -> String {
    let count = |kind: &str| rows.clone().into_iter().filter(|row| row.failure() == Some(kind)).count();
    let kinds = ["diverged", "constant predictions", "not trained"].map(|kind| (count(kind), kind));
    let said: Vec<String> =
        kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} ({kind})")).collect();
    let scoreless = kinds[0].0 + kinds[1].0 > 0;
    let mut text = String::new();
    if !said.is_empty() {
        text += &format!("; runs marked ×: {}", said.join(", "));
        text += if scoreless { "; in a mean, one without a score counts as 0" } else { "" };
    }
    if rows.into_iter().any(|row| row.constant_loss.is_none()) {
        text += UNKNOWN;
    }
    text
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

/// (x, score) of runs, an undefined score counted as [`RunRow::counted`] says; where no run of an x has a score there is nothing
/// to average, and no point.
pub fn scored<'a>(rows: impl IntoIterator<Item = &'a RunRow>, x: impl Fn(&RunRow) -> f64) -> Vec<(f64, f64)> {
    let rows: Vec<(f64, &RunRow)> = rows.into_iter().map(|row| (x(row), row)).collect();
    let defined: BTreeSet<u64> = rows.iter().filter(|(_, row)| row.score.is_some()).map(|(x, _)| x.to_bits()).collect();
    let points = rows.into_iter().filter(|(x, _)| defined.contains(&x.to_bits()));
    points.map(|(x, row)| (x, row.counted())).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run.
    pub fn row(trial: usize, examples: usize, score: Option<f64>) -> RunRow {
        RunRow {
            protocol: "p".into(),
            task: "t".into(),
            metric: "pearson".into(),
            method: "m".into(),
            examples,
            rank: 8,
            steps: 1,
            step_size: 0.1,
            trial,
            score,
            training_loss: 0.0,
            constant_loss: None,
            diverged_at_step: None,
        }
    }

    #[test]
    fn runs_that_failed_are_said() {
        let known = |row: RunRow| RunRow { constant_loss: Some(1.0), ..row };
        let good = known(row(0, 16, Some(0.5)));
        let diverged = RunRow { diverged_at_step: Some(3), ..known(row(1, 16, None)) };
        let constant = known(row(2, 16, None));
        let untrained = RunRow { training_loss: 2.0, ..known(row(3, 16, Some(0.1))) };
        let rows = [good.clone(), diverged, constant, untrained];
        assert_eq!(failures(&rows), "constant predictions or diverged or not trained");
        let said = what_failed(&rows);
        assert!(said.contains("1 (diverged), 1 (constant predictions), 1 (not trained)"), "{said}");
        assert!(said.contains("counts as 0") && !said.contains("not recorded"), "{said}");
        assert_eq!((what_failed(&[good]), what_failed(&[row(0, 16, Some(0.5))])), (String::new(), UNKNOWN.to_owned()));
    }

    #[test]
    fn a_run_is_trained_if_it_beats_the_best_constant() {
        assert_eq!([0.9, 1.0, f64::NAN].map(|loss| is_trained(loss, Some(1.0))), [true, false, false]);
        assert!(is_trained(9.0, None));
    }

    #[test]
    fn scores_are_averaged_only_where_there_is_one() {
        let rows = [row(0, 16, None), row(1, 16, Some(0.5)), row(2, 32, None)];
        assert_eq!(scored(&rows, |row| row.examples as f64), [(16.0, 0.0), (16.0, 0.5)]);
    }
}
