//! The tables: subspaces and spectra.

use serde::{Deserialize, Serialize};

/// How far a matrix' subspace at one step is from its final one: a row of `adaptation-subspaces.csv`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) task: String,
    pub(super) trial: usize,
    pub(super) matrix: String,
    pub(super) step: u64,
    pub(super) largest_cosine: f64,
    pub(super) mean_cosine: f64,
    pub(super) smallest_cosine: f64,
}

/// One singular value of a final update: a row of `adaptation-subspaces.spectra.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SpectrumRow {
    pub(super) task: String,
    pub(super) trial: usize,
    pub(super) matrix: String,
    pub(super) index: usize,
    pub(super) singular_value: f64,
}
