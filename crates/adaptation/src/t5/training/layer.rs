//! One layer of encoder or decoder for a block of pairs, forward and backward.

use std::ops::Range;

use faer::Par;

use super::attention::Memory;
use super::block::{Block, Scratch, Side};
use super::pass::Pass;
use crate::parts::adapted::reduce;
use crate::t5::config::{ATTENTION, CROSS, SITES_OF_LAYER};
use crate::{Adapters, Real, Site};

/// Places of the sites in a block's partials: those of the attention, of that to the source, and of the feed-forward part.
const OWN: Range<usize> = 0..ATTENTION.len();
const TO_SOURCE: Range<usize> = OWN.end..OWN.end + CROSS.len();

impl<T: Real> Pass<'_, T> {
    /// A layer of the encoder or decoder, from and to the hidden states of the block's sources or targets.
    pub(super) fn layer(&self, l: usize, block: &mut Block<T>, scratch: &mut Scratch<T>) {
        let (hidden, is_decoders, place) = (self.config().hidden_size, self.config().is_decoders(l), self.place(l));
        let Block { source, target, inputs, .. } = block;
        if !is_decoders {
            let Side { extent, hidden: x, layers, .. } = source;
            let (tokens, state) = (self.sources(extent), &mut layers[place]);
            let mut x = x.write(hidden, tokens.count());
            self.attention(&self.own(l), tokens, None, x.as_mut(), &mut state.attention, scratch);
            return self.feed_forward(l, tokens, x, &mut state.feed_forward, (inputs, scratch));
        }
        let count = source.extent.count();
        let memory = Memory { tokens: self.sources(&source.extent), states: source.states.read(hidden, count) };
        let Side { extent, hidden: x, layers, .. } = target;
        let (tokens, state) = (self.targets(extent), &mut layers[place]);
        let mut x = x.write(hidden, tokens.count());
        self.attention(&self.own(l), tokens, None, x.as_mut(), &mut state.attention, scratch);
        self.attention(&self.cross(l), tokens, Some(&memory), x.as_mut(), &mut state.cross, scratch);
        self.feed_forward(l, tokens, x, &mut state.feed_forward, (inputs, scratch));
    }

    /// The way back through a layer: the gradient of the hidden states that it returns becomes that of those it starts from, and the
    /// sources' gradient is added to, unless the way back ends before the encoder.
    pub(super) fn layer_backward(&self, l: usize, lowest: usize, block: &mut Block<T>, scratch: &mut Scratch<T>) {
        let (hidden, is_decoders, place) = (self.config().hidden_size, self.config().is_decoders(l), self.place(l));
        let Block { source, target, inputs, partials } = block;
        let (of_attention, of_feed_forward) = partials.split_at_mut(TO_SOURCE.end);
        let (own, to_source) = of_attention.split_at_mut(OWN.end);
        if !is_decoders {
            let Side { extent, gradient, layers, .. } = source;
            let (tokens, state) = (self.sources(extent), &layers[place]);
            let mut gradient = gradient.write(hidden, tokens.count());
            let (x, of_feed_forward) = (gradient.as_mut(), (&mut *inputs, of_feed_forward));
            self.feed_forward_backward(l, tokens, x, &state.feed_forward, of_feed_forward, scratch);
            let own = (&mut inputs.attention, own);
            return self.attention_backward(&self.own(l), tokens, None, gradient, &state.attention, own, scratch);
        }
        let Side { extent, states, d_states, .. } = source;
        let count = extent.count();
        let memory = Memory { tokens: self.sources(extent), states: states.read(hidden, count) };
        let d_memory = (!self.config().is_decoders(lowest)).then(|| d_states.write(hidden, count));
        let Side { extent, gradient, layers, .. } = target;
        let (tokens, state) = (self.targets(extent), &layers[place]);
        let mut gradient = gradient.write(hidden, tokens.count());
        let (x, of_feed_forward) = (gradient.as_mut(), (&mut *inputs, of_feed_forward));
        self.feed_forward_backward(l, tokens, x, &state.feed_forward, of_feed_forward, scratch);
        let (memory, x, to_source) = (Some((&memory, d_memory)), gradient.as_mut(), (&mut inputs.cross, to_source));
        self.attention_backward(&self.cross(l), tokens, memory, x, &state.cross, to_source, scratch);
        let own = (&mut inputs.attention, own);
        self.attention_backward(&self.own(l), tokens, None, gradient, &state.attention, own, scratch);
    }

    /// Sums the blocks' shares of the gradients of a layer's adapters.
    pub(super) fn reduce_layer(&self, l: usize, blocks: &[Block<T>], adapters: &mut Adapters<T>, par: Par) {
        let config = self.config();
        for (place, site) in SITES_OF_LAYER.into_iter().enumerate() {
            let Some((_, gradient)) = adapters.applied_and_gradient(site(l)) else { continue };
            let (_, rows) = config.shape(site(l));
            let shares = blocks.iter().map(|block| {
                let Block { source, target, inputs, partials } = block;
                let side = if config.is_decoders(l) { target } else { source };
                let (own, of_source) = (side.extent.count(), source.extent.count());
                let state = &side.layers[self.place(l)];
                let (input, count) = match site(l) {
                    Site::Query(_) | Site::Key(_) | Site::Value(_) => (&inputs.attention, own),
                    Site::AttentionOutput(_) => (&state.attention.context, own),
                    Site::CrossQuery(_) => (&inputs.cross, own),
                    Site::CrossKey(_) | Site::CrossValue(_) => (&source.states, of_source),
                    Site::CrossOutput(_) => (&state.cross.context, own),
                    Site::Gate(_) | Site::Up(_) => (&inputs.feed_forward, own),
                    _ => (&inputs.activated, own),
                };
                (&partials[place], input.read(rows, count))
            });
            reduce(shares, false, gradient, par);
        }
    }

    /// Where the state of a layer is.
    fn place(&self, l: usize) -> usize {
        let layer = if self.config().is_decoders(l) { l - self.config().encoder_layers } else { l };
        if self.keep { layer } else { 0 }
    }
}
