//! Singular values and vectors of a `ΔW`: its numerical rank, and how far its leading subspace is from another one.

use dynamics::DynamicsError;
use dynamics::decomposition::{Svd, thin_qr, thin_svd};
use dynamics::subspace::principal_angles;
use faer::{Mat, MatRef};

use crate::adapter::widened;
use crate::{Applied, Real};

/// A `ΔW` of at most this spectral norm counts as zero (the paper, section 4.1).
pub const ZERO_NORM: f64 = 1e-3;

/// The singular value decomposition of a `ΔW`: of its m × k and k × n factors without multiplying them out, where it has
/// them.
#[derive(Clone, Debug)]
pub struct Spectrum {
    shape: (usize, usize),
    svd: Svd,
}

impl Spectrum {
    /// Of what an adapter applies.
    ///
    /// # Errors
    /// If the decomposition does not converge, as on NaN or ∞.
    pub fn new<T: Real>(applied: Applied<'_, T>) -> Result<Self, DynamicsError> {
        match applied {
            Applied::Merged(delta) => Ok(Self { shape: delta.shape(), svd: thin_svd(widened(delta).as_ref())? }),
            Applied::Factored { left, right } => {
                let shape = (left.nrows(), right.ncols());
                let (left, right) = (widened(left), widened(right));
                let narrow = left.ncols() <= shape.0.min(shape.1);
                let svd = if narrow { factored_svd(&left, &right)? } else { thin_svd((left * right).as_ref())? };
                Ok(Self { shape, svd })
            }
        }
    }

    /// Singular values, descending; those beyond a factored form's inner width are zero and left out.
    pub fn values(&self) -> &[f64] {
        &self.svd.values
    }

    /// The top-k left singular vectors, m × k.
    ///
    /// # Panics
    /// If there are fewer than k singular values.
    pub fn left(&self, k: usize) -> MatRef<'_, f64> {
        self.svd.left.subcols(0, k)
    }

    /// The top-k right singular vectors, n × k.
    ///
    /// # Panics
    /// If there are fewer than k singular values.
    pub fn right(&self, k: usize) -> MatRef<'_, f64> {
        self.svd.right.subcols(0, k)
    }

    /// How many singular values are above `max(m, n) · 2⁻²³` times the largest one (the rule of NumPy's and PyTorch's
    /// `matrix_rank` in single precision); 0 if the largest is at most [`ZERO_NORM`].
    pub fn numerical_rank(&self) -> usize {
        let largest = self.values().first().copied().unwrap_or(0.0);
        if largest <= ZERO_NORM {
            return 0;
        }
        let tolerance = self.shape.0.max(self.shape.1) as f64 * f64::from(f32::EPSILON) * largest;
        self.values().iter().filter(|&&value| value > tolerance).count()
    }

    /// Smallest rank at which cutting off the rest changes `ΔW` by at most `distance` in Frobenius norm.
    pub fn rank_within(&self, distance: f64) -> usize {
        let mut tail = 0.0;
        let smallest_kept = self.values().iter().rposition(|value| {
            tail += value * value;
            tail.sqrt() > distance
        });
        smallest_kept.map_or(0, |place| place + 1)
    }
}

/// The largest singular value, by power iteration, to about eight digits where it stands apart from the next one and from
/// below otherwise. 0 of a matrix without entries.
pub fn spectral_norm<T: Real>(matrix: MatRef<'_, T>) -> f64 {
    const STEPS: usize = 300;
    let matrix = widened(matrix);
    let mut right = Mat::from_fn(matrix.ncols(), 1, |i, _| 1.0 + (i as f64).sin());
    let mut found = 0.0;
    for _ in 0..STEPS {
        let size = right.norm_l2();
        if size == 0.0 {
            return 0.0;
        }
        let left = &matrix * (&right * faer::Scale(1.0 / size));
        let norm = left.norm_l2();
        right = matrix.transpose() * left;
        if (norm - found).abs() <= 1e-9 * norm {
            return norm;
        }
        found = norm;
    }
    found
}

/// `L R` from `L = Q_1 (Q_1ᵀ L)` and `R = (R Q_2) Q_2ᵀ`: the decomposition of a k × k matrix, turned by two bases.
fn factored_svd(left: &Mat<f64>, right: &Mat<f64>) -> Result<Svd, DynamicsError> {
    let (of_left, _) = thin_qr(left);
    let (of_right, _) = thin_qr(&right.transpose().to_owned());
    let core = (of_left.transpose() * left) * (right * &of_right);
    let svd = thin_svd(core.as_ref())?;
    Ok(Svd { left: of_left * svd.left, values: svd.values, right: of_right * svd.right })
}

/// How well two subspaces agree: the cosines of the principal angles between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    /// The largest cosine, that of the smallest angle; 1 if the subspaces share a direction.
    pub largest: f64,
    /// Mean of the cosines; 1 for equal subspaces.
    pub mean: f64,
    /// The smallest cosine, that of the largest angle.
    pub smallest: f64,
}

impl Alignment {
    /// Of the spans of the columns of two matrices with orthonormal columns.
    ///
    /// # Errors
    /// If a decomposition does not converge.
    ///
    /// # Panics
    /// If the columns are of different lengths, or there are none.
    pub fn new(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Result<Self, DynamicsError> {
        let angles = principal_angles(a, b)?;
        let (first, last) = angles.first().zip(angles.last()).expect("at least one column");
        let mean = angles.iter().map(|angle| angle.cos()).sum::<f64>() / angles.len() as f64;
        Ok(Self { largest: first.cos(), mean, smallest: last.cos() })
    }
}
