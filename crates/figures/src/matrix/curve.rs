//! Rows of the CSV files made from the outcomes of matrix trials.

use serde::{Deserialize, Serialize};

use super::MatrixOutcome;

/// One record of one run: a row of the main table of `factorization` and `completion`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurveRow {
    /// Which network: "original", "compressed, γ = 0.01", …
    pub network: String,
    pub trial: usize,
    pub iteration: u64,
    pub training_loss: f64,
    /// Recovery error; empty where it is not measured.
    pub recovery_error: Option<f64>,
}

/// The clock at one record of one run: a row of the timing table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimingRow {
    pub network: String,
    pub trial: usize,
    pub iteration: u64,
    /// Seconds spent in iterations up to here.
    pub seconds: f64,
    /// Seconds spent before the first iteration on making the initial factors.
    pub setup_seconds: f64,
}

/// The records of one run.
pub fn curve_rows(network: &str, trial: usize, outcome: &MatrixOutcome) -> Vec<CurveRow> {
    (0..outcome.iterations.len())
        .map(|k| CurveRow {
            network: network.to_owned(),
            trial,
            iteration: outcome.iterations[k],
            training_loss: outcome.losses[k],
            recovery_error: outcome.recovery_errors.get(k).copied(),
        })
        .collect()
}

/// The clock of one run.
pub fn timing_rows(network: &str, trial: usize, outcome: &MatrixOutcome) -> Vec<TimingRow> {
    (0..outcome.iterations.len())
        .map(|k| TimingRow {
            network: network.to_owned(),
            trial,
            iteration: outcome.iterations[k],
            seconds: outcome.seconds[k],
            setup_seconds: outcome.setup_seconds,
        })
        .collect()
}
