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
use crate::generation::CachePart;
use crate::kernels::columns::{Buffer, column_mut};
use crate::kernels::shared_product::{packed_product, threads};
use crate::parts::attention::scale_of;
use crate::parts::blocks::{for_each, share_out};
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

/// New tokens of a thread from which threads share out the sequences: then every one of them goes through all layers with its own
/// and waits for no other. Of fewer tokens they share the rows of the products, so that each reads only its part of the weights.
const TOKENS: usize = 16;

/// Some sequences of a batch.
struct Share<'a, T: Real> {
    batch: Batch,
    cache: CachePart<'a, T>,
    /// What is found, hidden × tokens.
    states: MatMut<'a, T>,
}

/// Shares of a batch for threads, or one of all of it.
fn shares<'a, T: Real>(batch: &Batch, cache: &'a mut Cache<T>, states: MatMut<'a, T>, par: Par) -> Vec<Share<'a, T>> {
    let wanted = threads(par).min(batch.tokens() / TOKENS).max(1);
    let (mut rest, mut states, mut shares) = (Some(cache.all()), Some(states), Vec::new());
    share_out(
        batch.sequences(),
        |sequence| batch.range(sequence).len(),
        wanted,
        |_, sequences| {
            let own = batch.part(sequences.clone());
            let (cache, after) = rest.take().expect("a cache of all sequences").split_at(sequences.len());
            rest = Some(after);
            let (found, others) = states.take().expect("a column of every token").split_at_col_mut(own.tokens());
            states = Some(others);
            shares.push(Share { batch: own, cache, states: found });
        },
    );
    shares
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
        let mut states = Mat::zeros(self.config().hidden_size, batch.tokens());
        let mut shares = shares(batch, cache, states.as_mut(), par);
        // Threads take a share each, or one share together.
        let within = if shares.len() > 1 { Par::Seq } else { par };
        for_each(&mut shares, par, &|share| self.read(share, within));
        drop(shares);
        cache.advance(batch);
        states
    }

    /// Reads the new tokens of a share.
    fn read(&self, Share { batch, cache, states }: &mut Share<'_, T>, par: Par) {
        let mut hidden = Mat::zeros(self.config().hidden_size, batch.tokens());
        for token in 0..batch.tokens() {
            self.vocabulary.copy_token(batch.id(token), column_mut(hidden.as_mut(), token));
        }
        let rotary = Rotary::new(self.config(), batch, |sequence| cache.length(sequence));
        let mut scratch = Scratch::default();
        for l in 0..self.config().layers {
            self.attention(l, batch, cache, &rotary, hidden.as_mut(), &mut scratch, par);
            self.feed_forward(l, hidden.as_mut(), &mut scratch, par);
        }
        rms_norm(&self.norm, self.epsilon(), hidden.as_ref(), states.as_mut());
    }

    /// `x += W_o · attention`, in place; hidden × tokens.
    fn attention(
        &self,
        l: usize,
        batch: &Batch,
        cache: &mut CachePart<'_, T>,
        rotary: &Rotary<T>,
        mut x: MatMut<'_, T>,
        scratch: &mut Scratch<T>,
        par: Par,
    ) {
        let (config, layer, tokens) = (self.config(), &self.layers[l], x.ncols());
        let mut normed = scratch.normed.write(config.hidden_size, tokens);
        rms_norm(&layer.attention_norm, self.epsilon(), x.as_ref(), normed.as_mut());
        let mut queries = scratch.queries.write(config.queries(), tokens);
        packed_product(queries.as_mut(), false, &layer.query, normed.as_ref(), par);
        let mut keys_values = scratch.keys_values.write(2 * config.keys(), tokens);
        let (mut keys, values) = keys_values.as_mut().split_at_row_mut(config.keys());
        packed_product(keys.as_mut(), false, &layer.key, normed.as_ref(), par);
        packed_product(values, false, &layer.value, normed.as_ref(), par);
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
        packed_product(gate.as_mut(), false, &layer.gate, normed.as_ref(), par);
        let mut up = scratch.up.write(config.intermediate_size, tokens);
        packed_product(up.as_mut(), false, &layer.up, normed.as_ref(), par);
        let mut activated = scratch.activated.write(config.intermediate_size, tokens);
        swiglu(gate.as_ref(), up.as_ref(), activated.as_mut());
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
