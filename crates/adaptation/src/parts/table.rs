//! The adapter of an embedding: a token looks up a row of `ΔW`.

use faer::{Mat, MatMut, MatRef};

use super::adapted::{Partial, Prepared};
use crate::kernels::columns::{Buffer, column};
use crate::kernels::product::{Start, Term, sum_of_products};
use crate::{Applied, AppliedGradient, Real};

/// Adds to `sum` (width × tokens) the rows of `ΔW` that its tokens look up, given as (token, row); of a factored adapter, the rows of
/// the left factor are left in `low`.
pub(crate) fn look_up<T: Real>(
    prepared: &Prepared<T>,
    applied: Option<Applied<'_, T>>,
    rows: impl Iterator<Item = (usize, usize)>,
    low: &mut Buffer<T>,
    mut sum: MatMut<'_, T>,
) {
    match (prepared, applied) {
        (Prepared::Factored { right, .. }, Some(Applied::Factored { left, .. })) => {
            let mut low = low.write(right.columns(), sum.ncols());
            for (token, row) in rows {
                low.as_mut().col_mut(token).copy_from(left.row(row).transpose());
            }
            sum_of_products(sum, Start::Destination, [right.times(low.as_ref())]);
        }
        (_, Some(Applied::Merged(delta))) => {
            for (token, row) in rows {
                let mut sum = sum.as_mut().col_mut(token);
                sum += delta.row(row).transpose();
            }
        }
        _ => {}
    }
}

/// A block's share of the adapter's gradient, from that of every token's sum, `gradient` (width × tokens); `low` is what
/// [`look_up`] left there.
pub(crate) fn look_up_backward<T: Real>(
    prepared: &Prepared<T>,
    low: &Buffer<T>,
    gradient: MatRef<'_, T>,
    partial: &mut Partial<T>,
) {
    if let Prepared::Factored { right, .. } = prepared {
        let (width, count) = gradient.shape();
        let low = low.read(right.columns(), count);
        right.transposed_times(partial.d_low.write(right.columns(), count), gradient);
        let d_right = partial.right.write(width, right.columns());
        sum_of_products(d_right, Start::Zero, [Term::columns(gradient, low.transpose())]);
    }
}

/// What a block has of an embedding's gradient.
#[derive(Clone)]
pub(crate) struct Share<'a, T: Real, R> {
    /// (token, row) of all its tokens.
    pub(crate) rows: R,
    pub(crate) partial: &'a Partial<T>,
    /// Of every token's sum, width × tokens.
    pub(crate) gradient: MatRef<'a, T>,
}

/// Sums the blocks' shares of an embedding's gradient, in their order; of a left factor and of a merged `ΔW` only rows of tokens in
/// the batch are not 0. Adds them to what is there if `adds`, of a weight with another use.
pub(crate) fn reduce_rows<'a, T: Real, R: Iterator<Item = (usize, usize)>>(
    gradient: &mut AppliedGradient<T>,
    adds: bool,
    shares: impl Iterator<Item = Share<'a, T, R>> + Clone,
) {
    let looked_up = shares.clone().flat_map(|share| share.rows).map(|(_, row)| row);
    match gradient {
        AppliedGradient::Factored { left, right } => {
            if !adds {
                left.fill(T::of(0.0));
            }
            sum_lows(shares.clone(), left.ncols(), |row, low| add_to_row(left, row, low));
            sum_rights(shares, adds, right);
        }
        AppliedGradient::FactoredRows { left, right } => {
            left.keep(looked_up);
            sum_lows(shares.clone(), right.nrows(), |row, low| left.add(row, low));
            sum_rights(shares, adds, right);
        }
        AppliedGradient::Merged(delta) => {
            if !adds {
                delta.fill(T::of(0.0));
            }
            sum_gradients(shares, |row, gradient| add_to_row(delta, row, gradient));
        }
        AppliedGradient::MergedRows(delta) => {
            delta.keep(looked_up);
            sum_gradients(shares, |row, gradient| delta.add(row, gradient));
        }
    }
}

/// Hands out the gradient of the row of the left factor that each token looked up, in the order of the tokens.
fn sum_lows<'a, T: Real, R: Iterator<Item = (usize, usize)>>(
    shares: impl Iterator<Item = Share<'a, T, R>>,
    rank: usize,
    mut sum: impl FnMut(usize, &[T]),
) {
    for share in shares {
        let low = share.partial.d_low.read(rank, share.gradient.ncols());
        share.rows.for_each(|(token, row)| sum(row, column(low, token)));
    }
}

fn sum_rights<'a, T: Real, R>(shares: impl Iterator<Item = Share<'a, T, R>>, adds: bool, right: &mut Mat<T>) {
    let (rank, width) = right.shape();
    if !adds {
        right.fill(T::of(0.0));
    }
    for share in shares {
        *right += share.partial.right.read(width, rank).transpose();
    }
}

/// Hands out the gradient of the row of `ΔW` that each token looked up, in the order of the tokens.
fn sum_gradients<'a, T: Real, R: Iterator<Item = (usize, usize)>>(
    shares: impl Iterator<Item = Share<'a, T, R>>,
    mut sum: impl FnMut(usize, &[T]),
) {
    for share in shares {
        share.rows.for_each(|(token, row)| sum(row, column(share.gradient, token)));
    }
}

fn add_to_row<T: Real>(matrix: &mut Mat<T>, row: usize, summand: &[T]) {
    for (sum, &x) in matrix.row_mut(row).iter_mut().zip(summand) {
        *sum += x;
    }
}
