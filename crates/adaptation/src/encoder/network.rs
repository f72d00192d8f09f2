//! A frozen encoder with pooling and head: logits, and the gradient of the adapters.

use std::sync::Arc;

use faer::{Mat, MatRef, Par};

use super::LAYER_SITES;
use super::block::{Pass, Scratch, SequenceGroup};
use super::layer::layer_order;
use super::pooling::Pooling;
use crate::kernels::fork::for_each;
use crate::parts::adapted::PreparedAdapters;
use crate::parts::blocks::{Pool, cut};
use crate::parts::dropout::Dropout;
use crate::{Adapters, Batch, Encoder, Head, Real, Site};

/// A frozen encoder, how its hidden states are pooled, and a frozen head.
#[derive(Clone, Debug)]
pub struct Network<T: Real> {
    /// The encoder.
    pub encoder: Arc<Encoder<T>>,
    /// How a sequence's hidden states become one.
    pub pooling: Pooling,
    /// Makes logits of it.
    pub head: Head<T>,
}

/// What a pass computes on the way: buffers that grow to the most that batches ask of them and are reused, so that a step
/// allocates nothing once batches of its shape were seen.
#[derive(Debug)]
pub struct Activations<T: Real> {
    blocks: Vec<SequenceGroup<T>>,
    /// Blocks of the last batch.
    used: usize,
    prepared: PreparedAdapters<T>,
    scratch: Pool<Scratch<T>>,
    dropout: Dropout,
    /// outputs × sequences of the largest batch.
    logits: Mat<T>,
    sequences: usize,
    /// That of the last pass.
    pooling: Pooling,
    /// Whether the last pass was [`Network::forward`].
    kept: bool,
}

impl<T: Real> Default for Activations<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Activations<T> {
    /// Empty buffers.
    pub fn new() -> Self {
        Self {
            blocks: Vec::new(),
            used: 0,
            prepared: PreparedAdapters::default(),
            scratch: Pool::default(),
            dropout: Dropout::Off,
            logits: Mat::new(),
            sequences: 0,
            pooling: Pooling::Mean,
            kept: false,
        }
    }

    /// The logits of the last pass, outputs × sequences.
    pub fn logits(&self) -> MatRef<'_, T> {
        self.logits.subcols(0, self.sequences)
    }

    /// The last layer's hidden states of a sequence of the last pass, those that pooling reads: of all tokens (hidden × tokens)
    /// with [`Pooling::Mean`], of the first (hidden × 1) with [`Pooling::Pooler`], for which no others are computed.
    ///
    /// # Panics
    /// If there is no such sequence.
    pub fn hidden_states(&self, batch: &Batch, hidden: usize, sequence: usize) -> MatRef<'_, T> {
        let block = self.blocks[..self.used].iter().find(|block| block.extent.sequences.contains(&sequence));
        let block = block.expect("a sequence of the batch");
        match self.pooling {
            Pooling::Pooler => {
                let states = block.hidden.read(hidden, block.extent.sequences.len());
                states.subcols(sequence - block.extent.sequences.start, 1)
            }
            Pooling::Mean => {
                let tokens = batch.range(sequence);
                block.hidden.read(hidden, block.count()).subcols(tokens.start - block.extent.tokens.start, tokens.len())
            }
        }
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(SequenceGroup::bytes).sum::<usize>() + self.scratch.sum(Scratch::bytes)
    }

    /// Cuts a batch into blocks with a state for so many layers.
    fn start(
        &mut self,
        network: &Network<T>,
        batch: &Batch,
        adapters: &Adapters<T>,
        dropout: Dropout,
        layers: usize,
        par: Par,
    ) {
        let blocks = &mut self.blocks;
        self.used = cut(batch, |place, extent| {
            if blocks.len() == place {
                blocks.push(SequenceGroup::default());
            }
            blocks[place].extent = extent;
        });
        for block in &mut self.blocks[..self.used] {
            if block.layers.len() < layers {
                block.layers.resize_with(layers, Default::default);
            }
        }
        let of_layers = (0..network.encoder.config().layers).flat_map(|l| LAYER_SITES.map(|site| site(l)));
        let sites = [Site::WordEmbeddings, Site::PositionEmbeddings, Site::Pooler].into_iter().chain(of_layers);
        let packed = |site| network.encoder.linear(site).map(|linear| (&linear.forward, &linear.backward));
        self.prepared.refresh(sites.map(|site| (site, packed(site))), adapters, par);
        self.dropout = dropout;
        let outputs = network.head.outputs();
        if self.logits.nrows() != outputs || self.logits.ncols() < batch.sequences() {
            self.logits = Mat::zeros(outputs, batch.sequences());
        }
        self.sequences = batch.sequences();
        self.pooling = network.pooling;
    }
}

impl<T: Real> Network<T> {
    /// The logits of a batch, see [`Activations::logits`], with everything kept that [`backward`](Self::backward) needs.
    ///
    /// # Panics
    /// If the encoder cannot take a sequence (see [`Config::check`](crate::Config::check)), or has no pooler where one is used
    /// or adapted.
    pub fn forward(
        &self,
        batch: &Batch,
        adapters: &Adapters<T>,
        dropout: &Dropout,
        activations: &mut Activations<T>,
        par: Par,
    ) {
        self.pass(batch, adapters, dropout.clone(), activations, true, par);
    }

    /// The logits of a batch without dropout, in a fraction of the memory.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn predict(&self, batch: &Batch, adapters: &Adapters<T>, activations: &mut Activations<T>, par: Par) {
        self.pass(batch, adapters, Dropout::Off, activations, false, par);
    }

    fn pass(
        &self,
        batch: &Batch,
        adapters: &Adapters<T>,
        dropout: Dropout,
        activations: &mut Activations<T>,
        keep: bool,
        par: Par,
    ) {
        let layers = self.encoder.config().layers;
        activations.start(self, batch, adapters, dropout, if keep { layers } else { 1 }, par);
        activations.kept = keep;
        let Activations { blocks, used, prepared, scratch, dropout, logits, .. } = activations;
        let (blocks, pass) = (&mut blocks[..*used], Pass { network: self, batch, prepared, dropout, keep });
        // All blocks through one layer before the next: its weights stay in the cache.
        for l in 0..layers {
            for_each(blocks, par, &|block| {
                scratch.with(|scratch| {
                    if l == 0 {
                        pass.embed(adapters, block, scratch);
                    }
                    pass.layer(l, block, scratch);
                    if l + 1 == layers {
                        pass.pool(block);
                    }
                });
            });
        }
        for block in blocks.iter() {
            let own = block.pooled.logits.read(self.head.outputs(), block.extent.sequences.len());
            logits.as_mut().subcols_mut(block.extent.sequences.start, block.extent.sequences.len()).copy_from(own);
        }
    }

    /// The gradient of every adapter's applied form from that of the logits (outputs × sequences), in its place in `adapters`;
    /// what was there is replaced. Nothing is computed below the first_adapted adapted site.
    ///
    /// # Panics
    /// If the last pass was not [`forward`](Self::forward) on this batch and these adapters.
    pub fn backward(
        &self,
        batch: &Batch,
        d_logits: MatRef<'_, T>,
        adapters: &mut Adapters<T>,
        activations: &mut Activations<T>,
        par: Par,
    ) {
        assert!(activations.kept, "a forward pass before the backward pass");
        assert_eq!(d_logits.shape(), (self.head.outputs(), batch.sequences()), "a gradient of the logits' shape");
        let Some(first_adapted) = adapters.sites().map(layer_order).min() else { return };
        let Activations { blocks, used, prepared, scratch, dropout, .. } = activations;
        let (blocks, pass) = (&mut blocks[..*used], Pass { network: self, batch, prepared, dropout, keep: true });
        let layers = self.encoder.config().layers;
        for_each(blocks, par, &|block| pass.pool_backward(d_logits, block));
        pass.reduce_pooler(blocks, adapters, par);
        for l in (0..layers).rev() {
            if first_adapted > layer_order(Site::Output(l)) {
                return;
            }
            for_each(blocks, par, &|block| {
                scratch.with(|scratch| pass.layer_backward(l, first_adapted, block, scratch));
            });
            pass.reduce_layer(l, blocks, adapters, par);
        }
        if first_adapted == 0 {
            for_each(blocks, par, &|block| pass.embed_backward(block));
            pass.reduce_embeddings(blocks, adapters);
        }
    }
}
