//! From hidden states to logits: pooling, dropout and the head, for a block of sequences, forward and backward.

use faer::{MatRef, Par};
use serde::{Deserialize, Serialize};

use super::block::{Block, Pass};
use super::columns::{column, column_mut};
use super::dropout::Place;
use super::layer::reduce;
use super::product::{Start, sum_of_products};
use crate::{Adapters, Real, Site};

/// Place of the pooler's share of the gradient in a block.
const POOLER: usize = 0;

/// How a sequence's hidden states become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// `tanh(W h + b)` of the first token's, with the encoder's pooler.
    Pooler,
    /// The mean over all tokens.
    Mean,
}

impl<T: Real> Pass<'_, T> {
    /// A block's logits from its hidden states.
    pub(crate) fn pool(&self, block: &mut Block<T>) {
        let (hidden, count) = (self.config().hidden_size, block.sequences.len());
        let sequences = self.sequences(block).enumerate();
        let states = block.hidden.read(hidden, block.count());
        let mut pooled = block.pooled.pooled.write(hidden, count);
        match self.network.pooling {
            Pooling::Mean => {
                for (place, (_, tokens)) in sequences {
                    let scale = T::of(1.0 / tokens.len() as f64);
                    let mean = column_mut(pooled.as_mut(), place);
                    mean.fill(T::of(0.0));
                    for token in tokens {
                        for (mean, &x) in mean.iter_mut().zip(column(states, token)) {
                            *mean += x * scale;
                        }
                    }
                }
            }
            Pooling::Pooler => {
                let mut first = block.pooled.first.write(hidden, count);
                for (place, (_, tokens)) in sequences {
                    column_mut(first.as_mut(), place).copy_from_slice(column(states, tokens.start));
                }
                self.dense(Site::Pooler, first.as_ref(), &mut block.pooled.low, pooled.as_mut());
                for place in 0..count {
                    for x in column_mut(pooled.as_mut(), place) {
                        *x = x.hyperbolic_tangent();
                    }
                }
            }
        }
        self.head(block);
    }

    /// Dropout and head.
    fn head(&self, block: &mut Block<T>) {
        let (head, hidden, count) = (&self.network.head, self.config().hidden_size, block.sequences.len());
        let pooled = block.pooled.pooled.read(hidden, count);
        let mut logits = block.pooled.logits.write(head.outputs(), count);
        // Its gradient comes later.
        let mut dropped = block.pooled.gradient.write(hidden, count);
        for (place, sequence) in block.sequences.clone().enumerate() {
            let mask = self.dropout.mask(Place::Pooled, sequence, self.config().hidden_dropout);
            let dropped = column_mut(dropped.as_mut(), place);
            dropped.copy_from_slice(column(pooled, place));
            mask.apply(0, hidden, dropped);
            for output in 0..head.outputs() {
                let weights = head.weight.row(output);
                let product = dropped.iter().zip(weights.iter()).fold(T::of(0.0), |sum, (&x, &w)| sum + x * w);
                logits[(output, place)] = product + head.bias[output];
            }
        }
    }

    /// The way back from the gradient of the batch's logits to that of the block's hidden states, and to its share of the
    /// pooler's adapter's gradient.
    pub(crate) fn pool_backward(&self, d_logits: MatRef<'_, T>, block: &mut Block<T>) {
        self.head_backward(d_logits, block);
        let (hidden, count) = (self.config().hidden_size, block.sequences.len());
        let mut gradient = block.gradient.write(hidden, block.tokens.len());
        match self.network.pooling {
            Pooling::Mean => {
                let d_pooled = block.pooled.gradient.read(hidden, count);
                for (place, sequence) in block.sequences.clone().enumerate() {
                    let tokens = self.batch.range(sequence);
                    let scale = T::of(1.0 / tokens.len() as f64);
                    for token in tokens {
                        let gradient = column_mut(gradient.as_mut(), token - block.tokens.start);
                        for (g, &d) in gradient.iter_mut().zip(column(d_pooled, place)) {
                            *g = d * scale;
                        }
                    }
                }
            }
            Pooling::Pooler => {
                let mut d_pooled = block.pooled.gradient.write(hidden, count);
                let pooled = block.pooled.pooled.read(hidden, count);
                for place in 0..count {
                    for (d, &p) in column_mut(d_pooled.as_mut(), place).iter_mut().zip(column(pooled, place)) {
                        *d *= T::of(1.0) - p * p;
                    }
                }
                let (first, d_pooled) = (block.pooled.first.read(hidden, count), d_pooled.as_ref());
                let partial = &mut block.partials[POOLER];
                self.prepared.at(Site::Pooler).gradient(first, &block.pooled.low, d_pooled, partial);
                let mut d_first = block.pooled.d_first.write(hidden, count);
                let terms = self.dense_backward(Site::Pooler, d_pooled, partial);
                sum_of_products(d_first.as_mut(), Start::Zero, terms);
                gradient.fill(T::of(0.0));
                for (place, sequence) in block.sequences.clone().enumerate() {
                    let token = self.batch.range(sequence).start - block.tokens.start;
                    column_mut(gradient.as_mut(), token).copy_from_slice(column(d_first.as_ref(), place));
                }
            }
        }
    }

    fn head_backward(&self, d_logits: MatRef<'_, T>, block: &mut Block<T>) {
        let (head, hidden, count) = (&self.network.head, self.config().hidden_size, block.sequences.len());
        let mut d_pooled = block.pooled.gradient.write(hidden, count);
        for (place, sequence) in block.sequences.clone().enumerate() {
            let d_pooled = column_mut(d_pooled.as_mut(), place);
            d_pooled.fill(T::of(0.0));
            for output in 0..head.outputs() {
                let d_logit = d_logits[(output, sequence)];
                for (d, &w) in d_pooled.iter_mut().zip(head.weight.row(output).iter()) {
                    *d += d_logit * w;
                }
            }
            self.dropout.mask(Place::Pooled, sequence, self.config().hidden_dropout).apply(0, hidden, d_pooled);
        }
    }

    /// Sums the blocks' shares of the gradient of the pooler's adapter.
    pub(crate) fn reduce_pooler(&self, blocks: &[Block<T>], adapters: &mut Adapters<T>, par: Par) {
        if let Some((_, gradient)) = adapters.applied_and_gradient(Site::Pooler) {
            match self.network.pooling {
                Pooling::Pooler => {
                    let hidden = self.config().hidden_size;
                    let shares = blocks
                        .iter()
                        .map(|block| (&block.partials[POOLER], block.pooled.first.read(hidden, block.sequences.len())));
                    reduce(shares, gradient, par);
                }
                Pooling::Mean => reduce(std::iter::empty(), gradient, par),
            }
        }
    }
}
