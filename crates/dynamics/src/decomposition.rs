//! Dense decompositions with explicit, sequential execution, so that their bits do not depend on the number of threads.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj,
};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::prelude::default;
use faer::{Conj, Mat, MatRef, Par};

use crate::DynamicsError;

/// A singular value decomposition `A = U diag(σ) Vᵀ`, singular values in descending order.
#[derive(Clone, Debug)]
pub struct Svd {
    /// Left singular vectors, `m × min(m, n)` (or `m × m` when asked in full).
    pub left: Mat<f64>,
    /// Singular values, descending, `min(m, n)` of them.
    pub values: Vec<f64>,
    /// Right singular vectors, `n × min(m, n)` (or `n × n` when asked in full).
    pub right: Mat<f64>,
}

/// The thin singular value decomposition of `matrix`.
///
/// # Errors
/// When the iteration does not converge, as it cannot on a matrix that holds NaN or ∞.
pub fn thin_svd(matrix: MatRef<'_, f64>) -> Result<Svd, DynamicsError> {
    svd_with(matrix, ComputeSvdVectors::Thin)
}

/// The full singular value decomposition of `matrix`: both bases are square.
///
/// # Errors
/// As [`thin_svd`].
pub fn full_svd(matrix: MatRef<'_, f64>) -> Result<Svd, DynamicsError> {
    svd_with(matrix, ComputeSvdVectors::Full)
}

/// The iteration now and then goes round in circles where singular values are equal, as most of an orthogonal factor's are. On the
/// transposed matrix it takes another way.
fn svd_with(matrix: MatRef<'_, f64>, vectors: ComputeSvdVectors) -> Result<Svd, DynamicsError> {
    let (rows, columns) = matrix.shape();
    let transposed = || iterate(matrix.transpose(), vectors).map(|svd| Svd { left: svd.right, right: svd.left, ..svd });
    iterate(matrix, vectors).or_else(transposed).ok_or(DynamicsError::SvdFailed { rows, columns })
}

/// The decomposition, if the iteration converges.
fn iterate(matrix: MatRef<'_, f64>, vectors: ComputeSvdVectors) -> Option<Svd> {
    let (m, n) = matrix.shape();
    let size = m.min(n);
    let columns = |rows: usize| match vectors {
        ComputeSvdVectors::Full => rows,
        _ => size,
    };
    let mut left = Mat::zeros(m, columns(m));
    let mut right = Mat::zeros(n, columns(n));
    let mut values = Diag::zeros(size);
    let scratch = svd_scratch::<f64>(m, n, vectors, vectors, Par::Seq, default());
    svd(
        matrix,
        values.as_mut(),
        Some(left.as_mut()),
        Some(right.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        default(),
    )
    .ok()?;
    let values = values.column_vector().iter().copied().collect();
    Some(Svd { left, values, right })
}

/// The thin QR decomposition of an `m × n` matrix with `m ≥ n`: an orthonormal `m × n` basis, and the diagonal of R.
///
/// # Panics
/// If `m < n`.
pub fn thin_qr(matrix: &Mat<f64>) -> (Mat<f64>, Vec<f64>) {
    let (m, n) = matrix.shape();
    assert!(m >= n, "thin_qr needs at least as many rows as columns, got {m} × {n}");
    let mut basis = matrix.clone();
    let block = recommended_block_size::<f64>(m, n);
    let mut coefficients = Mat::zeros(block, n);
    let scratch = qr_in_place_scratch::<f64>(m, n, block, Par::Seq, default());
    qr_in_place(
        basis.as_mut(),
        coefficients.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        default(),
    );
    let diagonal = (0..n).map(|j| basis[(j, j)]).collect();
    let mut q = Mat::identity(m, n);
    let scratch = apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(m, block, n);
    apply_block_householder_sequence_on_the_left_in_place_with_conj(
        basis.as_ref(),
        coefficients.as_ref(),
        Conj::No,
        q.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
    );
    (q, diagonal)
}

/// An orthonormal basis of the span of the columns of `matrix` (`m × n`, `m ≥ n`, full column rank).
pub fn orthonormal_basis(matrix: &Mat<f64>) -> Mat<f64> {
    thin_qr(matrix).0
}

/// The thin QR decomposition with a diagonal of R that is not negative, which makes it unique: the orthonormal basis, and that
/// diagonal.
pub fn oriented_basis(matrix: &Mat<f64>) -> (Mat<f64>, Vec<f64>) {
    let (mut basis, mut diagonal) = thin_qr(matrix);
    for (column, r) in basis.col_iter_mut().zip(&mut diagonal) {
        if *r < 0.0 {
            column.iter_mut().for_each(|x| *x = -*x);
            *r = -*r;
        }
    }
    (basis, diagonal)
}
