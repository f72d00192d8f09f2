//! Softmax attention of one sequence, head by head, forward and backward.
//!
//! What is kept for the backward pass are queries, keys, values and the probabilities before dropout, with the sign saying
//! which were dropped. Columns of probabilities (one per query, an entry per key) are padded with zeros to whole vectors, so
//! that short sequences, which are the rule, run through vector code alone.

use faer::{MatMut, MatRef};

use super::dropout::Mask;
use super::relative_position::RelativeBias;
use crate::Real;
use crate::kernels::columns::{Buffer, column, column_mut, padded, transpose};
use crate::kernels::lanes::vector_code;
use crate::kernels::product::{Start, Term, sum_of_products};
use crate::kernels::reduce::{softmax, sum};

/// Buffers for one head.
#[derive(Debug, Default)]
pub(crate) struct Workspace<T: Real> {
    /// Keys or values, padded tokens × head size.
    transposed: Buffer<T>,
    /// Probabilities after dropout, padded keys × queries.
    dropped: Buffer<T>,
    /// Gradient of the probabilities, then of the scores, padded keys × queries.
    gradient: Buffer<T>,
}

impl<T: Real> Workspace<T> {
    pub(crate) fn bytes(&self) -> usize {
        self.transposed.bytes() + self.dropped.bytes() + self.gradient.bytes()
    }
}

/// Numbers that a sequence's probabilities take.
pub(crate) fn probabilities_of(heads: usize, tokens: usize, queries: usize) -> usize {
    heads * padded(tokens) * queries
}

/// What scores are multiplied by, but in T5: `1 / √(head size)`.
pub(crate) fn scale_of(head_size: usize) -> f64 {
    1.0 / (head_size as f64).sqrt()
}

/// What attention is about: some queries, and keys and values of all tokens that are attended to; in self-attention the queries are
/// those of the first tokens. Where there are fewer heads of keys and values than of queries, as many of these share each.
#[derive(Clone, Copy)]
pub(crate) struct Projected<'a, T> {
    pub(crate) heads: usize,
    /// What scores are multiplied by.
    pub(crate) scale: f64,
    /// (heads · head size) × queries.
    pub(crate) queries: MatRef<'a, T>,
    /// Keys and values below each other; 2 (key-value heads · head size) × tokens.
    pub(crate) keys_values: MatRef<'a, T>,
    /// Whether a token sees itself and those before it alone; then all tokens have queries.
    pub(crate) causal: bool,
    /// Queries of a head that a mask has rows for; there may be fewer.
    pub(crate) mask_rows: usize,
}

impl<'a, T: Real> Projected<'a, T> {
    /// Size of a head.
    fn size(self) -> usize {
        self.queries.nrows() / self.heads
    }

    /// Heads of queries that share a head of keys and values.
    fn group(self) -> usize {
        2 * self.queries.nrows() / self.keys_values.nrows()
    }

    /// Queries, keys and values of one head.
    fn parts(self, head: usize) -> [MatRef<'a, T>; 3] {
        let (size, shared) = (self.size(), head / self.group());
        let of = |first| self.keys_values.subrows(first + shared * size, size);
        [self.queries.subrows(head * size, size), of(0), of(self.keys_values.nrows() / 2)]
    }
}

/// `context = values · dropout(softmax(scale · keysᵀ queries + bias))`, head by head; `context` is as the queries.
pub(crate) fn attend<T: Real>(
    projected: Projected<'_, T>,
    bias: Option<&RelativeBias<T>>,
    mask: Mask<'_>,
    probabilities: &mut [T],
    mut context: MatMut<'_, T>,
    work: &mut Workspace<T>,
) {
    let (tokens, count, size) = (projected.keys_values.ncols(), projected.queries.ncols(), projected.size());
    let length = padded(tokens);
    let scale = T::of(projected.scale);
    for (head, probabilities) in probabilities.chunks_exact_mut(length * count).enumerate() {
        let [queries, keys, values] = projected.parts(head);
        let mut scores = MatMut::from_column_major_slice_mut(probabilities, length, count);
        transpose(keys, &mut work.transposed);
        sum_of_products(scores.as_mut(), Start::Zero, [Term::columns(work.transposed.read(length, size), queries)]);
        let scale = match bias {
            None => scale,
            Some(bias) => {
                scale_and_bias(scores.as_mut(), scale, bias, head, 0);
                T::of(1.0)
            }
        };
        if projected.causal {
            for query in 0..count {
                softmax(scores.as_mut().subcols_mut(query, 1), query + 1, scale);
            }
        } else {
            softmax(scores.as_mut(), tokens, scale);
        }
        let context = context.as_mut().subrows_mut(head * size, size);
        let dropped = if let Mask::All = mask {
            scores.as_ref()
        } else {
            drop_some(mask, head * projected.mask_rows, tokens, scores.as_mut(), work.dropped.write(length, count));
            work.dropped.read(length, count)
        };
        sum_of_products(context, Start::Zero, [Term::columns(values, dropped.subrows(0, tokens))]);
    }
}

/// The way back through [`attend`]: the gradients of queries, and of keys and values, in their shapes, from that of the context. A
/// bias is frozen, and moves nothing but the probabilities.
pub(crate) fn attend_backward<T: Real>(
    projected: Projected<'_, T>,
    scale_of_kept: f64,
    probabilities: &[T],
    d_context: MatRef<'_, T>,
    (mut d_queries, mut d_keys_values): (MatMut<'_, T>, MatMut<'_, T>),
    work: &mut Workspace<T>,
) {
    let (tokens, count) = (projected.keys_values.ncols(), projected.queries.ncols());
    let (size, length, group) = (projected.size(), padded(tokens), projected.group());
    let scale = T::of(projected.scale);
    for (head, probabilities) in probabilities.chunks_exact(length * count).enumerate() {
        let [queries, keys, values] = projected.parts(head);
        let d_context = d_context.subrows(head * size, size);
        let signed = MatRef::from_column_major_slice(probabilities, length, count);
        transpose(values, &mut work.transposed);
        let (mut d_scores, mut dropped) = (work.gradient.write(length, count), work.dropped.write(length, count));
        let values = work.transposed.read(length, size);
        sum_of_products(d_scores.as_mut(), Start::Zero, [Term::columns(values, d_context)]);
        softmax_backward(signed, T::of(scale_of_kept), scale, d_scores.as_mut(), dropped.as_mut());
        let (d_scores, dropped) = (d_scores.as_ref().subrows(0, tokens), dropped.as_ref().subrows(0, tokens));
        let d_queries = d_queries.as_mut().subrows_mut(head * size, size);
        sum_of_products(d_queries, Start::Zero, [Term::columns(keys, d_scores)]);
        // Heads of queries that share keys and values follow each other.
        let start = if head % group == 0 { Start::Zero } else { Start::Destination };
        let half = projected.keys_values.nrows() / 2;
        for (first, left, right) in [(0, queries, d_scores.transpose()), (half, d_context, dropped.transpose())] {
            let d_part = d_keys_values.as_mut().subrows_mut(first + head / group * size, size);
            sum_of_products(d_part, start, [Term::columns(left, right)]);
        }
    }
}

vector_code! {
    /// `scale · column + bias` of every column, a query's; the first query is that of this place.
    fn scale_and_bias<'a, T>(scores: MatMut<'a, T>, scale: T, bias: &'a RelativeBias<T>, head: usize, first: usize) {
        let mut scores = scores;
        for query in 0..scores.ncols() {
            for (x, &bias) in column_mut(scores.as_mut(), query).iter_mut().zip(bias.keys(head, first + query)) {
                *x = *x * scale + bias;
            }
        }
    }
}

vector_code! {
    /// Writes to `dropped` what the mask keeps, scaled; the probabilities' signs are made to say what that is. Rows of the
    /// mask are counted from `first`.
    fn drop_some<'a, T>(
        mask: Mask<'a>,
        first: usize,
        count: usize,
        probabilities: MatMut<'a, T>,
        dropped: MatMut<'a, T>,
    ) {
        let (mut probabilities, mut dropped, scale) = (probabilities, dropped, T::of(mask.scale()));
        for query in 0..probabilities.ncols() {
            let probabilities = column_mut(probabilities.as_mut(), query);
            mask.sign(first + query, count, probabilities);
            keep_positive(probabilities, scale, column_mut(dropped.as_mut(), query));
        }
    }
}

vector_code! {
    /// The gradient of the scores, in place of that of the dropped probabilities: with `g` that of the probabilities `p`, it is
    /// `scale · p (g − Σ p g)`. And the dropped probabilities once more.
    fn softmax_backward<'a, T>(
        signed: MatRef<'a, T>,
        scale_of_kept: T,
        scale: T,
        gradient: MatMut<'a, T>,
        dropped: MatMut<'a, T>,
    ) {
        let (zero, mut gradient, mut dropped) = (T::of(0.0), gradient, dropped);
        for query in 0..signed.ncols() {
            let (signed, gradient) = (column(signed, query), column_mut(gradient.as_mut(), query));
            keep_positive(signed, scale_of_kept, column_mut(dropped.as_mut(), query));
            let count = signed.len();
            let gradient = &mut gradient[..count];
            for i in 0..count {
                gradient[i] = if signed[i] > zero { gradient[i] * scale_of_kept } else { zero };
            }
            // Where the gradient is 0 the probability's sign does not matter.
            let mean = sum(count, |i| signed[i] * gradient[i]);
            for i in 0..count {
                let magnitude = if signed[i] > zero { signed[i] } else { -signed[i] };
                gradient[i] = scale * magnitude * (gradient[i] - mean);
            }
        }
    }
}

/// What was kept, scaled, and 0 for what was dropped.
#[inline(always)]
fn keep_positive<T: Real>(signed: &[T], scale: T, kept: &mut [T]) {
    let zero = T::of(0.0);
    for (kept, &p) in kept.iter_mut().zip(signed) {
        *kept = if p > zero { p * scale } else { zero };
    }
}
