//! Compressed Deep LoRA (the paper, section 4.2): the narrow twin of the full-width one, from the gradient of the first batch.

use dynamics::decomposition::{orthonormal_basis, thin_svd};
use dynamics::random::Generator;
use faer::{Accum, Mat, MatRef, Par};
use serde::{Deserialize, Serialize};

use super::deep::{check_depth_and_scale, draw};
use super::product::{Product, matmul, rounded, widened};
use super::{Adapter, AdapterError, Group, Invalid, Parameter};
use crate::method::{Recipe, check_rank};
use crate::{Real, Site};

/// `ΔW = U W_L ⋯ W_1 Vᵀ` with r × r inner factors `ε I`, and bases U (m × r) and V (n × r) from the full-width factors
/// of the same stream and the gradient G of the first batch with respect to `ΔW`.
///
/// With r̂ = r/2, `E = W_L(0) ⋯ W_1(0) / ε^L` of the full-width adapter (a matrix with orthonormal rows if m ≤ n) and
/// `U_R`, `V_R` the top-r̂ singular vectors of G: V is an orthonormal basis of `span{V_R, Eᵀ U_R}` and `U = E V`. These are
/// the spans of the top-r̂ right singular vectors of `∇W_1` and of `∇W_1ᵀ W_1(0)`, since `∇W_1 = ε^{L−1} Q G` with
/// orthonormal columns of Q. For m > n the same is done with everything transposed (as
/// [`dynamics::compression::compress`] does), so that the orthonormal basis is the longer side's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compressed {
    /// Rank r of the inner factors, 2r̂; an even integer from 2.
    pub rank: usize,
    /// Number of inner factors L, the depth of the full-width adapter; from 3.
    pub depth: usize,
    /// Init scale ε, above 0.
    pub init_scale: f64,
    /// Discrepant step γ: U and V move with γ times the step size; from 0.
    pub discrepant_step: f64,
}

impl Recipe for Compressed {
    fn check(&self) -> Result<(), Invalid> {
        let even = self.rank >= 2 && self.rank.is_multiple_of(2);
        Invalid::unless(even, "rank", self.rank, "an even integer from 2")?;
        check_depth_and_scale(self.depth, self.init_scale)?;
        let step = self.discrepant_step;
        Invalid::unless(step >= 0.0 && step.is_finite(), "discrepant_step", step, "a number from 0")
    }

    fn needs_gradient(&self) -> bool {
        true
    }

    fn discrepant_step(&self) -> f64 {
        self.discrepant_step
    }

    fn takes_embeddings(&self) -> bool {
        false
    }

    fn build<T: Real>(
        &self,
        site: Site,
        (m, n): (usize, usize),
        gradient: Option<MatRef<'_, T>>,
        rng: &mut Generator,
    ) -> Result<Box<dyn Adapter<T>>, AdapterError> {
        check_rank(site, self.rank, (m, n))?;
        let gradient = gradient.ok_or_else(|| AdapterError::NoGradient { site: site.name() })?;
        let norm = gradient.norm_l2().as_f64();
        if !(norm > 0.0 && norm.is_finite()) {
            return Err(AdapterError::Gradient { site: site.name(), norm });
        }
        let original = initial_product((m, n), self.depth, rng);
        let (left, right) = compressed_bases(widened(gradient).as_ref(), original.as_ref(), self.rank / 2)?;
        let mut factors = vec![Parameter::new("V", rounded(right.transpose()), Group::Outer)];
        factors.extend((1..=self.depth).map(|l| {
            let scaled = Mat::<f64>::identity(self.rank, self.rank) * faer::Scale(self.init_scale);
            Parameter::new(format!("W_{l}"), rounded(scaled.as_ref()), Group::Inner)
        }));
        factors.push(Parameter::new("U", rounded(left.as_ref()), Group::Outer));
        Ok(Box::new(Product::new(factors)))
    }
}

/// E: the product of the full-width factors that this stream gives, without ε, multiplied from the shorter side.
fn initial_product((m, n): (usize, usize), depth: usize, rng: &mut Generator) -> Mat<f64> {
    let factors: Vec<Parameter<f64>> = draw((m, n), depth, m.max(n), 1.0, rng);
    let product = |lhs: &Mat<f64>, rhs: &Mat<f64>| {
        let mut dst = Mat::zeros(lhs.nrows(), rhs.ncols());
        matmul(dst.as_mut(), Accum::Replace, lhs.as_ref(), rhs.as_ref(), Par::Seq);
        dst
    };
    let values = factors.into_iter().map(|factor| factor.value);
    let folded = if m < n {
        values.rev().reduce(|left, next| product(&left, &next))
    } else {
        values.reduce(|right, next| product(&next, &right))
    };
    folded.expect("at least three factors")
}

/// U (m × 2r̂) and V (n × 2r̂) of a compressed adapter, from the gradient with respect to `ΔW` and the full-width adapter's
/// initial product E (divided by `ε^L`), both m × n; `rank` is r̂.
///
/// # Errors
/// If the decomposition of the gradient does not converge.
///
/// # Panics
/// If the shapes differ, or 2r̂ exceeds the shorter side.
pub fn compressed_bases(
    gradient: MatRef<'_, f64>,
    product: MatRef<'_, f64>,
    rank: usize,
) -> Result<(Mat<f64>, Mat<f64>), AdapterError> {
    let (m, n) = gradient.shape();
    assert_eq!(product.shape(), (m, n), "the gradient has the shape of ΔW");
    assert!(2 * rank <= m.min(n), "2r̂ = {} on a {m} × {n} weight", 2 * rank);
    if m > n {
        let (right, left) = compressed_bases(gradient.transpose(), product.transpose(), rank)?;
        return Ok((left, right));
    }
    let svd = thin_svd(gradient)?;
    let mut spanning = Mat::zeros(n, 2 * rank);
    spanning.subcols_mut(0, rank).copy_from(svd.right.subcols(0, rank));
    let pulled = spanning.subcols_mut(rank, rank);
    matmul(pulled, Accum::Replace, product.transpose(), svd.left.subcols(0, rank), Par::Seq);
    let right = orthonormal_basis(&spanning);
    let mut left = Mat::zeros(m, 2 * rank);
    matmul(left.as_mut(), Accum::Replace, product, right.as_ref(), Par::Seq);
    Ok((left, right))
}
