//! The residual of all entries at once, for the dense kernel.

use faer::{Accum, Mat, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::dense::matmul;
use crate::sparse::ObservedEntries;

/// Columns that a task takes at a time.
const PANEL: usize = 64;
/// Entries from which the residual is worth sharing between threads.
const PARALLEL: usize = 1 << 17;

/// `residual ← PᵀQ − Φ` on the observed entries, zero elsewhere; returns the sum of its squares.
pub(super) fn masked(
    residual: &mut Mat<f64>,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    target: &Mat<f64>,
    entries: &ObservedEntries,
    par: Par,
) -> f64 {
    matmul(residual.as_mut(), Accum::Replace, p.transpose(), q, 1.0, par);
    let mut squares = 0.0;
    for (j, column) in residual.as_mut().col_iter_mut().enumerate() {
        let column = column.try_as_col_major_mut().expect("residuals are column-major").as_slice_mut();
        let mut next = 0;
        for &i in entries.rows_of(j) {
            let i = i as usize;
            column[next..i].fill(0.0);
            column[i] -= target[(i, j)];
            squares += column[i] * column[i];
            next = i + 1;
        }
        column[next..].fill(0.0);
    }
    squares
}

/// `residual ← PᵀQ − Φ`; returns the sum of its squares, added up panel by panel, so that it has the same bits for any
/// number of threads.
pub(super) fn full(
    residual: &mut Mat<f64>,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    target: MatRef<'_, f64>,
    par: Par,
) -> f64 {
    matmul(residual.as_mut(), Accum::Replace, p.transpose(), q, 1.0, par);
    assert_eq!(residual.shape(), target.shape(), "a workspace of another objective");
    let parts = |i: usize| i * PANEL..((i + 1) * PANEL).min(target.ncols());
    let panels = target.ncols().div_ceil(PANEL);
    if par.degree() < 2 || target.nrows() * target.ncols() < PARALLEL {
        let mut sum = 0.0;
        for i in 0..panels {
            let residual = residual.as_mut().subcols_mut(parts(i).start, parts(i).len());
            sum += subtract(residual, target.subcols(parts(i).start, parts(i).len()));
        }
        return sum;
    }
    let (residual, target) = (residual.par_col_chunks_mut(PANEL), target.par_col_chunks(PANEL));
    let sums: Vec<f64> = residual.zip(target).map(|(residual, target)| subtract(residual, target)).collect();
    sums.iter().fold(0.0, |sum, panel| sum + panel)
}

/// `residual ← residual − target`; returns the sum of its squares.
fn subtract(residual: MatMut<'_, f64>, target: MatRef<'_, f64>) -> f64 {
    Arch::new().dispatch(Subtraction { residual, target })
}

/// Compiled for this machine's vectors, and with as many sums under way as those need.
struct Subtraction<'a> {
    residual: MatMut<'a, f64>,
    target: MatRef<'a, f64>,
}

impl WithSimd for Subtraction<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        const SUMS: usize = 32;
        let mut sums = [0.0; SUMS];
        for (residual, target) in self.residual.col_iter_mut().zip(self.target.col_iter()) {
            let residual = residual.try_as_col_major_mut().expect("residuals are column-major").as_slice_mut();
            let target = target.try_as_col_major().expect("targets are column-major").as_slice();
            for (residual, target) in residual.chunks_mut(SUMS).zip(target.chunks(SUMS)) {
                for ((sum, residual), target) in sums.iter_mut().zip(residual).zip(target) {
                    *residual -= target;
                    *sum += *residual * *residual;
                }
            }
        }
        sums.iter().sum()
    }
}
