//! Deep LoRA (the paper, section 4): `ΔW = W_L ⋯ W_1`, narrow throughout.

use dynamics::Initialization;
use dynamics::random::Generator;
use faer::MatRef;
use serde::{Deserialize, Serialize};

use super::product::{Product, rounded};
use super::{Adapter, AdapterError, Group, Invalid, Parameter};
use crate::method::{Recipe, check_rank};
use crate::{Real, Site};

/// `ΔW = W_L ⋯ W_1` of width r: `W_1` r × n, middle factors r × r, `W_L` m × r, each `ε ×` a Haar-random orthogonal
/// matrix (rows or columns cut off).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepLora {
    /// Rank r, from 1.
    pub rank: usize,
    /// Number of factors L, from 3.
    pub depth: usize,
    /// Init scale ε, above 0.
    pub init_scale: f64,
}

impl Recipe for DeepLora {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.rank >= 1, "rank", self.rank, "an integer from 1")?;
        check_depth_and_scale(self.depth, self.init_scale)
    }

    fn build<T: Real>(
        &self,
        site: Site,
        shape: (usize, usize),
        _gradient: Option<MatRef<'_, T>>,
        rng: &mut Generator,
    ) -> Result<Box<dyn Adapter<T>>, AdapterError> {
        check_rank(site, self.rank, shape)?;
        Ok(Box::new(Product::new(draw(shape, self.depth, self.rank, self.init_scale, rng))))
    }
}

/// What all deep methods ask of their depth and init scale.
pub(super) fn check_depth_and_scale(depth: usize, init_scale: f64) -> Result<(), Invalid> {
    Invalid::unless(depth >= 3, "depth", depth, "an integer from 3")?;
    let allowed = init_scale > 0.0 && init_scale.is_finite();
    Invalid::unless(allowed, "init_scale", init_scale, "a number above 0")
}

/// The factors of a deep product of the given width, `W_1` first, each `scale ×` orthogonal.
pub(super) fn draw<T: Real>(
    (m, n): (usize, usize),
    depth: usize,
    width: usize,
    scale: f64,
    rng: &mut Generator,
) -> Vec<Parameter<T>> {
    (1..=depth)
        .map(|l| {
            let rows = if l == depth { m } else { width };
            let columns = if l == 1 { n } else { width };
            let value = Initialization::Orthogonal.draw(rows, columns, scale, rng);
            Parameter::new(format!("W_{l}"), rounded(value.as_ref()), Group::Inner)
        })
        .collect()
}
