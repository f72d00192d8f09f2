//! First-order methods: gradient descent, heavy ball, Adam and RMSprop, with weight decay and a step multiplier per factor.

use faer::{Mat, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::DynamicsError;
use crate::factorization::{Factorization, Parameter};

/// Entries of a factor above which its update is spread over threads.
const PARALLEL_ENTRIES: usize = 1 << 17;
/// Columns of a task where it is.
const PARALLEL_COLUMNS: usize = 32;

/// The update rule. Weight decay λ adds `λW` to the gradient before any of them (the regularizer `(λ/2) Σ ‖W‖²`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// `W ← W − η (g + λW)`.
    GradientDescent,
    /// Polyak's momentum: `v ← μ v + g + λW`, `W ← W − η v`.
    HeavyBall {
        /// μ in [0, 1).
        momentum: f64,
    },
    /// Kingma & Ba 2015, with bias correction: `W ← W − η m̂ / (√v̂ + ϵ)`.
    Adam {
        /// Decay of the first moment, in [0, 1).
        beta1: f64,
        /// Decay of the second moment, in [0, 1).
        beta2: f64,
        /// Added to the denominator.
        epsilon: f64,
    },
    /// `v ← α v + (1 − α) g²`, `W ← W − η g / (√v + ϵ)`.
    RmsProp {
        /// Decay of the second moment, in [0, 1).
        alpha: f64,
        /// Added to the denominator.
        epsilon: f64,
    },
}

impl Method {
    /// How many matrices of state the method keeps per factor.
    fn moments(self) -> usize {
        match self {
            Self::GradientDescent => 0,
            Self::HeavyBall { .. } | Self::RmsProp { .. } => 1,
            Self::Adam { .. } => 2,
        }
    }

    fn check(self) -> Result<(), DynamicsError> {
        let (decays, epsilon) = match self {
            Self::GradientDescent => (vec![], 1.0),
            Self::HeavyBall { momentum } => (vec![momentum], 1.0),
            Self::Adam { beta1, beta2, epsilon } => (vec![beta1, beta2], epsilon),
            Self::RmsProp { alpha, epsilon } => (vec![alpha], epsilon),
        };
        if let Some(&decay) = decays.iter().find(|decay| !(0.0..1.0).contains(*decay)) {
            return Err(DynamicsError::Decay(decay));
        }
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(DynamicsError::Epsilon(epsilon));
        }
        Ok(())
    }
}

/// A method with its step size, weight decay and state.
///
/// ```
/// use dynamics::{Method, Optimizer};
///
/// let adam = Method::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
/// let optimizer = Optimizer::new(adam, 1e-3, 0.0)?;
/// assert!(Optimizer::new(Method::RmsProp { alpha: 1.5, epsilon: 1e-8 }, 1e-3, 0.0).is_err());
/// # Ok::<(), dynamics::DynamicsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Optimizer {
    method: Method,
    step_size: f64,
    weight_decay: f64,
    steps: i32,
    /// The moments of every factor, one matrix each: column j holds the moments of the factor's column j, one below the
    /// other. Made on the first step.
    state: Vec<Mat<f64>>,
}

impl Optimizer {
    /// An optimizer with step size η > 0 and weight decay λ ≥ 0.
    ///
    /// # Errors
    /// If η, λ or a decay rate of the method is out of range.
    pub fn new(method: Method, step_size: f64, weight_decay: f64) -> Result<Self, DynamicsError> {
        method.check()?;
        if !(step_size > 0.0 && step_size.is_finite()) {
            return Err(DynamicsError::StepSize(step_size));
        }
        if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
            return Err(DynamicsError::WeightDecay(weight_decay));
        }
        Ok(Self { method, step_size, weight_decay, steps: 0, state: Vec::new() })
    }

    /// Gradient descent without weight decay.
    ///
    /// # Errors
    /// If the step size is not positive.
    pub fn gradient_descent(step_size: f64) -> Result<Self, DynamicsError> {
        Self::new(Method::GradientDescent, step_size, 0.0)
    }

    /// Moves every factor of `model` by one step along its gradient.
    pub fn step<F: Factorization + ?Sized>(&mut self, model: &mut F, par: Par) {
        self.steps = self.steps.saturating_add(1);
        let mut index = 0;
        model.visit(&mut |parameter| {
            if self.state.len() == index {
                let rows = self.method.moments() * parameter.value.nrows();
                self.state.push(Mat::zeros(rows, parameter.value.ncols()));
            }
            if parameter.multiplier > 0.0 {
                self.update(index, parameter, par);
            }
            index += 1;
        });
    }

    fn update(&mut self, index: usize, parameter: Parameter<'_>, par: Par) {
        let (step, decay) = (self.step_size * parameter.multiplier, self.weight_decay);
        let state = self.state[index].as_mut();
        match self.method {
            Method::GradientDescent => each_column(parameter, state, par, |w, g, _| {
                for (w, g) in w.iter_mut().zip(g) {
                    *w -= step * (g + decay * *w);
                }
            }),
            Method::HeavyBall { momentum } => each_column(parameter, state, par, |w, g, v| {
                for ((w, g), v) in w.iter_mut().zip(g).zip(v) {
                    *v = momentum * *v + g + decay * *w;
                    *w -= step * *v;
                }
            }),
            Method::RmsProp { alpha, epsilon } => each_column(parameter, state, par, |w, g, v| {
                for ((w, g), v) in w.iter_mut().zip(g).zip(v) {
                    let g = g + decay * *w;
                    *v = alpha * *v + (1.0 - alpha) * g * g;
                    *w -= step * g / (v.sqrt() + epsilon);
                }
            }),
            Method::Adam { beta1, beta2, epsilon } => {
                let correct1 = 1.0 - beta1.powi(self.steps);
                let correct2 = 1.0 - beta2.powi(self.steps);
                each_column(parameter, state, par, |w, g, moments| {
                    let (m, v) = moments.split_at_mut(w.len());
                    for (((w, g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
                        let g = g + decay * *w;
                        *m = beta1 * *m + (1.0 - beta1) * g;
                        *v = beta2 * *v + (1.0 - beta2) * g * g;
                        *w -= step * (*m / correct1) / ((*v / correct2).sqrt() + epsilon);
                    }
                });
            }
        }
    }
}

/// Applies `update(column of W, of its gradient, of its state)` to every column, with the widest vectors of this machine.
/// Columns are independent, so threads do not change the result.
fn each_column<U: Fn(&mut [f64], &[f64], &mut [f64]) + Sync>(
    parameter: Parameter<'_>,
    state: MatMut<'_, f64>,
    par: Par,
    update: U,
) {
    let Parameter { value, gradient, .. } = parameter;
    let arch = Arch::new();
    if par.degree() < 2 || value.nrows() * value.ncols() < PARALLEL_ENTRIES {
        return arch.dispatch(Columns { value, gradient, state, update: &update });
    }
    value
        .par_col_chunks_mut(PARALLEL_COLUMNS)
        .zip(gradient.par_col_chunks(PARALLEL_COLUMNS))
        .zip(state.par_col_chunks_mut(PARALLEL_COLUMNS))
        .for_each(|((value, gradient), state)| arch.dispatch(Columns { value, gradient, state, update: &update }));
}

/// The columns of a factor, its gradient and its state, to be updated by code compiled for this machine's vectors: the
/// baseline's, of two numbers, take ten times as long (30 µs for three 100 × 100 factors).
struct Columns<'a, U> {
    value: MatMut<'a, f64>,
    gradient: MatRef<'a, f64>,
    state: MatMut<'a, f64>,
    update: &'a U,
}

impl<U: Fn(&mut [f64], &[f64], &mut [f64])> WithSimd for Columns<'_, U> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for ((w, g), s) in self.value.col_iter_mut().zip(self.gradient.col_iter()).zip(self.state.col_iter_mut()) {
            let w = w.try_as_col_major_mut().expect("factors are column-major").as_slice_mut();
            let g = g.try_as_col_major().expect("gradients are column-major").as_slice();
            let s = s.try_as_col_major_mut().expect("state is column-major").as_slice_mut();
            (self.update)(w, g, s);
        }
    }
}
