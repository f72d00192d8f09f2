//! The way of a batch's blocks through the layers and the head, and back.

use faer::Par;

use super::block::{Block, Pass, Scratch};
use crate::kernels::columns::column_mut;
use crate::kernels::fork::for_each;
use crate::parts::blocks::Pool;
use crate::parts::head::{Head, HeadWork};
use crate::parts::rms_norm::{rms_norm_backward, standardize, weighted};
use crate::parts::table::{Share, look_up, look_up_backward, reduce_rows};
use crate::{Adapters, Applied, AppliedGradient, Real, Site};

/// Blocks whose targets go through the head together: two threads' halves of what its weights are read for. However many blocks are
/// on their way, so sums do not depend on that.
const BLOCKS_OF_A_HEAD: usize = 2;

/// The lowest layer that the way back goes through, of those that are adapted; `None` if there is none.
fn lowest_layer<T: Real>(adapters: &Adapters<T>) -> Option<usize> {
    let layer = |site| match site {
        Site::Query(l) | Site::Key(l) | Site::Value(l) | Site::AttentionOutput(l) => Some(l),
        Site::Gate(l) | Site::Up(l) | Site::Down(l) => Some(l),
        Site::WordEmbeddings | Site::TiedEmbedding => Some(0),
        _ => None,
    };
    adapters.sites().filter_map(layer).min()
}

impl<T: Real> Pass<'_, T> {
    /// The hidden states of all tokens after the last RMSNorm, in the blocks.
    pub(super) fn forward(
        &self,
        adapters: &Adapters<T>,
        blocks: &mut [Block<T>],
        scratch: &Pool<Scratch<T>>,
        par: Par,
    ) {
        let layers = self.config().layers;
        // All blocks through one layer before the next: its weights stay in the cache.
        for l in 0..layers {
            for_each(blocks, par, &|block| {
                if l == 0 {
                    self.embed(adapters, block);
                }
                scratch.with(|scratch| self.layer(l, block, scratch));
                if l + 1 == layers {
                    self.last_norm(block);
                }
            });
        }
    }

    /// Adds to the loss what these blocks' targets add to it. If a way back follows, the gradient of the blocks' states in their
    /// place, and that of the head's adapter.
    pub(super) fn head(
        &self,
        blocks: &mut [Block<T>],
        work: &mut HeadWork<T>,
        applied: Option<Applied<'_, T>>,
        mut gradient: Option<&mut AppliedGradient<T>>,
        loss: &mut f64,
        par: Par,
    ) {
        let (hidden, (places, ids)) = (self.config().hidden_size, self.texts.places_and_ids());
        let (frozen, transposed) = (self.model.decoder.vocabulary.head(), &*self.model.head);
        let prepared = self.prepared.at(self.config().head());
        let targets = ids.len();
        for (part, blocks) in blocks.chunks_mut(BLOCKS_OF_A_HEAD).enumerate() {
            let [first, end] = [blocks[0].extent.tokens.start, blocks[blocks.len() - 1].extent.tokens.end]
                .map(|token| places.partition_point(|&place| place < token));
            let (places, ids) = (&places[first..end], &ids[first..end]);
            let states = blocks.iter().map(|block| (&block.extent, block.states.read(hidden, block.extent.count())));
            work.gather(hidden, places, states);
            let adds = self.adds || part > 0;
            let head = Head { frozen, transposed, prepared, ids, targets, adds, keep: self.keep };
            *loss += head.loss(work, applied, gradient.as_deref_mut(), par);
            if self.keep {
                let states = blocks.iter_mut().map(|Block { extent, states, .. }| {
                    let count = extent.count();
                    (&*extent, states.write(hidden, count))
                });
                work.scatter(hidden, places, states);
            }
        }
    }

    /// From the gradient of the states after the last RMSNorm, in the blocks, to those of the adapters of layers, and of the states
    /// from the embedding if its adapter is to have one.
    pub(super) fn layers_backward(
        &self,
        adapters: &mut Adapters<T>,
        blocks: &mut [Block<T>],
        scratch: &Pool<Scratch<T>>,
        par: Par,
    ) {
        let Some(lowest) = lowest_layer(adapters) else { return };
        for l in (lowest..self.config().layers).rev() {
            for_each(blocks, par, &|block| {
                if l + 1 == self.config().layers {
                    self.last_norm_backward(block);
                }
                scratch.with(|scratch| self.layer_backward(l, block, scratch));
            });
            self.reduce_layer(l, blocks, adapters, par);
        }
    }

    /// From the gradient of the states from the embedding, in the blocks, all of the batch, to that of its adapter.
    pub(super) fn embedding_backward(&self, adapters: &mut Adapters<T>, blocks: &mut [Block<T>], par: Par) {
        if let Some((_, gradient)) = adapters.applied_and_gradient(self.config().embedding()) {
            for_each(blocks, par, &|block| self.embed_backward(block));
            let hidden = self.config().hidden_size;
            let shares = blocks.iter().map(|block| Share {
                rows: self.rows(block),
                partial: &block.embedding,
                gradient: block.gradient.read(hidden, block.extent.count()),
            });
            // What there is comes from the head.
            reduce_rows(gradient, self.config().tied, shares);
        }
    }

    /// A block's tokens, each with its row of the embedding.
    fn rows<'b>(&'b self, block: &Block<T>) -> impl Iterator<Item = (usize, usize)> + Clone + use<'b, T> {
        let (batch, first) = (self.texts.batch(), block.extent.tokens.start);
        (0..block.extent.count()).map(move |token| (token, batch.id(first + token)))
    }

    /// A block's hidden states from the embedding.
    fn embed(&self, adapters: &Adapters<T>, block: &mut Block<T>) {
        let rows = self.rows(block);
        let mut hidden = block.hidden.write(self.config().hidden_size, block.extent.count());
        for (token, row) in rows.clone() {
            self.model.decoder.vocabulary.copy_token(row, column_mut(hidden.as_mut(), token));
        }
        let site = self.config().embedding();
        look_up(self.prepared.at(site), adapters.applied(site), rows, &mut block.embedded, hidden);
    }

    fn embed_backward(&self, block: &mut Block<T>) {
        let gradient = block.gradient.read(self.config().hidden_size, block.extent.count());
        let prepared = self.prepared.at(self.config().embedding());
        look_up_backward(prepared, &block.embedded, gradient, &mut block.embedding);
    }

    fn last_norm(&self, block: &mut Block<T>) {
        let (hidden, count) = (self.config().hidden_size, block.extent.count());
        let (mut standardized, inverse) = block.last.write(hidden, count);
        standardize(self.epsilon(), block.hidden.read(hidden, count), standardized.as_mut(), inverse);
        weighted(&self.model.decoder.norm, standardized.as_ref(), block.states.write(hidden, count));
    }

    /// From the gradient of `block.states`, in their place, to that of the hidden states before the last RMSNorm.
    fn last_norm_backward(&self, block: &mut Block<T>) {
        let (hidden, count) = (self.config().hidden_size, block.extent.count());
        let (standardized, inverse) = block.last.read(hidden, count);
        let mut gradient = block.gradient.write(hidden, count);
        gradient.fill(T::of(0.0));
        let d_states = block.states.read(hidden, count);
        rms_norm_backward(&self.model.decoder.norm, standardized, inverse, d_states, gradient);
    }
}
