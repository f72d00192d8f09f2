//! Rows of the CSV files made from the theorem's trials.

use serde::{Deserialize, Serialize};

use super::{TheoremOutcome, TheoremRecord};

/// One layer at one record: a row of the main table of `invariant-subspace`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockRow {
    pub case: String,
    pub trial: usize,
    pub iteration: u64,
    /// Layer, from 1.
    pub layer: usize,
    /// Distance from the block form, divided by `‖W_l‖_F`.
    pub block_residual: f64,
    /// ρ_l, measured.
    pub rho: f64,
    /// ρ_l by the recursion; empty unless trained by gradient descent.
    pub rho_recursion: Option<f64>,
}

impl BlockRow {
    /// `|ρ / ρ by the recursion − 1|`.
    pub fn rho_error(&self) -> Option<f64> {
        Some((self.rho / self.rho_recursion? - 1.0).abs())
    }
}

/// One record: a row of the table of distances between original and compressed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistanceRow {
    pub case: String,
    pub trial: usize,
    pub iteration: u64,
    /// Training loss of the original, without the weight decay's term.
    pub training_loss: f64,
    /// `‖original − compressed‖_F` of the end-to-end products.
    pub distance: f64,
    /// `√m ∏ρ_l`, ρ measured.
    pub predicted_from_measured_rho: f64,
    /// `√m ∏ρ_l`, ρ by the recursion; empty unless trained by gradient descent.
    pub predicted_from_recursion: Option<f64>,
}

impl DistanceRow {
    /// `√m ∏ρ_l`, by the recursion where there is one.
    pub fn predicted(&self) -> f64 {
        self.predicted_from_recursion.unwrap_or(self.predicted_from_measured_rho)
    }

    /// `|distance / √m ∏ρ_l − 1|`.
    pub fn error(&self) -> f64 {
        (self.distance / self.predicted() - 1.0).abs()
    }
}

/// The rows of one run of a case, layer by layer.
pub fn block_rows(case: &str, trial: usize, outcome: &TheoremOutcome) -> Vec<BlockRow> {
    let row = |record: &TheoremRecord, l: usize| BlockRow {
        case: case.to_owned(),
        trial,
        iteration: record.iteration,
        layer: l + 1,
        block_residual: record.block_residuals[l],
        rho: record.rho[l],
        rho_recursion: record.rho_recursion.as_ref().map(|rho| rho[l]),
    };
    outcome.records.iter().flat_map(|record| (0..record.rho.len()).map(move |l| row(record, l))).collect()
}

/// The rows of the distances of one run of a case.
pub fn distance_rows(case: &str, trial: usize, outcome: &TheoremOutcome) -> Vec<DistanceRow> {
    let predicted = |rho: &[f64]| (outcome.frozen as f64).sqrt() * rho.iter().product::<f64>();
    let row = |record: &TheoremRecord| DistanceRow {
        case: case.to_owned(),
        trial,
        iteration: record.iteration,
        training_loss: record.training_loss,
        distance: record.distance,
        predicted_from_measured_rho: predicted(&record.rho),
        predicted_from_recursion: record.rho_recursion.as_ref().map(|rho| predicted(rho)),
    };
    outcome.records.iter().map(row).collect()
}
