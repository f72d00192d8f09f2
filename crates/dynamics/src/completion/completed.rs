//! A completed matrix.

use std::time::Duration;

use faer::Mat;

use super::{Biases, Check, Entry};

/// A prediction for every entry: biases and a product of two factors.
#[derive(Clone, Debug)]
pub struct Predictor {
    /// `μ + b_i + c_j`.
    pub biases: Biases,
    /// P, `k × rows`.
    pub left: Mat<f64>,
    /// Q, `k × columns`.
    pub right: Mat<f64>,
}

/// A completed matrix.
#[derive(Clone, Debug)]
pub struct Completed {
    /// The prediction.
    pub predictor: Predictor,
    /// The look that it is of.
    pub best: Check,
    /// All looks.
    pub checks: Vec<Check>,
    /// Time spent before the first iteration: biases, kernels, the start.
    pub setup: Duration,
}

impl Predictor {
    /// The entry (i, j): `μ + b_i + c_j + (PᵀQ)_ij`.
    pub fn entry(&self, i: usize, j: usize) -> f64 {
        self.biases.at(i, j) + self.left.col(i).transpose() * self.right.col(j)
    }

    /// Root mean square error on some entries; `None` if there are none.
    pub fn error(&self, entries: &[Entry]) -> Option<f64> {
        root_mean_square(entries.iter().map(|&(i, j, value)| self.entry(i, j) - value))
    }
}

impl Completed {
    /// The entry (i, j).
    pub fn entry(&self, i: usize, j: usize) -> f64 {
        self.predictor.entry(i, j)
    }

    /// Root mean square error on some entries; `None` if there are none.
    pub fn error(&self, entries: &[Entry]) -> Option<f64> {
        self.predictor.error(entries)
    }
}

/// `√(mean of squares)`; `None` of nothing.
pub fn root_mean_square(residuals: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = residuals.len();
    (count > 0).then(|| (residuals.map(|residual| residual * residual).sum::<f64>() / count as f64).sqrt())
}
