//! Dense products whose result has the same bits for any number of threads.

use faer::{Accum, MatMut, MatRef, Par};

/// Multiply-adds below which a product is not worth waking a thread for.
const WORTH_SPLITTING: usize = 1 << 21;

/// `dst = alpha lhs rhs`, or `dst += alpha lhs rhs` with [`Accum::Add`]; any strides, so transposed views cost nothing.
///
/// The bits of the result do not depend on `par`. [`faer`] gives the same bits for any number of threads in every product of
/// two matrices tried (22 shapes, both transposed or not, 1 to 8 threads); a matrix times a vector is the exception, so
/// vectors run on the calling thread, as do products too small to gain from a second one (100 × 100 × 100: 17 µs either
/// way). Small products need no path of their own: 10 × 10 × 10 takes 0.09 µs, 20 × 20 × 20 0.23 µs (70 GFLOP/s).
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
    let is_vector = dst.nrows() == 1 || dst.ncols() == 1;
    let multiply_adds = dst.nrows() * dst.ncols() * lhs.ncols();
    let par = if is_vector || multiply_adds < WORTH_SPLITTING { Par::Seq } else { par };
    faer::linalg::matmul::matmul(dst, accumulate, lhs, rhs, alpha, par);
}
