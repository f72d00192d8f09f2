//! The leading singular triplets of a large sparse matrix, by randomized subspace iteration with the kernels of [`sparse`].
//!
//! N. Halko, P. G. Martinsson, J. A. Tropp, "Finding structure with randomness", SIAM Review 53 (2011), with the
//! Rayleigh–Ritz residual as the rule to stop.

use faer::{Accum, Mat, Par};
use rand::Rng;

use crate::DynamicsError;
use crate::decomposition::{Svd, oriented_basis, orthonormal_basis, thin_svd};
use crate::dense::matmul;
use crate::random::haar;
use crate::sparse::{self, ObservedEntries, Simd, SparseRef};

/// How many more directions than wanted are iterated with, at least.
const OVERSAMPLING: usize = 4;
/// Blocks are rounded up to whole vectors of the widest instruction set: they cost the same.
const VECTOR: usize = 8;
/// Triplets with singular values below this share of the largest are as good as null.
const NEGLIGIBLE: f64 = 1e-6;

/// When [`leading_triplets`] is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// Largest `‖Aᵀu − σv‖` of the wanted triplets, in units of the largest singular value.
    pub tolerance: f64,
    /// At most this many products with `A` and as many with `Aᵀ`.
    pub max_iterations: usize,
}

/// Leading singular triplets and how accurate they are.
#[derive(Clone, Debug)]
pub struct LeadingTriplets {
    /// As many left and right singular vectors (orthonormal to rounding) and singular values as were wanted.
    pub svd: Svd,
    /// Largest `‖Aᵀu − σv‖` of them, in units of the largest singular value; `Av = σu` holds to rounding.
    pub residual: f64,
    /// Products with `A` that were made.
    pub iterations: usize,
}

/// The `rank` leading singular triplets of the matrix with the given `values` (in row-wise order) at `entries`, zero elsewhere.
///
/// Time is that of `2 · iterations` products with the sparse matrix and memory that of a few `d × (rank + 4)` matrices (rounded
/// up to a multiple of 8 columns). Vectors whose singular values stand apart from those beyond the block converge
/// geometrically; inside a continuum of singular values (the noise of sparse sampling) they do so slowly, and the
/// iteration limit ends the attempt: see [`LeadingTriplets::residual`].
///
/// # Errors
/// If `rank` is zero or larger than either side, or a value is NaN or ∞.
pub fn leading_triplets(
    entries: &ObservedEntries,
    values: &[f64],
    rank: usize,
    accuracy: Accuracy,
    rng: &mut impl Rng,
    par: Par,
) -> Result<LeadingTriplets, DynamicsError> {
    let (d_out, d_in) = (entries.d_out(), entries.d_in());
    if rank == 0 || rank > d_out.min(d_in) {
        return Err(DynamicsError::Rank { rank, d_out, d_in });
    }
    let block = (rank + OVERSAMPLING).next_multiple_of(VECTOR).min(d_out).min(d_in);
    let (matrix, simd) = (SparseRef::new(entries, values), Simd::best());
    // All blocks are stored transposed, as the kernels want them: V, Y = A V and Z = Aᵀ Y.
    let mut v = haar(d_in, block, rng).transpose().to_owned();
    let mut y = Mat::zeros(block, d_out);
    let mut z = Mat::zeros(block, d_in);
    for iteration in 1.. {
        sparse::matmul(y.as_mut(), v.as_ref(), matrix.transpose(), 1.0, simd, par);
        sparse::matmul(z.as_mut(), y.as_ref(), matrix, 1.0, simd, par);
        let ritz = ritz(&y, par)?;
        v = product(&ritz.rotation, &v, par);
        z = product(&ritz.rotation, &z, par);
        let residual = residual(&v, &z, &ritz.values[..rank]);
        if residual <= accuracy.tolerance || iteration >= accuracy.max_iterations {
            let y = product(&ritz.rotation, &y, par);
            return Ok(LeadingTriplets { svd: triplets(&v, &y, rank), residual, iterations: iteration });
        }
        v = orthonormal_basis(&z.transpose().to_owned()).transpose().to_owned();
    }
    unreachable!("the loop ends at max_iterations")
}

/// Ritz values (singular values of Y), descending, and the rotation whose rows are the coordinates of the Ritz vectors.
struct Ritz {
    values: Vec<f64>,
    rotation: Mat<f64>,
}

fn ritz(y: &Mat<f64>, par: Par) -> Result<Ritz, DynamicsError> {
    let mut gram = Mat::zeros(y.nrows(), y.nrows());
    matmul(gram.as_mut(), Accum::Replace, y.as_ref(), y.transpose(), 1.0, par);
    let svd = thin_svd(gram.as_ref())?;
    Ok(Ritz {
        values: svd.values.iter().map(|square| square.sqrt()).collect(),
        rotation: svd.left.transpose().to_owned(),
    })
}

fn product(rotation: &Mat<f64>, block: &Mat<f64>, par: Par) -> Mat<f64> {
    let mut rotated = Mat::zeros(rotation.nrows(), block.ncols());
    matmul(rotated.as_mut(), Accum::Replace, rotation.as_ref(), block.as_ref(), 1.0, par);
    rotated
}

/// Largest `‖Aᵀu − σv‖ / σ₁`, from `σ Aᵀu = z`.
fn residual(v: &Mat<f64>, z: &Mat<f64>, values: &[f64]) -> f64 {
    let largest = values[0];
    if largest == 0.0 {
        return 0.0;
    }
    let mut squares = vec![0.0; values.len()];
    for (v, z) in v.col_iter().zip(z.col_iter()) {
        for (i, sum) in squares.iter_mut().enumerate() {
            *sum += (z[i] - values[i] * values[i] * v[i]).powi(2);
        }
    }
    let relative =
        squares.iter().zip(values).map(|(sum, value)| sum.sqrt() / (largest * value.max(NEGLIGIBLE * largest)));
    relative.fold(0.0, f64::max)
}

/// The first `rank` of the rotated blocks as triplets. The rows of Y are orthogonal and as long as the singular values; QR
/// makes unit vectors of them, also of those that vanish.
fn triplets(v: &Mat<f64>, y: &Mat<f64>, rank: usize) -> Svd {
    let right = v.subrows(0, rank).transpose().to_owned();
    let (left, values) = oriented_basis(&y.subrows(0, rank).transpose().to_owned());
    Svd { left, values, right }
}
