//! What a step computes for a block of whole sequences.

use super::{LanguageModel, TextBatch};
use crate::decoder::rotary::Rotary;
use crate::decoder::weights::LAYER_SITES;
use crate::kernels::columns::Buffer;
use crate::parts::adapted::{Partial, PreparedAdapters};
use crate::parts::attention::Workspace;
use crate::parts::blocks::Extent;
use crate::parts::rms_norm::Standardized;
use crate::{DecoderConfig, Real};

/// What a pass is about.
pub(super) struct Pass<'a, T: Real> {
    pub(super) model: &'a LanguageModel<T>,
    pub(super) texts: &'a TextBatch,
    pub(super) prepared: &'a PreparedAdapters<T>,
    pub(super) rotary: &'a Rotary<T>,
    /// Whether blocks of the batch went before, to whose gradients those of these are added.
    pub(super) adds: bool,
    /// Whether a way back will follow.
    pub(super) keep: bool,
}

impl<'a, T: Real> Pass<'a, T> {
    pub(super) fn config(&self) -> &'a DecoderConfig {
        self.model.decoder.config()
    }

    /// What RMSNorm adds to the mean square.
    pub(super) fn epsilon(&self) -> T {
        T::of(self.config().norm_epsilon)
    }
}

/// A block's sequences and everything that was computed for them.
#[derive(Debug, Default)]
pub(super) struct Block<T: Real> {
    pub(super) extent: Extent,
    /// The hidden states that the next layer starts from; hidden × tokens.
    pub(super) hidden: Buffer<T>,
    /// On the way back, the gradient with respect to them.
    pub(super) gradient: Buffer<T>,
    /// Rows of the left factor of the embedding's adapter; rank × tokens.
    pub(super) embedded: Buffer<T>,
    /// One per layer; of a pass without a way back, one for all. Lent for the time of a pass.
    pub(super) layers: Vec<LayerState<T>>,
    pub(super) last: Standardized<T>,
    /// After the last RMSNorm, then their gradient; hidden × tokens.
    pub(super) states: Buffer<T>,
    /// What the products of a layer start from, computed again on the way back.
    pub(super) inputs: Inputs<T>,
    /// Shares of the gradients of the layer that was last gone back through.
    pub(super) partials: [Partial<T>; LAYER_SITES.len()],
    /// Share of the gradient of the embedding's adapter.
    pub(super) embedding: Partial<T>,
}

/// What the products of a layer start from, but for attention's context.
#[derive(Debug, Default)]
pub(super) struct Inputs<T: Real> {
    /// Of queries, keys and values; hidden × tokens.
    pub(super) attention: Buffer<T>,
    /// Of the feed-forward part; hidden × tokens.
    pub(super) feed_forward: Buffer<T>,
    /// Of its way down, after SwiGLU; intermediate × tokens.
    pub(super) activated: Buffer<T>,
}

/// What is kept of a layer.
#[derive(Debug, Default)]
pub(super) struct LayerState<T: Real> {
    pub(super) attention_norm: Standardized<T>,
    /// After their turn; (heads · head size) × tokens.
    pub(super) queries: Buffer<T>,
    /// Keys (after their turn) and values; 2 (key-value heads · head size) × tokens.
    pub(super) keys_values: Buffer<T>,
    /// Attention probabilities, sequence by sequence.
    pub(super) probabilities: Buffer<T>,
    /// What attention returns; (heads · head size) × tokens.
    pub(super) context: Buffer<T>,
    pub(super) feed_forward_norm: Standardized<T>,
    /// What SiLU is taken of; intermediate × tokens.
    pub(super) gate: Buffer<T>,
    /// What is multiplied by it; intermediate × tokens.
    pub(super) up: Buffer<T>,
    /// `R x` of every factored adapter; rank × tokens.
    pub(super) low: [Buffer<T>; LAYER_SITES.len()],
}

/// Buffers that a block needs only for a while.
#[derive(Debug, Default)]
pub(super) struct Scratch<T: Real> {
    /// Gradient of what a norm returns; hidden × tokens.
    pub(super) normed: Buffer<T>,
    /// (heads · head size) × tokens.
    pub(super) context: Buffer<T>,
    /// (heads · head size) × tokens.
    pub(super) queries: Buffer<T>,
    /// 2 (key-value heads · head size) × tokens.
    pub(super) keys_values: Buffer<T>,
    /// intermediate × tokens.
    pub(super) gate: Buffer<T>,
    /// intermediate × tokens.
    pub(super) up: Buffer<T>,
    pub(super) attention: Workspace<T>,
}

impl<T: Real> Block<T> {
    /// Bytes of its own buffers.
    pub(super) fn bytes(&self) -> usize {
        let inputs = [&self.inputs.attention, &self.inputs.feed_forward, &self.inputs.activated];
        let rest = [&self.hidden, &self.gradient, &self.embedded, &self.states].into_iter().chain(inputs);
        rest.map(Buffer::bytes).sum::<usize>()
            + self.last.bytes()
            + self.partials.iter().chain([&self.embedding]).map(Partial::bytes).sum::<usize>()
    }
}

impl<T: Real> LayerState<T> {
    /// Bytes of its buffers.
    pub(super) fn bytes(&self) -> usize {
        let buffers = [&self.queries, &self.keys_values, &self.probabilities, &self.context, &self.gate, &self.up];
        let norms = self.attention_norm.bytes() + self.feed_forward_norm.bytes();
        norms + buffers.into_iter().chain(&self.low).map(Buffer::bytes).sum::<usize>()
    }
}

impl<T: Real> Scratch<T> {
    /// Bytes of its buffers.
    pub(super) fn bytes(&self) -> usize {
        let buffers = [&self.normed, &self.context, &self.queries, &self.keys_values, &self.gate, &self.up];
        buffers.into_iter().map(Buffer::bytes).sum::<usize>() + self.attention.bytes()
    }
}
