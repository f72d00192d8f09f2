//! The feed-forward part of a layer for a block of tokens, forward and backward.

use faer::MatMut;

use super::block::{FeedForwardState, Inputs, Scratch};
use super::pass::{Pass, Tokens};
use crate::Real;
use crate::kernels::product::{Start, sum_of_products};
use crate::parts::adapted::Partial;
use crate::parts::dropout::DropoutSite;
use crate::parts::rms_norm::{rms_norm_backward, standardize, weighted};
use crate::t5::config::FEED_FORWARD;
use crate::t5::pointwise::{geglu, geglu_backward, relu, relu_backward};

/// Places of the sites in [`FEED_FORWARD`].
const GATE: usize = 0;
const UP: usize = 1;
const DOWN: usize = 2;

impl<T: Real> Pass<'_, T> {
    /// `x += dropout(W_down dropout(a))` with `n = RMSNorm(x)` and `a = ReLU(W_up n)`, or `GELU(W_gate n) ⊙ W_up n`.
    pub(super) fn feed_forward(
        &self,
        l: usize,
        tokens: Tokens<'_>,
        x: MatMut<'_, T>,
        state: &mut FeedForwardState<T>,
        (inputs, scratch): (&mut Inputs<T>, &mut Scratch<T>),
    ) {
        let (weights, (hidden, count)) = (&self.model.t5.layers[l].feed_forward, x.shape());
        let (sites, intermediate) = (FEED_FORWARD.map(|site| site(l)), self.config().intermediate_size);
        let mut normed = scratch.normed.write(hidden, count);
        let (mut standardized, inverse) = state.norm.write(hidden, count);
        standardize(self.model.t5.epsilon(), x.as_ref(), standardized.as_mut(), inverse);
        weighted(&weights.norm, standardized.as_ref(), normed.as_mut());
        let normed = normed.as_ref();
        if let Some(gate) = &weights.gate {
            self.dense(sites[GATE], gate, normed, &mut state.low[GATE], state.gate.write(intermediate, count));
        }
        self.dense(sites[UP], &weights.up, normed, &mut state.low[UP], state.up.write(intermediate, count));
        self.activate(l, tokens, state, inputs);
        let (activated, mut branch) = (inputs.activated.read(intermediate, count), scratch.branch.write(hidden, count));
        self.dense(sites[DOWN], &weights.down, activated, &mut state.low[DOWN], branch.as_mut());
        self.drop_and_add(DropoutSite::Output(l), tokens, branch, x);
    }

    /// What the way down starts from.
    fn activate(&self, l: usize, tokens: Tokens<'_>, state: &FeedForwardState<T>, inputs: &mut Inputs<T>) {
        let (intermediate, count) = (self.config().intermediate_size, tokens.count());
        let (up, mut activated) = (state.up.read(intermediate, count), inputs.activated.write(intermediate, count));
        if self.config().gated {
            geglu(state.gate.read(intermediate, count), up, activated.as_mut());
        } else {
            relu(up, activated.as_mut());
        }
        self.drop_states(DropoutSite::Activated(l), tokens, activated);
    }

    /// The way back through [`feed_forward`](Self::feed_forward): `gradient`, with respect to its result, becomes that with respect
    /// to `x`. What the products start from is left in `inputs`.
    pub(super) fn feed_forward_backward(
        &self,
        l: usize,
        tokens: Tokens<'_>,
        gradient: MatMut<'_, T>,
        state: &FeedForwardState<T>,
        (inputs, partials): (&mut Inputs<T>, &mut [Partial<T>]),
        scratch: &mut Scratch<T>,
    ) {
        let (weights, (hidden, count)) = (&self.model.t5.layers[l].feed_forward, gradient.shape());
        let (sites, intermediate) = (FEED_FORWARD.map(|site| site(l)), self.config().intermediate_size);
        let (standardized, inverse) = state.norm.read(hidden, count);
        weighted(&weights.norm, standardized, inputs.feed_forward.write(hidden, count));
        self.activate(l, tokens, state, inputs);
        let (normed, activated) = (inputs.feed_forward.read(hidden, count), inputs.activated.read(intermediate, count));

        let mut d_branch = scratch.branch.write(hidden, count);
        d_branch.copy_from(gradient.as_ref());
        self.drop_states(DropoutSite::Output(l), tokens, d_branch.as_mut());
        let d_branch = d_branch.as_ref();
        self.gradient(sites[DOWN], activated, &state.low[DOWN], d_branch, &mut partials[DOWN]);
        let mut d_up = scratch.up.write(intermediate, count);
        sum_of_products(d_up.as_mut(), Start::Zero, self.dense_backward(sites[DOWN], d_branch, &partials[DOWN]));
        self.drop_states(DropoutSite::Activated(l), tokens, d_up.as_mut());

        let up = state.up.read(intermediate, count);
        let mut d_gate = scratch.gate.write(intermediate, count);
        if self.config().gated {
            geglu_backward(state.gate.read(intermediate, count), up, d_gate.as_mut(), d_up.as_mut());
        } else {
            relu_backward(up, d_up.as_mut());
        }
        let gradients = [(GATE, d_gate.as_ref()), (UP, d_up.as_ref())];
        let gradients = &gradients[usize::from(!self.config().gated)..];
        for &(place, d_y) in gradients {
            self.gradient(sites[place], normed, &state.low[place], d_y, &mut partials[place]);
        }
        let mut d_normed = scratch.normed.write(hidden, count);
        let terms = gradients.iter().flat_map(|&(place, d_y)| self.dense_backward(sites[place], d_y, &partials[place]));
        sum_of_products(d_normed.as_mut(), Start::Zero, terms);
        rms_norm_backward(&weights.norm, standardized, inverse, d_normed.as_ref(), gradient);
    }
}
