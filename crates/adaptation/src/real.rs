//! The number types the encoder runs in: `f32` for work, `f64` to check gradients with.

use std::ops::Neg;

use faer::traits::RealField;

use crate::kernels::lanes::Lanes;

/// `f32` or `f64`.
pub trait Real:
    RealField
    + Lanes
    + Copy
    + PartialOrd
    + Default
    + Neg<Output = Self>
    + Send
    + Sync
    + std::fmt::Debug
    + std::fmt::Display
    + 'static
{
    /// Rounded from `f64`.
    fn of(x: f64) -> Self;
    /// As `f64`, exactly.
    fn as_f64(self) -> f64;
    /// `eˣ`: in `f32` without branches, so that loops over it become vector code; relative error 2e-7, 0 below −87.
    fn exponential(self) -> Self;
    /// `√x`.
    fn square_root(self) -> Self;
    /// `tanh x`.
    fn hyperbolic_tangent(self) -> Self;
    /// GELU, `x Φ(x)` with Φ the standard normal distribution function, and its derivative `Φ(x) + x φ(x)`. In `f32` without
    /// branches, Φ within 1e-7.
    fn gelu(self) -> (Self, Self);
}

impl Real for f32 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x as Self
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        self.into()
    }

    /// `2ⁿ e^r` with `|r| ≤ ln 2 / 2` and a Taylor polynomial of degree 7 for `e^r`.
    #[inline(always)]
    fn exponential(self) -> Self {
        /// ln 2, its leading bits alone, so that `n` times it is exact, and the rest.
        const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
        /// Adding and subtracting it rounds to whole numbers.
        const ROUND: f32 = 12_582_912.0;
        let x = self.clamp(-87.0, 88.0);
        let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
        let r = (x - n * LN_2.0) - n * LN_2.1;
        let tail = r * (1.0 / 5040.0) + 1.0 / 720.0;
        let tail = ((tail * r + 1.0 / 120.0) * r + 1.0 / 24.0) * r + 1.0 / 6.0;
        let power = ((tail * r + 0.5) * r + 1.0) * r + 1.0;
        // `n + ROUND` holds n + 127 in its low bits once 127 is added; shifted into the exponent that is 2ⁿ.
        let scale = Self::from_bits((n + (ROUND + 127.0)).to_bits() << 23);
        if self < -87.0 { 0.0 } else { power * scale }
    }

    #[inline(always)]
    fn square_root(self) -> Self {
        self.sqrt()
    }

    fn hyperbolic_tangent(self) -> Self {
        self.tanh()
    }

    /// `Φ(−|x|) = e^{−x²/2} q(t)` with `t = 1/(1 + c|x|)`, as Hastings' approximation 26.2.17 in Abramowitz & Stegun, with c and
    /// a polynomial of degree 6 fitted to the largest error over [0, 9], 9.3e-9.
    #[inline(always)]
    fn gelu(self) -> (Self, Self) {
        const C: f32 = 0.28;
        const Q: [f32; 6] = [0.116_520_57, 0.067_498_11, 0.268_906_7, -0.236_989_05, 0.389_871_2, -0.105_807_5];
        const DENSITY_AT_0: f32 = 0.398_942_3;
        let magnitude = self.abs();
        let t = 1.0 / (1.0 + C * magnitude);
        let q = ((((Q[5] * t + Q[4]) * t + Q[3]) * t + Q[2]) * t + Q[1]) * t + Q[0];
        let bell = (-0.5 * self * self).exponential();
        let below = bell * q * t;
        let phi = if self < 0.0 { below } else { 1.0 - below };
        (self * phi, phi + self * bell * DENSITY_AT_0)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn exponential(self) -> Self {
        self.exp()
    }

    #[inline(always)]
    fn square_root(self) -> Self {
        self.sqrt()
    }

    fn hyperbolic_tangent(self) -> Self {
        self.tanh()
    }

    #[inline(always)]
    fn gelu(self) -> (Self, Self) {
        let phi = 0.5 * libm::erfc(-self * std::f64::consts::FRAC_1_SQRT_2);
        let density = (-0.5 * self * self).exp() / (2.0 * std::f64::consts::PI).sqrt();
        (self * phi, phi + self * density)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_in_single_precision() {
        for step in -8_800..=8_800 {
            let x = step as f32 * 0.01;
            let exact = f64::from(x).exp();
            let error = (f64::from(x.exponential()) - exact).abs();
            assert!(error <= 2e-7 * exact + 2e-38, "e^{x}: off by {error:.1e} of {exact:.1e}");
        }
        assert_eq!((-200f32).exponential(), 0.0);
        assert_eq!(0f32.exponential(), 1.0);
    }

    #[test]
    fn gelu_in_single_precision() {
        for step in -1_000_000..=1_000_000 {
            let x = step as f32 * 1e-5;
            let ((value, slope), exact) = (x.gelu(), f64::from(x).gelu());
            let size = f64::from(x.abs()).max(1.0);
            assert!((f64::from(value) - exact.0).abs() < 2e-7 * size, "GELU({x}) = {value}, exact {}", exact.0);
            assert!((f64::from(slope) - exact.1).abs() < 3e-7, "GELU'({x}) = {slope}, exact {}", exact.1);
        }
    }
}
