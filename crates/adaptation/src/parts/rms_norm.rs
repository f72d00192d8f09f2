//! RMSNorm (Zhang and Sennrich, arXiv 1910.07467), token by token, forward and backward.

use faer::{MatMut, MatRef};

use crate::Real;
use crate::kernels::columns::{Buffer, column, column_mut};
use crate::kernels::lanes::vector_code;
use crate::kernels::reduce::sum;

/// One over the root of the mean square, plus 0. Squares that overflow would give 0 and so hide behind a state of zeros: they give
/// NaN, so that the loss says it.
#[inline(always)]
fn inverse_root<T: Real>(mean: T, epsilon: T) -> T {
    T::of(1.0) / (mean + epsilon).square_root() + mean * T::of(0.0)
}

/// What is kept of an RMSNorm.
#[derive(Debug, Default)]
pub(crate) struct Standardized<T: Real> {
    /// Before the weights; hidden × tokens.
    values: Buffer<T>,
    /// One over the root of the mean square; one per token.
    inverse: Buffer<T>,
}

impl<T: Real> Standardized<T> {
    /// To be written.
    pub(crate) fn write(&mut self, hidden: usize, count: usize) -> (MatMut<'_, T>, &mut [T]) {
        (self.values.write(hidden, count), self.inverse.list(count))
    }

    /// As they were written.
    pub(crate) fn read(&self, hidden: usize, count: usize) -> (MatRef<'_, T>, &[T]) {
        (self.values.read(hidden, count), column(self.inverse.read(count, 1), 0))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.bytes() + self.inverse.bytes()
    }
}

vector_code! {
    /// `out = weight ⊙ x / √(mean(x²) + ε)` of every column.
    fn rms_norm<'a, T>(weight: &'a [T], epsilon: T, x: MatRef<'a, T>, out: MatMut<'a, T>) {
        let mut out = out;
        let count = x.nrows();
        let weight = &weight[..count];
        for token in 0..x.ncols() {
            let (x, out) = (&column(x, token)[..count], &mut column_mut(out.as_mut(), token)[..count]);
            let mean = sum(count, |i| x[i] * x[i]) * T::of(1.0 / count as f64);
            let inverse = inverse_root(mean, epsilon);
            for i in 0..count {
                out[i] = x[i] * inverse * weight[i];
            }
        }
    }
}

vector_code! {
    /// `standardized = x / √(mean(x²) + ε)` of every column, and one over the root as `inverse`.
    fn standardize<'a, T>(epsilon: T, x: MatRef<'a, T>, standardized: MatMut<'a, T>, inverse: &'a mut [T]) {
        let mut standardized = standardized;
        let count = x.nrows();
        for token in 0..x.ncols() {
            let (x, out) = (&column(x, token)[..count], &mut column_mut(standardized.as_mut(), token)[..count]);
            let mean = sum(count, |i| x[i] * x[i]) * T::of(1.0 / count as f64);
            inverse[token] = inverse_root(mean, epsilon);
            for i in 0..count {
                out[i] = x[i] * inverse[token];
            }
        }
    }
}

vector_code! {
    /// `out = weight ⊙ standardized` of every column.
    fn weighted<'a, T>(weight: &'a [T], standardized: MatRef<'a, T>, out: MatMut<'a, T>) {
        let mut out = out;
        for token in 0..standardized.ncols() {
            let numbers = column(standardized, token).iter().zip(weight);
            for (out, (&x, &weight)) in column_mut(out.as_mut(), token).iter_mut().zip(numbers) {
                *out = x * weight;
            }
        }
    }
}

vector_code! {
    /// Adds to `gradient` that with respect to what RMSNorm was taken of, from that of its result, `d_out`:
    /// `(g − x̂ mean(g x̂)) · inverse` with `g = weight ⊙ d_out` and `x̂` the standardized column.
    fn rms_norm_backward<'a, T>(weight: &'a [T], standardized: MatRef<'a, T>, inverse: &'a [T], d_out: MatRef<'a, T>, gradient: MatMut<'a, T>) {
        let mut gradient = gradient;
        let count = standardized.nrows();
        let weight = &weight[..count];
        for token in 0..standardized.ncols() {
            let (x, d_out) = (&column(standardized, token)[..count], &column(d_out, token)[..count]);
            let gradient = &mut column_mut(gradient.as_mut(), token)[..count];
            let along = sum(count, |i| weight[i] * d_out[i] * x[i]) * T::of(1.0 / count as f64);
            for i in 0..count {
                gradient[i] += (weight[i] * d_out[i] - x[i] * along) * inverse[token];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::*;

    /// A state whose squares overflow is no state of zeros.
    #[test]
    fn overflow_is_not_a_number() {
        let (x, weight) = (Mat::from_fn(5, 2, |_, token| [1.0f32, 1e20][token]), [1.0; 5]);
        let (mut normed, mut standardized, mut inverse) = (Mat::zeros(5, 2), Mat::zeros(5, 2), [0.0; 2]);
        rms_norm(&weight, 0.0, x.as_ref(), normed.as_mut());
        standardize(0.0, x.as_ref(), standardized.as_mut(), &mut inverse);
        for found in [normed, standardized] {
            assert!(found.col(0).iter().all(|&x| x == 1.0) && found.col(1).iter().all(|x| x.is_nan()), "{found:?}");
        }
    }
}
