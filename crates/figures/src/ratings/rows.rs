//! Rows of the tables, and which of a method's settings the validation error chooses.

use std::collections::HashMap;

use lab::FinishedOf;
use serde::{Deserialize, Serialize};

use super::Ratings;

/// A run: a row of `ratings.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) data: String,
    pub(super) method: String,
    pub(super) rank: Option<usize>,
    pub(super) regularization: Option<f64>,
    pub(super) trial: usize,
    /// Whether its validation error is the smallest of its method's on this split.
    pub(super) chosen: bool,
    pub(super) iterations: u64,
    pub(super) training_rmse: f64,
    pub(super) validation_rmse: f64,
    pub(super) test_rmse: f64,
    pub(super) test_mae: f64,
}

/// A look at a chosen network: a row of `ratings.curves.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CurveRow {
    pub(super) data: String,
    pub(super) method: String,
    pub(super) rank: Option<usize>,
    pub(super) trial: usize,
    pub(super) iteration: u64,
    pub(super) training_rmse: f64,
    pub(super) validation_rmse: f64,
}

/// What a run cost: a row of `ratings.timing.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TimingRow {
    pub(super) data: String,
    pub(super) method: String,
    pub(super) rank: Option<usize>,
    pub(super) regularization: Option<f64>,
    pub(super) trial: usize,
    pub(super) chosen: bool,
    pub(super) seconds: f64,
    pub(super) seconds_per_iteration: f64,
    pub(super) peak_memory_mib: f64,
}

/// Whether each run's validation error is the smallest of its method's on its split; of equal ones, the first.
pub(super) fn chosen(finished: &[FinishedOf<Ratings>]) -> Vec<bool> {
    let mut best: HashMap<(String, String, usize), (usize, f64)> = HashMap::new();
    for (place, run) in finished.iter().enumerate() {
        let key = (run.at.data.clone(), run.at.method.label(), run.at.trial);
        let error = run.outcome.validation.rmse;
        let least = best.entry(key).or_insert((place, error));
        if error < least.1 {
            *least = (place, error);
        }
    }
    let mut chosen = vec![false; finished.len()];
    best.values().for_each(|(place, _)| chosen[*place] = true);
    chosen
}

pub(super) fn row(run: &FinishedOf<Ratings>, chosen: bool) -> Row {
    let (at, outcome) = (&run.at, &run.outcome);
    Row {
        data: at.data.clone(),
        method: at.method.label(),
        rank: at.method.rank(),
        regularization: at.method.regularization(),
        trial: at.trial,
        chosen,
        iterations: outcome.iterations,
        training_rmse: outcome.training.rmse,
        validation_rmse: outcome.validation.rmse,
        test_rmse: outcome.test.rmse,
        test_mae: outcome.test.mae,
    }
}

pub(super) fn timing(run: &FinishedOf<Ratings>, chosen: bool) -> TimingRow {
    let (at, outcome) = (&run.at, &run.outcome);
    TimingRow {
        data: at.data.clone(),
        method: at.method.label(),
        rank: at.method.rank(),
        regularization: at.method.regularization(),
        trial: at.trial,
        chosen,
        seconds: outcome.seconds,
        seconds_per_iteration: outcome.seconds_per_iteration,
        peak_memory_mib: outcome.peak_bytes as f64 / f64::from(1 << 20),
    }
}

pub(super) fn curve(run: &FinishedOf<Ratings>) -> impl Iterator<Item = CurveRow> {
    run.outcome.checks.iter().map(|&(iteration, training_rmse, validation_rmse)| CurveRow {
        data: run.at.data.clone(),
        method: run.at.method.label(),
        rank: run.at.method.rank(),
        trial: run.at.trial,
        iteration,
        training_rmse,
        validation_rmse,
    })
}

/// (split, RMSE on the test part) of a method's chosen runs.
pub(super) fn test_errors(rows: &[Row], data: &str, method: &str) -> Vec<(usize, f64)> {
    let of = |row: &&Row| row.chosen && row.data == data && row.method == method;
    rows.iter().filter(of).map(|row| (row.trial, row.test_rmse)).collect()
}

/// The data sets, in the order of the table.
pub(super) fn data(rows: &[Row]) -> Vec<String> {
    distinct(rows.iter().map(|row| &row.data))
}

/// The methods that completed a data set, in the order of the table.
pub(super) fn methods(rows: &[Row], data: &str) -> Vec<String> {
    distinct(rows.iter().filter(|row| row.data == data).map(|row| &row.method))
}

fn distinct<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    texts.for_each(|text| {
        if !distinct.contains(text) {
            distinct.push(text.clone());
        }
    });
    distinct
}
