//! The loss of texts behind their prompts, and the gradient of the adapters.
//!
//! The network is that of `architecture`, with `W_0 + ΔW` in place of `W_0`, over whole sequences: what a block of them needs on
//! its way back is kept (`layer`, `block`). As in the [encoder](crate::Network), no gradient of a frozen weight is ever formed, and
//! the way back ends at the lowest adapted layer.

mod block;
mod layer;
mod pass;
mod texts;

use std::sync::Arc;

use faer::{Mat, Par};

use self::block::{Block, LayerState, Pass, Scratch};
pub use self::texts::{PromptedText, Template, TextBatch};
use super::Decoder;
use super::rotary::Rotary;
use super::weights::LAYER_SITES;
use crate::kernels::fork::threads;
use crate::kernels::product::Packed;
use crate::parts::adapted::PreparedAdapters;
use crate::parts::blocks::{Pool, cut};
use crate::parts::head::HeadWork;
use crate::{Adapters, Real};

/// Blocks for each thread that go through all layers and back before the next do: enough that threads have none to wait for, few
/// enough to hold what is kept of their layers, most of what a step needs beside the weights.
const BLOCKS_OF_A_THREAD: usize = 3;

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
    /// What blocks keep of their layers, for those that are on their way.
    layers: Vec<Vec<LayerState<T>>>,
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
        let layers = self.layers.iter().flatten().map(LayerState::bytes).sum::<usize>();
        layers
            + self.blocks.iter().map(Block::bytes).sum::<usize>()
            + self.scratch.sum(Scratch::bytes)
            + self.head.bytes()
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
        let TextActivations { blocks, layers, prepared, scratch, head } = work;
        let (count, rotary) = self.start(texts, adapters, blocks, prepared, par);
        let blocks = &mut blocks[..count];
        let pass = Pass { model: self, texts, prepared, rotary: &rotary, adds: false, keep: false };
        let (applied, mut loss) = (adapters.applied(self.decoder.config().head()), 0.0);
        lend(blocks, layers, 1, |blocks| {
            pass.forward(adapters, blocks, scratch, par);
            pass.head(blocks, head, applied, None, &mut loss, par);
        });
        loss
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
        let TextActivations { blocks, layers, prepared, scratch, head } = work;
        let (count, rotary) = self.start(texts, adapters, blocks, prepared, par);
        let blocks = &mut blocks[..count];
        let mut pass = Pass { model: self, texts, prepared, rotary: &rotary, adds: false, keep: true };
        let mut loss = 0.0;
        for some in blocks.chunks_mut(at_a_time(count, par)) {
            lend(some, layers, config.layers, |blocks| {
                pass.forward(adapters, blocks, scratch, par);
                let (applied, gradient) = adapters.applied_and_gradient(config.head()).unzip();
                pass.head(blocks, head, applied, gradient, &mut loss, par);
                pass.layers_backward(adapters, blocks, scratch, par);
            });
            pass.adds = true;
        }
        pass.embedding_backward(adapters, blocks, par);
        loss
    }

    /// Cuts a batch into blocks, and brings the adapters up to date; returns the number of blocks.
    fn start(
        &self,
        texts: &TextBatch,
        adapters: &Adapters<T>,
        blocks: &mut Vec<Block<T>>,
        prepared: &mut PreparedAdapters<T>,
        par: Par,
    ) -> (usize, Rotary<T>) {
        assert!(texts.targets() > 0, "a batch has texts");
        let (batch, config) = (texts.batch(), self.decoder.config());
        let count = cut(batch, |place, extent| {
            if blocks.len() == place {
                blocks.push(Block::default());
            }
            blocks[place].extent = extent;
        });
        let in_layers = (0..config.layers).flat_map(|l| {
            (0..LAYER_SITES.len()).map(move |place| {
                let site = LAYER_SITES[place](l);
                (site, Some((self.decoder.packed(site), self.transposed(l, place))))
            })
        });
        // Products with the head are not those of a layer: it is not merged.
        let ends = [config.embedding(), config.head()].map(|site| (site, None));
        prepared.refresh(in_layers.chain(ends), adapters, par);
        (count, Rotary::new(config, batch, |_| 0))
    }

    /// Wᵀ of a layer's site.
    fn transposed(&self, l: usize, place: usize) -> &Packed<T> {
        &self.transposed[LAYER_SITES.len() * l + place]
    }
}

/// How many of a step's blocks are on their way at the same time: an even number, as equal as can be in all rounds.
fn at_a_time(blocks: usize, par: Par) -> usize {
    let most = (BLOCKS_OF_A_THREAD * threads(par)).next_multiple_of(2);
    blocks.div_ceil(blocks.div_ceil(most)).next_multiple_of(2)
}

/// Does `work` on blocks that have room for what is kept of so many layers, which is taken back from them afterwards.
fn lend<T: Real>(
    blocks: &mut [Block<T>],
    layers: &mut Vec<Vec<LayerState<T>>>,
    count: usize,
    work: impl FnOnce(&mut [Block<T>]),
) {
    let states = layers.len().max(blocks.len());
    layers.resize_with(states, Vec::new);
    for (block, layers) in blocks.iter_mut().zip(layers.iter_mut()) {
        let states = layers.len().max(count);
        layers.resize_with(states, LayerState::default);
        block.layers = std::mem::take(layers);
    }
    work(blocks);
    for (block, layers) in blocks.iter_mut().zip(layers) {
        *layers = std::mem::take(&mut block.layers);
    }
}
