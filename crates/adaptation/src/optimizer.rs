//! AdamW over the parameters of a network's adapters, and how the step size changes along a run.

use faer::Mat;
use pulp::{Simd, WithSimd};
use serde::{Deserialize, Serialize};

use crate::adapter::Invalid;
use crate::{Adapters, Group, Real};

/// Entries updated at once. Columns shorter than this are gathered to about as many, so that an r × n factor with r = 8 is
/// updated with full vectors too.
const BLOCK: usize = 256;

/// The constants of AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamWSettings {
    /// Decay β₁ of the first moment, in [0, 1).
    pub beta1: f64,
    /// Decay β₂ of the second moment, in [0, 1).
    pub beta2: f64,
    /// ϵ, added to the root of the second moment; above 0.
    pub epsilon: f64,
    /// Decoupled weight decay λ, from 0.
    pub weight_decay: f64,
    /// Discrepant step γ: [`Group::Outer`] moves with γ times the step size; from 0, which leaves it as it is.
    pub discrepant_step: f64,
}

impl Default for AdamWSettings {
    /// The paper's: β = (0.9, 0.999), ϵ = 1e-6, no decay; γ = 1.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-6, weight_decay: 0.0, discrepant_step: 1.0 }
    }
}

impl AdamWSettings {
    /// The first setting that is not allowed, if any.
    ///
    /// # Errors
    /// That setting.
    pub fn check(&self) -> Result<(), Invalid> {
        let from_zero = |x: f64| x >= 0.0 && x.is_finite();
        Invalid::unless((0.0..1.0).contains(&self.beta1), "beta1", self.beta1, "a number in [0, 1)")?;
        Invalid::unless((0.0..1.0).contains(&self.beta2), "beta2", self.beta2, "a number in [0, 1)")?;
        let positive = self.epsilon > 0.0 && self.epsilon.is_finite();
        Invalid::unless(positive, "epsilon", self.epsilon, "a number above 0")?;
        Invalid::unless(from_zero(self.weight_decay), "weight_decay", self.weight_decay, "a number from 0")?;
        let step = self.discrepant_step;
        Invalid::unless(from_zero(step), "discrepant_step", step, "a number from 0")
    }
}

/// AdamW (Loshchilov & Hutter 2019) as PyTorch computes it: `W ← (1 − ηλ) W`, then
/// `W ← W − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ϵ)`.
///
/// A step of rank 8 on all dense matrices of a 384-wide, 6-layer encoder updates 0.59 million `f32` entries (40 % of them the
/// word embeddings' left factor) in 0.24 ms on one core with AVX-512, from cache: 67 GB/s.
#[derive(Clone, Debug)]
pub struct AdamW<T: Real> {
    settings: AdamWSettings,
    steps: u64,
    moments: Vec<Moments<T>>,
}

/// The moments of one parameter, entry by entry in column-major order.
#[derive(Clone, Debug)]
struct Moments<T> {
    first: Vec<T>,
    second: Vec<T>,
}

/// What an update needs of settings and step.
#[derive(Clone, Copy)]
struct Rule<T> {
    beta1: T,
    one_minus_beta1: T,
    beta2: T,
    one_minus_beta2: T,
    /// `1 − ηλ`.
    keep: T,
    /// `η / (1 − β₁ᵗ)`.
    step: T,
    /// `√(1 − β₂ᵗ)`.
    root_correction: T,
    epsilon: T,
}

impl<T: Real> AdamW<T> {
    /// Before the first step, for these adapters' parameters.
    pub fn new(settings: AdamWSettings, adapters: &Adapters<T>) -> Self {
        let zeros = |entries: usize| vec![T::of(0.0); entries];
        let moments = adapters
            .parameters()
            .map(|(_, parameter)| parameter.value.nrows() * parameter.value.ncols())
            .map(|entries| Moments { first: zeros(entries), second: zeros(entries) })
            .collect();
        Self { settings, steps: 0, moments }
    }

    /// The constants.
    pub fn settings(&self) -> AdamWSettings {
        self.settings
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Moves every parameter by one step of size η along its gradient. The adapters' applied form is not brought up to date.
    ///
    /// # Panics
    /// If the parameters are not those (in number and size) the optimizer was made for.
    pub fn step(&mut self, adapters: &mut Adapters<T>, step_size: f64) {
        self.steps += 1;
        let inner = self.rule(step_size);
        let outer = self.rule(step_size * self.settings.discrepant_step);
        let mut moments = self.moments.iter_mut();
        for (_, parameter) in adapters.parameters_mut() {
            let moments = moments.next().expect("one pair of moments per parameter");
            let rule = match parameter.group {
                Group::Inner => inner,
                Group::Outer if self.settings.discrepant_step == 0.0 => continue,
                Group::Outer => outer,
            };
            update(&mut parameter.value, &parameter.gradient, moments, rule);
        }
    }

    /// The moments of every parameter, in the adapters' order: (first, second), column-major.
    pub(crate) fn moments(&self) -> impl Iterator<Item = (&[T], &[T])> {
        self.moments.iter().map(|moments| (&moments.first[..], &moments.second[..]))
    }

    /// Sets the number of steps taken and gives the moments to be overwritten.
    pub(crate) fn restore(&mut self, steps: u64) -> impl Iterator<Item = (&mut [T], &mut [T])> {
        self.steps = steps;
        self.moments.iter_mut().map(|moments| (&mut moments.first[..], &mut moments.second[..]))
    }

    fn rule(&self, step_size: f64) -> Rule<T> {
        let AdamWSettings { beta1, beta2, epsilon, weight_decay, .. } = self.settings;
        let taken = self.steps as f64;
        Rule {
            beta1: T::of(beta1),
            one_minus_beta1: T::of(1.0 - beta1),
            beta2: T::of(beta2),
            one_minus_beta2: T::of(1.0 - beta2),
            keep: T::of(1.0 - step_size * weight_decay),
            step: T::of(step_size / (1.0 - beta1.powf(taken))),
            root_correction: T::of((1.0 - beta2.powf(taken)).sqrt()),
            epsilon: T::of(epsilon),
        }
    }
}

/// Updates one matrix, block by block, with the machine's widest vectors.
fn update<T: Real>(value: &mut Mat<T>, gradient: &Mat<T>, moments: &mut Moments<T>, rule: Rule<T>) {
    let entries = value.nrows() * value.ncols();
    assert_eq!(moments.first.len(), entries, "the optimizer was made for parameters of other sizes");
    pulp::Arch::new().dispatch(Update { value, gradient, moments, rule });
}

/// The update of one matrix. A struct and not a closure, since a closure need not be inlined into the code for wide vectors.
struct Update<'a, T: Real> {
    value: &'a mut Mat<T>,
    gradient: &'a Mat<T>,
    moments: &'a mut Moments<T>,
    rule: Rule<T>,
}

impl<T: Real> WithSimd for Update<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { value, gradient, moments, rule } = self;
        let (rows, columns) = value.shape();
        if rows < BLOCK {
            return update_gathered(value, gradient, moments, rule);
        }
        for j in 0..columns {
            let first = &mut moments.first[j * rows..(j + 1) * rows];
            let second = &mut moments.second[j * rows..(j + 1) * rows];
            update_column(value.col_as_slice_mut(j), gradient.col_as_slice(j), first, second, rule);
        }
    }
}

/// A column of at least [`BLOCK`] entries.
#[inline(always)]
fn update_column<T: Real>(w: &mut [T], g: &[T], first: &mut [T], second: &mut [T], rule: Rule<T>) {
    let blocks = w.chunks_mut(BLOCK).zip(g.chunks(BLOCK));
    for ((w, g), (first, second)) in blocks.zip(first.chunks_mut(BLOCK).zip(second.chunks_mut(BLOCK))) {
        update_block(w, g, first, second, rule);
    }
}

/// Columns shorter than [`BLOCK`]: as many at a time as fit into it.
#[inline(always)]
fn update_gathered<T: Real>(value: &mut Mat<T>, gradient: &Mat<T>, moments: &mut Moments<T>, rule: Rule<T>) {
    let (rows, columns) = value.shape();
    let mut w = [T::of(0.0); BLOCK];
    let mut g = [T::of(0.0); BLOCK];
    let at_once = BLOCK / rows;
    for start in (0..columns).step_by(at_once) {
        let count = at_once.min(columns - start);
        for k in 0..count {
            w[k * rows..(k + 1) * rows].copy_from_slice(value.col_as_slice(start + k));
            g[k * rows..(k + 1) * rows].copy_from_slice(gradient.col_as_slice(start + k));
        }
        let (from, entries) = (start * rows, count * rows);
        let first = &mut moments.first[from..from + entries];
        let second = &mut moments.second[from..from + entries];
        update_block(&mut w[..entries], &g[..entries], first, second, rule);
        for k in 0..count {
            value.col_as_slice_mut(start + k).copy_from_slice(&w[k * rows..(k + 1) * rows]);
        }
    }
}

#[inline(always)]
fn update_block<T: Real>(w: &mut [T], g: &[T], first: &mut [T], second: &mut [T], rule: Rule<T>) {
    for (((w, &g), m), v) in w.iter_mut().zip(g).zip(first).zip(second) {
        *m = rule.beta1 * *m + rule.one_minus_beta1 * g;
        *v = rule.beta2 * *v + rule.one_minus_beta2 * g * g;
        let denominator = T::sqrt_impl(v) / rule.root_correction + rule.epsilon;
        *w = rule.keep * *w - rule.step * *m / denominator;
    }
}

/// How the step size changes along a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum StepSchedule {
    /// It does not.
    Constant,
    /// Linearly from the step size at step 0 to `to` after the last step.
    Linear {
        /// What it would be after the last step; from 0.
        to: f64,
    },
}

impl StepSchedule {
    /// The step size of a step, counted from 0, of a run of `steps`.
    pub fn at(self, step: u64, steps: u64, step_size: f64) -> f64 {
        match self {
            Self::Constant => step_size,
            Self::Linear { to } => step_size + (to - step_size) * step as f64 / steps.max(1) as f64,
        }
    }
}
