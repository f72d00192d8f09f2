//! `ΔW` as a product of factors `W_L ⋯ W_1`: partial products and gradients, for the methods that are such a product.

use dynamics::dense;
use faer::{Accum, Mat, MatMut, MatRef, Par};

use super::{Adapter, Applied, AppliedGradient, Form, Parameter};
use crate::Real;

/// Multiply-adds below which a product is not worth waking a thread for.
const WORTH_SPLITTING: usize = 1 << 21;

/// `dst = lhs rhs`, or `dst += lhs rhs`, with the same bits for any number of threads (see [`dynamics::dense::matmul`]).
pub(crate) fn matmul<T: Real>(dst: MatMut<'_, T>, accumulate: Accum, lhs: MatRef<'_, T>, rhs: MatRef<'_, T>, par: Par) {
    scaled_matmul(dst, accumulate, lhs, rhs, T::of(1.0), par);
}

/// As [`matmul`], the product times `alpha`.
pub(super) fn scaled_matmul<T: Real>(
    dst: MatMut<'_, T>,
    accumulate: Accum,
    lhs: MatRef<'_, T>,
    rhs: MatRef<'_, T>,
    alpha: T,
    par: Par,
) {
    let is_vector = dst.nrows() == 1 || dst.ncols() == 1;
    let multiply_adds = dst.nrows() * dst.ncols() * lhs.ncols();
    let par = if is_vector || multiply_adds < WORTH_SPLITTING { Par::Seq } else { par };
    faer::linalg::matmul::matmul(dst, accumulate, lhs, rhs, alpha, par);
}

/// The product of a run of factors, and the buffers that it and the gradients of all factors need.
///
/// With `S_l = W_l ⋯ W_1` and the gradient `H_k` with respect to `S_k`: `∇W_l = H_l S_{l−1}ᵀ`, `H_{l−1} = W_lᵀ H_l`. Every
/// one of these products has one side as short as the columns of `W_1`; `from_left` does the same with the transposed
/// factors in reverse order, where that side is as short as the rows of `W_k`.
pub(super) struct Chain<T: Real> {
    from_left: bool,
    /// `S_2 … S_k`.
    products: Vec<Mat<T>>,
    /// `H_2 … H_{k−1}`: `H_k` is given, `H_1` is the gradient of `W_1`.
    pulled: Vec<Mat<T>>,
}

impl<T: Real> Chain<T> {
    /// For these factors, `W_1` first.
    pub(super) fn new(factors: &[Parameter<T>], from_left: bool) -> Self {
        let chain = Self { from_left, products: Vec::new(), pulled: Vec::new() };
        let end = chain.value(factors, 0).ncols();
        let room = |l| dense::zeros(chain.value(factors, l).nrows(), end);
        let products = (1..factors.len()).map(room).collect();
        let pulled = (1..factors.len().saturating_sub(1)).map(room).collect();
        Self { from_left, products, pulled }
    }

    /// The product as of the last [`multiply`](Self::multiply).
    pub(super) fn product<'a>(&'a self, factors: &'a [Parameter<T>]) -> MatRef<'a, T> {
        match self.products.last() {
            Some(product) if self.from_left => product.transpose(),
            Some(product) => product.as_ref(),
            None => factors[0].value.as_ref(),
        }
    }

    /// Computes all partial products.
    pub(super) fn multiply(&mut self, factors: &[Parameter<T>], par: Par) {
        for l in 1..factors.len() {
            let factor = self.value(factors, l);
            let first = self.value(factors, 0);
            let (done, rest) = self.products.split_at_mut(l - 1);
            let previous = done.last().map_or(first, |product| product.as_ref());
            matmul(rest[0].as_mut(), Accum::Replace, factor, previous, par);
        }
    }

    /// Writes the gradient of every factor, given that of the product.
    pub(super) fn pull_back(&mut self, factors: &mut [Parameter<T>], gradient: MatRef<'_, T>, par: Par) {
        let last = factors.len() - 1;
        if last == 0 {
            factors[0].gradient.copy_from(gradient);
            return;
        }
        let from_left = self.from_left;
        let gradient = if from_left { gradient.transpose() } else { gradient };
        for l in (1..=last).rev() {
            let (below, here) = self.pulled.split_at_mut(l - 1);
            let h = here.first().map_or(gradient, |h| h.as_ref());
            let previous = if l == 1 { None } else { Some(self.products[l - 2].as_ref()) };
            with_gradient(factors, from_left, l, |factors, gradient| {
                let previous = previous.unwrap_or_else(|| value(factors, from_left, 0));
                matmul(gradient, Accum::Replace, h, previous.transpose(), par);
            });
            match below.last_mut() {
                Some(next) => {
                    matmul(next.as_mut(), Accum::Replace, value(factors, from_left, l).transpose(), h, par);
                }
                None => with_gradient(factors, from_left, 0, |factors, gradient| {
                    matmul(gradient, Accum::Replace, value(factors, from_left, 1).transpose(), h, par);
                }),
            }
        }
    }

    fn value<'a>(&self, factors: &'a [Parameter<T>], l: usize) -> MatRef<'a, T> {
        value(factors, self.from_left, l)
    }
}

/// The l-th factor (from 0) in the order and orientation in which the chain is multiplied.
fn value<T: Real>(factors: &[Parameter<T>], from_left: bool, l: usize) -> MatRef<'_, T> {
    if from_left { factors[factors.len() - 1 - l].value.transpose() } else { factors[l].value.as_ref() }
}

/// Calls `write` with the l-th factor's gradient, in the orientation of [`value`], beside all the factors' values.
fn with_gradient<T: Real>(
    factors: &mut [Parameter<T>],
    from_left: bool,
    l: usize,
    write: impl FnOnce(&[Parameter<T>], MatMut<'_, T>),
) {
    let place = if from_left { factors.len() - 1 - l } else { l };
    let mut gradient = std::mem::replace(&mut factors[place].gradient, Mat::new());
    write(factors, if from_left { gradient.transpose_mut() } else { gradient.as_mut() });
    factors[place].gradient = gradient;
}

/// A product applied as two factors: `left = W_L`, `right = W_{L−1} ⋯ W_1`. Where rows are looked up and no
/// more, `W_L` is a [table](Parameter::table).
pub(super) struct Product<T: Real> {
    /// `W_1` first, at least two.
    parameters: Vec<Parameter<T>>,
    right: Chain<T>,
}

impl<T: Real> Product<T> {
    /// From at least two factors, `W_1` first.
    pub(super) fn new(parameters: Vec<Parameter<T>>) -> Self {
        let (_, right) = parameters.split_last().expect("a product has factors");
        let right = Chain::new(right, false);
        let mut product = Self { parameters, right };
        product.refresh(Par::Seq);
        product
    }

    fn split(&self) -> (&Parameter<T>, &[Parameter<T>]) {
        self.parameters.split_last().expect("a product has factors")
    }
}

impl<T: Real> Adapter<T> for Product<T> {
    fn shape(&self) -> (usize, usize) {
        let (left, right) = self.split();
        (left.matrix().nrows(), right[0].value.ncols())
    }

    fn form(&self) -> Form {
        let left = self.split().0;
        let rank = left.matrix().ncols();
        if left.touched.is_some() { Form::FactoredRows { rank } } else { Form::Factored { rank } }
    }

    fn applied(&self) -> Applied<'_, T> {
        let (left, right) = self.split();
        Applied::Factored { left: left.matrix(), right: self.right.product(right) }
    }

    fn refresh(&mut self, par: Par) {
        let (_, right) = self.parameters.split_last().expect("a product has factors");
        self.right.multiply(right, par);
    }

    fn pull_back(&mut self, gradient: &AppliedGradient<T>, par: Par) {
        let (last, others) = self.parameters.split_last_mut().expect("a product has factors");
        let right = match gradient {
            AppliedGradient::Factored { left, right } => {
                last.gradient.copy_from(left);
                right
            }
            AppliedGradient::FactoredRows { left, right } => {
                last.set_rows(left);
                right
            }
            _ => panic!("the gradient of a factored adapter is that of its two factors"),
        };
        self.right.pull_back(others, right.as_ref(), par);
    }

    fn parameters(&self) -> &[Parameter<T>] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut self.parameters
    }
}

/// A product that is multiplied out.
pub(super) struct Merged<T: Real> {
    /// `W_1` first.
    parameters: Vec<Parameter<T>>,
    chain: Chain<T>,
}

impl<T: Real> Merged<T> {
    /// From at least two factors, `W_1` first; multiplied from the shorter side.
    pub(super) fn new(parameters: Vec<Parameter<T>>) -> Self {
        let (first, last) = (&parameters[0], &parameters[parameters.len() - 1]);
        let chain = Chain::new(&parameters, last.value.nrows() < first.value.ncols());
        let mut adapter = Self { parameters, chain };
        adapter.refresh(Par::Seq);
        adapter
    }
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

/// Rounds a construction made in `f64`.
pub(crate) fn rounded<T: Real>(matrix: MatRef<'_, f64>) -> Mat<T> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| T::of(matrix[(i, j)]))
}

/// The same matrix in `f64`.
pub(crate) fn widened<T: Real>(matrix: MatRef<'_, T>) -> Mat<f64> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)].as_f64())
}
