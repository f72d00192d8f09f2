//! LoRA (Hu et al. 2022, arXiv 2106.09685): `ΔW = B A`.

use dynamics::random::{Generator, gaussian};
use faer::Mat;
use serde::{Deserialize, Serialize};

use super::deep::factor;
use super::product::{Product, rounded};
use super::{Adapter, AdapterError, Group, Invalid, Parameter};
use crate::Real;
use crate::method::{Place, Recipe};

/// `ΔW = B A` with A r × n and B m × r, one of them zero and the other one standard normal, without a factor α/r: depth 2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// Rank r, from 1.
    pub rank: usize,
    /// Which factor starts at zero.
    pub zero: ZeroFactor,
}

/// The factor of LoRA that starts at zero (Hayou et al. 2024, arXiv 2406.08447).
///
/// The input's side of an embedding is that of the vocabulary: a token is the input, its row the output. `ΔW` being
/// vocabulary × hidden there, that factor is B. It is the one that starts at zero on embeddings for both choices: [`Input`](Self::Input)
/// says so, and PEFT makes this exception from [`Output`](Self::Output).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroFactor {
    /// A, on the side of the input: what the authors of the paper ran ("Init\[B\]").
    Input,
    /// B, on the side of the output: LoRA's own and PEFT's ("Init\[A\]").
    Output,
}

impl Recipe for Lora {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.rank >= 1, "rank", self.rank, "an integer from 1")
    }

    fn build<T: Real>(&self, place: &Place<'_, T>, rng: &mut Generator) -> Result<Box<dyn Adapter<T>>, AdapterError> {
        let (rank, (m, n)) = (self.rank, place.check_rank(self.rank)?);
        let (a, b) = if self.zero == ZeroFactor::Output || place.site.is_embedding() {
            (rounded(gaussian(rank, n, rng).as_ref()), Mat::zeros(m, rank))
        } else {
            (Mat::zeros(rank, n), rounded(gaussian(m, rank, rng).as_ref()))
        };
        let last = factor(place.site, "B", b.as_ref(), Group::Inner);
        Ok(Box::new(Product::new(vec![Parameter::new("A", a.as_ref(), Group::Inner), last])))
    }
}
