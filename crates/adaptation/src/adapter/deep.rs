//! Deep LoRA (the paper, section 4): `ΔW = W_L ⋯ W_1`, narrow or of full width.

use dynamics::Initialization;
use dynamics::random::Generator;
use faer::{Mat, MatRef};
use serde::{Deserialize, Serialize};

use super::product::{Merged, Product, rounded};
use super::width::Width;
use super::{Adapter, AdapterError, Group, Invalid, Parameter};
use crate::method::{Place, Recipe};
use crate::{Real, Site};

/// `ΔW = W_L ⋯ W_1` of inner width k: `W_1` k × n, middle factors k × k, `W_L` m × k, each `ε ×` a Haar-random orthogonal
/// matrix (rows or columns cut off).
///
/// A narrow product is applied as the two factors `W_L` and `W_{L−1} ⋯ W_1`. One of full width is multiplied out where that
/// takes fewer operations ([`merged_is_cheaper`]); on an embedding it never is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepLora {
    /// Inner width k.
    pub rank: Width,
    /// Number of factors L, from 3.
    pub depth: usize,
    /// Init scale ε, above 0.
    pub init_scale: f64,
}

impl Recipe for DeepLora {
    fn check(&self) -> Result<(), Invalid> {
        self.rank.check("rank")?;
        check_depth_and_scale(self.depth, self.init_scale)
    }

    fn build<T: Real>(&self, place: &Place<'_, T>, rng: &mut Generator) -> Result<Box<dyn Adapter<T>>, AdapterError> {
        let shape = place.check_rank(self.rank.of(place.shape))?;
        let full = self.rank == Width::Full && !place.site.is_embedding();
        let factors = parameters(place.site, draw(shape, self.depth, self.rank.of(shape), self.init_scale, rng));
        if full && merged_is_cheaper(shape, self.depth, place.tokens) {
            return Ok(Box::new(Merged::new(factors)));
        }
        Ok(Box::new(Product::new(factors)))
    }
}

/// Whether a product of full width k = min(m, n) on a dense m × n weight takes fewer multiply-adds in a step if it is multiplied
/// out, for this many tokens T (columns of the layer's input).
///
/// - Multiplied out: every one of the L − 1 products of the chain, from the shorter side (L − 2 of k × k × k, one of
///   k × k × max(m, n)), has two more on the way back; the gradient of `ΔW` takes T m n. The layer itself costs nothing more.
/// - As two factors: three times the L − 2 products of `W_{L−1} ⋯ W_1` (k × k × n each); and three times T k (m + n), for both
///   factors forward, back, and their gradients.
pub fn merged_is_cheaper((m, n): (usize, usize), depth: usize, tokens: usize) -> bool {
    let (short, long) = (m.min(n) as f64, m.max(n) as f64);
    let (m, n, inner, tokens) = (m as f64, n as f64, depth as f64 - 2.0, tokens as f64);
    let merged = 3.0 * short * short * (inner * short + long) + tokens * m * n;
    let factored = 3.0 * inner * short * short * n + 3.0 * tokens * short * (m + n);
    merged < factored
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
) -> Vec<Mat<T>> {
    (1..=depth)
        .map(|l| {
            let rows = if l == depth { m } else { width };
            let columns = if l == 1 { n } else { width };
            rounded(Initialization::Orthogonal.draw(rows, columns, scale, rng).as_ref())
        })
        .collect()
}

/// The trained factors `W_1`, `W_2` and so on of a product on a site.
fn parameters<T: Real>(site: Site, factors: Vec<Mat<T>>) -> Vec<Parameter<T>> {
    let depth = factors.len();
    let of = |(place, value): (usize, Mat<T>)| {
        let name = format!("W_{}", place + 1);
        match place + 1 == depth {
            true => factor(site, &name, value.as_ref(), Group::Inner),
            false => Parameter::new(name, value.as_ref(), Group::Inner),
        }
    };
    factors.into_iter().enumerate().map(of).collect()
}

/// The last factor of a product on a site: a table if its rows are looked up and no more.
pub(super) fn factor<T: Real>(site: Site, name: &str, value: MatRef<'_, T>, group: Group) -> Parameter<T> {
    if site.is_only_looked_up() { Parameter::table(name, value, group) } else { Parameter::new(name, value, group) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Multiply-adds counted by hand for MiniLM's and BERT-base's shapes at L = 3, with 480 tokens.
    #[test]
    fn the_form_with_fewer_operations() {
        for (shape, tokens, merged) in [
            // 410 million against 595.
            ((384, 384), 480, true),
            // The pooler of 16 sequences: 342 against 184.
            ((384, 384), 16, false),
            // 1132 against 1231.
            ((1536, 384), 480, true),
            // 1132 against 1741.
            ((384, 1536), 480, true),
            // 3001 against 3058.
            ((768, 768), 480, true),
            // 7927 against 5606.
            ((3072, 768), 480, false),
            // 7927 against 9682.
            ((768, 3072), 480, true),
        ] {
            assert_eq!(merged_is_cheaper(shape, 3, tokens), merged, "{shape:?}, {tokens} tokens");
        }
    }
}
