//! Rows of the tables.

use serde::{Deserialize, Serialize};

use super::Point;
use super::trial::SensingOutcome;
use crate::matrix::{CurveRow, TimingRow};

/// One record of one run: a row of `sensing.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) network: String,
    pub(super) trial: usize,
    pub(super) iteration: u64,
    pub(super) training_loss: f64,
    /// `‖E − Φ‖_F / ‖Φ‖_F`.
    pub(super) relative_error: f64,
}

/// The records of one run.
pub(super) fn records<'a>(at: &'a Point, outcome: &'a SensingOutcome) -> impl Iterator<Item = Row> + 'a {
    (0..outcome.iterations.len()).map(|k| Row {
        network: at.network.clone(),
        trial: at.trial,
        iteration: outcome.iterations[k],
        training_loss: outcome.losses[k],
        relative_error: outcome.relative_errors[k],
    })
}

/// The clock of one run.
pub(super) fn clock<'a>(at: &'a Point, outcome: &'a SensingOutcome) -> impl Iterator<Item = TimingRow> + 'a {
    (0..outcome.iterations.len()).map(|k| TimingRow {
        network: at.network.clone(),
        trial: at.trial,
        iteration: outcome.iterations[k],
        seconds: outcome.seconds[k],
        setup_seconds: outcome.setup_seconds,
    })
}

/// The same for what comparisons share, with the relative error in place of the recovery error.
pub(super) fn curves(rows: &[Row]) -> Vec<CurveRow> {
    let curve = |row: &Row| CurveRow {
        network: row.network.clone(),
        trial: row.trial,
        iteration: row.iteration,
        training_loss: row.training_loss,
        recovery_error: Some(row.relative_error),
    };
    rows.iter().map(curve).collect()
}
