//! What a pass computes for a block of whole sequences.

use std::ops::Range;

use faer::{MatMut, MatRef};

use super::LAYER_SITES;
use super::normalization::Normalized;
use crate::kernels::columns::{Buffer, column};
use crate::kernels::product::{Start, Term};
use crate::parts::adapted::{Partial, PreparedAdapters};
use crate::parts::attention;
use crate::parts::blocks::{Extent, part, part_mut};
use crate::parts::dropout::Dropout;
use crate::weights::Linear;
use crate::{Batch, Config, Network, Pooling, Real, Site};

/// What a pass is about.
pub(crate) struct Pass<'a, T: Real> {
    pub(crate) network: &'a Network<T>,
    pub(crate) batch: &'a Batch,
    pub(crate) prepared: &'a PreparedAdapters<T>,
    pub(crate) dropout: &'a Dropout,
    /// Whether a backward pass will follow.
    pub(crate) keep: bool,
}

/// A block's sequences and everything that was computed for them.
#[derive(Debug, Default)]
pub(crate) struct SequenceGroup<T: Real> {
    pub(crate) extent: Extent,
    /// The hidden states that the next layer starts from; hidden × tokens, and hidden × queries after the last layer.
    pub(crate) hidden: Buffer<T>,
    /// On the way back, the gradient with respect to the hidden states, of their shape.
    pub(crate) gradient: Buffer<T>,
    pub(crate) embedded: Embedded<T>,
    /// One per layer; of a pass without a way back, one for all.
    pub(crate) layers: Vec<LayerState<T>>,
    pub(crate) pooled: Pooled<T>,
    /// Shares of the gradients of the layer that was last gone back through.
    pub(crate) partials: [Partial<T>; LAYER_SITES.len()],
}

/// What is kept of the embeddings.
#[derive(Debug, Default)]
pub(crate) struct Embedded<T: Real> {
    pub(crate) norm: Standardized<T>,
    /// Rows of the word embeddings' left factor; rank × tokens.
    pub(crate) word_low: Buffer<T>,
    /// Rows of the position embeddings' left factor; rank × tokens.
    pub(crate) position_low: Buffer<T>,
}

impl<T: Real> Embedded<T> {
    /// The rows of a table's left factor.
    pub(crate) fn low_mut(&mut self, table: Site) -> &mut Buffer<T> {
        if table == Site::WordEmbeddings { &mut self.word_low } else { &mut self.position_low }
    }
}

/// What is kept of a LayerNorm.
#[derive(Debug, Default)]
pub(crate) struct Standardized<T: Real> {
    /// Before the affine map; hidden × tokens.
    pub(crate) values: Buffer<T>,
    /// One over the standard deviation; one per token.
    pub(crate) inverse_deviations: Buffer<T>,
}

impl<T: Real> Standardized<T> {
    /// Where the tokens of one sequence go, of `count` tokens.
    pub(crate) fn write(&mut self, hidden: usize, count: usize, tokens: &Range<usize>) -> Normalized<'_, T> {
        Normalized {
            standardized: part_mut(self.values.write(hidden, count), tokens),
            inverse_deviations: &mut self.inverse_deviations.list(count)[tokens.clone()],
        }
    }

    /// Those of the tokens of one sequence.
    pub(crate) fn read(&self, hidden: usize, count: usize, tokens: &Range<usize>) -> (MatRef<'_, T>, &[T]) {
        let inverse_deviations = column(self.inverse_deviations.read(count, 1), 0);
        (part(self.values.read(hidden, count), tokens), &inverse_deviations[tokens.clone()])
    }
}

/// What is kept of a layer.
#[derive(Debug, Default)]
pub(crate) struct LayerState<T: Real> {
    /// Hidden states it starts from; hidden × tokens.
    pub(crate) input: Buffer<T>,
    /// Those of them that have queries; hidden × queries. Unused where all have.
    pub(crate) query_rows: Buffer<T>,
    /// hidden × queries.
    pub(crate) queries: Buffer<T>,
    /// Keys and values; 2 hidden × tokens.
    pub(crate) keys_values: Buffer<T>,
    /// Attention probabilities, sequence by sequence.
    pub(crate) probabilities: Buffer<T>,
    /// What attention returns; hidden × queries.
    pub(crate) context: Buffer<T>,
    pub(crate) attention_norm: Standardized<T>,
    /// Hidden states after attention; hidden × queries.
    pub(crate) attended: Buffer<T>,
    /// After the GELU; intermediate × queries.
    pub(crate) activated: Buffer<T>,
    /// The GELU's derivative; intermediate × queries.
    pub(crate) slopes: Buffer<T>,
    pub(crate) output_norm: Standardized<T>,
    /// `R x` of every factored adapter; rank × columns of x.
    pub(crate) low: [Buffer<T>; LAYER_SITES.len()],
}

/// What is kept of pooling and head.
#[derive(Debug, Default)]
pub(crate) struct Pooled<T: Real> {
    /// `R x` of the pooler's adapter; rank × sequences.
    pub(crate) low: Buffer<T>,
    /// The pooled hidden state, before dropout; hidden × sequences.
    pub(crate) pooled: Buffer<T>,
    /// Its gradient, before the tanh where there is one; hidden × sequences.
    pub(crate) gradient: Buffer<T>,
    /// outputs × sequences.
    pub(crate) logits: Buffer<T>,
}

/// Buffers that a block needs only for a while.
#[derive(Debug, Default)]
pub(crate) struct Scratch<T: Real> {
    /// A dense layer's result, or its gradient; hidden × tokens.
    pub(crate) hidden: Buffer<T>,
    /// The context's gradient; hidden × tokens.
    pub(crate) context: Buffer<T>,
    /// Gradient before the GELU; intermediate × tokens.
    pub(crate) intermediate: Buffer<T>,
    /// Gradient of the queries; hidden × queries.
    pub(crate) queries: Buffer<T>,
    /// Gradient of keys and values; 2 hidden × tokens.
    pub(crate) keys_values: Buffer<T>,
    pub(crate) attention: attention::Workspace<T>,
}

impl<T: Real> SequenceGroup<T> {
    /// Number of tokens.
    pub(crate) fn count(&self) -> usize {
        self.extent.count()
    }

    /// Bytes of its buffers.
    pub(crate) fn bytes(&self) -> usize {
        let standardized = |norm: &Standardized<T>| norm.values.bytes() + norm.inverse_deviations.bytes();
        let layer = |state: &LayerState<T>| {
            let buffers = [&state.input, &state.query_rows, &state.queries, &state.keys_values, &state.probabilities];
            let more = [&state.context, &state.attended, &state.activated, &state.slopes];
            let more = more.into_iter().chain(&state.low);
            let norms = standardized(&state.attention_norm) + standardized(&state.output_norm);
            norms + buffers.into_iter().chain(more).map(Buffer::bytes).sum::<usize>()
        };
        let (embedded, pooled) = (&self.embedded, &self.pooled);
        let rest = [
            &self.hidden,
            &self.gradient,
            &embedded.word_low,
            &embedded.position_low,
            &pooled.low,
            &pooled.pooled,
            &pooled.gradient,
            &pooled.logits,
        ];
        standardized(&embedded.norm)
            + rest.into_iter().map(Buffer::bytes).sum::<usize>()
            + self.layers.iter().map(layer).sum::<usize>()
            + self.partials.iter().map(Partial::bytes).sum::<usize>()
    }
}

impl<T: Real> Scratch<T> {
    /// Bytes of its buffers.
    pub(crate) fn bytes(&self) -> usize {
        let buffers = [&self.hidden, &self.context, &self.intermediate, &self.queries, &self.keys_values];
        buffers.into_iter().map(Buffer::bytes).sum::<usize>() + self.attention.bytes()
    }
}

impl<'a, T: Real> Pass<'a, T> {
    pub(crate) fn config(&self) -> &'a Config {
        self.network.encoder.config()
    }

    /// What LayerNorm adds to the variance.
    pub(crate) fn epsilon(&self) -> T {
        T::of(self.config().layer_norm_epsilon)
    }

    /// `y = (W_0 + ΔW) x + b` of a dense layer.
    pub(crate) fn dense(&self, site: Site, x: MatRef<'_, T>, low: &mut Buffer<T>, y: MatMut<'_, T>) {
        let linear = self.linear(site);
        self.prepared.at(site).forward(&linear.forward, Start::Bias(&linear.bias), x, low, y);
    }

    /// The terms of `(W_0 + ΔW)ᵀ d_y`, after the gradient of the layer's adapter.
    pub(crate) fn dense_backward<'b>(
        &'b self,
        site: Site,
        d_y: MatRef<'b, T>,
        partial: &'b Partial<T>,
    ) -> impl Iterator<Item = Term<'b, T>> {
        self.prepared.at(site).backward(&self.linear(site).backward, d_y, partial)
    }

    /// A dense layer that a pass goes through: one of the encoder's layers, or the pooler, which a caller of
    /// [`Network::forward`] that pools by it has checked to be there.
    fn linear(&self, site: Site) -> &'a Linear<T> {
        self.network.encoder.linear(site).unwrap_or_else(|| panic!("the encoder has no {}", site.name()))
    }

    /// Whether of a layer's results those of the sequences' first tokens are all that is asked for: what comes after its keys
    /// and values is computed for them alone then.
    pub(crate) fn first_only(&self, l: usize) -> bool {
        self.network.pooling == Pooling::Pooler && l + 1 == self.config().layers
    }

    /// Number of a block's tokens with queries in a layer.
    pub(crate) fn queries(&self, l: usize, block: &SequenceGroup<T>) -> usize {
        if self.first_only(l) { block.extent.sequences.len() } else { block.count() }
    }

    /// Every sequence of a block: its number within the batch, and its tokens among those with queries in a layer.
    pub(crate) fn query_rows<'b>(
        &'b self,
        l: usize,
        block: &SequenceGroup<T>,
    ) -> impl Iterator<Item = (usize, Range<usize>)> + use<'b, T> {
        let first_only = self.first_only(l);
        let place = move |(place, (sequence, tokens))| (sequence, if first_only { place..place + 1 } else { tokens });
        self.sequences(block).enumerate().map(place)
    }

    /// Every sequence of a block: its number within the batch, and its tokens within the block.
    pub(crate) fn sequences<'b>(
        &'b self,
        block: &SequenceGroup<T>,
    ) -> impl Iterator<Item = (usize, Range<usize>)> + Clone + use<'b, T> {
        block.extent.sequences_of(self.batch)
    }
}
