//! Nuclear-norm completion.

use dynamics::completion::{Biases, Centering, Entry, Predictor};
use dynamics::random::haar;
use dynamics::{DynamicsError, LossForm, Objective};
use faer::{Mat, MatRef, Par};
use rand::Rng;

/// Nuclear-norm completion: minimizes `½ Σ (value − E_ij)² + λ ‖E‖_*` over matrices E of at most some rank, what the biases
/// leave being the values (R. Mazumder, T. Hastie, R. Tibshirani, "Spectral regularization algorithms for learning large
/// incomplete matrices", JMLR 11 (2010)).
///
/// Solved as softImpute-ALS (T. Hastie et al., "Matrix completion and low-rank SVD via fast alternating least squares", JMLR
/// 16 (2015), algorithm 3.1): unknown entries are filled in with the present E, and its two factors, `U D` and `V D`, are
/// fitted to that in turn. An iteration costs what one of gradient descent does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftImpute {
    /// Largest rank of E.
    pub rank: usize,
    /// λ, above 0.
    pub regularization: f64,
    /// What is taken away before.
    pub centering: Centering,
    /// At most this many iterations.
    pub max_iterations: usize,
    /// Stop when E moves by less, relative to its Frobenius norm, squared.
    pub tolerance: f64,
}

/// `E = U D² Vᵀ`.
struct Svd {
    u: Mat<f64>,
    d: Vec<f64>,
    v: Mat<f64>,
}

impl SoftImpute {
    /// Fits it to entries of a matrix of `shape`, starting from random directions.
    ///
    /// # Errors
    /// If an entry is outside the matrix, given twice or not finite, the rank exceeds the shorter side, or a decomposition
    /// fails.
    pub fn fit(
        &self,
        shape: (usize, usize),
        entries: &[Entry],
        rng: &mut impl Rng,
        par: Par,
    ) -> Result<Predictor, DynamicsError> {
        let biases = Biases::fit(shape, entries, self.centering);
        let objective = Objective::of_entries(shape, biases.without(entries), LossForm::Sum)?;
        if self.rank == 0 || self.rank > shape.0.min(shape.1) {
            return Err(DynamicsError::Rank { rank: self.rank, d_out: shape.0, d_in: shape.1 });
        }
        let mut workspace = objective.workspace(self.rank);
        // Gradients of the loss: what E is above the values, times the other factor.
        let mut excess = |left: &Mat<f64>, right: &Mat<f64>| {
            let (p, q) = (left.transpose().to_owned(), right.transpose().to_owned());
            let (mut dp, mut dq) = (Mat::zeros(self.rank, shape.0), Mat::zeros(self.rank, shape.1));
            let (of_left, of_right) = (Some(dp.as_mut()), Some(dq.as_mut()));
            objective.loss_and_gradients(p.as_ref(), q.as_ref(), of_left, of_right, &mut workspace, par);
            (dp.transpose().to_owned(), dq.transpose().to_owned())
        };
        let u = haar(shape.0, self.rank, rng);
        let mut svd = Svd { u, d: vec![1.0; self.rank], v: Mat::zeros(shape.1, self.rank) };
        for _ in 0..self.max_iterations {
            let before = Svd { u: svd.u.clone(), d: svd.d.clone(), v: svd.v.clone() };
            let (_, excess_right) = excess(&svd.left(), &svd.right());
            svd = self.fitted(svd, excess_right)?;
            let (excess_left, _) = excess(&svd.left(), &svd.right());
            svd = self.fitted(svd.transposed(), excess_left)?.transposed();
            if svd.moved_from(&before) < self.tolerance {
                break;
            }
        }
        // One step of soft-impute proper: the singular values shrink to what they are at the solution, some to zero.
        let (above, _) = excess(&svd.u_squared(), &svd.v);
        let filled = svd.u_squared() - above;
        let last = filled.thin_svd().map_err(|_| failed(&filled))?;
        let shrunk = |k: usize| (last.S()[k] - self.regularization).max(0.0);
        let left = Mat::from_fn(self.rank, shape.0, |k, i| shrunk(k) * last.U()[(i, k)]);
        let right = (svd.v * last.V()).transpose().to_owned();
        Ok(Predictor { biases, left, right })
    }

    /// The right factor fitted to the completed matrix, its left one being fixed, as a decomposition again: with
    /// `X = values where known, E elsewhere`, `B = Xᵀ A (AᵀA + λ)⁻¹` for `A = U D`, and `Xᵀ A = V D³ − excess`.
    fn fitted(&self, svd: Svd, excess: Mat<f64>) -> Result<Svd, DynamicsError> {
        let Svd { u, d, v } = svd;
        let scaled = Mat::from_fn(v.nrows(), v.ncols(), |j, k| {
            let fitted = (v[(j, k)] * d[k].powi(3) - excess[(j, k)]) / (d[k] * d[k] + self.regularization);
            fitted * d[k]
        });
        let parts = scaled.thin_svd().map_err(|_| failed(&scaled))?;
        let d = (0..d.len()).map(|k| parts.S()[k].sqrt()).collect();
        Ok(Svd { u: u * parts.V(), d, v: parts.U().to_owned() })
    }
}

impl Svd {
    fn left(&self) -> Mat<f64> {
        scaled(self.u.as_ref(), |k| self.d[k])
    }

    fn right(&self) -> Mat<f64> {
        scaled(self.v.as_ref(), |k| self.d[k])
    }

    fn u_squared(&self) -> Mat<f64> {
        scaled(self.u.as_ref(), |k| self.d[k] * self.d[k])
    }

    fn transposed(self) -> Self {
        Self { u: self.v, d: self.d, v: self.u }
    }

    /// `‖E − E'‖² / ‖E'‖²`, without forming either.
    fn moved_from(&self, before: &Self) -> f64 {
        let square = |svd: &Self| svd.d.iter().map(|d| d.powi(4)).sum::<f64>();
        let (left, right) = (self.u_squared().transpose() * before.u_squared(), self.v.transpose() * &before.v);
        let across: f64 = (0..left.ncols()).map(|k| left.col(k).transpose() * right.col(k)).sum();
        let old = square(before);
        (square(self) + old - 2.0 * across).max(0.0) / old.max(f64::MIN_POSITIVE)
    }
}

fn scaled(matrix: MatRef<'_, f64>, factor: impl Fn(usize) -> f64) -> Mat<f64> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, k| matrix[(i, k)] * factor(k))
}

fn failed(matrix: &Mat<f64>) -> DynamicsError {
    DynamicsError::SvdFailed { rows: matrix.nrows(), columns: matrix.ncols() }
}
