//! Dense products whose result has the same bits for any number of threads.

use faer::{Accum, MatMut, MatRef, Par};

/// Multiply-adds from which [`faer`] splits a product over threads itself.
const WORTH_SPLITTING: usize = 1 << 21;
/// Multiply-adds from which half a product is worth handing to another thread that waits for work.
const WORTH_SHARING: usize = 1 << 19;
/// Columns from which a product is shared by halves: a half of one or two columns would be computed in another way.
const LEAST_COLUMNS: usize = 32;

/// `dst = alpha lhs rhs`, or `dst += alpha lhs rhs` with [`Accum::Add`]; any strides, so transposed views cost nothing.
///
/// The bits of the result do not depend on `par`. [`faer`] gives the same bits for any number of threads in every product of
/// two matrices tried (22 shapes, both transposed or not, 1 to 8 threads); a matrix times a vector is the exception, so
/// vectors run on the calling thread, as do products too small to gain from a second one. In between (100 × 100 × 100: 19 µs)
/// faer's own splitting costs what it gains; the left and the right half, side by side, take 11 µs. Small products need no
/// path of their own: 10 × 10 × 10 takes 0.09 µs, 20 × 20 × 20 0.23 µs (70 GFLOP/s).
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
    let multiply_adds = dst.nrows() * dst.ncols() * lhs.ncols();
    if dst.nrows() > 1
        && dst.ncols() >= LEAST_COLUMNS
        && multiply_adds < WORTH_SPLITTING
        && can_share(par, multiply_adds)
    {
        // Columns in whole groups of eight, as the product's kernel takes them.
        let middle = (dst.ncols() / 2).next_multiple_of(8);
        let (left, right) = dst.split_at_col_mut(middle);
        let (rhs_left, rhs_right) = rhs.split_at_col(middle);
        let half = |dst: MatMut<'_, f64>, rhs| faer::linalg::matmul::matmul(dst, accumulate, lhs, rhs, alpha, Par::Seq);
        rayon::join(|| half(left, rhs_left), || half(right, rhs_right));
        return;
    }
    let is_vector = dst.nrows() == 1 || dst.ncols() == 1;
    let par = if is_vector || multiply_adds < WORTH_SPLITTING { Par::Seq } else { par };
    faer::linalg::matmul::matmul(dst, accumulate, lhs, rhs, alpha, par);
}

/// Runs two independent pieces of work of about so many multiply-adds each; side by side where that is faster. `par` is for
/// what is inside them.
pub(crate) fn both(par: Par, multiply_adds: usize, first: impl FnOnce(Par) + Send, second: impl FnOnce(Par) + Send) {
    if multiply_adds < WORTH_SPLITTING && can_share(par, 2 * multiply_adds) {
        rayon::join(|| first(Par::Seq), || second(Par::Seq));
    } else {
        first(par);
        second(par);
    }
}

/// Whether half of the work should go to another thread. Only a thread of the pool hands over work this small: for one
/// outside, waking the pool takes as long as the work.
fn can_share(par: Par, multiply_adds: usize) -> bool {
    multiply_adds >= WORTH_SHARING && par.degree() > 1 && rayon::current_thread_index().is_some()
}
