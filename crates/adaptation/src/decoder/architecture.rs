//! The network: what happens to the hidden states of a batch's new tokens, from the embedding to the logits.
//!
//! Llama (Touvron et al., arXiv 2302.13971, section 2.2) as in Hugging Face transformers:
//!
//! ```text
//! x = embedding of the token
//! per layer:
//!   x = x + W_o · attention(turn(W_q n), turn(W_k n), W_v n)      n = RMSNorm(x)
//!   x = x + W_down · (SiLU(W_gate n) ⊙ W_up n)                    n = RMSNorm(x)
//! logits = W_head · RMSNorm(x)
//! ```
//!
//! `turn` is the rotary position (Su et al., arXiv 2104.09864), SiLU with a gate is SwiGLU (Shazeer, arXiv 2002.05202), RMSNorm
//! that of Zhang and Sennrich (arXiv 1910.07467), and attention shares keys and values among heads (Ainslie et al., arXiv
//! 2305.13245). A hidden state is a column.

use faer::{Mat, MatMut, MatRef, Par};

use super::pointwise::swiglu;
use super::rotary::Rotary;
use super::{Cache, Decoder};
use crate::kernels::columns::{Buffer, column_mut};
use crate::kernels::shared_product::{packed_product, packed_products, share_columns};
use crate::parts::attention::scale_of;
use crate::parts::blocks::part;
use crate::parts::packed_attention::{Attend, attend};
use crate::parts::rms_norm::rms_norm;
use crate::{Batch, Real};

/// Buffers of a pass.
#[derive(Debug, Default)]
struct Scratch<T: Real> {
    /// After an RMSNorm; hidden × tokens.
    normed: Buffer<T>,
    /// (heads · head size) × tokens.
    queries: Buffer<T>,
    /// Keys and values below each other; 2 (key-value heads · head size) × tokens.
    keys_values: Buffer<T>,
    /// What attention returns; (heads · head size) × tokens.
    context: Buffer<T>,
    /// intermediate × tokens.
    gate: Buffer<T>,
    /// intermediate × tokens.
    up: Buffer<T>,
    /// intermediate × tokens.
    activated: Buffer<T>,
}

impl<T: Real> Decoder<T> {
    /// The hidden states after the last RMSNorm, hidden × tokens. The batch's sequences go on where those of the cache end, of
    /// which there are as many; their keys and values are added to the cache. A [new](Cache::new) cache makes it a pass over
    /// whole sequences.
    ///
    /// # Panics
    /// If batch and cache have not as many sequences, or the decoder does not know a token (see
    /// [`DecoderConfig::check`](super::DecoderConfig::check)).
    pub fn hidden_states(&self, batch: &Batch, cache: &mut Cache<T>, par: Par) -> Mat<T> {
        assert_eq!(batch.sequences(), cache.sequences(), "as many sequences in batch and cache");
        let config = self.config();
        let mut hidden = Mat::zeros(config.hidden_size, batch.tokens());
        for token in 0..batch.tokens() {
            self.vocabulary.copy_token(batch.id(token), column_mut(hidden.as_mut(), token));
        }
        let rotary = Rotary::new(config, batch, |sequence| cache.length(sequence));
        let mut scratch = Scratch::default();
        for l in 0..config.layers {
            self.attention(l, batch, cache, &rotary, hidden.as_mut(), &mut scratch, par);
            self.feed_forward(l, hidden.as_mut(), &mut scratch, par);
        }
        cache.advance(batch);
        let mut normed = Mat::zeros(config.hidden_size, batch.tokens());
        rms_norm(&self.norm, self.epsilon(), hidden.as_ref(), normed.as_mut());
        normed
    }

    /// `x += W_o · attention`, in place; hidden × tokens.
    fn attention(
        &self,
        l: usize,
        batch: &Batch,
        cache: &mut Cache<T>,
        rotary: &Rotary<T>,
        mut x: MatMut<'_, T>,
        scratch: &mut Scratch<T>,
        par: Par,
    ) {
        let (config, layer, tokens) = (self.config(), &self.layers[l], x.ncols());
        let mut normed = scratch.normed.write(config.hidden_size, tokens);
        rms_norm(&layer.attention_norm, self.epsilon(), x.as_ref(), normed.as_mut());
        let mut queries = scratch.queries.write(config.queries(), tokens);
        let mut keys_values = scratch.keys_values.write(2 * config.keys(), tokens);
        let (mut keys, values) = keys_values.as_mut().split_at_row_mut(config.keys());
        let products = [(queries.as_mut(), &layer.query), (keys.as_mut(), &layer.key), (values, &layer.value)];
        packed_products(products, normed.as_ref(), par);
        rotary.turn(0, queries.as_mut());
        rotary.turn(0, keys);
        cache.append(l, batch, keys_values.as_ref());
        let mut context = scratch.context.write(config.queries(), tokens);
        let how = Attend {
            heads: config.key_value_heads,
            group: config.group(),
            size: config.head_size,
            scale: scale_of(config.head_size),
            causal: true,
            bias: None,
        };
        attend(how, batch, |sequence| cache.keys_values(l, batch, sequence), queries.as_ref(), context.as_mut(), par);
        packed_product(x.as_mut(), true, &layer.attention_output, context.as_ref(), par);
    }

    /// `x += W_down · (SiLU(W_gate n) ⊙ W_up n)`, in place; hidden × tokens.
    fn feed_forward(&self, l: usize, mut x: MatMut<'_, T>, scratch: &mut Scratch<T>, par: Par) {
        let (config, layer, tokens) = (self.config(), &self.layers[l], x.ncols());
        let mut normed = scratch.normed.write(config.hidden_size, tokens);
        rms_norm(&layer.feed_forward_norm, self.epsilon(), x.as_ref(), normed.as_mut());
        let mut gate = scratch.gate.write(config.intermediate_size, tokens);
        let mut up = scratch.up.write(config.intermediate_size, tokens);
        packed_products([(gate.as_mut(), &layer.gate), (up.as_mut(), &layer.up)], normed.as_ref(), par);
        let mut activated = scratch.activated.write(config.intermediate_size, tokens);
        share_columns(activated.as_mut(), par, &|columns, first| {
            let own = first..first + columns.ncols();
            swiglu(part(gate.as_ref(), &own), part(up.as_ref(), &own), columns);
        });
        packed_product(x.as_mut(), true, &layer.down, activated.as_ref(), par);
    }

    /// The logits of hidden states, vocabulary × as many.
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

    /// What RMSNorm adds to the mean square.
    fn epsilon(&self) -> T {
        T::of(self.config().norm_epsilon)
    }
}
