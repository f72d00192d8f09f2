//! Compressed Deep LoRA (the paper, section 4.2): the narrow form of the full-width one, from the gradient of the first batch.

use dynamics::decomposition::{orthonormal_basis, thin_svd};
use dynamics::random::Generator;
use faer::{Accum, Mat, MatRef, Par};
use serde::{Deserialize, Serialize};

use super::deep::{check_depth_and_scale, draw, factor};
use super::product::{Product, matmul, rounded, widened};
use super::{Adapter, AdapterError, Group, Invalid, Parameter, RowBlock};
use crate::Real;
use crate::method::{Place, Recipe};

/// `ΔW = U W_L ⋯ W_1 Vᵀ` with r × r inner factors `ε I`, and bases U (m × r) and V (n × r) from the full-width factors
/// of the same stream and the gradient G of the first batch with respect to `ΔW`, without dropout.
///
/// The paper has, with r̂ = r/2: V an orthonormal basis of the top-r̂ right singular vectors of `∇W_1` and of `∇W_1ᵀ W_1(0)`, and
/// `U = W_L(0) ⋯ W_1(0) V / ε^L`. Let `E = W_L(0) ⋯ W_1(0) / ε^L`, and `U_R`, `V_R` the top-r̂ singular vectors of G.
/// - m ≤ n: the factors above `W_1` are m × m orthogonal, so `∇W_1 = ε^{L−1} Q G` with Q orthogonal, and E has orthonormal rows.
///   That gives V as a basis of `span{V_R, Eᵀ U_R}` and `U = E V`.
/// - m > n: the same for `ΔWᵀ = W_1ᵀ ⋯ W_Lᵀ`: U is a basis of `span{U_R, E V_R}` and `V = Eᵀ U` (as
///   [`dynamics::compression::compress`] does). Taken to the letter, `∇W_1` is n × n there, and of G no more than its projection
///   on n random directions out of m would be seen: nearly nothing of the m = 30 000 rows of an embedding.
///
/// Either way U and V span the leading singular vectors of G, and the longer side's basis is orthonormal.
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

    fn build<T: Real>(&self, place: &Place<'_, T>, rng: &mut Generator) -> Result<Box<dyn Adapter<T>>, AdapterError> {
        let (site, shape) = (place.site, place.check_rank(self.rank)?);
        let gradient = place.gradient.ok_or_else(|| AdapterError::NoGradient { site: site.name() })?;
        let norm = gradient.norm();
        if !(norm > 0.0 && norm.is_finite()) {
            return Err(AdapterError::Gradient { site: site.name(), norm });
        }
        let original = initial_product(shape, self.depth, rng);
        let (left, right) = gradient.leading(self.rank / 2)?;
        let (left, right) = bases(left.as_ref(), right.as_ref(), original.as_ref());
        let mut factors = vec![Parameter::new("V", rounded(right.transpose()).as_ref(), Group::Outer)];
        factors.extend((1..=self.depth).map(|l| {
            let scaled = Mat::<f64>::identity(self.rank, self.rank) * faer::Scale(self.init_scale);
            Parameter::new(format!("W_{l}"), rounded(scaled.as_ref()).as_ref(), Group::Inner)
        }));
        factors.push(factor(site, "U", rounded(left.as_ref()).as_ref(), Group::Outer));
        Ok(Box::new(Product::new(factors)))
    }
}

/// The gradient of the first batch with respect to `ΔW`, m × n.
#[derive(Clone, Copy, Debug)]
pub enum FirstGradient<'a, T: Real> {
    /// Of a dense weight.
    Dense(MatRef<'a, T>),
    /// Of an embedding: the rows of tokens in the batch.
    Rows(&'a RowBlock<T>),
}

impl<T: Real> FirstGradient<'_, T> {
    /// Frobenius norm.
    fn norm(self) -> f64 {
        match self {
            Self::Dense(gradient) => gradient.norm_l2().as_f64(),
            Self::Rows(rows) => rows.block().norm_l2().as_f64(),
        }
    }

    /// The top-`count` left and right singular vectors. Of a gradient by rows, they are found in those rows alone.
    fn leading(self, count: usize) -> Result<(Mat<f64>, Mat<f64>), AdapterError> {
        let leading = |matrix: MatRef<'_, f64>| -> Result<(Mat<f64>, Mat<f64>), AdapterError> {
            let svd = thin_svd(matrix)?;
            Ok((svd.left.subcols(0, count).to_owned(), svd.right.subcols(0, count).to_owned()))
        };
        match self {
            Self::Dense(gradient) => leading(widened(gradient).as_ref()),
            Self::Rows(rows) => {
                // With too few of them to have so many singular vectors, some of the rows of zeros too.
                let mut places = rows.rows().to_vec();
                let absent = (0..rows.shape().0).filter(|row| rows.rows().binary_search(row).is_err());
                places.extend(absent.take(count.saturating_sub(places.len())));
                let mut block = Mat::zeros(places.len(), rows.shape().1);
                block.subrows_mut(0, rows.rows().len()).copy_from(widened(rows.block()).transpose());
                let (of_block, right) = leading(block.as_ref())?;
                let mut left = Mat::zeros(rows.shape().0, count);
                for (place, &row) in places.iter().enumerate() {
                    left.row_mut(row).copy_from(of_block.row(place));
                }
                Ok((left, right))
            }
        }
    }
}

/// E: the product of the full-width factors that this stream gives, without ε, multiplied from the shorter side.
fn initial_product((m, n): (usize, usize), depth: usize, rng: &mut Generator) -> Mat<f64> {
    let factors: Vec<Mat<f64>> = draw((m, n), depth, m.min(n), 1.0, rng);
    let product = |lhs: &Mat<f64>, rhs: &Mat<f64>| {
        let mut dst = Mat::zeros(lhs.nrows(), rhs.ncols());
        matmul(dst.as_mut(), Accum::Replace, lhs.as_ref(), rhs.as_ref(), Par::Seq);
        dst
    };
    let folded = if m < n {
        factors.into_iter().rev().reduce(|left, next| product(&left, &next))
    } else {
        factors.into_iter().reduce(|right, next| product(&next, &right))
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
    let (left, right) = FirstGradient::Dense(gradient).leading(rank)?;
    Ok(bases(left.as_ref(), right.as_ref(), product))
}

/// U and V from the top-r̂ singular vectors of the gradient and E.
fn bases(left: MatRef<'_, f64>, right: MatRef<'_, f64>, product: MatRef<'_, f64>) -> (Mat<f64>, Mat<f64>) {
    let ((m, n), rank) = (product.shape(), left.ncols());
    if m > n {
        let (right, left) = bases(right, left, product.transpose());
        return (left, right);
    }
    let mut spanning = Mat::zeros(n, 2 * rank);
    spanning.subcols_mut(0, rank).copy_from(right);
    matmul(spanning.subcols_mut(rank, rank), Accum::Replace, product.transpose(), left, Par::Seq);
    let right = orthonormal_basis(&spanning);
    let mut left = Mat::zeros(m, 2 * rank);
    matmul(left.as_mut(), Accum::Replace, product, right.as_ref(), Par::Seq);
    (left, right)
}
