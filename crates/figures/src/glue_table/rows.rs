//! `glue-table.csv`: a row for every task.

use lab::statistics::{deviation, mean};
use serde::{Deserialize, Serialize};

use crate::adaptation::{DEEP_LORA, DifferenceRow, LORA, RunRow};

/// The status of a task with finished runs of both methods.
const RUN: &str = "run";
/// The status of a task whose data is not to be had.
pub(super) const NOT_RUN: &str = "not run: no data";
const FAILED: &str = "failed: a method has no finished run";
/// The status of a task of which no pair of runs bears a comparison.
const NOT_TRAINED: &str = "not trained: no pair of runs ends below the best constant's loss";
/// The status of a task whose trained runs predict constants, so that Pearson's or Matthews's correlation is not defined.
const NO_SCORE: &str = "no score: the predictions are constant";
/// The status of a task on which both methods have finished runs, but of other seeds.
const NOT_PAIRED: &str = "not paired: no seed has a finished run of both methods";

/// One task: a row of `glue-table.csv`, in the percents of the usual tables.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) encoder: String,
    pub(super) task: String,
    pub(super) metric: String,
    pub(super) status: String,
    pub(super) trials: usize,
    pub(super) steps: Option<u64>,
    pub(super) lora_mean_percent: Option<f64>,
    pub(super) lora_deviation_percent: Option<f64>,
    pub(super) deep_lora_mean_percent: Option<f64>,
    pub(super) deep_lora_deviation_percent: Option<f64>,
    pub(super) lora_training_loss: Option<f64>,
    pub(super) deep_lora_training_loss: Option<f64>,
    pub(super) difference_percent: Option<f64>,
    pub(super) difference_low_percent: Option<f64>,
    pub(super) difference_high_percent: Option<f64>,
}

/// The row of a task from its runs and their paired difference.
pub(super) fn row(encoder: &str, task: &str, runs: &[&RunRow], difference: Option<&DifferenceRow>) -> Row {
    let percent = |x: f64| 100.0 * x;
    let of = |method: &str| {
        let scores: Vec<f64> = runs.iter().filter(|run| run.method == method).map(|run| run.counted()).collect();
        (mean(&scores).map(percent), deviation(&scores).map(percent))
    };
    let ((lora_mean_percent, lora_deviation_percent), (deep_lora_mean_percent, deep_lora_deviation_percent)) =
        (of(LORA), of(DEEP_LORA));
    Row {
        encoder: encoder.to_owned(),
        task: task.to_owned(),
        metric: runs.first().map_or(String::new(), |run| run.metric.clone()),
        status: match difference {
            Some(difference) if difference.pairs > 0 => RUN,
            _ if lora_mean_percent.is_none() || deep_lora_mean_percent.is_none() => FAILED,
            Some(difference) if difference.undefined > 0 => NO_SCORE,
            Some(difference) if difference.not_trained > 0 => NOT_TRAINED,
            _ => NOT_PAIRED,
        }
        .to_owned(),
        trials: difference.map_or(0, |row| row.pairs),
        steps: runs.first().map(|run| run.steps),
        lora_mean_percent,
        lora_deviation_percent,
        deep_lora_mean_percent,
        deep_lora_deviation_percent,
        lora_training_loss: difference.and_then(|row| row.second_training_loss),
        deep_lora_training_loss: difference.and_then(|row| row.first_training_loss),
        difference_percent: difference.and_then(|row| row.mean).map(percent),
        difference_low_percent: difference.and_then(|row| row.low).map(percent),
        difference_high_percent: difference.and_then(|row| row.high).map(percent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adaptation::{any_row, differences};

    #[test]
    fn why_there_is_no_difference_is_said() {
        let run = |method: &str, trial, score, training_loss| RunRow {
            method: method.into(),
            training_loss,
            ..any_row(trial, 16, score)
        };
        let status =
            |runs: &[RunRow]| row("e", "t", &runs.iter().collect::<Vec<_>>(), differences(runs).first()).status;
        let (some, fitted, untrained) = (Some(0.5), 0.5, 2.0);
        let lora = run(LORA, 0, some, fitted);
        assert_eq!(status(&[lora.clone(), run(DEEP_LORA, 0, some, fitted)]), RUN);
        assert_eq!(status(&[lora.clone(), run(DEEP_LORA, 0, some, untrained)]), NOT_TRAINED);
        assert_eq!(status(&[lora.clone(), run(DEEP_LORA, 1, some, fitted)]), NOT_PAIRED);
        assert_eq!(status(&[run(LORA, 0, None, fitted), run(DEEP_LORA, 0, None, fitted)]), NO_SCORE);
        assert_eq!(status(&[lora]), FAILED);
    }
}
