//! Sums, maxima and the softmax of columns, in one order of adding on every machine.

use faer::MatMut;

use super::columns::column_mut;
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

/// The largest of some numbers, of which there is one at least.
#[inline(always)]
fn largest<T: Real>(numbers: &[T]) -> T {
    let mut most = [numbers[0]; LANES];
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            most[lane] = if chunk[lane] > most[lane] { chunk[lane] } else { most[lane] };
        }
    }
    most.iter().chain(rest).fold(most[0], |a, &b| if b > a { b } else { a })
}

vector_code! {
    /// `ln Σ eˣ` of some numbers, of which there is one at least, as `result`. What is small against the sum may be most of it: so
    /// a few at a time are summed as they are, and those sums in `f64`.
    fn log_sum<'a, T>(numbers: &'a [T], result: &'a mut f64) {
        let most = largest(numbers);
        let mut total = 0.0;
        for some in numbers.chunks(8 * LANES) {
            total += sum(some.len(), |i| (some[i] - most).exponential()).as_f64();
        }
        *result = most.as_f64() + total.ln();
    }
}

vector_code! {
    /// Whether one of some numbers is larger than a bound, as `result`.
    fn any_above<'a, T>(numbers: &'a [T], bound: T, result: &'a mut bool) {
        *result = !numbers.is_empty() && largest(numbers) > bound;
    }
}

vector_code! {
    /// The cross-entropy of a token's logits, `ln Σ eˣ − x_target`, as `loss`; in place of the logits its gradient times `scale`:
    /// `scale (softmax(x) − e_target)`.
    fn cross_entropy<'a, T>(logits: &'a mut [T], target: usize, scale: T, loss: &'a mut T) {
        let (most, own) = (largest(logits), logits[target]);
        for x in logits.iter_mut() {
            *x = (*x - most).exponential();
        }
        let total = sum(logits.len(), |i| logits[i]);
        *loss = T::of(total.as_f64().ln() - (own - most).as_f64());
        let factor = scale / total;
        for x in logits.iter_mut() {
            *x *= factor;
        }
        logits[target] -= scale;
    }
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
