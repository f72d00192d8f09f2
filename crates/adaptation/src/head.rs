//! The frozen random head: logits from a pooled hidden state.

use faer::Mat;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::Real;

/// `logits = weight · pooled + bias`; one output for regression, one per class otherwise. Never trained.
#[derive(Clone, Debug)]
pub struct Head<T: Real> {
    /// outputs × hidden.
    pub weight: Mat<T>,
    /// One per output.
    pub bias: Vec<T>,
}

impl<T: Real> Head<T> {
    /// Weights normal with this standard deviation, biases 0. BERT's classification head has 0.02 in PyTorch, 1/√hidden
    /// (LeCun) in the authors' code.
    pub fn random(outputs: usize, hidden: usize, deviation: f64, rng: &mut impl Rng) -> Self {
        let weight = Mat::from_fn(outputs, hidden, |_, _| T::of(deviation * rng.sample::<f64, _>(StandardNormal)));
        Self { weight, bias: vec![T::of(0.0); outputs] }
    }

    /// Number of logits.
    pub fn outputs(&self) -> usize {
        self.weight.nrows()
    }
}
