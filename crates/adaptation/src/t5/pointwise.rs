//! The activations of T5's feed-forward parts, token by token, forward and backward.
//!
//! The gate is `gelu_new` of transformers (Hendrycks and Gimpel, arXiv 1606.08415, section 2):
//! `x (1 + tanh u) / 2` with `u = √(2/π) (x + 0.044715 x³)`. As `(1 + tanh u) / 2 = σ(2u)`, it is computed by the logistic function σ.

use faer::{MatMut, MatRef};

use crate::Real;
use crate::kernels::columns::{column, column_mut};
use crate::kernels::lanes::vector_code;

/// 2 √(2/π).
const SLOPE: f64 = 1.595_769_121_605_730_8;
/// What the cube is multiplied by.
const CUBE: f64 = 0.044_715;

/// `σ(2u)`.
#[inline(always)]
fn logistic<T: Real>(x: T) -> T {
    let one = T::of(1.0);
    one / (one + (-(T::of(SLOPE) * (x + T::of(CUBE) * x * x * x))).exponential())
}

vector_code! {
    /// `out = ReLU(x)`.
    fn relu<'a, T>(x: MatRef<'a, T>, out: MatMut<'a, T>) {
        let (mut out, zero) = (out, T::of(0.0));
        for token in 0..x.ncols() {
            for (out, &x) in column_mut(out.as_mut(), token).iter_mut().zip(column(x, token)) {
                *out = if x > zero { x } else { zero };
            }
        }
    }
}

vector_code! {
    /// The way back through [`relu`], in place of the gradient of its result; 0 at 0.
    fn relu_backward<'a, T>(x: MatRef<'a, T>, gradient: MatMut<'a, T>) {
        let (mut gradient, zero) = (gradient, T::of(0.0));
        for token in 0..x.ncols() {
            for (gradient, &x) in column_mut(gradient.as_mut(), token).iter_mut().zip(column(x, token)) {
                *gradient = if x > zero { *gradient } else { zero };
            }
        }
    }
}

vector_code! {
    /// `out = GELU(gate) ⊙ up`.
    fn geglu<'a, T>(gate: MatRef<'a, T>, up: MatRef<'a, T>, out: MatMut<'a, T>) {
        let mut out = out;
        for token in 0..gate.ncols() {
            let numbers = column(gate, token).iter().zip(column(up, token));
            for (out, (&x, &up)) in column_mut(out.as_mut(), token).iter_mut().zip(numbers) {
                *out = x * logistic(x) * up;
            }
        }
    }
}

vector_code! {
    /// The way back through [`geglu`]: `d_gate`, and `d_up` in place of the gradient of its result. With `s = σ(2u)`,
    /// `GELU′(x) = s + x s (1 − s) · 2u′`.
    fn geglu_backward<'a, T>(gate: MatRef<'a, T>, up: MatRef<'a, T>, d_gate: MatMut<'a, T>, d_up: MatMut<'a, T>) {
        let (mut d_gate, mut d_up) = (d_gate, d_up);
        let (one, count) = (T::of(1.0), gate.nrows());
        for token in 0..gate.ncols() {
            let (gate, up) = (&column(gate, token)[..count], &column(up, token)[..count]);
            let d_gate = &mut column_mut(d_gate.as_mut(), token)[..count];
            let d_up = &mut column_mut(d_up.as_mut(), token)[..count];
            for i in 0..count {
                let (x, d_out) = (gate[i], d_up[i]);
                let (s, slope) = (logistic(x), T::of(SLOPE) * (one + T::of(3.0 * CUBE) * x * x));
                d_gate[i] = d_out * up[i] * (s + x * s * (one - s) * slope);
                d_up[i] = d_out * x * s;
            }
        }
    }
}
