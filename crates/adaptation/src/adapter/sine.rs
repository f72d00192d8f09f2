//! Sine-activated LoRA (Ji et al. 2024, arXiv 2403.19243): `ΔW = sin(ω B A) / g`, a full-rank matrix of few parameters.

use std::f64::consts::FRAC_2_PI;

use dynamics::dense;
use dynamics::random::{Generator, uniform};
use faer::{Accum, Mat, MatMut, MatRef, Par, Scale};
use pulp::{Simd, WithSimd};
use serde::{Deserialize, Serialize};

use super::product::{matmul, rounded};
use super::{Adapter, AdapterError, Applied, AppliedGradient, Form, Group, Invalid, Parameter};
use crate::Real;
use crate::method::{Place, Recipe};

/// Columns of `ΔW` that are worked on at once, so that their product `B A` stays in cache.
const COLUMNS: usize = 64;

/// Why columns are contiguous.
const OWNED: &str = "columns of a matrix of one's own are contiguous";

/// `ΔW = sin(ω B A) / g`, entry by entry, with B (m × r) zero, A (r × n) uniform on `[−1/√n, 1/√n)`, and the gain
/// `g = √n`: the initialization and gain of the authors' code, without its factor α/r.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SineLora {
    /// Rank r of `B A`, from 1.
    pub rank: usize,
    /// Frequency ω, above 0; the paper takes 200 for fine-tuning with small ranks, less for larger ones.
    pub frequency: f64,
}

impl Recipe for SineLora {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.rank >= 1, "rank", self.rank, "an integer from 1")?;
        let allowed = self.frequency > 0.0 && self.frequency.is_finite();
        Invalid::unless(allowed, "frequency", self.frequency, "a number above 0")
    }

    fn takes_embeddings(&self) -> bool {
        false
    }

    fn build<T: Real>(&self, place: &Place<'_, T>, rng: &mut Generator) -> Result<Box<dyn Adapter<T>>, AdapterError> {
        let (m, n) = place.check_rank(self.rank)?;
        let root = (n as f64).sqrt();
        let a = uniform(self.rank, n, rng) * Scale(1.0 / root);
        Ok(Box::new(Sine::new(rounded(a.as_ref()), Mat::zeros(m, self.rank), self.frequency, root)))
    }
}

struct Sine<T: Real> {
    /// A (r × n), B (m × r).
    parameters: [Parameter<T>; 2],
    frequency: f64,
    gain: f64,
    /// `ΔW`, m × n.
    delta: Mat<T>,
    /// `dΔW / d(B A) = ω cos(ω B A) / g`, m × n.
    slope: Mat<T>,
    /// [`COLUMNS`] columns of `B A`, or of the gradient with respect to it.
    block: Mat<T>,
}

impl<T: Real> Sine<T> {
    fn new(a: Mat<T>, b: Mat<T>, frequency: f64, gain: f64) -> Self {
        let (m, n) = (b.nrows(), a.ncols());
        let mut adapter = Self {
            parameters: [Parameter::new("A", a.as_ref(), Group::Inner), Parameter::new("B", b.as_ref(), Group::Inner)],
            frequency,
            gain,
            delta: dense::zeros(m, n),
            slope: dense::zeros(m, n),
            block: dense::zeros(m, COLUMNS.min(n)),
        };
        adapter.refresh(Par::Seq);
        adapter
    }
}

impl<T: Real> Adapter<T> for Sine<T> {
    fn shape(&self) -> (usize, usize) {
        self.delta.shape()
    }

    fn form(&self) -> Form {
        Form::Merged
    }

    fn applied(&self) -> Applied<'_, T> {
        Applied::Merged(self.delta.as_ref())
    }

    fn refresh(&mut self, par: Par) {
        let [a, b] = &self.parameters;
        let (frequency, gain) = (self.frequency, self.gain);
        for start in (0..self.delta.ncols()).step_by(COLUMNS) {
            let count = COLUMNS.min(self.delta.ncols() - start);
            let mut block = self.block.as_mut().subcols_mut(0, count);
            matmul(block.as_mut(), Accum::Replace, b.value.as_ref(), a.value.subcols(start, count), par);
            let (delta, slope) = (self.delta.subcols_mut(start, count), self.slope.subcols_mut(start, count));
            pulp::Arch::new().dispatch(Activate { phases: block.as_ref(), delta, slope, frequency, gain });
        }
    }

    fn pull_back(&mut self, gradient: &AppliedGradient<T>, par: Par) {
        let AppliedGradient::Merged(gradient) = gradient else {
            panic!("the gradient of a merged adapter is that of ΔW");
        };
        let [a, b] = &mut self.parameters;
        b.gradient.fill(T::of(0.0));
        for start in (0..gradient.ncols()).step_by(COLUMNS) {
            let count = COLUMNS.min(gradient.ncols() - start);
            let mut block = self.block.as_mut().subcols_mut(0, count);
            for j in 0..count {
                let column = block.as_mut().col_mut(j).try_as_col_major_mut().expect(OWNED);
                let gradient = gradient.col_as_slice(start + j);
                let slope = self.slope.col_as_slice(start + j);
                for ((entry, &gradient), &slope) in column.as_slice_mut().iter_mut().zip(gradient).zip(slope) {
                    *entry = gradient * slope;
                }
            }
            let block = block.as_ref();
            matmul(b.gradient.as_mut(), Accum::Add, block, a.value.subcols(start, count).transpose(), par);
            let of_a = a.gradient.subcols_mut(start, count);
            matmul(of_a, Accum::Replace, b.value.transpose(), block, par);
        }
    }

    fn parameters(&self) -> &[Parameter<T>] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut self.parameters
    }
}

/// `ΔW` and its slope from `B A`, for some columns. A struct and not a closure, since a closure need not be inlined into the
/// code for wide vectors.
struct Activate<'a, T: Real> {
    phases: MatRef<'a, T>,
    delta: MatMut<'a, T>,
    slope: MatMut<'a, T>,
    frequency: f64,
    gain: f64,
}

impl<T: Real> WithSimd for Activate<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { phases, delta, slope, frequency, gain } = self;
        let (of_sine, of_cosine) = (1.0 / gain, frequency / gain);
        for ((phases, delta), slope) in phases.col_iter().zip(delta.col_iter_mut()).zip(slope.col_iter_mut()) {
            let phases = phases.try_as_col_major().expect(OWNED).as_slice();
            let delta = delta.try_as_col_major_mut().expect(OWNED).as_slice_mut();
            let slope = slope.try_as_col_major_mut().expect(OWNED).as_slice_mut();
            for ((&phase, delta), slope) in phases.iter().zip(delta).zip(slope) {
                let (sine, cosine) = sin_cos(frequency * phase.as_f64());
                *delta = T::of(sine * of_sine);
                *slope = T::of(cosine * of_cosine);
            }
        }
    }
}

/// Sine and cosine without a branch, so that a loop over it is vectorized: reduction by multiples of π/2 in three parts
/// (exact for |x| up to 10⁶), then Taylor's polynomials on [−π/4, π/4]. Error below 2e-16 there.
#[inline(always)]
fn sin_cos(x: f64) -> (f64, f64) {
    // 1.5 · 2⁵²: adding it leaves the nearest integer in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // π/2 = PARTS[0] + PARTS[1] + PARTS[2], the first two with 33 bits each.
    const PARTS: [f64; 3] = [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_7e-21];
    let shifted = x * FRAC_2_PI + ROUND;
    let turns = shifted - ROUND;
    let quadrant = shifted.to_bits();
    let x = ((x - turns * PARTS[0]) - turns * PARTS[1]) - turns * PARTS[2];
    let square = x * x;
    let sine = x * polynomial(square, &SINE);
    let cosine = polynomial(square, &COSINE);
    let swap = quadrant & 1 == 1;
    let (sine, cosine) = (if swap { cosine } else { sine }, if swap { sine } else { cosine });
    // The signs, moved into the sign bit: sine is negative in quadrants 2 and 3, cosine in 1 and 2.
    let negate = |x: f64, bit: u64| f64::from_bits(x.to_bits() ^ ((bit & 2) << 62));
    (negate(sine, quadrant), negate(cosine, quadrant.wrapping_add(1)))
}

/// `(−1)^k / (2k + 1)!`.
const SINE: [f64; 8] = [
    1.0,
    -1.0 / 6.0,
    1.0 / 120.0,
    -1.0 / 5_040.0,
    1.0 / 362_880.0,
    -1.0 / 39_916_800.0,
    1.0 / 6_227_020_800.0,
    -1.0 / 1_307_674_368_000.0,
];

/// `(−1)^k / (2k)!`.
const COSINE: [f64; 9] = [
    1.0,
    -1.0 / 2.0,
    1.0 / 24.0,
    -1.0 / 720.0,
    1.0 / 40_320.0,
    -1.0 / 3_628_800.0,
    1.0 / 479_001_600.0,
    -1.0 / 87_178_291_200.0,
    1.0 / 20_922_789_888_000.0,
];

#[inline(always)]
fn polynomial(x: f64, coefficients: &[f64]) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sines_and_cosines() {
        for k in -40_000..=40_000 {
            let x = f64::from(k) * 0.037;
            let (sine, cosine) = sin_cos(x);
            assert!((sine - x.sin()).abs() < 4e-16 && (cosine - x.cos()).abs() < 4e-16, "{x}: {sine}, {cosine}");
        }
        let (sine, cosine) = sin_cos(9.87654321e5);
        assert!((sine - 9.87654321e5f64.sin()).abs() < 1e-15 && (cosine - 9.87654321e5f64.cos()).abs() < 1e-15);
    }
}
