//! The loss of texts behind their prompts, and the gradient of the adapters.
//!
//! The network is that of `architecture`, with `W_0 + ΔW` in place of `W_0`, over whole sequences: what a block of them needs on
//! its way back is kept (`layer`, `block`). As in the [encoder](crate::Network), no gradient of a frozen weight is ever formed, and
//! the way back ends at the lowest adapted layer.

mod block;
mod layer;
mod texts;

use std::sync::Arc;

use faer::{Mat, Par};

use self::block::{Block, Pass, Scratch};
pub use self::texts::{PromptedText, Template, TextBatch};
use super::Decoder;
use super::rotary::Rotary;
use super::weights::LAYER_SITES;
use crate::kernels::columns::column_mut;
use crate::kernels::fork::for_each;
use crate::kernels::product::Packed;
use crate::parts::adapted::PreparedAdapters;
use crate::parts::blocks::{Pool, cut};
use crate::parts::head::{Head, HeadWork};
use crate::parts::rms_norm::{rms_norm_backward, standardize, weighted};
use crate::parts::table::{Share, look_up, look_up_backward, reduce_rows};
use crate::{Adapters, Applied, AppliedGradient, Real, Site};

/// A frozen decoder, and its weights once more for the way back: what adapters are trained on. A clone shares the weights.
#[derive(Clone, Debug)]
pub struct LanguageModel<T: Real> {
    decoder: Decoder<T>,
    /// The transposed weights, layer by layer in the order of [`LAYER_SITES`].
    transposed: Arc<[Packed<T>]>,
    /// hidden × vocabulary.
    head: Arc<Mat<T>>,
}

/// What a step computes on the way: buffers that grow to the most that batches ask of them and are reused.
#[derive(Debug, Default)]
pub struct TextActivations<T: Real> {
    blocks: Vec<Block<T>>,
    prepared: PreparedAdapters<T>,
    scratch: Pool<Scratch<T>>,
    head: HeadWork<T>,
}

impl<T: Real> TextActivations<T> {
    /// Empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(Block::bytes).sum::<usize>() + self.scratch.sum(Scratch::bytes) + self.head.bytes()
    }
}

impl<T: Real> LanguageModel<T> {
    /// Of a decoder, whose weights it shares.
    pub fn new(decoder: Decoder<T>) -> Self {
        let sites = (0..decoder.config().layers).flat_map(|l| LAYER_SITES.map(|site| site(l)));
        let transposed = sites.map(|site| decoder.packed(site).transposed()).collect();
        let head = Arc::new(decoder.vocabulary.transposed_head());
        Self { decoder, transposed, head }
    }

    /// The decoder.
    pub fn decoder(&self) -> &Decoder<T> {
        &self.decoder
    }

    /// The mean over all of the batch's target tokens of `−log softmax(logits)[target]`.
    ///
    /// # Panics
    /// If there are no texts, or the decoder cannot take one (see [`DecoderConfig::check`](crate::DecoderConfig::check)).
    pub fn loss(&self, texts: &TextBatch, adapters: &Adapters<T>, work: &mut TextActivations<T>, par: Par) -> f64 {
        let TextActivations { blocks, prepared, scratch, head } = work;
        let (count, rotary) = self.start(texts, adapters, blocks, prepared, 1);
        let (blocks, pass) = (&mut blocks[..count], Pass { model: self, texts, prepared, rotary, keep: false });
        pass.forward(adapters, blocks, scratch, par);
        pass.head(blocks, head, adapters.applied(self.decoder.config().head()), None, par)
    }

    /// The [`loss`](Self::loss), and the gradient of every adapter's applied form, in its place in `adapters`; what was there is
    /// replaced.
    ///
    /// # Panics
    /// As [`loss`](Self::loss); if an adapter is on a weight that the decoder does not have.
    pub fn loss_and_gradient(
        &self,
        texts: &TextBatch,
        adapters: &mut Adapters<T>,
        work: &mut TextActivations<T>,
        par: Par,
    ) -> f64 {
        let config = self.decoder.config();
        for site in adapters.sites() {
            assert!(config.sites().any(|own| own == site), "the decoder has no {} to adapt", site.name());
        }
        let TextActivations { blocks, prepared, scratch, head } = work;
        let (count, rotary) = self.start(texts, adapters, blocks, prepared, config.layers);
        let (blocks, pass) = (&mut blocks[..count], Pass { model: self, texts, prepared, rotary, keep: true });
        pass.forward(adapters, blocks, scratch, par);
        let (applied, gradient) = adapters.applied_and_gradient(config.head()).unzip();
        let loss = pass.head(blocks, head, applied, gradient, par);
        pass.backward(adapters, blocks, scratch, par);
        loss
    }

    /// Cuts a batch into blocks with a state for so many layers; returns their number.
    fn start(
        &self,
        texts: &TextBatch,
        adapters: &Adapters<T>,
        blocks: &mut Vec<Block<T>>,
        prepared: &mut PreparedAdapters<T>,
        layers: usize,
    ) -> (usize, Rotary<T>) {
        assert!(texts.targets() > 0, "a batch has texts");
        let (batch, config) = (texts.batch(), self.decoder.config());
        let count = cut(batch, |place, extent| {
            if blocks.len() == place {
                blocks.push(Block::default());
            }
            blocks[place].extent = extent;
            if blocks[place].layers.len() < layers {
                blocks[place].layers.resize_with(layers, Default::default);
            }
        });
        let in_layers = (0..config.layers).flat_map(|l| {
            (0..LAYER_SITES.len()).map(move |place| {
                let site = LAYER_SITES[place](l);
                (site, Some((self.decoder.packed(site), self.transposed(l, place))))
            })
        });
        // Products with the head are not those of a layer: it is not merged.
        let ends = [config.embedding(), config.head()].map(|site| (site, None));
        prepared.refresh(in_layers.chain(ends), adapters);
        (count, Rotary::new(config, batch, |_| 0))
    }

    /// Wᵀ of a layer's site.
    fn transposed(&self, l: usize, place: usize) -> &Packed<T> {
        &self.transposed[LAYER_SITES.len() * l + place]
    }
}

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
    fn forward(&self, adapters: &Adapters<T>, blocks: &mut [Block<T>], scratch: &Pool<Scratch<T>>, par: Par) {
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

    /// The loss, and in the place of the blocks' states their gradient, if a way back follows.
    fn head(
        &self,
        blocks: &mut [Block<T>],
        work: &mut HeadWork<T>,
        applied: Option<Applied<'_, T>>,
        gradient: Option<&mut AppliedGradient<T>>,
        par: Par,
    ) -> f64 {
        let (hidden, (places, ids)) = (self.config().hidden_size, self.texts.places_and_ids());
        let states = blocks.iter().map(|block| (&block.extent, block.states.read(hidden, block.extent.count())));
        work.gather(hidden, places, states);
        let (frozen, transposed) = (self.model.decoder.vocabulary.head(), &*self.model.head);
        let prepared = self.prepared.at(self.config().head());
        let loss = Head { frozen, transposed, prepared, ids, keep: self.keep }.loss(work, applied, gradient, par);
        if self.keep {
            let states = blocks.iter_mut().map(|Block { extent, states, .. }| {
                let count = extent.count();
                (&*extent, states.write(hidden, count))
            });
            work.scatter(hidden, places, states);
        }
        loss
    }

    /// From the gradient of the states after the last RMSNorm, in the blocks, to those of the adapters of layers and embedding.
    fn backward(&self, adapters: &mut Adapters<T>, blocks: &mut [Block<T>], scratch: &Pool<Scratch<T>>, par: Par) {
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
        let embedding = self.config().embedding();
        if let Some((_, gradient)) = adapters.applied_and_gradient(embedding) {
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
