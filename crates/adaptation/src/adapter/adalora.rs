//! AdaLoRA's parametrization (Zhang et al. 2023, arXiv 2303.10512): `ΔW = P Λ Q` with a penalty for leaving orthogonality.
//!
//! Its budget allocator, which prunes entries of Λ while training, is not here: the rank stays as given.

use dynamics::dense;
use dynamics::random::{Generator, gaussian};
use faer::{Accum, Mat, Par, Scale};
use serde::{Deserialize, Serialize};

use super::product::{matmul, rounded, scaled_matmul};
use super::{Adapter, AdapterError, Applied, AppliedGradient, Form, Group, Invalid, Parameter};
use crate::Real;
use crate::method::{Place, Recipe};

/// Largest standard deviation of the initial P and Q: the authors' code.
const DEVIATION: f64 = 0.02;

/// `ΔW = P Λ Q` with P (m × r) and Q (r × n) normal, Λ diagonal and zero, and the penalty `γ (‖PᵀP − I‖² + ‖QQᵀ − I‖²)`
/// (Frobenius norms) added to the loss.
///
/// P and Q are drawn with standard deviation 0.02 as in the authors' code, but no more than `1/√side`: on a vocabulary of
/// 30 000 rows 0.02 would start with `PᵀP = 12 I` and a penalty far above any loss. The penalty moves every row of P at every
/// step, those of tokens that are not in the batch too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adalora {
    /// Rank r, from 1.
    pub rank: usize,
    /// Weight γ of the penalty, from 0; the paper uses 0.1 to 0.5.
    pub orthogonality: f64,
}

impl Recipe for Adalora {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.rank >= 1, "rank", self.rank, "an integer from 1")?;
        let weight = self.orthogonality;
        Invalid::unless(weight >= 0.0 && weight.is_finite(), "orthogonality", weight, "a number from 0")
    }

    fn build<T: Real>(&self, place: &Place<'_, T>, rng: &mut Generator) -> Result<Box<dyn Adapter<T>>, AdapterError> {
        let (m, n) = place.check_rank(self.rank)?;
        let deviation = |side: usize| Scale(DEVIATION.min(1.0 / (side as f64).sqrt()));
        let q = gaussian(self.rank, n, rng) * deviation(n);
        let p = gaussian(m, self.rank, rng) * deviation(m);
        let mut adapter = SvdForm {
            parameters: [
                Parameter::new("Q", rounded(q.as_ref()).as_ref(), Group::Inner),
                Parameter::new("lambda", Mat::zeros(self.rank, 1).as_ref(), Group::Inner),
                Parameter::new("P", rounded(p.as_ref()).as_ref(), Group::Inner),
            ],
            right: dense::zeros(self.rank, n),
            deviations: [dense::zeros(self.rank, self.rank), dense::zeros(self.rank, self.rank)],
            weight: T::of(self.orthogonality),
        };
        adapter.refresh(Par::Seq);
        Ok(Box::new(adapter))
    }
}

/// `P Λ Q`, applied as `left = P`, `right = Λ Q`.
struct SvdForm<T: Real> {
    /// Q (r × n), Λ's diagonal (r × 1), P (m × r).
    parameters: [Parameter<T>; 3],
    /// `Λ Q`.
    right: Mat<T>,
    /// `QQᵀ − I` and `PᵀP − I`.
    deviations: [Mat<T>; 2],
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
                self.right[(k, j)] = lambda.value[(k, 0)] * q[(k, j)];
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
                q.gradient[(k, j)] = lambda.value[(k, 0)] * right[(k, j)];
                lambda.gradient[(k, 0)] += q.value[(k, j)] * right[(k, j)];
            }
        }
        p.gradient.copy_from(left);
        // d‖QQᵀ − I‖² = 4 (QQᵀ − I) Q, d‖PᵀP − I‖² = 4 P (PᵀP − I).
        let alpha = T::of(4.0) * self.weight;
        let [of_q, of_p] = &self.deviations;
        scaled_matmul(q.gradient.as_mut(), Accum::Add, of_q.as_ref(), q.value.as_ref(), alpha, par);
        scaled_matmul(p.gradient.as_mut(), Accum::Add, p.value.as_ref(), of_p.as_ref(), alpha, par);
    }

    fn penalty(&self) -> T {
        self.weight * self.deviations.iter().fold(T::of(0.0), |sum, deviation| sum + deviation.squared_norm_l2())
    }

    fn parameters(&self) -> &[Parameter<T>] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut self.parameters
    }
}
