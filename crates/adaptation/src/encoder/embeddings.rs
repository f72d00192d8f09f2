//! The embeddings of a block of tokens: rows of three tables, summed and normalized; and the way back to their adapters.

use faer::Mat;

use super::adapted::Prepared;
use super::block::{Pass, Scratch, SequenceGroup, part_mut};
use super::dropout::DropoutSite;
use super::normalization::{norm_dropout, norm_dropout_backward};
use crate::kernels::columns::{column, column_mut};
use crate::kernels::product::{Start, Term, sum_of_products};
use crate::{Adapters, Applied, AppliedGradient, Real, Site};

/// The two tables that can be adapted; the place of one here is that of its share of the gradient in a block.
const TABLES: [Site; 2] = [Site::WordEmbeddings, Site::PositionEmbeddings];

impl<T: Real> Pass<'_, T> {
    /// The tokens of a block, each with the row it looks up in a table.
    fn rows<'b>(&'b self, block: &SequenceGroup<T>, table: Site) -> impl Iterator<Item = (usize, usize)> + use<'b, T> {
        let first = block.tokens.start;
        let first_position = self.config().architecture.first_position();
        self.sequences(block).flat_map(move |(_, tokens)| {
            tokens.enumerate().map(move |(position, token)| {
                let words = table == Site::WordEmbeddings;
                (token, if words { self.batch.id(first + token) } else { first_position + position })
            })
        })
    }

    /// A block's embeddings, into its hidden states.
    pub(crate) fn embed(&self, adapters: &Adapters<T>, block: &mut SequenceGroup<T>, scratch: &mut Scratch<T>) {
        let encoder = &*self.network.encoder;
        let (config, count) = (encoder.config(), block.count());
        let hidden = config.hidden_size;
        let tables = &encoder.embeddings;
        let mut sum = scratch.hidden.write(hidden, count);
        for (token, row) in self.rows(block, Site::WordEmbeddings) {
            column_mut(sum.as_mut(), token).copy_from_slice(column(tables.word.as_ref(), row));
            if let Some(types) = &tables.token_type {
                let kind = self.batch.token_type(block.tokens.start + token);
                add(column_mut(sum.as_mut(), token), column(types.as_ref(), kind));
            }
        }
        for (token, row) in self.rows(block, Site::PositionEmbeddings) {
            add(column_mut(sum.as_mut(), token), column(tables.position.as_ref(), row));
        }
        for table in TABLES {
            match (self.prepared.at(table), adapters.applied(table)) {
                (Prepared::Factored { right, .. }, Some(Applied::Factored { left, .. })) => {
                    let rows = self.rows(block, table);
                    let mut low = block.embedded.low_mut(table).write(right.columns(), count);
                    for (token, row) in rows {
                        low.as_mut().col_mut(token).copy_from(left.row(row).transpose());
                    }
                    sum_of_products(sum.as_mut(), Start::Destination, [right.times(low.as_ref())]);
                }
                (Prepared::Table, Some(Applied::Merged(delta))) => {
                    for (token, row) in self.rows(block, table) {
                        let mut sum = sum.as_mut().col_mut(token);
                        sum += delta.row(row).transpose();
                    }
                }
                _ => {}
            }
        }
        for (sequence, tokens) in self.sequences(block) {
            let mask = self.dropout.mask(DropoutSite::Embeddings, sequence, config.hidden_dropout);
            let normalized = block.embedded.norm.write(hidden, count, &tokens);
            let y = part_mut(sum.as_mut(), &tokens);
            let out = part_mut(block.hidden.write(hidden, count), &tokens);
            norm_dropout(&tables.norm, self.epsilon(), mask, y, normalized, out);
        }
    }

    /// The way back from the gradient of the embeddings to the block's share of the adapters' gradients; `block.gradient`
    /// becomes that of every token's sum of rows.
    pub(crate) fn embed_backward(&self, block: &mut SequenceGroup<T>) {
        let encoder = &*self.network.encoder;
        let (config, count) = (encoder.config(), block.count());
        let hidden = config.hidden_size;
        for (sequence, tokens) in self.sequences(block) {
            let mask = self.dropout.mask(DropoutSite::Embeddings, sequence, config.hidden_dropout);
            let (standardized, inverse) = block.embedded.norm.read(hidden, count, &tokens);
            let gradient = part_mut(block.gradient.write(hidden, count), &tokens);
            norm_dropout_backward(&encoder.embeddings.norm, mask, standardized, inverse, gradient);
        }
        let gradient = block.gradient.read(hidden, count);
        let lows = [&block.embedded.word_low, &block.embedded.position_low];
        for ((table, low), partial) in TABLES.into_iter().zip(lows).zip(&mut block.partials) {
            if let Prepared::Factored { right, .. } = self.prepared.at(table) {
                let low = low.read(right.columns(), count);
                right.transposed_times(partial.low.write(right.columns(), count), gradient);
                let d_right = partial.right.write(hidden, right.columns());
                sum_of_products(d_right, Start::Zero, [Term::columns(gradient, low.transpose())]);
            }
        }
    }

    /// Sums the blocks' shares of the gradients of the embeddings' adapters; of a left factor and of a merged `ΔW` only rows of
    /// tokens in the batch are not 0.
    pub(crate) fn reduce_embeddings(&self, blocks: &[SequenceGroup<T>], adapters: &mut Adapters<T>) {
        for (place, table) in TABLES.into_iter().enumerate() {
            let Some((_, gradient)) = adapters.applied_and_gradient(table) else { continue };
            match gradient {
                AppliedGradient::Factored { left, right } => {
                    left.fill(T::of(0.0));
                    self.sum_lows(blocks, place, left.ncols(), |row, low| add_to_row(left, row, low));
                    self.sum_rights(blocks, place, right);
                }
                AppliedGradient::FactoredRows { left, right } => {
                    left.keep(blocks.iter().flat_map(|block| self.rows(block, table)).map(|(_, row)| row));
                    self.sum_lows(blocks, place, right.nrows(), |row, low| left.add(row, low));
                    self.sum_rights(blocks, place, right);
                }
                AppliedGradient::Merged(delta) => {
                    delta.fill(T::of(0.0));
                    self.sum_gradients(blocks, table, |row, gradient| add_to_row(delta, row, gradient));
                }
                AppliedGradient::MergedRows(delta) => {
                    delta.keep(blocks.iter().flat_map(|block| self.rows(block, table)).map(|(_, row)| row));
                    self.sum_gradients(blocks, table, |row, gradient| delta.add(row, gradient));
                }
            }
        }
    }

    /// Hands out the gradient of the row of the left factor that each token looked up, in the order of the tokens.
    fn sum_lows(&self, blocks: &[SequenceGroup<T>], place: usize, rank: usize, mut sum: impl FnMut(usize, &[T])) {
        for block in blocks {
            let low = block.partials[place].low.read(rank, block.count());
            self.rows(block, TABLES[place]).for_each(|(token, row)| sum(row, column(low, token)));
        }
    }

    fn sum_rights(&self, blocks: &[SequenceGroup<T>], place: usize, right: &mut Mat<T>) {
        let (rank, hidden) = right.shape();
        right.fill(T::of(0.0));
        for block in blocks {
            *right += block.partials[place].right.read(hidden, rank).transpose();
        }
    }

    /// Hands out the gradient of the row of `ΔW` that each token looked up, in the order of the tokens.
    fn sum_gradients(&self, blocks: &[SequenceGroup<T>], table: Site, mut sum: impl FnMut(usize, &[T])) {
        for block in blocks {
            let gradient = block.gradient.read(self.config().hidden_size, block.count());
            self.rows(block, table).for_each(|(token, row)| sum(row, column(gradient, token)));
        }
    }
}

fn add_to_row<T: Real>(matrix: &mut Mat<T>, row: usize, summand: &[T]) {
    for (sum, &x) in matrix.row_mut(row).iter_mut().zip(summand) {
        *sum += x;
    }
}

fn add<T: Real>(sum: &mut [T], row: &[T]) {
    for (sum, &x) in sum.iter_mut().zip(row) {
        *sum += x;
    }
}
