//! SwiGLU, token by token, forward and backward.

use faer::{MatMut, MatRef};

use crate::kernels::columns::{column, column_mut};
use crate::kernels::lanes::vector_code;

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
