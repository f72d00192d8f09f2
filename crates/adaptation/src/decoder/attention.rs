//! Causal softmax attention: a token sees itself and those before it.

use faer::{Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::DecoderConfig;
use crate::kernels::columns::{Buffer, column, padded, transpose};
use crate::kernels::product::{Start, Term, inner_products, sum_of_products};
use crate::kernels::reduce::softmax;
use crate::{Batch, Real};

/// Multiplications from which threads share the work.
const SHARED: usize = 1 << 17;

/// A head of keys and values of one sequence, with the heads of queries that share it.
struct Part<'a, T: Real> {
    /// (group · head size) × new tokens.
    queries: MatRef<'a, T>,
    /// head size × all tokens.
    keys: MatRef<'a, T>,
    /// head size × all tokens.
    values: MatRef<'a, T>,
    /// (group · head size) × new tokens, to be written.
    context: MatMut<'a, T>,
}

/// `context = values · softmax(keysᵀ queries / √(head size))`, head by head; queries and context are (heads · head size) × new
/// tokens. `keys_values` gives a sequence's keys and values below each other, and the number of its tokens before the new ones.
pub(super) fn attend<'a, T: Real>(
    config: &DecoderConfig,
    batch: &Batch,
    keys_values: impl Fn(usize) -> (MatRef<'a, T>, usize),
    queries: MatRef<'a, T>,
    mut context: MatMut<'a, T>,
    par: Par,
) {
    let (size, rows) = (config.head_size, config.group() * config.head_size);
    let (mut parts, mut work) = (Vec::with_capacity(batch.sequences() * config.key_value_heads), 0);
    for sequence in 0..batch.sequences() {
        let tokens = batch.range(sequence);
        let (keys_values, before) = keys_values(sequence);
        let all = keys_values.subcols(0, before + tokens.len());
        work += tokens.len() * all.ncols() * config.queries();
        let (mut own, rest) = context.split_at_col_mut(tokens.len());
        context = rest;
        for head in 0..config.key_value_heads {
            let (context, below) = own.split_at_row_mut(rows);
            own = below;
            parts.push(Part {
                queries: queries.subcols(tokens.start, tokens.len()).subrows(head * rows, rows),
                keys: all.subrows(head * size, size),
                values: all.subrows(config.keys() + head * size, size),
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
        softmax(scores.as_mut(), tokens, scale(size));
        let seen = scores.as_ref().subrows(0, tokens);
        for head in 0..heads {
            let context = self.context.as_mut().subrows_mut(head * size, size);
            sum_of_products(context, Start::Zero, [Term::columns(self.values, seen.subcols(head, 1))]);
        }
    }

    /// Several new tokens, of which each sees one more than that before it.
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
            for query in 0..count {
                softmax(scores.as_mut().subcols_mut(query, 1), tokens - count + query + 1, scale(size));
            }
            let context = self.context.as_mut().subrows_mut(head * size, size);
            let seen = scores.as_ref().subrows(0, tokens);
            sum_of_products(context, Start::Zero, [Term::columns(self.values, seen)]);
        }
    }
}

/// What scores are multiplied by.
fn scale<T: Real>(size: usize) -> T {
    T::of(1.0 / (size as f64).sqrt())
}
