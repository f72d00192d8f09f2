//! A chain of factors `W_n ⋯ W_1`: its partial products, each computed once, and the gradients of all its factors.

use faer::{Accum, Mat, MatMut, MatRef, Par};

use crate::dense::{Padded, Transposing, both, matmul};

/// Factors `W_1 … W_n` (each `w_l × w_{l−1}`), with the buffers that products and gradients need.
///
/// With `S_l = W_l ⋯ W_1` and the gradient `H_n` of the loss with respect to the product `S_n`, the recursion is
/// `∇W_l = H_l S_{l−1}ᵀ`, `H_{l−1} = W_lᵀ H_l`, `∇W_1 = H_1`: `n − 1` products forward, `2(n − 1)` back.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    factors: Vec<Padded>,
    /// `S_2 … S_n`.
    products: Vec<Padded>,
    /// `H_2 … H_n`; `H_1` is the gradient of `W_1`.
    pulled: Vec<Padded>,
    gradients: Vec<Padded>,
    /// One for each factor but the first.
    transposing: Vec<Transposing>,
}

impl Chain {
    /// A chain of at least one factor, `W_1` first, whose shapes fit.
    pub(crate) fn new(factors: &[Mat<f64>]) -> Self {
        assert!(!factors.is_empty(), "a chain has at least one factor");
        let zeros = |shape: (usize, usize)| Padded::zeros(shape.0, shape.1);
        let inner = factors[0].ncols();
        let products: Vec<_> = factors[1..].iter().map(|w| zeros((w.nrows(), inner))).collect();
        let transposing = vec![Transposing::default(); factors.len() - 1];
        let gradients = factors.iter().map(|w| zeros(w.shape())).collect();
        let factors = factors.iter().map(|w| Padded::copy(w.as_ref())).collect();
        Self { factors, pulled: products.clone(), products, gradients, transposing }
    }

    pub(crate) fn factors(&self) -> &[Padded] {
        &self.factors
    }

    pub(crate) fn gradients(&self) -> &[Padded] {
        &self.gradients
    }

    /// The product as of the last [`Chain::multiply`].
    pub(crate) fn product(&self) -> MatRef<'_, f64> {
        self.products.last().unwrap_or(&self.factors[0]).as_ref()
    }

    /// Where the gradient with respect to the product is to be written before [`Chain::pull_back`], beside the product.
    pub(crate) fn product_and_its_gradient(&mut self) -> (MatRef<'_, f64>, MatMut<'_, f64>) {
        let product = self.products.last().unwrap_or(&self.factors[0]).as_ref();
        let gradient = self.pulled.last_mut().unwrap_or(&mut self.gradients[0]).as_mut();
        (product, gradient)
    }

    /// Computes all partial products.
    pub(crate) fn multiply(&mut self, par: Par) {
        for l in 1..self.factors.len() {
            let (done, rest) = self.products.split_at_mut(l - 1);
            let previous = done.last().unwrap_or(&self.factors[0]).as_ref();
            matmul(rest[0].as_mut(), Accum::Replace, self.factors[l].as_ref(), previous, 1.0, par);
        }
    }

    /// Turns the gradient with respect to the product into the gradients with respect to every factor.
    pub(crate) fn pull_back(&mut self, par: Par) {
        for l in (1..self.factors.len()).rev() {
            let (below, here) = self.pulled.split_at_mut(l - 1);
            let h = here[0].as_ref();
            let (first, others) = self.gradients.split_at_mut(1);
            let previous = if l == 1 { &self.factors[0] } else { &self.products[l - 2] };
            let (gradient, factor) = (others[l - 1].as_mut(), &self.factors[l]);
            let transposing = &mut self.transposing[l - 1];
            let next = below.last_mut().unwrap_or(&mut first[0]).as_mut();
            both(
                par,
                factor.nrows() * factor.ncols() * h.ncols(),
                |par| transposing.matmul(gradient, h, previous.as_ref(), 1.0, par),
                |par| matmul(next, Accum::Replace, factor.transpose(), h, 1.0, par),
            );
        }
    }

    /// Visits every factor with its gradient.
    pub(crate) fn visit(&mut self, visit: &mut dyn FnMut(MatMut<'_, f64>, MatRef<'_, f64>)) {
        for (factor, gradient) in self.factors.iter_mut().zip(&self.gradients) {
            visit(factor.as_mut(), gradient.as_ref());
        }
    }
}
