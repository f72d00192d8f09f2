//! The loss of targets behind their sources, and the gradient of the adapters.
//!
//! The network is that of `architecture`, with `W_0 + ΔW` in place of `W_0` and dropout, over whole pairs of source and target: what a
//! block of them needs on its way back is kept (`block`). As in the [encoder](crate::Network), no gradient of a frozen weight is ever
//! formed, and the way back ends at the lowest adapted layer: the encoder's are left out if none of them is adapted.

mod attention;
mod block;
mod ends;
mod feed_forward;
mod layer;
mod pairs;
mod pass;

use std::sync::Arc;

use faer::{Mat, Par};

use self::block::{Block, Scratch};
pub use self::pairs::PairBatch;
use self::pass::Pass;
use super::config::layer_of;
use super::{T5, T5Config};
use crate::kernels::product::Packed;
use crate::parts::adapted::PreparedAdapters;
use crate::parts::blocks::{Extent, Pool, cut_sequences};
use crate::parts::dropout::Dropout;
use crate::parts::head::HeadWork;
use crate::{Adapters, Batch, Real, Site};

/// A frozen T5, and its weights once more for the way back: what adapters are trained on. A clone shares the weights.
#[derive(Clone, Debug)]
pub struct TextToText<T: Real> {
    t5: T5<T>,
    /// By layer.
    transposed: Arc<[Transposed<T>]>,
    /// hidden × vocabulary.
    head: Arc<Mat<T>>,
}

/// The transposed weights of a layer with their sites, in the order of [`T5Config::layer_sites`].
type Transposed<T> = Vec<(Site, Packed<T>)>;

/// What a step computes on the way: buffers that grow to the most that batches ask of them and are reused.
#[derive(Debug, Default)]
pub struct PairActivations<T: Real> {
    blocks: Vec<Block<T>>,
    prepared: PreparedAdapters<T>,
    scratch: Pool<Scratch<T>>,
    head: HeadWork<T>,
}

impl<T: Real> PairActivations<T> {
    /// Empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(Block::bytes).sum::<usize>() + self.scratch.sum(Scratch::bytes) + self.head.bytes()
    }
}

impl<T: Real> TextToText<T> {
    /// Of a T5, whose weights it shares.
    pub fn new(t5: T5<T>) -> Self {
        let config = t5.config();
        let of_layer = |l: usize| {
            let packed = |site| t5.layers[l].packed(site).expect("a site of this layer");
            config.layer_sites(l).map(|site| (site, packed(site).transposed())).collect()
        };
        let transposed = (0..config.layers()).map(of_layer).collect();
        let head = Arc::new(t5.vocabulary.transposed_head());
        Self { t5, transposed, head }
    }

    /// T5.
    pub fn t5(&self) -> &T5<T> {
        &self.t5
    }

    /// Its sizes.
    pub fn config(&self) -> &T5Config {
        self.t5.config()
    }

    /// The mean over all target tokens of the batch of `−log softmax(logits)[target]`, without dropout.
    ///
    /// # Panics
    /// If there are no pairs, or T5 cannot take one (see [`T5Config::check`]).
    pub fn loss(&self, pairs: &PairBatch, adapters: &Adapters<T>, work: &mut PairActivations<T>, par: Par) -> f64 {
        let PairActivations { blocks, prepared, scratch, head } = work;
        let count = self.start(pairs, adapters, blocks, prepared, false, par);
        let (blocks, pass) = (&mut blocks[..count], Pass::new(self, pairs, prepared, &Dropout::Off, false));
        pass.forward(adapters, blocks, scratch, par);
        pass.head(blocks, head, adapters.applied(self.config().head()), None, par)
    }

    /// The [`loss`](Self::loss) with dropout, and the gradient of every adapter's applied form, in its place in `adapters`; what was
    /// there is replaced.
    ///
    /// # Panics
    /// As [`loss`](Self::loss); if an adapter is on a weight that T5 does not have.
    pub fn loss_and_gradient(
        &self,
        pairs: &PairBatch,
        adapters: &mut Adapters<T>,
        dropout: &Dropout,
        work: &mut PairActivations<T>,
        par: Par,
    ) -> f64 {
        let config = self.config();
        for site in adapters.sites() {
            assert!(config.sites().any(|own| own == site), "T5 has no {} to adapt", site.name());
        }
        let PairActivations { blocks, prepared, scratch, head } = work;
        let count = self.start(pairs, adapters, blocks, prepared, true, par);
        let (blocks, pass) = (&mut blocks[..count], Pass::new(self, pairs, prepared, dropout, true));
        pass.forward(adapters, blocks, scratch, par);
        let (applied, gradient) = adapters.applied_and_gradient(config.head()).unzip();
        let loss = pass.head(blocks, head, applied, gradient, par);
        pass.backward(adapters, blocks, scratch, par);
        loss
    }

    /// Cuts a batch into blocks, with a state for every layer if a way back follows; returns their number.
    fn start(
        &self,
        pairs: &PairBatch,
        adapters: &Adapters<T>,
        blocks: &mut Vec<Block<T>>,
        prepared: &mut PreparedAdapters<T>,
        keep: bool,
        par: Par,
    ) -> usize {
        assert!(pairs.targets().targets() > 0, "a batch has pairs");
        let (config, sources, targets) = (self.config(), pairs.sources(), pairs.targets().batch());
        let longer = |pair| [sources, targets].map(|batch| batch.range(pair).len()).into_iter().max().unwrap_or(0);
        let count = cut_sequences(sources.sequences(), longer, |place, sequences| {
            if blocks.len() == place {
                blocks.push(Block::default());
            }
            let Block { source, target, .. } = &mut blocks[place];
            for (side, batch, layers) in
                [(source, sources, config.encoder_layers), (target, targets, config.decoder_layers)]
            {
                side.extent = Extent::of(batch, sequences.clone());
                let states = side.layers.len().max(if keep { layers } else { 1 });
                side.layers.resize_with(states, Default::default);
            }
        });
        let in_layers = self.transposed.iter().enumerate().flat_map(|(l, sites)| {
            let packed = move |site| self.t5.layers[l].packed(site).expect("a site of this layer");
            sites.iter().map(move |(site, transposed)| (*site, Some((packed(*site), transposed))))
        });
        // Products with the head are not those of a layer: it is not merged.
        let ends = [config.embedding(), config.head()].map(|site| (site, None));
        prepared.refresh(in_layers.chain(ends), adapters, par);
        count
    }

    /// Wᵀ of a site of a layer.
    fn transposed(&self, site: Site) -> &Packed<T> {
        let sites = layer_of(site).map(|l| &self.transposed[l]).into_iter().flatten();
        let mut found = sites.filter(|(own, _)| *own == site);
        &found.next().unwrap_or_else(|| panic!("T5 has no {}", site.name())).1
    }
}

/// The longest sequence of a batch.
fn longest(batch: &Batch) -> usize {
    (0..batch.sequences()).map(|sequence| batch.range(sequence).len()).max().unwrap_or(0)
}
