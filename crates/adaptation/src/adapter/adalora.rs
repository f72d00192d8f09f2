//! AdaLoRA (Zhang et al. 2023, arXiv 2303.10512): `ΔW = s P Λ Q` with a penalty for leaving orthogonality, and a
//! [budget](super::Budget) of singular values that all adapted matrices share.

use dynamics::dense;
use dynamics::random::{Generator, gaussian};
use faer::{Accum, Mat, Par, Scale};
use serde::{Deserialize, Serialize};

use super::product::{matmul, rounded, scaled_matmul};
use super::{Adapter, AdapterError, Applied, AppliedGradient, Form, Group, Invalid, Parameter};
use crate::Real;
use crate::method::{Place, Recipe};

/// Standard deviation of the initial P and Q: the authors' code, and PEFT.
const DEVIATION: f64 = 0.02;
/// What PEFT adds to the rank that it divides α by.
const RANK_SHIFT: f64 = 1e-5;

/// `ΔW = s P Λ Q` with P (m × r) and Q (r × n) normal of standard deviation 0.02, Λ diagonal and zero, r the initial rank, and
/// `s = α / (r + 1e-5)`, which stays when the rank falls. Of all `2M` matrices P and Q of the M adapted weights,
/// `γ / (2M) Σ (‖PᵀP − I‖ + ‖QQᵀ − I‖)` (Frobenius norms, not squared) is added to the loss. This is PEFT 0.21; the paper has
/// squares and a sum.
///
/// The [budget](super::Budget): after a warm-up in which all r M triplets are there, those of the least importance are set to 0,
/// so that `r M` falls by a cubic curve to `target_rank` M, which is reached where the final phase begins; a matrix may
/// keep anything from 0 to r. The phases are fractions of a run's steps, so that runs of different lengths have the same shape;
/// `round(fraction × steps)`, and one step at least for the final phase, give PEFT's `tinit` and `tfinal`.
///
/// As in PEFT, embeddings are not adapted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adalora {
    /// Rank r of every matrix at the start; the paper takes 1.5 times the target.
    pub initial_rank: usize,
    /// Mean rank of the matrices at the end, from 1 to the initial rank.
    pub target_rank: usize,
    /// α, above 0: with the initial rank, `ΔW` is `P Λ Q`.
    pub alpha: f64,
    /// Weight γ of the penalty, from 0; the paper uses 0.1 to 0.5.
    pub orthogonality: f64,
    /// Fraction of the steps before the budget falls, from 0.
    pub warmup: f64,
    /// Fraction of the steps after it has fallen, above 0; with `warmup` below 1.
    pub final_phase: f64,
    /// Between the phases triplets are chosen anew at every step whose number is a multiple of this; from 1.
    pub interval: u64,
    /// β₁ in (0, 1), which smooths sensitivities; the paper has 0.85.
    pub beta1: f64,
    /// β₂ in (0, 1), which smooths their uncertainty; the paper has 0.85.
    pub beta2: f64,
}

impl Adalora {
    /// With this rank on average at the end, from 1.5 times as many; `ΔW = P Λ Q`, γ = 0.1, β₁ = β₂ = 0.85, and phases about as the
    /// authors have them on RTE (600 and 1800 of 3900 steps, chosen anew at each).
    pub fn of_rank(rank: usize) -> Self {
        let initial_rank = (3 * rank).div_ceil(2);
        Self {
            initial_rank,
            target_rank: rank,
            alpha: initial_rank as f64,
            orthogonality: 0.1,
            warmup: 0.2,
            final_phase: 0.4,
            interval: 1,
            beta1: 0.85,
            beta2: 0.85,
        }
    }
}

impl Recipe for Adalora {
    fn check(&self) -> Result<(), Invalid> {
        let Self { initial_rank, target_rank, alpha, orthogonality, warmup, final_phase, interval, .. } = *self;
        Invalid::unless(initial_rank >= 1, "initial_rank", initial_rank, "an integer from 1")?;
        let allowed = format!("an integer from 1 to the initial rank ({initial_rank})");
        Invalid::unless((1..=initial_rank).contains(&target_rank), "target_rank", target_rank, &allowed)?;
        Invalid::unless(alpha > 0.0 && alpha.is_finite(), "alpha", alpha, "a number above 0")?;
        let weighs = orthogonality >= 0.0 && orthogonality.is_finite();
        Invalid::unless(weighs, "orthogonality", orthogonality, "a number from 0")?;
        Invalid::unless((0.0..1.0).contains(&warmup), "warmup", warmup, "a number in [0, 1)")?;
        let ends = final_phase > 0.0 && warmup + final_phase < 1.0;
        let allowed = format!("a number above 0 and, with warmup ({warmup}), below 1");
        Invalid::unless(ends, "final_phase", final_phase, &allowed)?;
        Invalid::unless(interval >= 1, "interval", interval, "an integer from 1")?;
        [("beta1", self.beta1), ("beta2", self.beta2)]
            .into_iter()
            .try_for_each(|(key, beta)| Invalid::unless(beta > 0.0 && beta < 1.0, key, beta, "a number in (0, 1)"))
    }

    fn takes_embeddings(&self) -> bool {
        false
    }

    fn budget(&self) -> Option<Adalora> {
        Some(*self)
    }

    fn build<T: Real>(&self, place: &Place<'_, T>, rng: &mut Generator) -> Result<Box<dyn Adapter<T>>, AdapterError> {
        let rank = self.initial_rank;
        let (m, n) = place.check_rank(rank)?;
        let q = gaussian(rank, n, rng) * Scale(DEVIATION);
        let p = gaussian(m, rank, rng) * Scale(DEVIATION);
        let mut adapter = SvdForm {
            parameters: [
                Parameter::new("Q", rounded(q.as_ref()).as_ref(), Group::Inner),
                Parameter::new("lambda", Mat::zeros(rank, 1).as_ref(), Group::Inner),
                Parameter::new("P", rounded(p.as_ref()).as_ref(), Group::Inner),
            ],
            right: dense::zeros(rank, n),
            deviations: [dense::zeros(rank, rank), dense::zeros(rank, rank)],
            scale: T::of(self.alpha / (rank as f64 + RANK_SHIFT)),
            weight: T::of(self.orthogonality / (2 * place.matrices) as f64),
        };
        adapter.refresh(Par::Seq);
        Ok(Box::new(adapter))
    }
}

/// `s P Λ Q`, applied as `left = P`, `right = s Λ Q`.
struct SvdForm<T: Real> {
    /// Q (r × n), Λ's diagonal (r × 1), P (m × r).
    parameters: [Parameter<T>; 3],
    /// `s Λ Q`.
    right: Mat<T>,
    /// `QQᵀ − I` and `PᵀP − I`.
    deviations: [Mat<T>; 2],
    /// s.
    scale: T,
    /// Of the norm of each deviation in the loss.
    weight: T,
}

impl<T: Real> Adapter<T> for SvdForm<T> {
    fn shape(&self) -> (usize, usize) {
        (self.parameters[2].value.nrows(), self.parameters[0].value.ncols())
    }

    fn form(&self) -> Form {
        Form::Factored { rank: self.right.nrows() }
    }

    fn applied(&self) -> Applied<'_, T> {
        Applied::Factored { left: self.parameters[2].value.as_ref(), right: self.right.as_ref() }
    }

    fn refresh(&mut self, par: Par) {
        let [q, lambda, p] = &self.parameters;
        let (q, p) = (q.value.as_ref(), p.value.as_ref());
        for j in 0..q.ncols() {
            for k in 0..q.nrows() {
                self.right[(k, j)] = self.scale * lambda.value[(k, 0)] * q[(k, j)];
            }
        }
        let [of_q, of_p] = &mut self.deviations;
        matmul(of_q.as_mut(), Accum::Replace, q, q.transpose(), par);
        matmul(of_p.as_mut(), Accum::Replace, p.transpose(), p, par);
        for k in 0..q.nrows() {
            of_q[(k, k)] -= T::of(1.0);
            of_p[(k, k)] -= T::of(1.0);
        }
    }

    fn pull_back(&mut self, gradient: &AppliedGradient<T>, par: Par) {
        let AppliedGradient::Factored { left, right } = gradient else {
            panic!("the gradient of a factored adapter is that of its two factors");
        };
        let [q, lambda, p] = &mut self.parameters;
        lambda.gradient.fill(T::of(0.0));
        for j in 0..right.ncols() {
            for k in 0..right.nrows() {
                let scaled = self.scale * right[(k, j)];
                q.gradient[(k, j)] = lambda.value[(k, 0)] * scaled;
                lambda.gradient[(k, 0)] += q.value[(k, j)] * scaled;
            }
        }
        p.gradient.copy_from(left);
        // With D = QQᵀ − I, d‖D‖ = 2 D Q / ‖D‖; with D = PᵀP − I, d‖D‖ = 2 P D / ‖D‖. Where D is 0, it is 0.
        let [of_q, of_p] = &self.deviations;
        let alpha = |deviation: &Mat<T>| {
            let norm = deviation.norm_l2();
            if norm > T::of(0.0) { T::of(2.0) * self.weight / norm } else { T::of(0.0) }
        };
        scaled_matmul(q.gradient.as_mut(), Accum::Add, of_q.as_ref(), q.value.as_ref(), alpha(of_q), par);
        scaled_matmul(p.gradient.as_mut(), Accum::Add, p.value.as_ref(), of_p.as_ref(), alpha(of_p), par);
    }

    fn penalty(&self) -> T {
        self.weight * self.deviations.iter().fold(T::of(0.0), |sum, deviation| sum + deviation.norm_l2())
    }

    fn parameters(&self) -> &[Parameter<T>] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut self.parameters
    }
}
