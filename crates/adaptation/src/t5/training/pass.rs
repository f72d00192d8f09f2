//! The way of a batch's blocks through encoder, decoder and head, and back.

use std::ops::Range;

use faer::{MatMut, MatRef, Par};

use super::block::{Block, Scratch};
use super::{PairBatch, TextToText, longest};
use crate::kernels::columns::Buffer;
use crate::kernels::fork::for_each;
use crate::kernels::product::{Packed, Start, Term};
use crate::parts::adapted::{Partial, PreparedAdapters};
use crate::parts::blocks::{Extent, Pool, part_mut};
use crate::parts::dropout::{Dropout, DropoutSite, Mask, drop_columns};
use crate::parts::relative_position::RelativeBias;
use crate::parts::table::reduce_rows;
use crate::t5::config::layer_of;
use crate::{Adapters, Batch, Real, Site, T5Config};

/// What a pass is about.
pub(super) struct Pass<'a, T: Real> {
    pub(super) model: &'a TextToText<T>,
    pub(super) pairs: &'a PairBatch,
    pub(super) prepared: &'a PreparedAdapters<T>,
    pub(super) dropout: &'a Dropout,
    /// Of encoder and decoder.
    pub(super) biases: [RelativeBias<T>; 2],
    /// Whether a way back will follow.
    pub(super) keep: bool,
}

/// The tokens of a block's sources, or of its targets.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    batch: &'a Batch,
    extent: &'a Extent,
}

impl<'a> Tokens<'a> {
    pub(super) fn count(self) -> usize {
        self.extent.count()
    }

    /// Every sequence: its number within the batch, and its tokens within the block.
    pub(super) fn sequences(self) -> impl Iterator<Item = (usize, Range<usize>)> + Clone + use<'a> {
        self.extent.sequences_of(self.batch)
    }

    /// The tokens, each with its row of the embedding.
    pub(super) fn rows(self) -> impl Iterator<Item = (usize, usize)> + Clone + use<'a> {
        let (batch, first) = (self.batch, self.extent.tokens.start);
        (0..self.count()).map(move |token| (token, batch.id(first + token)))
    }
}

impl<'a, T: Real> Pass<'a, T> {
    pub(super) fn new(
        model: &'a TextToText<T>,
        pairs: &'a PairBatch,
        prepared: &'a PreparedAdapters<T>,
        dropout: &'a Dropout,
        keep: bool,
    ) -> Self {
        let t5 = &model.t5;
        let biases = [
            t5.bias(&t5.encoder, false, longest(pairs.sources())),
            t5.bias(&t5.decoder, true, longest(pairs.targets().batch())),
        ];
        Self { model, pairs, prepared, dropout, biases, keep }
    }

    pub(super) fn config(&self) -> &'a T5Config {
        self.model.t5.config()
    }

    pub(super) fn sources<'b>(&self, extent: &'b Extent) -> Tokens<'b>
    where
        'a: 'b,
    {
        Tokens { batch: self.pairs.sources(), extent }
    }

    pub(super) fn targets<'b>(&self, extent: &'b Extent) -> Tokens<'b>
    where
        'a: 'b,
    {
        Tokens { batch: self.pairs.targets().batch(), extent }
    }

    /// The states that logits are taken of, in the blocks.
    pub(super) fn forward(
        &self,
        adapters: &Adapters<T>,
        blocks: &mut [Block<T>],
        scratch: &Pool<Scratch<T>>,
        par: Par,
    ) {
        let (encoder_layers, layers) = (self.config().encoder_layers, self.config().layers());
        // All blocks through one layer before the next: its weights stay in the cache.
        for l in 0..layers {
            for_each(blocks, par, &|block| {
                if l == 0 {
                    let Block { source, target, .. } = &mut *block;
                    self.embed(adapters, DropoutSite::Embeddings, source);
                    self.embed(adapters, DropoutSite::TargetEmbeddings, target);
                }
                scratch.with(|scratch| self.layer(l, block, scratch));
                if l + 1 == encoder_layers {
                    self.last_norm(DropoutSite::Encoded, &mut block.source);
                }
                if l + 1 == layers {
                    self.last_norm(DropoutSite::Decoded, &mut block.target);
                }
            });
        }
    }

    /// From the gradient of those states to those of the adapters of layers and embedding.
    pub(super) fn backward(
        &self,
        adapters: &mut Adapters<T>,
        blocks: &mut [Block<T>],
        scratch: &Pool<Scratch<T>>,
        par: Par,
    ) {
        let Some(lowest) = lowest_layer(adapters) else { return };
        let (encoder_layers, layers) = (self.config().encoder_layers, self.config().layers());
        for l in (lowest..layers).rev() {
            for_each(blocks, par, &|block| {
                if l + 1 == layers {
                    let (hidden, count) = (self.config().hidden_size, block.source.extent.count());
                    block.source.d_states.write(hidden, count).fill(T::of(0.0));
                    self.last_norm_backward(DropoutSite::Decoded, &mut block.target);
                }
                if l + 1 == encoder_layers {
                    self.last_norm_backward(DropoutSite::Encoded, &mut block.source);
                }
                scratch.with(|scratch| self.layer_backward(l, lowest, block, scratch));
            });
            self.reduce_layer(l, blocks, adapters, par);
        }
        if let Some((_, gradient)) = adapters.applied_and_gradient(self.config().embedding()) {
            for_each(blocks, par, &|block| {
                self.embed_backward(DropoutSite::Embeddings, &mut block.source);
                self.embed_backward(DropoutSite::TargetEmbeddings, &mut block.target);
            });
            let shares = blocks.iter().flat_map(|Block { source, target, .. }| {
                [self.share(self.sources(&source.extent), source), self.share(self.targets(&target.extent), target)]
            });
            // What there is comes from the head.
            reduce_rows(gradient, self.config().tied, shares);
        }
    }

    pub(super) fn mask(&self, place: DropoutSite, sequence: usize) -> Mask<'a> {
        self.dropout.mask(place, sequence, self.config().dropout)
    }

    /// Dropout of hidden states, sequence by sequence.
    pub(super) fn drop_states(&self, place: DropoutSite, tokens: Tokens<'_>, mut x: MatMut<'_, T>) {
        for (sequence, own) in tokens.sequences() {
            match self.mask(place, sequence) {
                Mask::All => {}
                mask => drop_columns(mask, part_mut(x.as_mut(), &own)),
            }
        }
    }

    /// `x += dropout(branch)`.
    pub(super) fn drop_and_add(
        &self,
        place: DropoutSite,
        tokens: Tokens<'_>,
        mut branch: MatMut<'_, T>,
        mut x: MatMut<'_, T>,
    ) {
        self.drop_states(place, tokens, branch.as_mut());
        x += branch.as_ref();
    }

    /// `y = (W_0 + ΔW) x`.
    pub(super) fn dense(
        &self,
        site: Site,
        frozen: &Packed<T>,
        x: MatRef<'_, T>,
        low: &mut Buffer<T>,
        y: MatMut<'_, T>,
    ) {
        self.prepared.at(site).forward(frozen, Start::Zero, x, low, y);
    }

    /// A block's share of the gradient of a site's adapter, from that of its result.
    pub(super) fn gradient(
        &self,
        site: Site,
        x: MatRef<'_, T>,
        low: &Buffer<T>,
        d_y: MatRef<'_, T>,
        partial: &mut Partial<T>,
    ) {
        self.prepared.at(site).gradient(x, low, d_y, partial);
    }

    /// The terms of `(W_0 + ΔW)ᵀ d_y`, after the [`gradient`](Self::gradient).
    pub(super) fn dense_backward<'b>(
        &'b self,
        site: Site,
        d_y: MatRef<'b, T>,
        partial: &'b Partial<T>,
    ) -> impl Iterator<Item = Term<'b, T>> {
        self.prepared.at(site).backward(self.model.transposed(site), d_y, partial)
    }
}

/// The lowest layer that the way back goes through, of those that are adapted; `None` if there is none.
fn lowest_layer<T: Real>(adapters: &Adapters<T>) -> Option<usize> {
    let layer = |site| match site {
        Site::WordEmbeddings | Site::TiedEmbedding => Some(0),
        _ => layer_of(site),
    };
    adapters.sites().filter_map(layer).min()
}
