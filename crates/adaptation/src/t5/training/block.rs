//! What a step computes for a block of whole pairs of source and target.

use crate::Real;
use crate::kernels::columns::Buffer;
use crate::parts::adapted::Partial;
use crate::parts::attention::Workspace;
use crate::parts::blocks::Extent;
use crate::parts::rms_norm::Standardized;
use crate::t5::config::SITES_OF_LAYER;

/// A block's pairs and everything that was computed for them.
#[derive(Debug, Default)]
pub(super) struct Block<T: Real> {
    pub(super) source: Side<T>,
    pub(super) target: Side<T>,
    /// What the products of a layer start from, computed again on the way back.
    pub(super) inputs: Inputs<T>,
    /// Shares of the gradients of the layer that was last gone back through.
    pub(super) partials: [Partial<T>; SITES_OF_LAYER.len()],
}

/// What belongs to the sources, or to the targets: one of the two stacks of layers.
#[derive(Debug, Default)]
pub(super) struct Side<T: Real> {
    pub(super) extent: Extent,
    /// The hidden states that the next layer starts from; hidden × tokens.
    pub(super) hidden: Buffer<T>,
    /// On the way back, the gradient with respect to them.
    pub(super) gradient: Buffer<T>,
    /// Rows of the left factor of the embedding's adapter; rank × tokens.
    pub(super) embedded: Buffer<T>,
    /// One per layer; of a pass without a way back, one for all.
    pub(super) layers: Vec<LayerState<T>>,
    pub(super) last: Standardized<T>,
    /// After the last norm: what is attended to, or what logits are taken of; hidden × tokens.
    pub(super) states: Buffer<T>,
    /// Their gradient.
    pub(super) d_states: Buffer<T>,
    /// Share of the gradient of the embedding's adapter.
    pub(super) embedding: Partial<T>,
}

/// What the products of a layer start from, but for the contexts and the source.
#[derive(Debug, Default)]
pub(super) struct Inputs<T: Real> {
    /// Of queries, keys and values; hidden × tokens.
    pub(super) attention: Buffer<T>,
    /// Of the queries to the source; hidden × tokens.
    pub(super) cross: Buffer<T>,
    /// Of the feed-forward part; hidden × tokens.
    pub(super) feed_forward: Buffer<T>,
    /// Of its way down, after activation and dropout; intermediate × tokens.
    pub(super) activated: Buffer<T>,
}

/// What is kept of a layer.
#[derive(Debug, Default)]
pub(super) struct LayerState<T: Real> {
    pub(super) attention: AttentionState<T>,
    /// Of a decoder's layer.
    pub(super) cross: AttentionState<T>,
    pub(super) feed_forward: FeedForwardState<T>,
}

/// What is kept of an attention.
#[derive(Debug, Default)]
pub(super) struct AttentionState<T: Real> {
    pub(super) norm: Standardized<T>,
    /// (heads · head size) × tokens with queries.
    pub(super) queries: Buffer<T>,
    /// 2 (heads · head size) × tokens that are attended to.
    pub(super) keys_values: Buffer<T>,
    /// Attention probabilities, sequence by sequence.
    pub(super) probabilities: Buffer<T>,
    /// What attention returns; (heads · head size) × tokens with queries.
    pub(super) context: Buffer<T>,
    /// `R x` of every factored adapter; rank × columns of x.
    pub(super) low: [Buffer<T>; 4],
}

/// What is kept of a feed-forward part.
#[derive(Debug, Default)]
pub(super) struct FeedForwardState<T: Real> {
    pub(super) norm: Standardized<T>,
    /// What GELU is taken of, if it is gated; intermediate × tokens.
    pub(super) gate: Buffer<T>,
    /// What is multiplied by it, or what ReLU is taken of; intermediate × tokens.
    pub(super) up: Buffer<T>,
    /// `R x` of every factored adapter; rank × tokens.
    pub(super) low: [Buffer<T>; 3],
}

/// Buffers that a block needs only for a while.
#[derive(Debug, Default)]
pub(super) struct Scratch<T: Real> {
    /// After a norm, or the gradient of that; hidden × tokens.
    pub(super) normed: Buffer<T>,
    /// What is added to the hidden states, or the gradient of that; hidden × tokens.
    pub(super) branch: Buffer<T>,
    /// (heads · head size) × tokens.
    pub(super) context: Buffer<T>,
    /// (heads · head size) × tokens.
    pub(super) queries: Buffer<T>,
    /// 2 (heads · head size) × tokens.
    pub(super) keys_values: Buffer<T>,
    /// intermediate × tokens.
    pub(super) gate: Buffer<T>,
    /// intermediate × tokens.
    pub(super) up: Buffer<T>,
    pub(super) attention: Workspace<T>,
}

fn sum<'a, T: Real>(buffers: impl IntoIterator<Item = &'a Buffer<T>>) -> usize {
    buffers.into_iter().map(Buffer::bytes).sum()
}

impl<T: Real> AttentionState<T> {
    fn bytes(&self) -> usize {
        let buffers = [&self.queries, &self.keys_values, &self.probabilities, &self.context];
        self.norm.bytes() + sum(buffers) + sum(&self.low)
    }
}

impl<T: Real> LayerState<T> {
    fn bytes(&self) -> usize {
        let feed_forward = &self.feed_forward;
        let of_feed_forward =
            feed_forward.norm.bytes() + sum([&feed_forward.gate, &feed_forward.up]) + sum(&feed_forward.low);
        self.attention.bytes() + self.cross.bytes() + of_feed_forward
    }
}

impl<T: Real> Side<T> {
    fn bytes(&self) -> usize {
        sum([&self.hidden, &self.gradient, &self.embedded, &self.states, &self.d_states])
            + self.layers.iter().map(LayerState::bytes).sum::<usize>()
            + self.last.bytes()
            + self.embedding.bytes()
    }
}

impl<T: Real> Block<T> {
    /// Bytes of its buffers.
    pub(super) fn bytes(&self) -> usize {
        let Inputs { attention, cross, feed_forward, activated } = &self.inputs;
        self.source.bytes()
            + self.target.bytes()
            + sum([attention, cross, feed_forward, activated])
            + self.partials.iter().map(Partial::bytes).sum::<usize>()
    }
}

impl<T: Real> Scratch<T> {
    /// Bytes of its buffers.
    pub(super) fn bytes(&self) -> usize {
        let buffers =
            [&self.normed, &self.branch, &self.context, &self.queries, &self.keys_values, &self.gate, &self.up];
        sum(buffers) + self.attention.bytes()
    }
}
