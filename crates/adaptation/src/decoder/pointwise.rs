//! RMSNorm and SwiGLU, token by token, forward and backward.

use faer::{MatMut, MatRef};

use crate::kernels::columns::{column, column_mut};
use crate::kernels::lanes::vector_code;
use crate::kernels::reduce::sum;

vector_code! {
    /// `out = weight ⊙ x / √(mean(x²) + ε)` of every column.
    fn rms_norm<'a, T>(weight: &'a [T], epsilon: T, x: MatRef<'a, T>, out: MatMut<'a, T>) {
        let mut out = out;
        let count = x.nrows();
        let weight = &weight[..count];
        for token in 0..x.ncols() {
            let (x, out) = (&column(x, token)[..count], &mut column_mut(out.as_mut(), token)[..count]);
            let mean = sum(count, |i| x[i] * x[i]) * T::of(1.0 / count as f64);
            let inverse = T::of(1.0) / (mean + epsilon).square_root();
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
            inverse[token] = T::of(1.0) / (mean + epsilon).square_root();
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

vector_code! {
    /// `out = SiLU(gate) ⊙ up`, with `SiLU(x) = x / (1 + e^{−x})`.
    fn swiglu<'a, T>(gate: MatRef<'a, T>, up: MatRef<'a, T>, out: MatMut<'a, T>) {
        let mut out = out;
        let one = T::of(1.0);
        for token in 0..gate.ncols() {
            let numbers = column(gate, token).iter().zip(column(up, token));
            for (out, (&x, &up)) in column_mut(out.as_mut(), token).iter_mut().zip(numbers) {
                *out = x / (one + (-x).exponential()) * up;
            }
        }
    }
}

vector_code! {
    /// The way back through [`swiglu`]: `d_gate`, and `d_up` in place of the gradient of its result. With σ the logistic function,
    /// `SiLU′(x) = σ(x) (1 + x (1 − σ(x)))`.
    fn swiglu_backward<'a, T>(gate: MatRef<'a, T>, up: MatRef<'a, T>, d_gate: MatMut<'a, T>, d_up: MatMut<'a, T>) {
        let (mut d_gate, mut d_up) = (d_gate, d_up);
        let (one, count) = (T::of(1.0), gate.nrows());
        for token in 0..gate.ncols() {
            let (gate, up) = (&column(gate, token)[..count], &column(up, token)[..count]);
            let d_gate = &mut column_mut(d_gate.as_mut(), token)[..count];
            let d_up = &mut column_mut(d_up.as_mut(), token)[..count];
            for i in 0..count {
                let (x, d_out) = (gate[i], d_up[i]);
                let sigma = one / (one + (-x).exponential());
                d_gate[i] = d_out * up[i] * sigma * (one + x * (one - sigma));
                d_up[i] = d_out * x * sigma;
            }
        }
    }
}
