//! The network: from a source's tokens to the logits of a target's.
//!
//! T5 (Raffel et al., arXiv 1910.10683, section 2.1) as in Hugging Face transformers:
//!
//! ```text
//! encoder   x = embedding of the source's token
//! per layer:
//!   x = x + W_o · attention(W_q n, W_k n, W_v n; bias)            n = RMSNorm(x)
//!   x = x + feed-forward(n)                                       n = RMSNorm(x)
//! source = RMSNorm(x)
//!
//! decoder   x = embedding of the target's token before
//! per layer:
//!   x = x + W_o · attention(W_q n, W_k n, W_v n; causal, bias)    n = RMSNorm(x)
//!   x = x + W_o · attention(W_q n, W_k source, W_v source)        n = RMSNorm(x)
//!   x = x + feed-forward(n)                                       n = RMSNorm(x)
//! logits = W_head · RMSNorm(x)         with the embedding as head: W_head · RMSNorm(x) / √hidden
//!
//! feed-forward(n) = W_down ReLU(W_up n), in T5 1.1: W_down (GELU(W_gate n) ⊙ W_up n)
//! ```
//!
//! Scores are not divided by anything before the softmax. The bias is that of relative positions, the same in all layers of the
//! encoder, and another in those of the decoder; the gated GELU is GEGLU (Shazeer, arXiv 2002.05202). A hidden state is a column.

use faer::{Mat, MatMut, MatRef, Par, Scale};

use super::pointwise::{geglu, relu};
use super::weights::{Attention, FeedForward};
use super::{Stack, T5, T5Cache};
use crate::generation::Cache;
use crate::kernels::columns::{Buffer, column_mut};
use crate::kernels::shared_product::packed_product;
use crate::parts::blocks::part;
use crate::parts::packed_attention::{Attend, attend};
use crate::parts::relative_position::RelativeBias;
use crate::parts::rms_norm::rms_norm;
use crate::{Batch, Real};

/// Buffers of a pass.
#[derive(Debug, Default)]
struct Scratch<T: Real> {
    /// After an RMSNorm; hidden × tokens.
    normed: Buffer<T>,
    /// (heads · head size) × tokens.
    queries: Buffer<T>,
    /// 2 (heads · head size) × tokens.
    keys_values: Buffer<T>,
    /// (heads · head size) × tokens.
    context: Buffer<T>,
    /// intermediate × tokens.
    gate: Buffer<T>,
    /// intermediate × tokens.
    up: Buffer<T>,
    /// intermediate × tokens.
    activated: Buffer<T>,
}

impl<T: Real> T5<T> {
    /// What the encoder makes of sources, hidden × tokens.
    ///
    /// # Panics
    /// If T5 does not know a token (see [`T5Config::check`](super::T5Config::check)).
    pub fn encode(&self, sources: &Batch, par: Par) -> Mat<T> {
        let longest = (0..sources.sequences()).map(|source| sources.range(source).len()).max().unwrap_or(0);
        let bias = self.bias(&self.encoder, false, longest);
        let (mut x, mut scratch) = (self.embed(sources), Scratch::default());
        for layer in &self.layers[..self.config().encoder_layers] {
            self.attention(&layer.attention, sources, (&bias, None), x.as_mut(), &mut scratch, par);
            self.feed_forward(&layer.feed_forward, x.as_mut(), &mut scratch, par);
        }
        self.last_norm(&self.encoder, x.as_ref())
    }

    /// What [`logits`](Self::logits) are taken of, hidden × tokens: the batch's tokens are read behind those of the cache's targets,
    /// of which there are as many; their keys and values are added to the cache. What the decoder reads first is
    /// [`T5Config::start`](super::T5Config::start).
    ///
    /// # Panics
    /// If batch and cache have not as many sequences, or T5 does not know a token.
    pub fn decode(&self, targets: &Batch, cache: &mut T5Cache<T>, par: Par) -> Mat<T> {
        assert_eq!(targets.sequences(), cache.sequences(), "as many targets in batch and cache");
        let length = |target| cache.own.length(target) + targets.range(target).len();
        let longest = (0..targets.sequences()).map(length).max().unwrap_or(0);
        let bias = self.bias(&self.decoder, true, longest);
        let (mut x, mut scratch) = (self.embed(targets), Scratch::default());
        for (l, layer) in self.layers[self.config().encoder_layers..].iter().enumerate() {
            self.attention(
                &layer.attention,
                targets,
                (&bias, Some((&mut cache.own, l))),
                x.as_mut(),
                &mut scratch,
                par,
            );
            let cross = layer.cross.as_ref().expect("a decoder's layer attends to the source");
            self.cross_attention(cross, targets, (&cache.cross[l], &cache.sources), x.as_mut(), &mut scratch, par);
            self.feed_forward(&layer.feed_forward, x.as_mut(), &mut scratch, par);
        }
        cache.own.advance(targets);
        let states = self.last_norm(&self.decoder, x.as_ref());
        if self.config().tied { Scale(self.head_scale()) * states } else { states }
    }

    /// The logits of what [`decode`](Self::decode) gives, vocabulary × as many.
    ///
    /// # Panics
    /// If `states` has not as many rows as a hidden state.
    pub fn logits(&self, states: MatRef<'_, T>, par: Par) -> Mat<T> {
        let mut logits = Mat::zeros(self.config().vocabulary, states.ncols());
        self.write_logits(states, logits.as_mut(), par);
        logits
    }

    /// As [`logits`](Self::logits).
    pub(super) fn write_logits(&self, states: MatRef<'_, T>, logits: MatMut<'_, T>, par: Par) {
        packed_product(logits, false, self.vocabulary.head(), states, par);
    }

    /// `x += W_o · attention(W_q n, W_k n, W_v n)` with `n = RMSNorm(x)`, in place; hidden × tokens. With a cache (and the number of
    /// the layer there) it is the decoder's.
    fn attention(
        &self,
        weights: &Attention<T>,
        batch: &Batch,
        (bias, cache): (&RelativeBias<T>, Option<(&mut Cache<T>, usize)>),
        mut x: MatMut<'_, T>,
        scratch: &mut Scratch<T>,
        par: Par,
    ) {
        let (config, tokens) = (self.config(), x.ncols());
        let mut normed = scratch.normed.write(config.hidden_size, tokens);
        rms_norm(&weights.norm, self.epsilon(), x.as_ref(), normed.as_mut());
        let mut queries = scratch.queries.write(config.queries(), tokens);
        packed_product(queries.as_mut(), false, &weights.query, normed.as_ref(), par);
        let mut keys_values = scratch.keys_values.write(2 * config.queries(), tokens);
        let (keys, values) = keys_values.as_mut().split_at_row_mut(config.queries());
        packed_product(keys, false, &weights.key, normed.as_ref(), par);
        packed_product(values, false, &weights.value, normed.as_ref(), par);
        let (how, keys_values) = (self.attend(Some(bias), cache.is_some()), keys_values.as_ref());
        let mut context = scratch.context.write(config.queries(), tokens);
        if let Some((cache, l)) = cache {
            cache.append(l, batch, keys_values);
            let all = |sequence| cache.keys_values(l, batch, sequence);
            attend(how, batch, all, queries.as_ref(), context.as_mut(), par);
        } else {
            let own = |sequence| part(keys_values, &batch.range(sequence));
            attend(how, batch, own, queries.as_ref(), context.as_mut(), par);
        }
        packed_product(x.as_mut(), true, &weights.output, context.as_ref(), par);
    }

    /// `x += W_o · attention(W_q n, keys and values of the source)` with `n = RMSNorm(x)`, in place; hidden × tokens. Given are those
    /// of all sources, and the source of each target.
    fn cross_attention(
        &self,
        weights: &Attention<T>,
        batch: &Batch,
        (keys_values, sources): (&[Mat<T>], &[usize]),
        mut x: MatMut<'_, T>,
        scratch: &mut Scratch<T>,
        par: Par,
    ) {
        let (config, tokens) = (self.config(), x.ncols());
        let mut normed = scratch.normed.write(config.hidden_size, tokens);
        rms_norm(&weights.norm, self.epsilon(), x.as_ref(), normed.as_mut());
        let mut queries = scratch.queries.write(config.queries(), tokens);
        packed_product(queries.as_mut(), false, &weights.query, normed.as_ref(), par);
        let mut context = scratch.context.write(config.queries(), tokens);
        let of_source = |target: usize| keys_values[sources[target]].as_ref();
        attend(self.attend(None, false), batch, of_source, queries.as_ref(), context.as_mut(), par);
        packed_product(x.as_mut(), true, &weights.output, context.as_ref(), par);
    }

    /// `x += feed-forward(RMSNorm(x))`, in place; hidden × tokens.
    fn feed_forward(&self, weights: &FeedForward<T>, mut x: MatMut<'_, T>, scratch: &mut Scratch<T>, par: Par) {
        let (config, tokens) = (self.config(), x.ncols());
        let mut normed = scratch.normed.write(config.hidden_size, tokens);
        rms_norm(&weights.norm, self.epsilon(), x.as_ref(), normed.as_mut());
        let mut up = scratch.up.write(config.intermediate_size, tokens);
        packed_product(up.as_mut(), false, &weights.up, normed.as_ref(), par);
        let mut activated = scratch.activated.write(config.intermediate_size, tokens);
        if let Some(weight) = &weights.gate {
            let mut gate = scratch.gate.write(config.intermediate_size, tokens);
            packed_product(gate.as_mut(), false, weight, normed.as_ref(), par);
            geglu(gate.as_ref(), up.as_ref(), activated.as_mut());
        } else {
            relu(up.as_ref(), activated.as_mut());
        }
        packed_product(x.as_mut(), true, &weights.down, activated.as_ref(), par);
    }

    /// The embeddings of a batch's tokens, hidden × tokens.
    fn embed(&self, batch: &Batch) -> Mat<T> {
        let mut x = Mat::zeros(self.config().hidden_size, batch.tokens());
        for token in 0..batch.tokens() {
            self.vocabulary.copy_token(batch.id(token), column_mut(x.as_mut(), token));
        }
        x
    }

    fn last_norm(&self, stack: &Stack<T>, x: MatRef<'_, T>) -> Mat<T> {
        let mut normed = Mat::zeros(x.nrows(), x.ncols());
        rms_norm(&stack.norm, self.epsilon(), x, normed.as_mut());
        normed
    }

    fn attend<'a>(&self, bias: Option<&'a RelativeBias<T>>, causal: bool) -> Attend<'a, T> {
        Attend { heads: self.config().heads, group: 1, size: self.config().head_size, scale: 1.0, causal, bias }
    }

    /// What is added to the scores of encoder or decoder, for sequences up to this length.
    pub(super) fn bias(&self, stack: &Stack<T>, decoder: bool, longest: usize) -> RelativeBias<T> {
        RelativeBias::new(stack.biases.as_ref().as_ref(), self.config().relative_positions(decoder), longest.max(1))
    }

    /// What hidden states are multiplied by before a tied head.
    pub(super) fn head_scale(&self) -> T {
        T::of(1.0 / (self.config().hidden_size as f64).sqrt())
    }

    /// What RMSNorm adds to the mean square.
    pub(super) fn epsilon(&self) -> T {
        T::of(self.config().norm_epsilon)
    }
}
