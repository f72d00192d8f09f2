//! What one run yields.

use dynamics::trajectory::Snapshot;
use faer::Mat;
use serde::{Deserialize, Serialize};

/// What one run yields.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MatrixOutcome {
    pub iterations: Vec<u64>,
    /// Training loss at each.
    pub losses: Vec<f64>,
    /// Recovery error at each; empty if measured at the end only.
    pub recovery_errors: Vec<f64>,
    /// Seconds spent in iterations up to each record.
    pub seconds: Vec<f64>,
    /// Seconds spent on making the initial factors (target and observed entries not counted).
    pub setup_seconds: f64,
    /// Recovery error at the end.
    pub final_recovery_error: f64,
    /// Whether the tolerance was met.
    pub converged: bool,
    /// The last recorded end-to-end products, oldest first.
    pub products: Vec<StoredProduct>,
}

/// A recorded end-to-end product, as `left · rightᵀ`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredProduct {
    pub iteration: u64,
    left: Vec<f64>,
    right: Vec<f64>,
    width: usize,
}

impl MatrixOutcome {
    /// The last recorded iteration: the number of steps taken.
    pub fn final_iteration(&self) -> u64 {
        self.iterations.last().copied().unwrap_or(0)
    }

    /// The training loss at the end.
    pub fn final_loss(&self) -> f64 {
        self.losses.last().copied().unwrap_or(f64::NAN)
    }

    /// Seconds spent in iterations.
    pub fn final_seconds(&self) -> f64 {
        self.seconds.last().copied().unwrap_or(0.0)
    }
}

impl StoredProduct {
    pub(super) fn new(iteration: u64, snapshot: &Snapshot) -> Self {
        let flat = |m: &Mat<f64>| m.col_iter().flat_map(|c| c.iter().copied().collect::<Vec<_>>()).collect();
        Self { iteration, left: flat(&snapshot.left), right: flat(&snapshot.right), width: snapshot.left.ncols() }
    }

    /// The product as the numerical core knows it.
    pub fn snapshot(&self) -> Snapshot {
        let matrix = |flat: &[f64]| {
            let rows = flat.len() / self.width;
            Mat::from_fn(rows, self.width, |i, j| flat[j * rows + i])
        };
        Snapshot { left: matrix(&self.left), right: matrix(&self.right) }
    }
}
