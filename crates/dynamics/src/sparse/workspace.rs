//! Loss and both gradients in one call, by the kernels that suit the shape of the matrix.

use super::entries::ObservedEntries;
use super::factor::assert_columns;
use super::gradient::{gradient_left, gradient_right};
use super::is_wide;
use super::sampling::{sample_residual, wide_pass};
use super::simd::Simd;
use super::tiled::Tiled;
use crate::dense::both;
use faer::{MatMut, MatRef, Par};

/// Buffers of [`sampled_loss_and_gradients`](super::sampled_loss_and_gradients), for one set of entries with their targets and
/// one k.
#[derive(Debug, Clone)]
pub struct Workspace {
    k: usize,
    simd: Simd,
    layout: Layout,
}

/// How entries and factors are kept.
#[derive(Debug, Clone)]
enum Layout {
    /// Factors where they are, targets and residuals by rows.
    InPlace { targets: Vec<f64>, residual: Vec<f64> },
    /// Everything in the order of its use.
    Tiled(Box<Tiled>),
}

impl Workspace {
    /// Buffers for these entries, the target of each in CSR order, and columns of length `k`, with the best instruction set
    /// of this machine.
    ///
    /// # Panics
    /// If there are not as many targets as entries.
    pub fn new(entries: &ObservedEntries, targets: &[f64], k: usize) -> Self {
        Self::with_simd(Simd::best(), entries, targets, k)
    }

    /// The same with a given instruction set.
    ///
    /// # Panics
    /// If this machine does not have it, or there are not as many targets as entries.
    pub fn with_simd(simd: Simd, entries: &ObservedEntries, targets: &[f64], k: usize) -> Self {
        assert!(simd.is_available(), "{simd:?} is not available here");
        assert_eq!(targets.len(), entries.len(), "number of targets");
        let layout = if is_wide(entries) {
            Layout::InPlace { targets: targets.to_vec(), residual: vec![0.0; targets.len()] }
        } else {
            Layout::Tiled(Box::new(Tiled::new(simd, entries, targets, k)))
        };
        Self { k, simd, layout }
    }
}

/// See [`sampled_loss_and_gradients`](super::sampled_loss_and_gradients).
pub(super) fn sampled_loss_and_gradients(
    entries: &ObservedEntries,
    scale: f64,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    dp: Option<MatMut<'_, f64>>,
    dq: Option<MatMut<'_, f64>>,
    workspace: &mut Workspace,
    par: Par,
) -> f64 {
    let Workspace { k, simd, layout } = workspace;
    let (k, simd) = (*k, *simd);
    assert_eq!(p.nrows(), k, "rows of P");
    assert_columns("P", p, entries.d_out());
    assert_columns("Q", q, entries.d_in());
    let (targets, residual) = match layout {
        Layout::Tiled(tiled) => {
            assert_eq!(tiled.len(), entries.len(), "number of entries");
            return tiled.loss_and_gradients(scale, p, q, dp, dq, par);
        }
        Layout::InPlace { targets, residual } => (targets, residual),
    };
    let squares = sample_residual(simd, entries, p, q, targets, residual, par);
    let residual = &*residual;
    let left = |dp, par| gradient_left(simd, entries, residual, scale, q, dp, par);
    let right = |dq, par| gradient_right(simd, entries, residual, scale, p, dq, par);
    match (dp, dq) {
        (Some(dp), Some(dq)) => both(par, entries.len() * k, |par| left(dp, par), |par| right(dq, par)),
        (Some(dp), None) => left(dp, par),
        (None, Some(dq)) => right(dq, par),
        (None, None) => {}
    }
    squares
}

/// [`recomputed_loss_and_gradients`](super::recomputed_loss_and_gradients) with a given instruction set.
pub fn recomputed_loss_and_gradients(
    simd: Simd,
    entries: &ObservedEntries,
    (by_row, by_column): (&[f64], &[f64]),
    scale: f64,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    dp: Option<MatMut<'_, f64>>,
    dq: Option<MatMut<'_, f64>>,
    par: Par,
) -> f64 {
    assert_columns("P", p, entries.d_out());
    assert_columns("Q", q, entries.d_in());
    let squares = wide_pass(simd, &entries.by_row, p, q, by_row, dp.map(|dp| (scale, dp)), par);
    if let Some(dq) = dq {
        wide_pass(simd, &entries.by_column, q, p, by_column, Some((scale, dq)), par);
    }
    squares
}
