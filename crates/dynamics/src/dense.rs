//! Dense products.

use faer::{Accum, MatMut, MatRef, Par};

/// `dst = alpha lhs rhs` (or `+=`, by `accumulate`).
///
/// # Panics
/// If shapes do not match.
pub fn matmul(
    dst: MatMut<'_, f64>,
    accumulate: Accum,
    lhs: MatRef<'_, f64>,
    rhs: MatRef<'_, f64>,
    alpha: f64,
    par: Par,
) {
    faer::linalg::matmul::matmul(dst, accumulate, lhs, rhs, alpha, par);
}
