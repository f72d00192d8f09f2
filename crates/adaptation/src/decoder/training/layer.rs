//! One layer for a block of tokens, forward and backward.

use faer::{MatMut, MatRef, Par};

use super::block::{Block, LayerState, Pass, Scratch};
use crate::decoder::pointwise::{swiglu, swiglu_backward};
use crate::decoder::weights::LAYER_SITES;
use crate::kernels::columns::{Buffer, column};
use crate::kernels::product::{Start, Term, sum_of_products};
use crate::parts::adapted::{Partial, reduce};
use crate::parts::attention::{Projected, attend, attend_backward, probabilities_of, scale_of};
use crate::parts::blocks::{Extent, part, part_mut};
use crate::parts::dropout::Mask;
use crate::parts::rms_norm::{rms_norm_backward, standardize, weighted};
use crate::{Adapters, Real};

/// Places of the sites in [`LAYER_SITES`].
const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;
const ATTENTION_OUTPUT: usize = 3;
const GATE: usize = 4;
const UP: usize = 5;
const DOWN: usize = 6;

impl<T: Real> Pass<'_, T> {
    /// A layer, from and to the block's hidden states.
    pub(super) fn layer(&self, l: usize, block: &mut Block<T>, scratch: &mut Scratch<T>) {
        let place = if self.keep { l } else { 0 };
        // Taken out of the block for the time, so that both can be borrowed.
        let mut state = std::mem::take(&mut block.layers[place]);
        self.attention(l, block, &mut state, scratch);
        self.feed_forward(l, block, &mut state);
        block.layers[place] = state;
    }

    /// `x += W_o · attention(turn(W_q n), turn(W_k n), W_v n)` with `n = RMSNorm(x)`.
    fn attention(&self, l: usize, block: &mut Block<T>, state: &mut LayerState<T>, scratch: &mut Scratch<T>) {
        let (config, count, first) = (self.config(), block.extent.count(), block.extent.tokens.start);
        let hidden = config.hidden_size;
        let mut normed = block.inputs.attention.write(hidden, count);
        let (mut standardized, inverse) = state.attention_norm.write(hidden, count);
        standardize(self.epsilon(), block.hidden.read(hidden, count), standardized.as_mut(), inverse);
        weighted(&self.model.decoder.layers[l].attention_norm, standardized.as_ref(), normed.as_mut());
        let normed = normed.as_ref();
        let mut queries = state.queries.write(config.queries(), count);
        self.dense(l, QUERY, Start::Zero, normed, &mut state.low[QUERY], queries.as_mut());
        let mut keys_values = state.keys_values.write(2 * config.keys(), count);
        let (mut keys, values) = keys_values.as_mut().split_at_row_mut(config.keys());
        self.dense(l, KEY, Start::Zero, normed, &mut state.low[KEY], keys.as_mut());
        self.dense(l, VALUE, Start::Zero, normed, &mut state.low[VALUE], values);
        self.rotary.turn(first, queries);
        self.rotary.turn(first, keys);
        self.attend(&block.extent, state, scratch);
        let (context, low) = (state.context.read(config.queries(), count), &mut state.low[ATTENTION_OUTPUT]);
        self.dense(l, ATTENTION_OUTPUT, Start::Destination, context, low, block.hidden.write(hidden, count));
    }

    /// Attention, sequence by sequence.
    fn attend(&self, extent: &Extent, state: &mut LayerState<T>, scratch: &mut Scratch<T>) {
        let (config, count) = (self.config(), extent.count());
        let mut probabilities = state.probabilities.list(self.probabilities(extent));
        let mut context = state.context.write(config.queries(), count);
        for (_, tokens) in extent.sequences_of(self.texts.batch()) {
            let numbers = probabilities_of(config.heads, tokens.len(), tokens.len());
            let (own, rest) = probabilities.split_at_mut(numbers);
            probabilities = rest;
            let projected = Projected {
                heads: config.heads,
                scale: scale_of(config.head_size),
                queries: part(state.queries.read(config.queries(), count), &tokens),
                keys_values: part(state.keys_values.read(2 * config.keys(), count), &tokens),
                causal: true,
                mask_rows: tokens.len(),
            };
            attend(projected, None, Mask::All, own, part_mut(context.as_mut(), &tokens), &mut scratch.attention);
        }
    }

    /// `x += W_down · (SiLU(W_gate n) ⊙ W_up n)` with `n = RMSNorm(x)`.
    fn feed_forward(&self, l: usize, block: &mut Block<T>, state: &mut LayerState<T>) {
        let (config, count) = (self.config(), block.extent.count());
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let mut normed = block.inputs.feed_forward.write(hidden, count);
        let (mut standardized, inverse) = state.feed_forward_norm.write(hidden, count);
        standardize(self.epsilon(), block.hidden.read(hidden, count), standardized.as_mut(), inverse);
        weighted(&self.model.decoder.layers[l].feed_forward_norm, standardized.as_ref(), normed.as_mut());
        let normed = normed.as_ref();
        let mut gate = state.gate.write(intermediate, count);
        self.dense(l, GATE, Start::Zero, normed, &mut state.low[GATE], gate.as_mut());
        let mut up = state.up.write(intermediate, count);
        self.dense(l, UP, Start::Zero, normed, &mut state.low[UP], up.as_mut());
        let mut activated = block.inputs.activated.write(intermediate, count);
        swiglu(gate.as_ref(), up.as_ref(), activated.as_mut());
        let (activated, x) = (activated.as_ref(), block.hidden.write(hidden, count));
        self.dense(l, DOWN, Start::Destination, activated, &mut state.low[DOWN], x);
    }

    /// The way back through a layer: `block.gradient`, with respect to what the layer returns, becomes that with respect to what
    /// it starts from.
    pub(super) fn layer_backward(&self, l: usize, block: &mut Block<T>, scratch: &mut Scratch<T>) {
        let state = std::mem::take(&mut block.layers[l]);
        self.feed_forward_backward(l, block, &state, scratch);
        self.attention_backward(l, block, &state, scratch);
        block.layers[l] = state;
    }

    fn feed_forward_backward(&self, l: usize, block: &mut Block<T>, state: &LayerState<T>, scratch: &mut Scratch<T>) {
        let (config, count) = (self.config(), block.extent.count());
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let weight = &self.model.decoder.layers[l].feed_forward_norm;
        let (standardized, inverse) = state.feed_forward_norm.read(hidden, count);
        let mut normed = block.inputs.feed_forward.write(hidden, count);
        weighted(weight, standardized, normed.as_mut());
        let (gate, up) = (state.gate.read(intermediate, count), state.up.read(intermediate, count));
        let mut activated = block.inputs.activated.write(intermediate, count);
        swiglu(gate, up, activated.as_mut());

        let (d_y, activated) = (block.gradient.read(hidden, count), activated.as_ref());
        self.gradient(l, DOWN, activated, state, d_y, &mut block.partials);
        let mut d_up = scratch.up.write(intermediate, count);
        sum_of_products(d_up.as_mut(), Start::Zero, self.dense_backward(l, DOWN, d_y, &block.partials));
        let mut d_gate = scratch.gate.write(intermediate, count);
        swiglu_backward(gate, up, d_gate.as_mut(), d_up.as_mut());

        let (d_gate, d_up) = (d_gate.as_ref(), d_up.as_ref());
        self.gradient(l, GATE, normed.as_ref(), state, d_gate, &mut block.partials);
        self.gradient(l, UP, normed.as_ref(), state, d_up, &mut block.partials);
        let mut d_normed = scratch.normed.write(hidden, count);
        let terms = self.dense_backward(l, GATE, d_gate, &block.partials);
        let terms = terms.chain(self.dense_backward(l, UP, d_up, &block.partials));
        sum_of_products(d_normed.as_mut(), Start::Zero, terms);
        rms_norm_backward(weight, standardized, inverse, d_normed.as_ref(), block.gradient.write(hidden, count));
    }

    fn attention_backward(&self, l: usize, block: &mut Block<T>, state: &LayerState<T>, scratch: &mut Scratch<T>) {
        let (config, count, first) = (self.config(), block.extent.count(), block.extent.tokens.start);
        let hidden = config.hidden_size;
        let weight = &self.model.decoder.layers[l].attention_norm;
        let (standardized, inverse) = state.attention_norm.read(hidden, count);
        let mut normed = block.inputs.attention.write(hidden, count);
        weighted(weight, standardized, normed.as_mut());

        let (d_y, context) = (block.gradient.read(hidden, count), state.context.read(config.queries(), count));
        self.gradient(l, ATTENTION_OUTPUT, context, state, d_y, &mut block.partials);
        let d_context = scratch.context.write(config.queries(), count);
        sum_of_products(d_context, Start::Zero, self.dense_backward(l, ATTENTION_OUTPUT, d_y, &block.partials));
        self.attend_backward(&block.extent, state, scratch);
        let mut d_queries = scratch.queries.write(config.queries(), count);
        self.rotary.turn_back(first, d_queries.as_mut());
        let mut d_keys_values = scratch.keys_values.write(2 * config.keys(), count);
        self.rotary.turn_back(first, d_keys_values.as_mut().subrows_mut(0, config.keys()));

        let (d_keys, d_values) = d_keys_values.as_ref().split_at_row(config.keys());
        let gradients = [(QUERY, d_queries.as_ref()), (KEY, d_keys), (VALUE, d_values)];
        for (place, gradient) in gradients {
            self.gradient(l, place, normed.as_ref(), state, gradient, &mut block.partials);
        }
        let mut d_normed = scratch.normed.write(hidden, count);
        let terms = gradients.into_iter().flat_map(|(place, d_y)| self.dense_backward(l, place, d_y, &block.partials));
        sum_of_products(d_normed.as_mut(), Start::Zero, terms);
        rms_norm_backward(weight, standardized, inverse, d_normed.as_ref(), block.gradient.write(hidden, count));
    }

    /// From the context's gradient in `scratch` to those of queries, keys and values there.
    fn attend_backward(&self, extent: &Extent, state: &LayerState<T>, scratch: &mut Scratch<T>) {
        let (config, count) = (self.config(), extent.count());
        let Scratch { context, queries, keys_values, attention, .. } = scratch;
        let d_context = context.read(config.queries(), count);
        let mut d_queries = queries.write(config.queries(), count);
        let mut d_keys_values = keys_values.write(2 * config.keys(), count);
        let mut probabilities = column(state.probabilities.read(self.probabilities(extent), 1), 0);
        for (_, tokens) in extent.sequences_of(self.texts.batch()) {
            let numbers = probabilities_of(config.heads, tokens.len(), tokens.len());
            let (own, rest) = probabilities.split_at(numbers);
            probabilities = rest;
            let projected = Projected {
                heads: config.heads,
                scale: scale_of(config.head_size),
                queries: part(state.queries.read(config.queries(), count), &tokens),
                keys_values: part(state.keys_values.read(2 * config.keys(), count), &tokens),
                causal: true,
                mask_rows: tokens.len(),
            };
            let gradients = (part_mut(d_queries.as_mut(), &tokens), part_mut(d_keys_values.as_mut(), &tokens));
            attend_backward(projected, 1.0, own, part(d_context, &tokens), gradients, attention);
        }
    }

    /// Sums the blocks' shares of the gradients of a layer's adapters.
    pub(super) fn reduce_layer(&self, l: usize, blocks: &[Block<T>], adapters: &mut Adapters<T>, par: Par) {
        let config = self.config();
        for (place, site) in LAYER_SITES.into_iter().enumerate() {
            if let Some((_, gradient)) = adapters.applied_and_gradient(site(l)) {
                let shares = blocks.iter().map(|block| {
                    let inputs = match place {
                        QUERY | KEY | VALUE => &block.inputs.attention,
                        ATTENTION_OUTPUT => &block.layers[l].context,
                        GATE | UP => &block.inputs.feed_forward,
                        _ => &block.inputs.activated,
                    };
                    let (_, rows) = config.shape(site(l));
                    (&block.partials[place], inputs.read(rows, block.extent.count()))
                });
                reduce(shares, self.adds, gradient, par);
            }
        }
    }

    /// `y = start + (W_0 + ΔW) x`.
    fn dense(
        &self,
        l: usize,
        place: usize,
        start: Start<'_, T>,
        x: MatRef<'_, T>,
        low: &mut Buffer<T>,
        y: MatMut<'_, T>,
    ) {
        let site = LAYER_SITES[place](l);
        self.prepared.at(site).forward(self.model.decoder.packed(site), start, x, low, y);
    }

    /// A block's share of the gradient of a site's adapter, from that of its result.
    fn gradient(
        &self,
        l: usize,
        place: usize,
        x: MatRef<'_, T>,
        state: &LayerState<T>,
        d_y: MatRef<'_, T>,
        partials: &mut [Partial<T>],
    ) {
        self.prepared.at(LAYER_SITES[place](l)).gradient(x, &state.low[place], d_y, &mut partials[place]);
    }

    /// The terms of `(W_0 + ΔW)ᵀ d_y`, after the [`gradient`](Self::gradient).
    fn dense_backward<'b>(
        &'b self,
        l: usize,
        place: usize,
        d_y: MatRef<'b, T>,
        partials: &'b [Partial<T>],
    ) -> impl Iterator<Item = Term<'b, T>> {
        self.prepared.at(LAYER_SITES[place](l)).backward(self.model.transposed(l, place), d_y, &partials[place])
    }

    /// Numbers that a block's probabilities take.
    fn probabilities(&self, extent: &Extent) -> usize {
        let tokens = extent.sequences_of(self.texts.batch()).map(|(_, tokens)| tokens.len());
        tokens.map(|tokens| probabilities_of(self.config().heads, tokens, tokens)).sum()
    }
}
