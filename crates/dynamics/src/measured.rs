//! The kernel of matrix sensing: the residuals of all measurements and `G = Σ_i r_i A_i`, in one pass over the `A_i`.
//!
//! The measurements are many times as large as everything else, and no cache holds them: reading them from memory is what an
//! iteration costs. So they are read once, a block of a few at a time, and of each block first the residuals are computed and then,
//! while it is still in a cache, its share of G.

use std::array;
use std::ops::Range;

use faer::{Accum, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};

use crate::dense::{Transposing, matmul};
use crate::problem::Measurements;
use crate::sparse::Evaluation;
use crate::sparse::parallel::{for_each_of, share, task_count};

/// Measurements that are read at a time: what E and G cost in the caches is shared by so many. Two are a little slower.
const BLOCK: usize = 4;
/// Most tasks, each of which has a G of its own.
const MOST_TASKS: usize = 16;
/// Entries of G that a task adds up at a time.
const CHUNK: usize = 1 << 12;

/// Buffers for one shape and number of measurements.
#[derive(Debug)]
pub(crate) struct Measured {
    /// `E = PᵀQ`, column after column.
    product: Vec<f64>,
    /// How the measurements are split, whatever the number of threads.
    parts: Vec<Part>,
    transposing: Transposing,
}

/// What a task adds up over its measurements.
#[derive(Clone, Debug)]
struct Part {
    /// Its share of G, column after column.
    gradient: Vec<f64>,
    squares: f64,
}

impl Measured {
    pub(crate) fn new(measurements: &Measurements) -> Self {
        let (entries, count) = (measurements.d_out() * measurements.d_in(), measurements.len());
        let tasks = task_count(entries * count, MOST_TASKS.min(count));
        let part = Part { gradient: vec![0.0; entries], squares: 0.0 };
        Self { product: vec![0.0; entries], parts: vec![part; tasks], transposing: Transposing::default() }
    }

    /// The sum of the squared residuals `⟨A_i, PᵀQ⟩ − values_i`; writes the gradients of half of it that are wanted, times alpha.
    pub(crate) fn loss_and_gradients(
        &mut self,
        Evaluation { p, q, dp, dq, alpha }: Evaluation<'_>,
        measurements: &Measurements,
        values: &[f64],
        par: Par,
    ) -> f64 {
        let (d_out, d_in) = (measurements.d_out(), measurements.d_in());
        let product = MatMut::from_column_major_slice_mut(&mut self.product, d_out, d_in);
        matmul(product, Accum::Replace, p.transpose(), q, 1.0, par);
        let (product, parts, wanted) = (&*self.product, self.parts.len(), dp.is_some() || dq.is_some());
        for_each_of(par, &mut self.parts, |index, part| {
            let range = share(values.len(), parts, index);
            part.gradient.fill(0.0);
            let gradient = wanted.then_some(&mut *part.gradient);
            part.squares = Arch::new().dispatch(Pass { measurements, values, range, product, gradient });
        });
        if wanted {
            add_up(&mut self.parts, par);
        }
        let gradient = MatRef::from_column_major_slice(&self.parts[0].gradient, d_out, d_in);
        if let Some(dp) = dp {
            self.transposing.matmul(dp, q, gradient, alpha, par);
        }
        if let Some(dq) = dq {
            matmul(dq, Accum::Replace, p, gradient, alpha, par);
        }
        self.parts.iter().map(|part| part.squares).sum()
    }
}

/// Adds the gradients of all parts to that of the first, always in the same order.
fn add_up(parts: &mut [Part], par: Par) {
    let (first, others) = parts.split_at_mut(1);
    let mut chunks: Vec<_> = first[0].gradient.chunks_mut(CHUNK).collect();
    for_each_of(par, &mut chunks, |index, chunk| {
        for other in &*others {
            chunk.iter_mut().zip(&other.gradient[index * CHUNK..]).for_each(|(sum, term)| *sum += term);
        }
    });
}

/// The pass over one part's measurements, compiled for this machine's vectors. (Loops over single numbers, left to the compiler to
/// turn into vectors, took 1.7 times as long.)
struct Pass<'a> {
    measurements: &'a Measurements,
    values: &'a [f64],
    range: Range<usize>,
    product: &'a [f64],
    gradient: Option<&'a mut [f64]>,
}

impl WithSimd for Pass<'_> {
    /// The sum of the squared residuals.
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) -> f64 {
        let (mut squares, mut next) = (0.0, self.range.start);
        while next + BLOCK <= self.range.end {
            squares += self.block::<S, BLOCK>(simd, next);
            next += BLOCK;
        }
        for single in next..self.range.end {
            squares += self.block::<S, 1>(simd, single);
        }
        squares
    }
}

impl Pass<'_> {
    /// The squared residuals of the B measurements from `first` on; adds their share of G.
    #[inline(always)]
    fn block<S: Simd, const B: usize>(&mut self, simd: S, first: usize) -> f64 {
        let matrices: [&[f64]; B] = array::from_fn(|b| self.measurements.entries(first + b));
        let products = inner_products(simd, matrices, self.product);
        let residuals: [f64; B] = array::from_fn(|b| products[b] - self.values[first + b]);
        if let Some(gradient) = &mut self.gradient {
            add(simd, gradient, matrices, residuals);
        }
        residuals.iter().map(|residual| residual * residual).sum()
    }
}

/// `Σ_e matrices_b[e] product[e]` for every b.
#[inline(always)]
fn inner_products<S: Simd, const B: usize>(simd: S, matrices: [&[f64]; B], product: &[f64]) -> [f64; B] {
    let (product, product_end) = S::as_simd_f64s(product);
    let parts = matrices.map(S::as_simd_f64s);
    let vectors = parts.map(|(vectors, _)| &vectors[..product.len()]);
    let mut sums = [simd.splat_f64s(0.0); B];
    for (v, &at) in product.iter().enumerate() {
        for b in 0..B {
            sums[b] = simd.mul_add_e_f64s(vectors[b][v], at, sums[b]);
        }
    }
    array::from_fn(|b| {
        let end: f64 = parts[b].1.iter().zip(product_end).map(|(entry, at)| entry * at).sum();
        simd.reduce_sum_f64s(sums[b]) + end
    })
}

/// `gradient += Σ_b residuals_b matrices_b`.
#[inline(always)]
fn add<S: Simd, const B: usize>(simd: S, gradient: &mut [f64], matrices: [&[f64]; B], residuals: [f64; B]) {
    let (gradient, gradient_end) = S::as_mut_simd_f64s(gradient);
    let parts = matrices.map(S::as_simd_f64s);
    let vectors = parts.map(|(vectors, _)| &vectors[..gradient.len()]);
    let factors = residuals.map(|residual| simd.splat_f64s(residual));
    for (v, sum) in gradient.iter_mut().enumerate() {
        for b in 0..B {
            *sum = simd.mul_add_e_f64s(factors[b], vectors[b][v], *sum);
        }
    }
    for (b, (_, end)) in parts.iter().enumerate() {
        gradient_end.iter_mut().zip(*end).for_each(|(sum, entry)| *sum += residuals[b] * entry);
    }
}
