//! Sums, maxima and the softmax of columns, in one order of adding on every machine.

use faer::MatMut;

use super::columns::{PADDING, column_mut};
use super::lanes::vector_code;
use crate::Real;

/// Partial sums of a reduction: as many as the widest vector has lanes, so that it becomes vector code with one order of
/// adding on every machine.
const LANES: usize = 16;

/// The sum of `f(0) … f(count − 1)` in a fixed order.
#[inline(always)]
pub(crate) fn sum<T: Real>(count: usize, f: impl Fn(usize) -> T) -> T {
    let mut sums = [T::of(0.0); LANES];
    let whole = count - count % LANES;
    for first in (0..whole).step_by(LANES) {
        for lane in 0..LANES {
            sums[lane] += f(first + lane);
        }
    }
    for index in whole..count {
        sums[index - whole] += f(index);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// The largest of some numbers, of which there are a multiple of [`PADDING`].
#[inline(always)]
fn largest<T: Real>(numbers: &[T]) -> T {
    let (first, rest) = numbers.split_at(PADDING);
    let mut most = [T::of(0.0); PADDING];
    most.copy_from_slice(first);
    for chunk in rest.chunks_exact(PADDING) {
        for lane in 0..PADDING {
            most[lane] = if chunk[lane] > most[lane] { chunk[lane] } else { most[lane] };
        }
    }
    most.into_iter().fold(most[0], |a, b| if b > a { b } else { a })
}

vector_code! {
    /// `softmax(scale · column)` of every column, over its first `count` entries; the others become 0.
    fn softmax<'a, T>(scores: MatMut<'a, T>, count: usize, scale: T) {
        let mut scores = scores;
        for query in 0..scores.ncols() {
            let column = column_mut(scores.as_mut(), query);
            // Small enough for its exponential to be 0, and finite, so that the difference below is a number.
            column[count..].fill(T::of(-1e30));
            let most = largest(column);
            for x in column.iter_mut() {
                *x = ((*x - most) * scale).exponential();
            }
            let inverse = T::of(1.0) / sum(column.len(), |i| column[i]);
            for x in column.iter_mut() {
                *x *= inverse;
            }
        }
    }
}
