//! Loss and both gradients with factors and entries where they are, for wide matrices.

use super::Evaluation;
use super::entries::ObservedEntries;
use super::entries::SparseRef;
use super::factor::assert_columns;
use super::product::matmul;
use super::sampling::{Pass, can_fuse, sample_residual};
use super::simd::Simd;
use crate::dense::both;
use faer::Par;

/// The sum of squared residuals over Ω, and its half's gradients times `alpha`, whatever the length of the columns. The
/// residuals are left in `residual`, in CSR order, as are the targets. Three passes over the entries.
///
/// # Panics
/// If shapes do not match, or this machine does not have the instruction set.
pub fn stored_loss_and_gradients(
    residual: &mut [f64],
    evaluation: Evaluation<'_>,
    targets: SparseRef<'_>,
    simd: Simd,
    par: Par,
) -> f64 {
    let Evaluation { p, q, dp, dq, alpha } = evaluation;
    let squares = sample_residual(residual, p, q, targets, simd, par);
    let (entries, k) = (targets.entries, p.nrows());
    let residual = SparseRef::new(entries, residual);
    let left = |dp, par| matmul(dp, q, residual.transpose(), alpha, simd, par);
    let right = |dq, par| matmul(dq, p, residual, alpha, simd, par);
    match (dp, dq) {
        (Some(dp), Some(dq)) => both(par, entries.len() * k, |par| left(dp, par), |par| right(dq, par)),
        (Some(dp), None) => left(dp, par),
        (None, Some(dq)) => right(dq, par),
        (None, None) => {}
    }
    squares
}

/// Whether [`recomputed_loss_and_gradients`] is there for columns of length `k`.
pub fn can_recompute(simd: Simd, k: usize) -> bool {
    can_fuse(simd, k)
}

/// As [`stored_loss_and_gradients`], for short columns, without buffers: one pass along the rows makes the loss and the
/// gradient of P, one along the columns that of Q, and each computes the residuals it needs. `targets` are the values in
/// row-wise and in column-wise order.
///
/// # Panics
/// If shapes do not match, columns are longer than [`can_recompute`] says, or this machine does not have the instruction set.
pub fn recomputed_loss_and_gradients(
    evaluation: Evaluation<'_>,
    entries: &ObservedEntries,
    (by_row, by_column): (&[f64], &[f64]),
    simd: Simd,
    par: Par,
) -> f64 {
    let Evaluation { p, q, dp, dq, alpha } = evaluation;
    assert_columns("P", p, entries.d_out());
    assert_columns("Q", q, entries.d_in());
    let rows = Pass { lines: &entries.by_row, p, q, targets: by_row };
    let squares = rows.fused(dp, alpha, simd, par);
    if let Some(dq) = dq {
        let columns = Pass { lines: &entries.by_column, p: q, q: p, targets: by_column };
        columns.fused(Some(dq), alpha, simd, par);
    }
    squares
}
