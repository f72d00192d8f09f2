//! RMSNorm and SwiGLU, token by token.

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
    /// `gate = SiLU(gate) ⊙ up`, in place, with `SiLU(x) = x / (1 + e^{−x})`.
    fn swiglu<'a, T>(gate: MatMut<'a, T>, up: MatRef<'a, T>) {
        let mut gate = gate;
        let one = T::of(1.0);
        for token in 0..gate.ncols() {
            for (x, &up) in column_mut(gate.as_mut(), token).iter_mut().zip(column(up, token)) {
                *x = *x / (one + (-*x).exponential()) * up;
            }
        }
    }
}
