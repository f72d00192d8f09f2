//! Linear measurements of a matrix: what matrix sensing sees of its target.

use std::sync::Arc;

use faer::prelude::ReborrowMut;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::StandardNormal;

use crate::DynamicsError;
use crate::dense::{self, matmul};
use crate::random::Generator;
use crate::sparse::parallel::for_each_of;

/// Measurements `⟨A_i, Φ⟩ = Σ_jk (A_i)_jk Φ_jk` of a `d_out × d_in` matrix Φ by m matrices `A_i` of its shape.
///
/// They take `8 m d_out d_in` bytes; clones share them.
#[derive(Clone, Debug)]
pub struct Measurements {
    /// Rows and columns of each `A_i`.
    shape: (usize, usize),
    /// `d_out d_in × m`: column i is `A_i`, column after column.
    matrices: Arc<Mat<f64>>,
}

impl Measurements {
    /// `count` matrices with independent standard normal entries (Kwon et al., arXiv 2311.05061). Each has a random stream of its
    /// own, all of one key that is taken from `rng`, so they are the same whatever `par` is.
    ///
    /// # Errors
    /// If `count` or a side is zero.
    pub fn gaussian(
        d_out: usize,
        d_in: usize,
        count: usize,
        rng: &mut impl Rng,
        par: Par,
    ) -> Result<Self, DynamicsError> {
        let mut matrices = room((d_out, d_in), count)?;
        let key: [u8; 32] = rng.random();
        let mut columns: Vec<_> = matrices.as_mut().col_iter_mut().collect();
        for_each_of(par, &mut columns, |i, column| {
            let mut rng = Generator::from_seed(key);
            rng.set_stream(i as u64);
            column.rb_mut().iter_mut().for_each(|entry| *entry = rng.sample(StandardNormal));
        });
        Ok(Self { shape: (d_out, d_in), matrices: Arc::new(matrices) })
    }

    /// Measurements by the given matrices.
    ///
    /// # Errors
    /// If there is none, they have not all the same shape, a side is zero, or an entry is NaN or ∞.
    pub fn new(matrices: &[Mat<f64>]) -> Result<Self, DynamicsError> {
        let shape = matrices.first().map_or((0, 0), Mat::shape);
        let mut all = room(shape, matrices.len())?;
        for (index, matrix) in matrices.iter().enumerate() {
            if matrix.shape() != shape {
                return Err(DynamicsError::Shape(format!(
                    "measurement {index} is {} × {}, but the first is {} × {}",
                    matrix.nrows(),
                    matrix.ncols(),
                    shape.0,
                    shape.1
                )));
            }
            let vector = vectorized(matrix.as_ref());
            check_finite(index, &vector)?;
            all.col_mut(index).iter_mut().zip(vector).for_each(|(to, entry)| *to = entry);
        }
        Ok(Self { shape, matrices: Arc::new(all) })
    }

    /// Number of measurements, m.
    pub fn len(&self) -> usize {
        self.matrices.ncols()
    }

    /// Whether there is none: never.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows of each `A_i`.
    pub fn d_out(&self) -> usize {
        self.shape.0
    }

    /// Columns of each `A_i`.
    pub fn d_in(&self) -> usize {
        self.shape.1
    }

    /// `A_i`, `d_out × d_in`.
    pub fn matrix(&self, i: usize) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(self.entries(i), self.shape.0, self.shape.1)
    }

    /// The entries of `A_i`, column after column.
    pub(crate) fn entries(&self, i: usize) -> &[f64] {
        self.matrices.col(i).try_as_col_major().expect("matrices are column-major").as_slice()
    }

    /// All `⟨A_i, matrix⟩`.
    ///
    /// # Panics
    /// If the matrix is not `d_out × d_in`.
    pub fn of(&self, matrix: MatRef<'_, f64>) -> Vec<f64> {
        assert_eq!(matrix.shape(), self.shape, "shape of a measured matrix");
        let vector = vectorized(matrix);
        let mut values = vec![0.0; self.len()];
        let to = MatMut::from_column_major_slice_mut(&mut values, self.len(), 1);
        let vector = MatRef::from_column_major_slice(&vector, self.matrices.nrows(), 1);
        matmul(to, Accum::Replace, self.matrices.transpose(), vector, 1.0, Par::Seq);
        values
    }

    /// `1/m Σ_i values_i A_i`, `d_out × d_in`: of the measurements of Φ by standard normal matrices, Φ in expectation.
    ///
    /// # Panics
    /// If there are not as many values as measurements.
    pub fn surrogate(&self, values: &[f64]) -> Mat<f64> {
        assert_eq!(values.len(), self.len(), "values of measurements");
        let mut sum = Mat::zeros(self.matrices.nrows(), 1);
        let values = MatRef::from_column_major_slice(values, self.len(), 1);
        let share = 1.0 / self.len() as f64;
        matmul(sum.as_mut(), Accum::Replace, (*self.matrices).as_ref(), values, share, Par::Seq);
        Mat::from_fn(self.shape.0, self.shape.1, |i, j| sum[(i + self.shape.0 * j, 0)])
    }

    /// All `left A_i rightᵀ` (`left` is `k × d_out`, `right` `k × d_in`), `k² × m`, each column after column.
    pub(crate) fn projected(&self, left: &Mat<f64>, right: &Mat<f64>) -> Mat<f64> {
        let k = left.nrows();
        let mut half = dense::zeros(k, self.d_in());
        let mut projected = Mat::zeros(k * k, self.len());
        for (i, column) in projected.col_iter_mut().enumerate() {
            matmul(half.as_mut(), Accum::Replace, left.as_ref(), self.matrix(i), 1.0, Par::Seq);
            let column = column.try_as_col_major_mut().expect("column-major").as_slice_mut();
            let to = MatMut::from_column_major_slice_mut(column, k, k);
            matmul(to, Accum::Replace, half.as_ref(), right.transpose(), 1.0, Par::Seq);
        }
        projected
    }
}

/// Room for the entries of `count` matrices.
fn room((d_out, d_in): (usize, usize), count: usize) -> Result<Mat<f64>, DynamicsError> {
    if count == 0 || d_out == 0 || d_in == 0 {
        return Err(DynamicsError::MeasurementCount { count, d_out, d_in });
    }
    Ok(Mat::zeros(d_out * d_in, count))
}

/// The entries of a matrix, column after column.
fn vectorized(matrix: MatRef<'_, f64>) -> Vec<f64> {
    matrix.col_iter().flat_map(|column| column.iter().copied()).collect()
}

/// Checks what belongs to measurement `index`.
pub(super) fn check_finite(index: usize, values: &[f64]) -> Result<(), DynamicsError> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(&value) => Err(DynamicsError::MeasurementNotFinite { index, value }),
        None => Ok(()),
    }
}
