//! One transformer layer for a block of tokens, forward and backward.

use std::ops::Range;

use faer::{MatMut, MatRef, Par};

use super::LAYER_SITES;
use super::block::{LayerState, Pass, Scratch, SequenceGroup, Standardized};
use super::normalization::{residual_norm, residual_norm_backward};
use crate::kernels::columns::{Buffer, column, column_mut};
use crate::kernels::lanes::vector_code;
use crate::kernels::product::{Start, sum_of_products};
use crate::parts::adapted::reduce;
use crate::parts::attention::{Projected, attend, attend_backward, probabilities_of, scale_of};
use crate::parts::blocks::{part, part_mut};
use crate::parts::dropout::DropoutSite;
use crate::weights::LayerNorm;
use crate::{Adapters, Real, Site};

/// Places of the sites in [`LAYER_SITES`]; key and value are between.
const QUERY: usize = 0;
const ATTENTION_OUTPUT: usize = 3;
const INTERMEDIATE: usize = 4;
const OUTPUT: usize = 5;

/// How far up the network a site is; the way back ends at the lowest adapted one.
pub(crate) fn layer_order(site: Site) -> usize {
    match site {
        Site::WordEmbeddings | Site::PositionEmbeddings => 0,
        Site::Query(l) | Site::Key(l) | Site::Value(l) => 1 + 4 * l,
        Site::AttentionOutput(l) => 2 + 4 * l,
        Site::Intermediate(l) => 3 + 4 * l,
        Site::Output(l) => 4 + 4 * l,
        // All others are above the layers, or of a decoder.
        _ => usize::MAX,
    }
}

impl<T: Real> Pass<'_, T> {
    /// A layer, from and to the block's hidden states.
    pub(crate) fn layer(&self, l: usize, block: &mut SequenceGroup<T>, scratch: &mut Scratch<T>) {
        let place = if self.keep { l } else { 0 };
        // Taken out of the block for the time, so that both can be borrowed.
        let mut state = std::mem::take(&mut block.layers[place]);
        std::mem::swap(&mut state.input, &mut block.hidden);
        // Room for all tokens also where a few are to come: the next pass starts with this buffer.
        block.hidden.write(self.config().hidden_size, block.count());
        self.attention(l, block, &mut state, scratch);
        self.after_attention(l, block, &mut state, scratch);
        self.feed_forward(l, block, &mut state, scratch);
        block.layers[place] = state;
    }

    /// Queries, keys and values, and attention.
    fn attention(&self, l: usize, block: &SequenceGroup<T>, state: &mut LayerState<T>, scratch: &mut Scratch<T>) {
        let (config, count, query_rows) = (self.config(), block.count(), self.queries(l, block));
        let hidden = config.hidden_size;
        let input = state.input.read(hidden, count);
        if self.first_only(l) {
            let mut first = state.query_rows.write(hidden, query_rows);
            for (place, (_, tokens)) in self.sequences(block).enumerate() {
                column_mut(first.as_mut(), place).copy_from_slice(column(input, tokens.start));
            }
        }
        let from = self.query_input(l, block, &state.input, &state.query_rows);
        let [low_queries, low_keys, low_values, ..] = &mut state.low;
        let mut queries = state.queries.write(hidden, query_rows);
        self.dense(Site::Query(l), from, low_queries, queries.as_mut());
        let mut keys_values = state.keys_values.write(2 * hidden, count);
        let (keys, values) = keys_values.as_mut().split_at_row_mut(hidden);
        self.dense(Site::Key(l), input, low_keys, keys);
        self.dense(Site::Value(l), input, low_values, values);
        let mut probabilities = state.probabilities.list(self.probabilities(l, block));
        let mut context = state.context.write(hidden, query_rows);
        let bias = self.network.encoder.relative_bias.as_deref();
        for ((sequence, tokens), (_, own)) in self.sequences(block).zip(self.query_rows(l, block)) {
            let mask = self.dropout.mask(DropoutSite::Probabilities(l), sequence, config.attention_dropout);
            let numbers = probabilities_of(config.heads, tokens.len(), own.len());
            let (sequence_probabilities, rest) = probabilities.split_at_mut(numbers);
            probabilities = rest;
            let projected = Projected {
                heads: config.heads,
                scale: scale_of(config.head_size()),
                queries: part(queries.as_ref(), &own),
                keys_values: part(keys_values.as_ref(), &tokens),
                causal: false,
                mask_rows: tokens.len(),
            };
            let context = part_mut(context.as_mut(), &own);
            attend(projected, bias, mask, sequence_probabilities, context, &mut scratch.attention);
        }
    }

    /// The dense layer after attention, with dropout, residual sum and LayerNorm.
    fn after_attention(&self, l: usize, block: &SequenceGroup<T>, state: &mut LayerState<T>, scratch: &mut Scratch<T>) {
        let (config, count) = (self.config(), self.queries(l, block));
        let hidden = config.hidden_size;
        let input = self.query_input(l, block, &state.input, &state.query_rows);
        let context = state.context.read(hidden, count);
        let mut y = scratch.hidden.write(hidden, count);
        self.dense(Site::AttentionOutput(l), context, &mut state.low[ATTENTION_OUTPUT], y.as_mut());
        let (out, sequences) = (state.attended.write(hidden, count), self.query_rows(l, block));
        self.residual_norms(DropoutSite::AttentionOutput(l), sequences, y, input, &mut state.attention_norm, out);
    }

    /// The two dense layers with the GELU between them, with dropout, residual sum and LayerNorm.
    fn feed_forward(
        &self,
        l: usize,
        block: &mut SequenceGroup<T>,
        state: &mut LayerState<T>,
        scratch: &mut Scratch<T>,
    ) {
        let (config, count) = (self.config(), self.queries(l, block));
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let attended = state.attended.read(hidden, count);
        let mut activated = state.activated.write(intermediate, count);
        self.dense(Site::Intermediate(l), attended, &mut state.low[INTERMEDIATE], activated.as_mut());
        let slopes = if self.keep { Some(state.slopes.write(intermediate, count)) } else { None };
        gelu(activated.as_mut(), slopes);
        let mut y = scratch.hidden.write(hidden, count);
        self.dense(Site::Output(l), activated.as_ref(), &mut state.low[OUTPUT], y.as_mut());
        let (sequences, out) = (self.query_rows(l, block), block.hidden.write(hidden, count));
        self.residual_norms(DropoutSite::Output(l), sequences, y, attended, &mut state.output_norm, out);
    }

    /// `out = norm(residual + dropout(y))` at the end of one of a layer's halves. What was in `y` is lost.
    fn residual_norms(
        &self,
        place: DropoutSite,
        sequences: impl Iterator<Item = (usize, Range<usize>)>,
        mut y: MatMut<'_, T>,
        residual: MatRef<'_, T>,
        kept: &mut Standardized<T>,
        mut out: MatMut<'_, T>,
    ) {
        let (hidden, count) = y.shape();
        for (sequence, tokens) in sequences {
            let mask = self.dropout.mask(place, sequence, self.config().hidden_dropout);
            let normalized = kept.write(hidden, count, &tokens);
            let (y, residual) = (part_mut(y.as_mut(), &tokens), part(residual, &tokens));
            let out = part_mut(out.as_mut(), &tokens);
            residual_norm(self.norm(place), self.epsilon(), mask, y, residual, normalized, out);
        }
    }

    /// The way back through [`residual_norms`](Self::residual_norms): `gradient` becomes that of the sum, `d_y` that of `y`.
    fn residual_norms_backward(
        &self,
        place: DropoutSite,
        sequences: impl Iterator<Item = (usize, Range<usize>)>,
        kept: &Standardized<T>,
        mut gradient: MatMut<'_, T>,
        mut d_y: MatMut<'_, T>,
    ) {
        let (hidden, count) = gradient.shape();
        for (sequence, tokens) in sequences {
            let mask = self.dropout.mask(place, sequence, self.config().hidden_dropout);
            let (standardized, inverse) = kept.read(hidden, count, &tokens);
            let (gradient, d_y) = (part_mut(gradient.as_mut(), &tokens), part_mut(d_y.as_mut(), &tokens));
            residual_norm_backward(self.norm(place), mask, standardized, inverse, gradient, d_y);
        }
    }

    /// The LayerNorm after a place where values are dropped.
    fn norm(&self, place: DropoutSite) -> &LayerNorm<T> {
        let encoder = &self.network.encoder;
        match place {
            DropoutSite::AttentionOutput(l) => &encoder.layers[l].attention_norm,
            DropoutSite::Output(l) => &encoder.layers[l].output_norm,
            _ => unreachable!("no half of an encoder's layer ends there"),
        }
    }

    /// The way back through a layer: `block.gradient`, with respect to what the layer returns, becomes that with respect to what
    /// it starts from. Ends at the site of layer_order `lowest`.
    pub(crate) fn layer_backward(
        &self,
        l: usize,
        lowest: usize,
        block: &mut SequenceGroup<T>,
        scratch: &mut Scratch<T>,
    ) {
        let state = std::mem::take(&mut block.layers[l]);
        self.feed_forward_backward(l, lowest, block, &state, scratch);
        if lowest < layer_order(Site::Intermediate(l)) {
            self.after_attention_backward(l, lowest, block, &state, scratch);
        }
        if lowest < layer_order(Site::AttentionOutput(l)) {
            self.attention_backward(l, lowest, block, &state, scratch);
        }
        block.layers[l] = state;
    }

    fn feed_forward_backward(
        &self,
        l: usize,
        lowest: usize,
        block: &mut SequenceGroup<T>,
        state: &LayerState<T>,
        scratch: &mut Scratch<T>,
    ) {
        let (config, count) = (self.config(), self.queries(l, block));
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let mut d_y = scratch.hidden.write(hidden, count);
        let (sequences, gradient) = (self.query_rows(l, block), block.gradient.write(hidden, count));
        self.residual_norms_backward(DropoutSite::Output(l), sequences, &state.output_norm, gradient, d_y.as_mut());
        let (site, d_y) = (Site::Output(l), d_y.as_ref());
        let partial = &mut block.partials[OUTPUT];
        self.prepared.at(site).gradient(state.activated.read(intermediate, count), &state.low[OUTPUT], d_y, partial);
        if lowest >= layer_order(site) {
            return;
        }
        let mut d_u = scratch.intermediate.write(intermediate, count);
        sum_of_products(d_u.as_mut(), Start::Zero, self.dense_backward(site, d_y, partial));
        let slopes = state.slopes.read(intermediate, count);
        multiply(d_u.as_mut(), slopes);

        let (site, d_u) = (Site::Intermediate(l), d_u.as_ref());
        let partial = &mut block.partials[INTERMEDIATE];
        self.prepared.at(site).gradient(state.attended.read(hidden, count), &state.low[INTERMEDIATE], d_u, partial);
        if lowest < layer_order(site) {
            let gradient = block.gradient.write(hidden, count);
            sum_of_products(gradient, Start::Destination, self.dense_backward(site, d_u, partial));
        }
    }

    fn after_attention_backward(
        &self,
        l: usize,
        lowest: usize,
        block: &mut SequenceGroup<T>,
        state: &LayerState<T>,
        scratch: &mut Scratch<T>,
    ) {
        let (config, count) = (self.config(), self.queries(l, block));
        let hidden = config.hidden_size;
        let mut d_y = scratch.hidden.write(hidden, count);
        let (sequences, gradient) = (self.query_rows(l, block), block.gradient.write(hidden, count));
        let place = DropoutSite::AttentionOutput(l);
        self.residual_norms_backward(place, sequences, &state.attention_norm, gradient, d_y.as_mut());
        let (site, d_y) = (Site::AttentionOutput(l), d_y.as_ref());
        let partial = &mut block.partials[ATTENTION_OUTPUT];
        let context = state.context.read(hidden, count);
        self.prepared.at(site).gradient(context, &state.low[ATTENTION_OUTPUT], d_y, partial);
        if lowest < layer_order(site) {
            let d_context = scratch.context.write(hidden, count);
            sum_of_products(d_context, Start::Zero, self.dense_backward(site, d_y, partial));
        }
    }

    fn attention_backward(
        &self,
        l: usize,
        lowest: usize,
        block: &mut SequenceGroup<T>,
        state: &LayerState<T>,
        scratch: &mut Scratch<T>,
    ) {
        let (config, count, query_rows) = (self.config(), block.count(), self.queries(l, block));
        let hidden = config.hidden_size;
        let (queries, keys_values) =
            (state.queries.read(hidden, query_rows), state.keys_values.read(2 * hidden, count));
        let mut probabilities = column(state.probabilities.read(self.probabilities(l, block), 1), 0);
        let d_context = scratch.context.read(hidden, query_rows);
        let mut d_queries = scratch.queries.write(hidden, query_rows);
        let mut d_keys_values = scratch.keys_values.write(2 * hidden, count);
        for ((sequence, tokens), (_, own)) in self.sequences(block).zip(self.query_rows(l, block)) {
            let scale = self.dropout.mask(DropoutSite::Probabilities(l), sequence, config.attention_dropout).scale();
            let numbers = probabilities_of(config.heads, tokens.len(), own.len());
            let (sequence_probabilities, rest) = probabilities.split_at(numbers);
            probabilities = rest;
            let projected = Projected {
                heads: config.heads,
                scale: scale_of(config.head_size()),
                queries: part(queries, &own),
                keys_values: part(keys_values, &tokens),
                causal: false,
                mask_rows: tokens.len(),
            };
            let gradients = (part_mut(d_queries.as_mut(), &own), part_mut(d_keys_values.as_mut(), &tokens));
            let d_context = part(d_context, &own);
            attend_backward(projected, scale, sequence_probabilities, d_context, gradients, &mut scratch.attention);
        }
        let (d_queries, d_keys_values) = (d_queries.as_ref(), d_keys_values.as_ref());
        let (d_keys, d_values) = d_keys_values.split_at_row(hidden);
        let input = state.input.read(hidden, count);
        let from = self.query_input(l, block, &state.input, &state.query_rows);
        let gradients = [d_queries, d_keys, d_values];
        for (place, x) in [from, input, input].into_iter().enumerate() {
            let partial = &mut block.partials[place];
            self.prepared.at(LAYER_SITES[place](l)).gradient(x, &state.low[place], gradients[place], partial);
        }
        if lowest >= layer_order(Site::Query(l)) {
            return;
        }
        // What every token has: all three terms, or all but the queries', which came before.
        let mut places = 0..3;
        if self.first_only(l) {
            let terms = self.dense_backward(Site::Query(l), d_queries, &block.partials[QUERY]);
            sum_of_products(block.gradient.write(hidden, query_rows), Start::Destination, terms);
            self.spread_first(block, &mut scratch.hidden);
            places.start = 1;
        }
        let partials = &block.partials;
        let terms =
            places.flat_map(|place| self.dense_backward(LAYER_SITES[place](l), gradients[place], &partials[place]));
        sum_of_products(block.gradient.write(hidden, count), Start::Destination, terms);
    }

    /// Makes of the gradient of the hidden states of the sequences' first tokens that of all tokens, 0 but for these.
    fn spread_first(&self, block: &mut SequenceGroup<T>, first: &mut Buffer<T>) {
        let (hidden, sequences, count) = (self.config().hidden_size, block.extent.sequences.len(), block.count());
        let mut first = first.write(hidden, sequences);
        first.copy_from(block.gradient.read(hidden, sequences));
        let sequences = self.sequences(block);
        let mut gradient = block.gradient.write(hidden, count);
        gradient.fill(T::of(0.0));
        for (place, (_, tokens)) in sequences.enumerate() {
            column_mut(gradient.as_mut(), tokens.start).copy_from_slice(column(first.as_ref(), place));
        }
    }

    /// The hidden states of the tokens with queries.
    fn query_input<'b>(
        &self,
        l: usize,
        block: &SequenceGroup<T>,
        input: &'b Buffer<T>,
        query_rows: &'b Buffer<T>,
    ) -> MatRef<'b, T> {
        let from = if self.first_only(l) { query_rows } else { input };
        from.read(self.config().hidden_size, self.queries(l, block))
    }

    /// Sums the blocks' shares of the gradients of a layer's adapters.
    pub(crate) fn reduce_layer(&self, l: usize, blocks: &[SequenceGroup<T>], adapters: &mut Adapters<T>, par: Par) {
        let (hidden, intermediate) = (self.config().hidden_size, self.config().intermediate_size);
        for (place, site) in LAYER_SITES.into_iter().enumerate() {
            if let Some((_, gradient)) = adapters.applied_and_gradient(site(l)) {
                let shares = blocks.iter().map(|block| {
                    let (state, query_rows) = (&block.layers[l], self.queries(l, block));
                    let input = match place {
                        QUERY => self.query_input(l, block, &state.input, &state.query_rows),
                        ATTENTION_OUTPUT => state.context.read(hidden, query_rows),
                        INTERMEDIATE => state.attended.read(hidden, query_rows),
                        OUTPUT => state.activated.read(intermediate, query_rows),
                        _ => state.input.read(hidden, block.count()),
                    };
                    (&block.partials[place], input)
                });
                reduce(shares, false, gradient, par);
            }
        }
    }

    /// Numbers that a block's probabilities take in a layer.
    fn probabilities(&self, l: usize, block: &SequenceGroup<T>) -> usize {
        let tokens = self.sequences(block).map(|(_, tokens)| tokens.len());
        let queries = self.query_rows(l, block).map(|(_, own)| own.len());
        tokens.zip(queries).map(|(tokens, queries)| probabilities_of(self.config().heads, tokens, queries)).sum()
    }
}

vector_code! {
    /// GELU in place, and its derivative if it is asked for.
    fn gelu<'a, T>(u: MatMut<'a, T>, slopes: Option<MatMut<'a, T>>) {
        let mut u = u;
        let Some(mut slopes) = slopes else {
            for token in 0..u.ncols() {
                for u in column_mut(u.as_mut(), token) {
                    *u = u.gelu().0;
                }
            }
            return;
        };
        for token in 0..u.ncols() {
            for (u, slope) in column_mut(u.as_mut(), token).iter_mut().zip(column_mut(slopes.as_mut(), token)) {
                (*u, *slope) = u.gelu();
            }
        }
    }
}

vector_code! {
    /// Multiplies entry by entry.
    fn multiply<'a, T>(x: MatMut<'a, T>, by: MatRef<'a, T>) {
        let mut x = x;
        for token in 0..x.ncols() {
            for (x, &by) in column_mut(x.as_mut(), token).iter_mut().zip(column(by, token)) {
                *x *= by;
            }
        }
    }
}
