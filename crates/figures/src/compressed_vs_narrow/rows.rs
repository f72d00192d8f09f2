//! Rows of the tables, and points made from them.

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::statements::Run;

/// One run: a row of `compressed-vs-narrow.csv`.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) network: String,
    pub(super) rank_guess: usize,
    pub(super) trial: usize,
    pub(super) iterations: u64,
    pub(super) converged: bool,
    pub(super) training_loss: f64,
    pub(super) recovery_error: f64,
}

/// The clock of one run: a row of `compressed-vs-narrow.timing.csv`, in the order of the main table.
#[derive(Serialize, Deserialize)]
pub(super) struct Timing {
    pub(super) network: String,
    pub(super) rank_guess: usize,
    pub(super) trial: usize,
    pub(super) seconds: f64,
    pub(super) setup_seconds: f64,
}

/// Iterations against r̂ of the runs of one network that met the tolerance.
pub(super) fn iterations_of(rows: &[Row], kind: Kind) -> Vec<Run> {
    let met = rows.iter().filter(|row| row.network == kind.name() && row.converged);
    met.map(|row| (row.trial, row.rank_guess as f64, row.iterations as f64)).collect()
}

/// Seconds against r̂ of the runs of one network that met the tolerance, with the making of the initial factors.
pub(super) fn seconds_of(rows: &[Row], clocks: &[Timing], kind: Kind) -> Vec<Run> {
    let met = rows.iter().zip(clocks).filter(|(row, _)| row.network == kind.name() && row.converged);
    met.map(|(row, clock)| (row.trial, row.rank_guess as f64, clock.seconds + clock.setup_seconds)).collect()
}
