//! LoRA (Hu et al. 2022, arXiv 2106.09685): `ΔW = B A`.

use dynamics::random::{Generator, gaussian};
use faer::{Mat, MatRef};
use serde::{Deserialize, Serialize};

use super::product::{Product, rounded};
use super::{Adapter, AdapterError, Group, Invalid, Parameter};
use crate::method::{Recipe, check_rank};
use crate::{Real, Site};

/// `ΔW = B A` with A (r × n) standard normal and B (m × r) zero, without a factor α/r: depth 2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// Rank r, from 1.
    pub rank: usize,
}

impl Recipe for Lora {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.rank >= 1, "rank", self.rank, "an integer from 1")
    }

    fn build<T: Real>(
        &self,
        site: Site,
        (m, n): (usize, usize),
        _gradient: Option<MatRef<'_, T>>,
        rng: &mut Generator,
    ) -> Result<Box<dyn Adapter<T>>, AdapterError> {
        check_rank(site, self.rank, (m, n))?;
        let a = rounded(gaussian(self.rank, n, rng).as_ref());
        let factors =
            vec![Parameter::new("A", a, Group::Inner), Parameter::new("B", Mat::zeros(m, self.rank), Group::Inner)];
        Ok(Box::new(Product::new(factors)))
    }
}
