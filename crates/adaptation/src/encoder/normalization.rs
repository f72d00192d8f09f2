//! LayerNorm, forward and backward, token by token.

use faer::{MatMut, MatRef};

use crate::Real;
use crate::kernels::columns::{column, column_mut};
use crate::kernels::lanes::vector_code;
use crate::kernels::reduce::sum;
use crate::parts::dropout::Mask;
use crate::weights::LayerNorm;

/// What the backward pass needs to know of a LayerNorm.
pub(crate) struct Normalized<'a, T> {
    /// Before the affine map, hidden × tokens.
    pub(crate) standardized: MatMut<'a, T>,
    /// One over the standard deviation, one per token.
    pub(crate) inverse_deviations: &'a mut [T],
}

/// `out = norm(residual + y)` for one token; returns one over the standard deviation. Replaces `y` by the sum.
#[inline(always)]
pub(super) fn normalize<T: Real>(
    norm: &LayerNorm<T>,
    epsilon: T,
    y: &mut [T],
    residual: Option<&[T]>,
    standardized: &mut [T],
    out: &mut [T],
) -> T {
    let count = y.len();
    if let Some(residual) = residual {
        for (y, &x) in y.iter_mut().zip(residual) {
            *y += x;
        }
    }
    let scale = T::of(1.0 / count as f64);
    let mean = sum(count, |i| y[i]) * scale;
    let variance = sum(count, |i| (y[i] - mean) * (y[i] - mean)) * scale;
    let inverse = T::of(1.0) / (variance + epsilon).square_root();
    let (weight, bias) = (&norm.weight[..count], &norm.bias[..count]);
    let (standardized, out) = (&mut standardized[..count], &mut out[..count]);
    for i in 0..count {
        standardized[i] = (y[i] - mean) * inverse;
        out[i] = standardized[i] * weight[i] + bias[i];
    }
    inverse
}

/// The gradient with respect to what was normalized, in place of that with respect to the result, for one token:
/// `(g − mean(g) − x̂ mean(g x̂)) / σ` with `g = weight · gradient`.
#[inline(always)]
fn normalize_backward<T: Real>(weight: &[T], standardized: &[T], inverse: T, gradient: &mut [T]) {
    let count = gradient.len();
    let (weight, standardized) = (&weight[..count], &standardized[..count]);
    for i in 0..count {
        gradient[i] *= weight[i];
    }
    let scale = T::of(1.0 / count as f64);
    let mean = sum(count, |i| gradient[i]) * scale;
    let along = sum(count, |i| gradient[i] * standardized[i]) * scale;
    for i in 0..count {
        gradient[i] = (gradient[i] - mean - standardized[i] * along) * inverse;
    }
}

vector_code! {
    /// `out = norm(residual + dropout(y))` for the tokens of a sequence. What was in `y` is lost.
    fn residual_norm<'a, T>(norm: &'a LayerNorm<T>, epsilon: T, mask: Mask<'a>, y: MatMut<'a, T>, residual: MatRef<'a, T>, normalized: Normalized<'a, T>, out: MatMut<'a, T>) {
        let mut y = y;
        let mut normalized = normalized;
        let mut out = out;
        let hidden = y.nrows();
        for token in 0..y.ncols() {
            let y = column_mut(y.as_mut(), token);
            mask.apply(token, hidden, y);
            let standardized = column_mut(normalized.standardized.as_mut(), token);
            let (residual, out) = (column(residual, token), column_mut(out.as_mut(), token));
            normalized.inverse_deviations[token] = normalize(norm, epsilon, y, Some(residual), standardized, out);
        }
    }
}

vector_code! {
    /// The way back through [`residual_norm`] for the tokens of a sequence: `gradient` becomes that with respect to the sum, which
    /// the residual connection carries on; `d_y` is that with respect to `y`.
    fn residual_norm_backward<'a, T>(norm: &'a LayerNorm<T>, mask: Mask<'a>, standardized: MatRef<'a, T>, inverse_deviations: &'a [T], gradient: MatMut<'a, T>, d_y: MatMut<'a, T>) {
        let mut gradient = gradient;
        let mut d_y = d_y;
        let hidden = gradient.nrows();
        for token in 0..gradient.ncols() {
            let (gradient, d_y) = (column_mut(gradient.as_mut(), token), column_mut(d_y.as_mut(), token));
            normalize_backward(&norm.weight, column(standardized, token), inverse_deviations[token], gradient);
            d_y.copy_from_slice(gradient);
            mask.apply(token, hidden, d_y);
        }
    }
}

vector_code! {
    /// `out = dropout(norm(y))` for the tokens of a sequence.
    fn norm_dropout<'a, T>(norm: &'a LayerNorm<T>, epsilon: T, mask: Mask<'a>, y: MatMut<'a, T>, normalized: Normalized<'a, T>, out: MatMut<'a, T>) {
        let mut y = y;
        let mut normalized = normalized;
        let mut out = out;
        let hidden = y.nrows();
        for token in 0..y.ncols() {
            let standardized = column_mut(normalized.standardized.as_mut(), token);
            let (y, out) = (column_mut(y.as_mut(), token), column_mut(out.as_mut(), token));
            normalized.inverse_deviations[token] = normalize(norm, epsilon, y, None, standardized, out);
            mask.apply(token, hidden, out);
        }
    }
}

vector_code! {
    /// The way back through the embeddings' LayerNorm and the dropout after it: `gradient` becomes that with respect to the sum of
    /// the embeddings.
    fn norm_dropout_backward<'a, T>(norm: &'a LayerNorm<T>, mask: Mask<'a>, standardized: MatRef<'a, T>, inverse_deviations: &'a [T], gradient: MatMut<'a, T>) {
        let mut gradient = gradient;
        let hidden = gradient.nrows();
        for token in 0..gradient.ncols() {
            let gradient = column_mut(gradient.as_mut(), token);
            mask.apply(token, hidden, gradient);
            normalize_backward(&norm.weight, column(standardized, token), inverse_deviations[token], gradient);
        }
    }
}
