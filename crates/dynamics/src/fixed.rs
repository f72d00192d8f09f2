//! The compressed factorization with fixed bases (γ = 0), for which no pass over the observed entries is needed.
//!
//! With U and V fixed the end-to-end product is linear in the core `C = W̃_L ⋯ W̃_1`, and the loss is a quadratic form in
//! its `k²` entries: `f = w/2 (⟨C − C*, H (C − C*)⟩ + c₀)` with `H = Σ_Ω (u_i u_iᵀ) ⊗ (v_j v_jᵀ)`, the least-squares solution
//! C* and what it leaves, c₀. H is built once; an iteration then costs one `k² × k²` product. Under full observation
//! and orthonormal bases H is the identity. Of measurements by matrices A_i it is `Σ_i vec(Uᵀ A_i V) vec(Uᵀ A_i V)ᵀ`: they are
//! projected once, and not read again. Expanding around C* leaves no cancellation: the loss is accurate down to zero.

use faer::linalg::solvers::{Llt, Solve};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};

use crate::DynamicsError;
use crate::chain::Chain;
use crate::dense::{Padded, matmul};
use crate::factorization::{CompressedFactorization, Factorization, Parameter, copies};
use crate::problem::{Measurements, Objective, Observed, Workspace};
use crate::sparse::ObservedEntries;

/// How far `UᵀU` may be from the identity for H to count as the identity under full observation.
const ORTHONORMAL: f64 = 1e-12;

/// A compressed factorization whose bases never move, together with the objective it is trained on.
///
/// Its gradient descent is that of [`CompressedFactorization`] with γ = 0 on the same objective, up to rounding.
#[derive(Clone, Debug)]
pub struct FixedFactorization {
    core: Chain,
    left: Padded,
    right: Padded,
    product: Padded,
    quadratic: Quadratic,
    /// `vec(C − C*)` and `H` times it.
    offset: Mat<f64>,
    image: Mat<f64>,
}

/// The loss as a function of `vec(C)` (column by column).
#[derive(Clone, Debug)]
struct Quadratic {
    /// `k² × k²`; none if it is the identity.
    hessian: Option<Mat<f64>>,
    /// `vec(C*)`, `k² × 1`.
    solution: Mat<f64>,
    /// `c₀`: the sum of squared residuals at C*.
    remainder: f64,
    weight: f64,
}

impl FixedFactorization {
    /// The network `compressed`, its bases fixed, for training on `objective` and no other.
    ///
    /// # Errors
    /// If the observed entries or measurements do not determine the core (fewer than `k²`, or dependent), or under full observation
    /// the bases are not orthonormal.
    pub fn new(compressed: &CompressedFactorization, objective: &Objective) -> Result<Self, DynamicsError> {
        let (left, right) = (compressed.left().transpose().to_owned(), compressed.right().transpose().to_owned());
        let k = left.nrows();
        let quadratic = match objective.observed() {
            Observed::Full => Quadratic::full(&left, &right, objective)?,
            Observed::Entries(entries) => Quadratic::sampled(&left, &right, objective, entries)?,
            Observed::Measurements(measurements) => Quadratic::measured(&left, &right, objective, measurements)?,
        };
        let mut model = Self {
            core: Chain::new(&compressed.core()),
            product: Padded::zeros(k, right.ncols()),
            left: Padded::copy(left.as_ref()),
            right: Padded::copy(right.as_ref()),
            quadratic,
            offset: Mat::zeros(k * k, 1),
            image: Mat::zeros(k * k, 1),
        };
        model.multiply(Par::Seq);
        Ok(model)
    }

    /// A copy of the small factors, `W̃_1` first, each `k × k`.
    pub fn core(&self) -> Vec<Mat<f64>> {
        copies(self.core.factors())
    }
}

impl Quadratic {
    fn full(left: &Mat<f64>, right: &Mat<f64>, objective: &Objective) -> Result<Self, DynamicsError> {
        let k = left.nrows();
        for basis in [left, right] {
            let distance = (basis * basis.transpose() - Mat::<f64>::identity(k, k)).norm_l2();
            if distance.is_nan() || distance > ORTHONORMAL {
                let text = format!("fixed bases under full observation must be orthonormal (off by {distance:.1e})");
                return Err(DynamicsError::Compression(text));
            }
        }
        let target = objective.target().dense();
        let solution = left * &target * right.transpose();
        let rest = target - left.transpose() * &solution * right;
        Ok(Self {
            hessian: None,
            solution: vectorized(&solution),
            remainder: rest.squared_norm_l2(),
            weight: objective.weight(),
        })
    }

    fn sampled(
        left: &Mat<f64>,
        right: &Mat<f64>,
        objective: &Objective,
        entries: &ObservedEntries,
    ) -> Result<Self, DynamicsError> {
        Self::least_squares(
            gram(left, right, entries),
            |residual| correlations(left, right, entries, residual),
            |solution| residuals(left, right, entries, objective.values(), solution),
            objective,
        )
        .ok_or_else(|| undetermined("observed entries", objective, left.nrows()))
    }

    fn measured(
        left: &Mat<f64>,
        right: &Mat<f64>,
        objective: &Objective,
        measurements: &Measurements,
    ) -> Result<Self, DynamicsError> {
        let projected = measurements.projected(left, right);
        let values = objective.values();
        // Not faer's operators: the bits of a matrix times a vector would depend on the number of threads.
        let product = |lhs: MatRef<'_, f64>, rhs: MatRef<'_, f64>| {
            let mut product = Mat::zeros(lhs.nrows(), rhs.ncols());
            matmul(product.as_mut(), Accum::Replace, lhs, rhs, 1.0, Par::Seq);
            product
        };
        Self::least_squares(
            product(projected.as_ref(), projected.transpose()),
            |residual| product(projected.as_ref(), MatRef::from_column_major_slice(residual, residual.len(), 1)),
            |solution| {
                let products = product(projected.transpose(), solution.as_ref());
                values.iter().enumerate().map(|(i, value)| value - products[(i, 0)]).collect()
            },
            objective,
        )
        .ok_or_else(|| undetermined("measurements", objective, left.nrows()))
    }

    /// The form with the given H: `correlations` turns residuals into what H times the solution is to be, `residuals` are those at
    /// a solution. `None` if what is observed does not determine the core.
    fn least_squares(
        hessian: Mat<f64>,
        correlations: impl Fn(&[f64]) -> Mat<f64>,
        residuals: impl Fn(&Mat<f64>) -> Vec<f64>,
        objective: &Objective,
    ) -> Option<Self> {
        let unknowns = hessian.nrows();
        if objective.values().len() < unknowns {
            return None;
        }
        let factor = Llt::new(hessian.as_ref(), Side::Lower).ok()?;
        let mut solution = Mat::zeros(unknowns, 1);
        let mut residual = objective.values().to_vec();
        // The second solve corrects the first one's rounding.
        for _ in 0..2 {
            solution += factor.solve(correlations(&residual));
            residual = residuals(&solution);
        }
        let remainder: f64 = residual.iter().map(|r| r * r).sum();
        remainder.is_finite().then(|| Self { hessian: Some(hessian), solution, remainder, weight: objective.weight() })
    }
}

fn undetermined(what: &str, objective: &Objective, k: usize) -> DynamicsError {
    DynamicsError::Compression(format!("{} {what} do not determine a {k} × {k} core", objective.values().len()))
}

/// `H = Σ_i (u_i u_iᵀ) ⊗ (Σ_{j ∈ Ω_i} v_j v_jᵀ)`, in the order of `vec(C)`: row `a + k b` belongs to `C_ab`.
fn gram(left: &Mat<f64>, right: &Mat<f64>, entries: &ObservedEntries) -> Mat<f64> {
    let k = left.nrows();
    let mut hessian = Mat::zeros(k * k, k * k);
    let mut inner = Mat::zeros(k, k);
    for i in 0..left.ncols() {
        inner.fill(0.0);
        for &j in entries.columns_of(i) {
            let v = right.col(j as usize);
            for b in 0..k {
                for d in 0..k {
                    inner[(d, b)] += v[d] * v[b];
                }
            }
        }
        let u = left.col(i);
        for b in 0..k {
            for a in 0..k {
                let column = hessian.col_mut(a + k * b).try_as_col_major_mut().expect("column-major").as_slice_mut();
                for d in 0..k {
                    let factor = inner[(d, b)] * u[a];
                    for c in 0..k {
                        column[c + k * d] += factor * u[c];
                    }
                }
            }
        }
    }
    hessian
}

/// `Σ_Ω r_ij u_i v_jᵀ` as a vector.
fn correlations(left: &Mat<f64>, right: &Mat<f64>, entries: &ObservedEntries, residual: &[f64]) -> Mat<f64> {
    let k = left.nrows();
    let mut sums = Mat::zeros(k * k, 1);
    for ((i, j), r) in entries.iter().zip(residual) {
        for b in 0..k {
            for a in 0..k {
                sums[(a + k * b, 0)] += r * left[(a, i)] * right[(b, j)];
            }
        }
    }
    sums
}

/// `φ_ij − u_iᵀ C v_j` on the observed entries.
fn residuals(
    left: &Mat<f64>,
    right: &Mat<f64>,
    entries: &ObservedEntries,
    values: &[f64],
    core: &Mat<f64>,
) -> Vec<f64> {
    let k = left.nrows();
    let core = Mat::from_fn(k, k, |a, b| core[(a + k * b, 0)]);
    let q = core * right;
    let dot = |i: usize, j: usize| (0..k).map(|a| left[(a, i)] * q[(a, j)]).sum::<f64>();
    entries.iter().zip(values).map(|((i, j), value)| value - dot(i, j)).collect()
}

fn vectorized(matrix: &Mat<f64>) -> Mat<f64> {
    let k = matrix.nrows();
    Mat::from_fn(k * k, 1, |index, _| matrix[(index % k, index / k)])
}

impl Factorization for FixedFactorization {
    fn inner_width(&self) -> usize {
        self.left.nrows()
    }

    /// None: the objective given at construction is all it needs.
    fn workspace(&self, _: &Objective) -> Workspace {
        Workspace::nothing()
    }

    /// The loss and gradients on the objective given at construction.
    fn loss_and_gradients(&mut self, _: &Objective, _: &mut Workspace, par: Par) -> f64 {
        self.core.multiply(par);
        let k = self.left.nrows();
        let Quadratic { hessian, solution, remainder, weight } = &self.quadratic;
        let (core, mut gradient) = self.core.product_and_its_gradient();
        for b in 0..k {
            for a in 0..k {
                self.offset[(a + k * b, 0)] = core[(a, b)] - solution[(a + k * b, 0)];
            }
        }
        match hessian {
            Some(h) => matmul(self.image.as_mut(), Accum::Replace, h.as_ref(), self.offset.as_ref(), 1.0, par),
            None => self.image.copy_from(&self.offset),
        }
        let mut squares = *remainder;
        for b in 0..k {
            for a in 0..k {
                let image = self.image[(a + k * b, 0)];
                squares += image * self.offset[(a + k * b, 0)];
                gradient[(a, b)] = weight * image;
            }
        }
        self.core.pull_back(par);
        0.5 * weight * squares
    }

    fn visit(&mut self, visit: &mut dyn FnMut(Parameter<'_>)) {
        self.core.visit(&mut |value: MatMut<'_, f64>, gradient: MatRef<'_, f64>| {
            visit(Parameter { value, gradient, multiplier: 1.0 });
        });
    }

    fn halves(&self) -> (MatRef<'_, f64>, MatRef<'_, f64>) {
        (self.left.as_ref(), self.product.as_ref())
    }

    fn multiply(&mut self, par: Par) {
        self.core.multiply(par);
        matmul(self.product.as_mut(), Accum::Replace, self.core.product(), self.right.as_ref(), 1.0, par);
    }

    fn refresh(&mut self, par: Par) {
        self.multiply(par);
    }
}
