//! Keys and values of the tokens that were read, of sources once and for all, so that the next token is all that is computed.

use faer::{Mat, Par};

use super::T5;
use super::weights::Attention;
use crate::generation::Cache;
use crate::kernels::shared_product::packed_product;
use crate::parts::blocks::part;
use crate::{Batch, Real};

/// What the decoder has of some sources and of the targets that it has read: keys and values, layer by layer.
#[derive(Clone, Debug)]
pub struct T5Cache<T: Real> {
    /// Of the targets' tokens.
    pub(super) own: Cache<T>,
    /// Of the sources' tokens, by decoder layer and source: keys and values below each other, 2 (heads · head size) × tokens.
    pub(super) cross: Vec<Vec<Mat<T>>>,
    /// The source of each target.
    pub(super) sources: Vec<usize>,
}

impl<T: Real> T5Cache<T> {
    /// Number of targets.
    pub fn sequences(&self) -> usize {
        self.sources.len()
    }

    /// Other targets in place of those that are there: the numbers say which, in which order; one may come several times.
    ///
    /// # Panics
    /// If there is no such target.
    pub fn select(&mut self, targets: &[usize], par: Par) {
        self.own.select(targets, par);
        self.sources = targets.iter().map(|&target| self.sources[target]).collect();
    }
}

impl<T: Real> T5<T> {
    /// A cache of these sources, each with a target of which nothing was read.
    ///
    /// # Panics
    /// As [`encode`](Self::encode).
    pub fn cache(&self, sources: &Batch, par: Par) -> T5Cache<T> {
        self.cache_with_room(sources, 0, par)
    }

    /// The same, with room for so many tokens of each target, which else is made as they come.
    pub(super) fn cache_with_room(&self, sources: &Batch, tokens: usize, par: Par) -> T5Cache<T> {
        let (config, states) = (self.config(), self.encode(sources, par));
        let mut keys_values = Mat::zeros(2 * config.queries(), sources.tokens());
        let of_layer = |attention: &Attention<T>| {
            let (keys, values) = keys_values.as_mut().split_at_row_mut(config.queries());
            packed_product(keys, false, &attention.key, states.as_ref(), par);
            packed_product(values, false, &attention.value, states.as_ref(), par);
            let of_source = |source| part(keys_values.as_ref(), &sources.range(source)).to_owned();
            (0..sources.sequences()).map(of_source).collect()
        };
        let cross = self.layers.iter().filter_map(|layer| layer.cross.as_ref()).map(of_layer).collect();
        let own = Cache::of(config.decoder_layers, 2 * config.queries(), sources.sequences(), tokens);
        T5Cache { own, cross, sources: (0..sources.sequences()).collect() }
    }
}
