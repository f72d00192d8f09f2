//! Deep LoRA of full width (the paper's "original", section 4): `ΔW = W_L ⋯ W_1`, max(m, n) wide, applied merged.

use dynamics::random::Generator;
use faer::{MatRef, Par};
use serde::{Deserialize, Serialize};

use super::deep::{check_depth_and_scale, draw};
use super::product::Chain;
use super::{Adapter, AdapterError, Applied, AppliedGradient, Form, Invalid, Parameter};
use crate::method::Recipe;
use crate::{Real, Site};

/// `ΔW = W_L ⋯ W_1` with inner widths max(m, n), each factor `ε ×` a Haar-random orthogonal matrix (rows or columns cut
/// off where m ≠ n).
///
/// A step costs `3 (L − 1)` products of min(m, n) · max(m, n)² multiply-adds, multiplied from the shorter side: for L = 3
/// 0.7 GFLOP on a 384 × 384 weight, 10.9 GFLOP on a 1536 × 384 one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullWidth {
    /// Number of factors L, from 3.
    pub depth: usize,
    /// Init scale ε, above 0.
    pub init_scale: f64,
}

impl Recipe for FullWidth {
    fn check(&self) -> Result<(), Invalid> {
        check_depth_and_scale(self.depth, self.init_scale)
    }

    fn takes_embeddings(&self) -> bool {
        false
    }

    fn build<T: Real>(
        &self,
        _site: Site,
        (m, n): (usize, usize),
        _gradient: Option<MatRef<'_, T>>,
        rng: &mut Generator,
    ) -> Result<Box<dyn Adapter<T>>, AdapterError> {
        let parameters = draw((m, n), self.depth, m.max(n), self.init_scale, rng);
        let chain = Chain::new(&parameters, m < n);
        let mut adapter = Merged { parameters, chain };
        adapter.refresh(Par::Seq);
        Ok(Box::new(adapter))
    }
}

/// A product that is multiplied out.
struct Merged<T: Real> {
    /// `W_1` first.
    parameters: Vec<Parameter<T>>,
    chain: Chain<T>,
}

impl<T: Real> Adapter<T> for Merged<T> {
    fn shape(&self) -> (usize, usize) {
        self.chain.product(&self.parameters).shape()
    }

    fn form(&self) -> Form {
        Form::Merged
    }

    fn applied(&self) -> Applied<'_, T> {
        Applied::Merged(self.chain.product(&self.parameters))
    }

    fn refresh(&mut self, par: Par) {
        self.chain.multiply(&self.parameters, par);
    }

    fn pull_back(&mut self, gradient: &AppliedGradient<T>, par: Par) {
        let AppliedGradient::Merged(gradient) = gradient else {
            panic!("the gradient of a merged adapter is that of ΔW");
        };
        self.chain.pull_back(&mut self.parameters, gradient.as_ref(), par);
    }

    fn parameters(&self) -> &[Parameter<T>] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut self.parameters
    }
}
