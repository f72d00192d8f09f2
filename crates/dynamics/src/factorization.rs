//! Deep and compressed factorizations: their end-to-end product and the gradient of every factor.

use faer::{Accum, Mat, MatMut, MatRef, Par};
use rand::Rng;

use crate::DynamicsError;
use crate::chain::Chain;
use crate::dense::{Padded, matmul};
use crate::problem::{Objective, Workspace};
use crate::random::Initialization;

/// One trainable factor as the optimizer sees it.
pub struct Parameter<'a> {
    /// The factor (possibly stored transposed).
    pub value: MatMut<'a, f64>,
    /// Its gradient, in the same orientation.
    pub gradient: MatRef<'a, f64>,
    /// Multiplies the step size for this factor: 1, or the discrepant step γ. Zero: the factor stays fixed.
    pub multiplier: f64,
}

/// A factorization that gradient descent can train: `E = Pᵀ Q` with inner width `k`, made from its factors.
pub trait Factorization {
    /// Inner width `k` at which the end-to-end product is split.
    fn inner_width(&self) -> usize;

    /// Buffers for [`Self::loss_and_gradients`] on `objective`.
    fn workspace(&self, objective: &Objective) -> Workspace {
        objective.workspace(self.inner_width())
    }

    /// The loss at the present factors; leaves the gradient of every factor in place for [`Self::visit`].
    fn loss_and_gradients(&mut self, objective: &Objective, workspace: &mut Workspace, par: Par) -> f64;

    /// Calls `visit` for every factor, always in the same order.
    fn visit(&mut self, visit: &mut dyn FnMut(Parameter<'_>));

    /// P (`k × d_out`) and Q (`k × d_in`) of the end-to-end product `E = PᵀQ`, as of the last call of
    /// [`Self::multiply`], or of [`Self::loss_and_gradients`] followed by [`Self::refresh`].
    fn halves(&self) -> (MatRef<'_, f64>, MatRef<'_, f64>);

    /// Recomputes the partial products behind [`Self::halves`] from the present factors.
    fn multiply(&mut self, par: Par);

    /// Brings [`Self::halves`] up to date after [`Self::loss_and_gradients`], where that does not do so itself.
    fn refresh(&mut self, _par: Par) {}

    /// The end-to-end product `E`, `d_out × d_in`, as of the last evaluation.
    fn end_to_end(&self) -> Mat<f64> {
        let (p, q) = self.halves();
        p.transpose() * q
    }

    /// The entry `E_ij`, as of the last evaluation.
    fn entry(&self, i: usize, j: usize) -> f64 {
        let (p, q) = self.halves();
        p.col(i).transpose() * q.col(j)
    }
}

impl<F: Factorization + ?Sized> Factorization for Box<F> {
    fn inner_width(&self) -> usize {
        (**self).inner_width()
    }

    fn workspace(&self, objective: &Objective) -> Workspace {
        (**self).workspace(objective)
    }

    fn loss_and_gradients(&mut self, objective: &Objective, workspace: &mut Workspace, par: Par) -> f64 {
        (**self).loss_and_gradients(objective, workspace, par)
    }

    fn visit(&mut self, visit: &mut dyn FnMut(Parameter<'_>)) {
        (**self).visit(visit);
    }

    fn halves(&self) -> (MatRef<'_, f64>, MatRef<'_, f64>) {
        (**self).halves()
    }

    fn multiply(&mut self, par: Par) {
        (**self).multiply(par);
    }

    fn refresh(&mut self, par: Par) {
        (**self).refresh(par);
    }
}

/// A deep factorization `W_L ⋯ W_1`, L ≥ 2, of any widths.
///
/// The last factor is stored transposed, so that `P = W_Lᵀ` and `Q = W_{L−1} ⋯ W_1` both have contiguous columns of
/// length `k = w_{L−1}`.
#[derive(Clone, Debug)]
pub struct DeepFactorization {
    chain: Chain,
    last: Padded,
    last_gradient: Padded,
}

impl DeepFactorization {
    /// The factorization with the given factors, `W_1` first.
    ///
    /// # Errors
    /// If there are fewer than two, one is empty, or neighbours do not fit.
    pub fn new(mut factors: Vec<Mat<f64>>) -> Result<Self, DynamicsError> {
        if factors.len() < 2 {
            return Err(DynamicsError::Depth(factors.len()));
        }
        for (l, factor) in factors.iter().enumerate() {
            let (rows, columns) = factor.shape();
            if rows == 0 || columns == 0 {
                return Err(DynamicsError::Shape(format!("W_{} is {rows} × {columns}", l + 1)));
            }
            if l > 0 && columns != factors[l - 1].nrows() {
                return Err(DynamicsError::Shape(format!(
                    "W_{} is {rows} × {columns}, but W_{l} has {} rows",
                    l + 1,
                    factors[l - 1].nrows()
                )));
            }
        }
        let last = Padded::copy(factors.pop().expect("at least two factors").transpose());
        let last_gradient = Padded::zeros(last.nrows(), last.ncols());
        let mut model = Self { chain: Chain::new(&factors), last_gradient, last };
        model.multiply(Par::Seq);
        Ok(model)
    }

    /// Draws the factors of a network `d_in → width → … → width → d_out` of the given depth, `W_1` first.
    ///
    /// # Errors
    /// If `depth < 2` or a size is zero.
    pub fn draw(
        (d_out, d_in): (usize, usize),
        depth: usize,
        width: usize,
        initialization: Initialization,
        scale: f64,
        rng: &mut impl Rng,
    ) -> Result<Self, DynamicsError> {
        let rows = |l: usize| if l == depth { d_out } else { width };
        let columns = |l: usize| if l == 1 { d_in } else { width };
        let factors = (1..=depth).map(|l| initialization.draw(rows(l), columns(l), scale, rng)).collect();
        Self::new(factors)
    }

    /// Number of factors L.
    pub fn depth(&self) -> usize {
        self.chain.factors().len() + 1
    }

    /// A copy of the factor `W_l`, `l` from 1 to L.
    ///
    /// # Panics
    /// If there is no such factor.
    pub fn factor(&self, l: usize) -> Mat<f64> {
        self.check_number(l);
        match self.chain.factors().get(l - 1) {
            Some(factor) => factor.as_ref().to_owned(),
            None => self.last.transpose().to_owned(),
        }
    }

    /// A copy of the gradient of `W_l` as of the last evaluation, `l` from 1 to L.
    ///
    /// # Panics
    /// If there is no such factor.
    pub fn gradient(&self, l: usize) -> Mat<f64> {
        self.check_number(l);
        match self.chain.gradients().get(l - 1) {
            Some(gradient) => gradient.as_ref().to_owned(),
            None => self.last_gradient.transpose().to_owned(),
        }
    }

    fn check_number(&self, l: usize) {
        assert!((1..=self.depth()).contains(&l), "factors have the numbers 1 to {}, not {l}", self.depth());
    }
}

impl Factorization for DeepFactorization {
    fn inner_width(&self) -> usize {
        self.last.nrows()
    }

    fn loss_and_gradients(&mut self, objective: &Objective, workspace: &mut Workspace, par: Par) -> f64 {
        self.chain.multiply(par);
        let (q, dq) = self.chain.product_and_its_gradient();
        let (p, dp) = (self.last.as_ref(), self.last_gradient.as_mut());
        let loss = objective.loss_and_gradients(p, q, Some(dp), Some(dq), workspace, par);
        self.chain.pull_back(par);
        loss
    }

    fn visit(&mut self, visit: &mut dyn FnMut(Parameter<'_>)) {
        self.chain.visit(&mut |value, gradient| visit(Parameter { value, gradient, multiplier: 1.0 }));
        let (value, gradient) = (self.last.as_mut(), self.last_gradient.as_ref());
        visit(Parameter { value, gradient, multiplier: 1.0 });
    }

    fn halves(&self) -> (MatRef<'_, f64>, MatRef<'_, f64>) {
        (self.last.as_ref(), self.chain.product())
    }

    fn multiply(&mut self, par: Par) {
        self.chain.multiply(par);
    }
}

/// A compressed factorization `U · W̃_L ⋯ W̃_1 · Vᵀ`: L small square factors between two tall bases (paper, section 4).
///
/// The small factors move with the step size η, U and V with γη; γ = 0 keeps them fixed. Both bases are stored
/// transposed: `P = Uᵀ` (`k × d_out`) and `Q = C Vᵀ` (`k × d_in`) with `C = W̃_L ⋯ W̃_1`.
#[derive(Clone, Debug)]
pub struct CompressedFactorization {
    core: Chain,
    left: Padded,
    left_gradient: Padded,
    right: Padded,
    right_gradient: Padded,
    /// `C Vᵀ` and the gradient with respect to it.
    product: Padded,
    product_gradient: Padded,
    discrepancy: f64,
}

impl CompressedFactorization {
    /// The compressed network with bases `left` (U, `d_out × k`) and `right` (V, `d_in × k`), one small factor `ε_l I` per
    /// entry of `scales`, and step multiplier `discrepancy` (γ) for U and V.
    ///
    /// # Errors
    /// As [`Self::from_factors`].
    pub fn new(left: &Mat<f64>, right: &Mat<f64>, scales: &[f64], discrepancy: f64) -> Result<Self, DynamicsError> {
        let k = left.ncols();
        let core = scales.iter().map(|scale| Mat::<f64>::identity(k, k) * faer::Scale(*scale)).collect();
        Self::from_factors(left, core, right, discrepancy)
    }

    /// The compressed network with the given bases and small factors (`W̃_1` first, each `k × k`).
    ///
    /// # Errors
    /// If the shapes do not fit, there is no small factor, or γ is negative or not finite.
    pub fn from_factors(
        left: &Mat<f64>,
        core: Vec<Mat<f64>>,
        right: &Mat<f64>,
        discrepancy: f64,
    ) -> Result<Self, DynamicsError> {
        let k = left.ncols();
        if k == 0 || right.ncols() != k || core.iter().any(|factor| factor.shape() != (k, k)) {
            return Err(DynamicsError::Shape(format!(
                "bases of {k} and {} columns need square factors of that size between them",
                right.ncols()
            )));
        }
        if core.is_empty() {
            return Err(DynamicsError::Depth(0));
        }
        if !(discrepancy >= 0.0 && discrepancy.is_finite()) {
            return Err(DynamicsError::Discrepancy(discrepancy));
        }
        let (left, right) = (Padded::copy(left.transpose()), Padded::copy(right.transpose()));
        let mut model = Self {
            core: Chain::new(&core),
            left_gradient: Padded::zeros(k, left.ncols()),
            right_gradient: Padded::zeros(k, right.ncols()),
            product: Padded::zeros(k, right.ncols()),
            product_gradient: Padded::zeros(k, right.ncols()),
            left,
            right,
            discrepancy,
        };
        model.multiply(Par::Seq);
        Ok(model)
    }

    /// A copy of the small factors, `W̃_1` first, each `k × k`.
    pub fn core(&self) -> Vec<Mat<f64>> {
        copies(self.core.factors())
    }

    /// Whether U and V never move (γ = 0).
    pub fn is_fixed(&self) -> bool {
        self.discrepancy == 0.0
    }

    /// The basis U, `d_out × k`.
    pub fn left(&self) -> Mat<f64> {
        self.left.transpose().to_owned()
    }

    /// The basis V, `d_in × k`.
    pub fn right(&self) -> Mat<f64> {
        self.right.transpose().to_owned()
    }

    /// Gradients as of the last evaluation: of U, of the small factors (`W̃_1` first), and of V.
    /// Those of U and V are not computed when γ = 0.
    pub fn gradients(&self) -> (Mat<f64>, Vec<Mat<f64>>, Mat<f64>) {
        let transposed = |m: &Mat<f64>| m.transpose().to_owned();
        (transposed(&self.left_gradient), copies(self.core.gradients()), transposed(&self.right_gradient))
    }
}

/// `∏ε_l`, by which an initial product of factors `ε_l ×` semi-orthogonal is to be divided.
///
/// # Errors
/// If a factor is zero or not finite, or the product underflows.
pub(crate) fn product_of_scales(scales: &[f64]) -> Result<f64, DynamicsError> {
    if let Some(l) = scales.iter().position(|scale| *scale == 0.0 || !scale.is_finite()) {
        let text = format!("W_{} is zero or not finite, not a multiple of a semi-orthogonal matrix", l + 1);
        return Err(DynamicsError::Compression(text));
    }
    let product = scales.iter().product::<f64>();
    if (1.0 / product).is_finite() {
        return Ok(product);
    }
    Err(DynamicsError::ScaleUnderflow { scale: scales[0], depth: scales.len() })
}

/// Copies to hand out.
pub(crate) fn copies(matrices: &[Padded]) -> Vec<Mat<f64>> {
    matrices.iter().map(|matrix| matrix.as_ref().to_owned()).collect()
}

impl Factorization for CompressedFactorization {
    fn inner_width(&self) -> usize {
        self.left.nrows()
    }

    fn loss_and_gradients(&mut self, objective: &Objective, workspace: &mut Workspace, par: Par) -> f64 {
        self.multiply(par);
        let moving = self.discrepancy > 0.0;
        let loss = objective.loss_and_gradients(
            self.left.as_ref(),
            self.product.as_ref(),
            moving.then(|| self.left_gradient.as_mut()),
            Some(self.product_gradient.as_mut()),
            workspace,
            par,
        );
        let (core, core_gradient) = self.core.product_and_its_gradient();
        let h = self.product_gradient.as_ref();
        matmul(core_gradient, Accum::Replace, h, self.right.transpose(), 1.0, par);
        if moving {
            let gradient = self.right_gradient.as_mut();
            matmul(gradient, Accum::Replace, core.transpose(), h, 1.0, par);
        }
        self.core.pull_back(par);
        loss
    }

    fn visit(&mut self, visit: &mut dyn FnMut(Parameter<'_>)) {
        self.core.visit(&mut |value, gradient| visit(Parameter { value, gradient, multiplier: 1.0 }));
        let multiplier = self.discrepancy;
        let (value, gradient) = (self.left.as_mut(), self.left_gradient.as_ref());
        visit(Parameter { value, gradient, multiplier });
        let (value, gradient) = (self.right.as_mut(), self.right_gradient.as_ref());
        visit(Parameter { value, gradient, multiplier });
    }

    fn halves(&self) -> (MatRef<'_, f64>, MatRef<'_, f64>) {
        (self.left.as_ref(), self.product.as_ref())
    }

    fn multiply(&mut self, par: Par) {
        self.core.multiply(par);
        let product = self.product.as_mut();
        matmul(product, Accum::Replace, self.core.product(), self.right.as_ref(), 1.0, par);
    }
}
