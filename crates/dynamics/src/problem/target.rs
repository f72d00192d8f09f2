//! The low-rank target, kept as its factors.

use faer::{Mat, MatRef};
use rand::Rng;

use crate::DynamicsError;
use crate::decomposition::thin_svd;
use crate::random::{gaussian, haar};
use crate::sparse::ObservedEntries;

/// A low-rank target `Φ = U diag(σ) Vᵀ`, kept as its factors.
#[derive(Clone, Debug)]
pub struct Target {
    left: Mat<f64>,
    values: Vec<f64>,
    right: Mat<f64>,
}

impl Target {
    /// A standard Gaussian `d_out × d_in` matrix cut to its `rank` largest singular triplets (so σ₁ ≈ √d_out + √d_in).
    ///
    /// # Errors
    /// If `rank` is zero or larger than either side.
    pub fn gaussian(d_out: usize, d_in: usize, rank: usize, rng: &mut impl Rng) -> Result<Self, DynamicsError> {
        check_rank(rank, d_out, d_in)?;
        Self::truncated(gaussian(d_out, d_in, rng).as_ref(), rank)
    }

    /// A target of any size, made from its factors alone: U and V are Haar distributed, as the singular vectors of a Gaussian
    /// matrix are, and all `rank` singular values are `√d_out + √d_in`, which those of [`Target::gaussian`] approach (from
    /// below, by a share of about `d^(−2/3)`) as the sides grow and the rank stays.
    ///
    /// # Errors
    /// If `rank` is zero or larger than either side.
    pub fn gaussian_factors(d_out: usize, d_in: usize, rank: usize, rng: &mut impl Rng) -> Result<Self, DynamicsError> {
        check_rank(rank, d_out, d_in)?;
        let edge = (d_out as f64).sqrt() + (d_in as f64).sqrt();
        Ok(Self { left: haar(d_out, rank, rng), values: vec![edge; rank], right: haar(d_in, rank, rng) })
    }

    /// The best rank-`rank` approximation of a given matrix.
    ///
    /// # Errors
    /// If `rank` is zero or larger than either side, or the decomposition fails.
    pub fn truncated(matrix: MatRef<'_, f64>, rank: usize) -> Result<Self, DynamicsError> {
        check_rank(rank, matrix.nrows(), matrix.ncols())?;
        let svd = thin_svd(matrix)?;
        Ok(Self {
            left: svd.left.subcols(0, rank).to_owned(),
            values: svd.values[..rank].to_vec(),
            right: svd.right.subcols(0, rank).to_owned(),
        })
    }

    /// The target with the given orthonormal factors (`d_out × r`, `d_in × r`) and singular values.
    ///
    /// # Errors
    /// If the shapes do not fit, a factor's columns are not orthonormal to 1e-10, or the singular values are not finite, from 0, and
    /// descending.
    pub fn from_factors(left: Mat<f64>, values: Vec<f64>, right: Mat<f64>) -> Result<Self, DynamicsError> {
        let rank = values.len();
        check_rank(rank, left.nrows(), right.nrows())?;
        if left.ncols() != rank || right.ncols() != rank {
            return Err(DynamicsError::Shape(format!(
                "a rank-{rank} target needs factors with {rank} columns, got {} and {}",
                left.ncols(),
                right.ncols()
            )));
        }
        if values.iter().any(|value| !value.is_finite() || *value < 0.0) || !values.is_sorted_by(|a, b| a >= b) {
            return Err(DynamicsError::Shape(format!(
                "the target's singular values are {values:?}; allowed: finite ones from 0, descending"
            )));
        }
        for factor in [&left, &right] {
            let gram = factor.transpose() * factor;
            let distance = (gram - Mat::<f64>::identity(rank, rank)).norm_l2();
            if distance.is_nan() || distance > 1e-10 {
                return Err(DynamicsError::Shape(format!(
                    "the target's singular vectors are not orthonormal (off by {distance:.1e})"
                )));
            }
        }
        Ok(Self { left, values, right })
    }

    /// Rows of Φ.
    pub fn d_out(&self) -> usize {
        self.left.nrows()
    }

    /// Columns of Φ.
    pub fn d_in(&self) -> usize {
        self.right.nrows()
    }

    /// Rank of Φ.
    pub fn rank(&self) -> usize {
        self.values.len()
    }

    /// Left singular vectors, `d_out × r`.
    pub fn left(&self) -> MatRef<'_, f64> {
        self.left.as_ref()
    }

    /// Singular values, descending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Right singular vectors, `d_in × r`.
    pub fn right(&self) -> MatRef<'_, f64> {
        self.right.as_ref()
    }

    /// The entry `Φ_ij`.
    pub fn entry(&self, i: usize, j: usize) -> f64 {
        (0..self.rank()).map(|k| self.left[(i, k)] * self.values[k] * self.right[(j, k)]).sum()
    }

    /// Φ as a dense `d_out × d_in` matrix.
    pub fn dense(&self) -> Mat<f64> {
        self.scaled_left() * self.right.transpose()
    }

    /// `‖Φ‖_F`.
    pub fn norm(&self) -> f64 {
        self.values.iter().map(|s| s * s).sum::<f64>().sqrt()
    }

    /// The entries of Φ at the observed places, in the entries' (row-wise) order.
    pub fn sample(&self, entries: &ObservedEntries) -> Vec<f64> {
        let rows = self.scaled_left().transpose().to_owned();
        let columns = self.right.transpose().to_owned();
        let mut values = Vec::with_capacity(entries.len());
        for (i, j) in entries.iter() {
            values.push(rows.col(i).iter().zip(columns.col(j).iter()).map(|(a, b)| a * b).sum());
        }
        values
    }

    /// `U diag(σ)`, so that `Φ = (U diag(σ)) Vᵀ`.
    pub(super) fn scaled_left(&self) -> Mat<f64> {
        Mat::from_fn(self.d_out(), self.rank(), |i, k| self.left[(i, k)] * self.values[k])
    }
}

fn check_rank(rank: usize, d_out: usize, d_in: usize) -> Result<(), DynamicsError> {
    if rank == 0 || rank > d_out.min(d_in) {
        return Err(DynamicsError::Rank { rank, d_out, d_in });
    }
    Ok(())
}
