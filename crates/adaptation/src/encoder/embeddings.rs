//! The embeddings of a block of tokens: rows of three tables, summed and normalized; and the way back to their adapters.

use super::block::{Pass, Scratch, SequenceGroup};
use super::normalization::{norm_dropout, norm_dropout_backward};
use crate::kernels::columns::{column, column_mut};
use crate::parts::blocks::part_mut;
use crate::parts::dropout::DropoutSite;
use crate::parts::table::{Share, look_up, look_up_backward, reduce_rows};
use crate::{Adapters, Real, Site};

/// The two tables that can be adapted; the place of one here is that of its share of the gradient in a block.
const TABLES: [Site; 2] = [Site::WordEmbeddings, Site::PositionEmbeddings];

impl<T: Real> Pass<'_, T> {
    /// The tokens of a block, each with the row it looks up in a table.
    fn rows<'b>(
        &'b self,
        block: &SequenceGroup<T>,
        table: Site,
    ) -> impl Iterator<Item = (usize, usize)> + Clone + use<'b, T> {
        let first = block.extent.tokens.start;
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
                let kind = self.batch.token_type(block.extent.tokens.start + token);
                add(column_mut(sum.as_mut(), token), column(types.as_ref(), kind));
            }
        }
        for (token, row) in self.rows(block, Site::PositionEmbeddings) {
            add(column_mut(sum.as_mut(), token), column(tables.position.as_ref(), row));
        }
        for table in TABLES {
            let (prepared, rows) = (self.prepared.at(table), self.rows(block, table));
            look_up(prepared, adapters.applied(table), rows, block.embedded.low_mut(table), sum.as_mut());
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
            look_up_backward(self.prepared.at(table), low, gradient, partial);
        }
    }

    /// Sums the blocks' shares of the gradients of the embeddings' adapters; of a left factor and of a merged `ΔW` only rows of
    /// tokens in the batch are not 0.
    pub(crate) fn reduce_embeddings(&self, blocks: &[SequenceGroup<T>], adapters: &mut Adapters<T>) {
        for (place, table) in TABLES.into_iter().enumerate() {
            let Some((_, gradient)) = adapters.applied_and_gradient(table) else { continue };
            let shares = blocks.iter().map(|block| Share {
                rows: self.rows(block, table),
                partial: &block.partials[place],
                gradient: block.gradient.read(self.config().hidden_size, block.count()),
            });
            reduce_rows(gradient, false, shares);
        }
    }
}

fn add<T: Real>(sum: &mut [T], row: &[T]) {
    for (sum, &x) in sum.iter_mut().zip(row) {
        *sum += x;
    }
}
