//! Rows of the tables of the first half, and curves made from them.

use serde::{Deserialize, Serialize};

use super::plan::Point;
use crate::matrix::{ScaleMethod, ScaleOutcome};
use crate::summary::averaged_in_logs;

/// One record of one run: a row of `scaling.csv`.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    method: String,
    size: usize,
    observed_entries: usize,
    trial: usize,
    iteration: u64,
    training_loss: f64,
    held_out_error: f64,
    held_out_standard_error: f64,
}

/// What one run cost: a row of `scaling.timing.csv`.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Cost {
    pub(super) method: String,
    pub(super) size: usize,
    pub(super) trial: usize,
    pub(super) iterations: u64,
    pub(super) problem_seconds: f64,
    pub(super) setup_seconds: f64,
    pub(super) training_seconds: f64,
    pub(super) seconds_per_iteration: f64,
    pub(super) peak_memory_mib: f64,
}

/// The rows of one run.
pub(super) fn records(at: Point, outcome: &ScaleOutcome) -> impl Iterator<Item = Row> {
    (0..outcome.iterations.len()).map(move |k| Row {
        method: at.network.to_owned(),
        size: at.size,
        observed_entries: outcome.observed_entries,
        trial: at.trial,
        iteration: outcome.iterations[k],
        training_loss: outcome.losses[k],
        held_out_error: outcome.held_out[k].0,
        held_out_standard_error: outcome.held_out[k].1,
    })
}

/// The costs of one run.
pub(super) fn cost(at: Point, outcome: &ScaleOutcome) -> Cost {
    let iterations = outcome.iterations.last().copied().unwrap_or(0);
    Cost {
        method: at.network.to_owned(),
        size: at.size,
        trial: at.trial,
        iterations,
        problem_seconds: outcome.problem_seconds,
        setup_seconds: outcome.setup_seconds,
        training_seconds: outcome.training_seconds,
        // Before the first step and after each, the loss and its gradients are computed.
        seconds_per_iteration: outcome.training_seconds / (iterations + 1) as f64,
        peak_memory_mib: outcome.peak_bytes as f64 / f64::from(1 << 20),
    }
}

/// A cost of one method against the size: geometric means of the trials.
pub(super) fn by_size(costs: &[Cost], method: ScaleMethod, value: fn(&Cost) -> f64) -> Vec<(f64, f64)> {
    let rows = costs.iter().filter(|cost| cost.method == method.name());
    averaged_in_logs(rows.map(|cost| (cost.size as f64, value(cost)))).mean
}

/// (iteration, held-out error in units of its start) of one run.
pub(super) fn relative_errors(rows: &[Row], method: ScaleMethod, size: usize, trial: usize) -> Vec<(f64, f64)> {
    let of = |row: &&Row| row.method == method.name() && (row.size, row.trial) == (size, trial);
    let rows: Vec<&Row> = rows.iter().filter(of).collect();
    let start = rows.first().map_or(1.0, |row| row.held_out_error);
    rows.into_iter().map(|row| (row.iteration as f64, row.held_out_error / start)).collect()
}

/// A curve of one run against seconds, those of the set-up included, at the mean pace of the run.
pub(super) fn in_seconds(curve: &[(f64, f64)], cost: &Cost) -> Vec<(f64, f64)> {
    let seconds = |iteration: f64| cost.problem_seconds + cost.setup_seconds + iteration * cost.seconds_per_iteration;
    curve.iter().map(|&(iteration, error)| (seconds(iteration), error)).collect()
}

/// The runs of the sampled construction at one size.
pub(super) fn sampled_at(costs: &[Cost], size: usize) -> Vec<&Cost> {
    costs.iter().filter(|cost| cost.method == ScaleMethod::Sampled.name() && cost.size == size).collect()
}
