//! Softmax attention of all sequences of a batch, without a way back: new tokens attend to keys and values that are kept.

use faer::{Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::attention::scale_and_bias;
use super::relative_position::RelativeBias;
use crate::kernels::columns::{Buffer, column, padded, transpose};
use crate::kernels::product::{Start, Term, inner_products, sum_of_products};
use crate::kernels::reduce::softmax;
use crate::{Batch, Real};

/// Multiplications from which threads share the work.
const SHARED: usize = 1 << 17;

/// How tokens attend.
#[derive(Clone, Copy)]
pub(crate) struct Attend<'a, T> {
    /// Heads of keys and values.
    pub(crate) heads: usize,
    /// Heads of queries that share each.
    pub(crate) group: usize,
    /// Length of a query, key or value within one head.
    pub(crate) size: usize,
    /// What scores are multiplied by.
    pub(crate) scale: f64,
    /// Whether the new tokens are the last of those that are attended to, and each sees itself and those before it alone.
    pub(crate) causal: bool,
    /// What is added to the scores. In a causal one tokens count from the sequence's first, else from the first new one.
    pub(crate) bias: Option<&'a RelativeBias<T>>,
}

/// A head of keys and values of one sequence, with the heads of queries that share it.
struct Part<'a, T: Real> {
    how: Attend<'a, T>,
    /// The first of the heads of queries.
    head: usize,
    /// (group · head size) × new tokens.
    queries: MatRef<'a, T>,
    /// head size × all tokens.
    keys: MatRef<'a, T>,
    /// head size × all tokens.
    values: MatRef<'a, T>,
    /// (group · head size) × new tokens, to be written.
    context: MatMut<'a, T>,
}

/// `context = values · softmax(scale · keysᵀ queries + bias)`, head by head; queries and context are (heads · group · size) × new
/// tokens. `keys_values` gives the keys and values below each other that a sequence's new tokens attend to.
pub(crate) fn attend<'a, T: Real>(
    how: Attend<'a, T>,
    batch: &Batch,
    keys_values: impl Fn(usize) -> MatRef<'a, T>,
    queries: MatRef<'a, T>,
    mut context: MatMut<'a, T>,
    par: Par,
) {
    let (size, rows) = (how.size, how.group * how.size);
    let (mut parts, mut work) = (Vec::with_capacity(batch.sequences() * how.heads), 0);
    for sequence in 0..batch.sequences() {
        let tokens = batch.range(sequence);
        let all = keys_values(sequence);
        work += tokens.len() * all.ncols() * how.heads * rows;
        let (mut own, rest) = context.split_at_col_mut(tokens.len());
        context = rest;
        for head in 0..how.heads {
            let (context, below) = own.split_at_row_mut(rows);
            own = below;
            parts.push(Part {
                how,
                head: head * how.group,
                queries: queries.subcols(tokens.start, tokens.len()).subrows(head * rows, rows),
                keys: all.subrows(head * size, size),
                values: all.subrows((how.heads + head) * size, size),
                context,
            });
        }
    }
    if par == Par::Seq || work < SHARED {
        parts.into_iter().for_each(Part::attend);
    } else {
        parts.into_par_iter().for_each(Part::attend);
    }
}

impl<T: Real> Part<'_, T> {
    fn attend(self) {
        if self.queries.ncols() == 1 { self.attend_one() } else { self.attend_several() }
    }

    /// One new token: its heads are the columns of a matrix.
    fn attend_one(mut self) {
        let (size, tokens) = self.keys.shape();
        let heads = self.queries.nrows() / size;
        let queries = MatRef::from_column_major_slice(column(self.queries, 0), size, heads);
        let mut scores = Mat::zeros(padded(tokens), heads);
        inner_products(scores.as_mut().subrows_mut(0, tokens), self.keys, queries);
        if self.how.bias.is_some() {
            for head in 0..heads {
                self.biased(head, scores.as_mut().subcols_mut(head, 1), tokens);
            }
        }
        softmax(scores.as_mut(), tokens, self.scale());
        let seen = scores.as_ref().subrows(0, tokens);
        for head in 0..heads {
            let context = self.context.as_mut().subrows_mut(head * size, size);
            sum_of_products(context, Start::Zero, [Term::columns(self.values, seen.subcols(head, 1))]);
        }
    }

    /// Several new tokens; in a causal attention each sees one more than that before it.
    fn attend_several(mut self) {
        let ((size, tokens), count) = (self.keys.shape(), self.queries.ncols());
        let length = padded(tokens);
        let mut transposed = Buffer::default();
        transpose(self.keys, &mut transposed);
        let mut scores = Mat::zeros(length, count);
        for head in 0..self.queries.nrows() / size {
            let queries = self.queries.subrows(head * size, size);
            let keys = Term::columns(transposed.read(length, size), queries);
            sum_of_products(scores.as_mut(), Start::Zero, [keys]);
            self.biased(head, scores.as_mut(), tokens);
            if self.how.causal {
                for query in 0..count {
                    softmax(scores.as_mut().subcols_mut(query, 1), tokens - count + query + 1, self.scale());
                }
            } else {
                softmax(scores.as_mut(), tokens, self.scale());
            }
            let context = self.context.as_mut().subrows_mut(head * size, size);
            let seen = scores.as_ref().subrows(0, tokens);
            sum_of_products(context, Start::Zero, [Term::columns(self.values, seen)]);
        }
    }

    /// Multiplies the scores of one of the heads of queries and adds their bias, where there is one.
    fn biased(&self, head: usize, scores: MatMut<'_, T>, tokens: usize) {
        if let Some(bias) = self.how.bias {
            let first = if self.how.causal { tokens - self.queries.ncols() } else { 0 };
            scale_and_bias(scores, T::of(self.how.scale), bias, self.head + head, first);
        }
    }

    /// What the scores are multiplied by within the softmax.
    fn scale(&self) -> T {
        T::of(if self.how.bias.is_some() { 1.0 } else { self.how.scale })
    }
}
