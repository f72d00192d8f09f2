//! An attention of a layer for a block of tokens, to themselves or to the source, forward and backward.

use std::ops::Range;

use faer::{MatMut, MatRef};

use super::block::{AttentionState, Scratch};
use super::pass::{Pass, Tokens};
use crate::kernels::columns::{Buffer, column};
use crate::kernels::product::{Start, sum_of_products};
use crate::parts::adapted::Partial;
use crate::parts::attention::{Projected, attend, attend_backward, probabilities_of};
use crate::parts::blocks::{part, part_mut};
use crate::parts::dropout::DropoutSite;
use crate::parts::relative_position::RelativeBias;
use crate::parts::rms_norm::{rms_norm_backward, standardize, weighted};
use crate::t5::config::{ATTENTION, CROSS};
use crate::t5::weights::Attention;
use crate::{Real, Site};

/// Which attention it is.
pub(super) struct Kind<'a, T: Real> {
    weights: &'a Attention<T>,
    /// Query, key, value, output.
    sites: [Site; 4],
    /// Where probabilities and results are dropped.
    dropped: [DropoutSite; 2],
    causal: bool,
    bias: Option<&'a RelativeBias<T>>,
}

/// What is attended to in place of the tokens themselves.
pub(super) struct Memory<'a, T: Real> {
    pub(super) tokens: Tokens<'a>,
    /// hidden × tokens.
    pub(super) states: MatRef<'a, T>,
}

/// Places of the sites.
const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;
const OUTPUT: usize = 3;

impl<T: Real> Pass<'_, T> {
    /// The attention of a layer's tokens to themselves.
    pub(super) fn own(&self, l: usize) -> Kind<'_, T> {
        let causal = self.config().is_decoders(l);
        Kind {
            weights: &self.model.t5.layers[l].attention,
            sites: ATTENTION.map(|site| site(l)),
            dropped: [DropoutSite::Probabilities(l), DropoutSite::AttentionOutput(l)],
            causal,
            bias: Some(&self.biases[usize::from(causal)]),
        }
    }

    /// The attention of a decoder's layer to the source.
    pub(super) fn cross(&self, l: usize) -> Kind<'_, T> {
        Kind {
            weights: self.model.t5.layers[l].cross.as_ref().expect("a decoder's layer attends to the source"),
            sites: CROSS.map(|site| site(l)),
            dropped: [DropoutSite::CrossProbabilities(l), DropoutSite::CrossOutput(l)],
            causal: false,
            bias: None,
        }
    }

    /// `x += dropout(W_o · attention(W_q n, W_k m, W_v m))` with `n = RMSNorm(x)`, and `m` the memory, or else `n`.
    pub(super) fn attention(
        &self,
        kind: &Kind<'_, T>,
        tokens: Tokens<'_>,
        memory: Option<&Memory<'_, T>>,
        x: MatMut<'_, T>,
        state: &mut AttentionState<T>,
        scratch: &mut Scratch<T>,
    ) {
        let (config, (hidden, count)) = (self.config(), x.shape());
        let mut normed = scratch.normed.write(hidden, count);
        let (mut standardized, inverse) = state.norm.write(hidden, count);
        standardize(self.model.t5.epsilon(), x.as_ref(), standardized.as_mut(), inverse);
        weighted(&kind.weights.norm, standardized.as_ref(), normed.as_mut());
        let normed = normed.as_ref();
        let from = memory.map_or(normed, |memory| memory.states);
        let queries = state.queries.write(config.queries(), count);
        self.dense(kind.sites[QUERY], &kind.weights.query, normed, &mut state.low[QUERY], queries);
        let keys_values = state.keys_values.write(2 * config.queries(), from.ncols());
        let (keys, values) = keys_values.split_at_row_mut(config.queries());
        self.dense(kind.sites[KEY], &kind.weights.key, from, &mut state.low[KEY], keys);
        self.dense(kind.sites[VALUE], &kind.weights.value, from, &mut state.low[VALUE], values);
        self.attend(kind, tokens, memory.map_or(tokens, |memory| memory.tokens), state, scratch);
        let (context, mut branch) = (state.context.read(config.queries(), count), scratch.branch.write(hidden, count));
        self.dense(kind.sites[OUTPUT], &kind.weights.output, context, &mut state.low[OUTPUT], branch.as_mut());
        self.drop_and_add(kind.dropped[1], tokens, branch, x);
    }

    /// Attention, sequence by sequence.
    fn attend(
        &self,
        kind: &Kind<'_, T>,
        tokens: Tokens<'_>,
        attended: Tokens<'_>,
        state: &mut AttentionState<T>,
        scratch: &mut Scratch<T>,
    ) {
        let (config, count) = (self.config(), tokens.count());
        let mut probabilities = state.probabilities.list(self.probabilities(tokens, attended));
        let mut context = state.context.write(config.queries(), count);
        let queries = state.queries.read(config.queries(), count);
        let keys_values = state.keys_values.read(2 * config.queries(), attended.count());
        for (sequence, own, to) in pairs(tokens, attended) {
            let numbers = probabilities_of(config.heads, to.len(), own.len());
            let (of_sequence, rest) = probabilities.split_at_mut(numbers);
            probabilities = rest;
            let projected = self.projected(kind, part(queries, &own), part(keys_values, &to));
            let (mask, context) = (self.mask(kind.dropped[0], sequence), part_mut(context.as_mut(), &own));
            attend(projected, kind.bias, mask, of_sequence, context, &mut scratch.attention);
        }
    }

    fn projected<'a>(
        &self,
        kind: &Kind<'_, T>,
        queries: MatRef<'a, T>,
        keys_values: MatRef<'a, T>,
    ) -> Projected<'a, T> {
        let (heads, mask_rows) = (self.config().heads, queries.ncols());
        Projected { heads, scale: 1.0, queries, keys_values, causal: kind.causal, mask_rows }
    }

    /// The way back through [`attention`](Self::attention): `gradient`, with respect to its result, becomes that with respect to `x`,
    /// and what comes back to the memory is added to its own, where this is given. What the queries start from is left in `input`.
    pub(super) fn attention_backward(
        &self,
        kind: &Kind<'_, T>,
        tokens: Tokens<'_>,
        memory: Option<(&Memory<'_, T>, Option<MatMut<'_, T>>)>,
        mut gradient: MatMut<'_, T>,
        state: &AttentionState<T>,
        (input, partials): (&mut Buffer<T>, &mut [Partial<T>]),
        scratch: &mut Scratch<T>,
    ) {
        let (config, (hidden, count)) = (self.config(), gradient.shape());
        let (standardized, inverse) = state.norm.read(hidden, count);
        let mut normed = input.write(hidden, count);
        weighted(&kind.weights.norm, standardized, normed.as_mut());
        let normed = normed.as_ref();

        let mut d_branch = scratch.branch.write(hidden, count);
        d_branch.copy_from(gradient.as_ref());
        self.drop_states(kind.dropped[1], tokens, d_branch.as_mut());
        let (d_branch, context) = (d_branch.as_ref(), state.context.read(config.queries(), count));
        self.gradient(kind.sites[OUTPUT], context, &state.low[OUTPUT], d_branch, &mut partials[OUTPUT]);
        let d_context = scratch.context.write(config.queries(), count);
        sum_of_products(d_context, Start::Zero, self.dense_backward(kind.sites[OUTPUT], d_branch, &partials[OUTPUT]));
        let attended = memory.as_ref().map_or(tokens, |(memory, _)| memory.tokens);
        self.attend_backward(kind, tokens, attended, state, scratch);

        let from = memory.as_ref().map_or(normed, |(memory, _)| memory.states);
        let d_queries = scratch.queries.read(config.queries(), count);
        let d_keys_values = scratch.keys_values.read(2 * config.queries(), from.ncols());
        let (d_keys, d_values) = d_keys_values.split_at_row(config.queries());
        let gradients = [(QUERY, normed, d_queries), (KEY, from, d_keys), (VALUE, from, d_values)];
        for (place, x, d_y) in gradients {
            self.gradient(kind.sites[place], x, &state.low[place], d_y, &mut partials[place]);
        }
        let terms = |places: Range<usize>| {
            let of = |(place, _, d_y): (usize, MatRef<'_, T>, _)| {
                self.dense_backward(kind.sites[place], d_y, &partials[place])
            };
            gradients.into_iter().skip(places.start).take(places.len()).flat_map(of)
        };
        let mut d_normed = scratch.normed.write(hidden, count);
        let of_normed = if memory.is_some() { QUERY..KEY } else { QUERY..OUTPUT };
        sum_of_products(d_normed.as_mut(), Start::Zero, terms(of_normed));
        if let Some((_, Some(d_memory))) = memory {
            sum_of_products(d_memory, Start::Destination, terms(KEY..OUTPUT));
        }
        rms_norm_backward(&kind.weights.norm, standardized, inverse, d_normed.as_ref(), gradient.as_mut());
    }

    /// From the context's gradient in `scratch` to those of queries, keys and values there.
    fn attend_backward(
        &self,
        kind: &Kind<'_, T>,
        tokens: Tokens<'_>,
        attended: Tokens<'_>,
        state: &AttentionState<T>,
        scratch: &mut Scratch<T>,
    ) {
        let (config, count) = (self.config(), tokens.count());
        let Scratch { context, queries, keys_values, attention, .. } = scratch;
        let d_context = context.read(config.queries(), count);
        let mut d_queries = queries.write(config.queries(), count);
        let mut d_keys_values = keys_values.write(2 * config.queries(), attended.count());
        let mut probabilities = column(state.probabilities.read(self.probabilities(tokens, attended), 1), 0);
        let queries = state.queries.read(config.queries(), count);
        let keys_values = state.keys_values.read(2 * config.queries(), attended.count());
        for (sequence, own, to) in pairs(tokens, attended) {
            let numbers = probabilities_of(config.heads, to.len(), own.len());
            let (of_sequence, rest) = probabilities.split_at(numbers);
            probabilities = rest;
            let projected = self.projected(kind, part(queries, &own), part(keys_values, &to));
            let gradients = (part_mut(d_queries.as_mut(), &own), part_mut(d_keys_values.as_mut(), &to));
            let scale = self.mask(kind.dropped[0], sequence).scale();
            attend_backward(projected, scale, of_sequence, part(d_context, &own), gradients, attention);
        }
    }

    /// Numbers that a block's probabilities take.
    fn probabilities(&self, tokens: Tokens<'_>, attended: Tokens<'_>) -> usize {
        pairs(tokens, attended).map(|(_, own, to)| probabilities_of(self.config().heads, to.len(), own.len())).sum()
    }
}

/// Every sequence of a block: its number within the batch, its tokens, and those that they attend to.
fn pairs<'a>(
    tokens: Tokens<'a>,
    attended: Tokens<'a>,
) -> impl Iterator<Item = (usize, Range<usize>, Range<usize>)> + use<'a> {
    tokens.sequences().zip(attended.sequences()).map(|((sequence, own), (_, to))| (sequence, own, to))
}
