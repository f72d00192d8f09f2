//! How a step size is chosen: by the score on examples that no reported run trains on.

use lab::statistics::mean;
use serde::{Deserialize, Serialize};

use crate::adaptation::{FinishedRun, Part, RunRow, distinct};

/// One run that helped to choose a step size: a row of `few-shot.selection.csv`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChoiceRow {
    task: String,
    metric: String,
    method: String,
    examples: usize,
    rank: usize,
    step_size: f64,
    trial: usize,
    validation_score: Option<f64>,
    training_loss: f64,
    diverged_at_step: Option<u64>,
    chosen: bool,
}

/// The step size whose runs have the best mean validation score, the smaller of equal ones. One with a run that diverged is
/// out of the question; an undefined score (constant predictions) counts as 0. `None` if none is left.
pub(super) fn chosen(runs: &[FinishedRun], task: &str, examples: usize, method: &str) -> Option<f64> {
    let runs: Vec<&FinishedRun> = runs
        .iter()
        .filter(|run| matches!(run.at.part, Part::Choice(_)))
        .filter(|run| (run.at.task.as_str(), run.at.examples, run.at.method.as_str()) == (task, examples, method))
        .collect();
    let mut steps = distinct(&runs, |run| run.at.step_size);
    let diverged = |step: f64| runs.iter().any(|run| run.at.step_size == step && run.outcome.diverged_at.is_some());
    steps.retain(|&step| !diverged(step));
    steps.sort_by(f64::total_cmp);
    let mean = |step: f64| {
        let scores = runs.iter().filter(|run| run.at.step_size == step);
        mean(&scores.map(|run| run.outcome.metric.unwrap_or(0.0)).collect::<Vec<_>>()).unwrap_or(f64::NEG_INFINITY)
    };
    // Of equal ones max_by takes the last.
    steps.into_iter().rev().max_by(|a, b| mean(*a).total_cmp(&mean(*b)))
}

/// The rows of the runs that helped to choose.
pub(super) fn choice_rows(finished: &[FinishedRun]) -> impl Iterator<Item = ChoiceRow> {
    finished.iter().filter(|run| matches!(run.at.part, Part::Choice(_))).map(|run| {
        let RunRow { task, metric, method, examples, rank, step_size, trial, score, .. } = RunRow::of(run);
        ChoiceRow {
            chosen: chosen(finished, &task, examples, &method) == Some(step_size),
            validation_score: score,
            training_loss: run.outcome.training_loss(),
            diverged_at_step: run.outcome.diverged_at,
            task,
            metric,
            method,
            examples,
            rank,
            step_size,
            trial,
        }
    })
}
