//! From hidden states to logits: pooling, dropout and the head, for a block of sequences, forward and backward.

use faer::{MatRef, Par};
use serde::{Deserialize, Serialize};

use super::block::{Pass, SequenceGroup};
use crate::kernels::columns::{column, column_mut};
use crate::kernels::product::{Start, sum_of_products};
use crate::parts::adapted::reduce;
use crate::parts::dropout::DropoutSite;
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
    pub(crate) fn pool(&self, block: &mut SequenceGroup<T>) {
        let (hidden, count) = (self.config().hidden_size, block.extent.sequences.len());
        let (sequences, tokens) = (self.sequences(block), block.count());
        let mut pooled = block.pooled.pooled.write(hidden, count);
        match self.network.pooling {
            Pooling::Mean => {
                let states = block.hidden.read(hidden, tokens);
                for (place, (_, tokens)) in sequences.enumerate() {
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
                let first = block.hidden.read(hidden, count);
                self.dense(Site::Pooler, first, &mut block.pooled.low, pooled.as_mut());
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
    fn head(&self, block: &mut SequenceGroup<T>) {
        let (head, hidden, count) = (&self.network.head, self.config().hidden_size, block.extent.sequences.len());
        let pooled = block.pooled.pooled.read(hidden, count);
        let mut logits = block.pooled.logits.write(head.outputs(), count);
        // Its gradient comes later.
        let mut dropped = block.pooled.gradient.write(hidden, count);
        for (place, sequence) in block.extent.sequences.clone().enumerate() {
            let mask = self.dropout.mask(DropoutSite::Pooled, sequence, self.config().hidden_dropout);
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
    pub(crate) fn pool_backward(&self, d_logits: MatRef<'_, T>, block: &mut SequenceGroup<T>) {
        self.head_backward(d_logits, block);
        let (hidden, count) = (self.config().hidden_size, block.extent.sequences.len());
        match self.network.pooling {
            Pooling::Mean => {
                let mut gradient = block.gradient.write(hidden, block.count());
                let d_pooled = block.pooled.gradient.read(hidden, count);
                for (place, sequence) in block.extent.sequences.clone().enumerate() {
                    let tokens = self.batch.range(sequence);
                    let scale = T::of(1.0 / tokens.len() as f64);
                    for token in tokens {
                        let gradient = column_mut(gradient.as_mut(), token - block.extent.tokens.start);
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
                let (first, d_pooled) = (block.hidden.read(hidden, count), d_pooled.as_ref());
                let partial = &mut block.partials[POOLER];
                self.prepared.at(Site::Pooler).gradient(first, &block.pooled.low, d_pooled, partial);
                let terms = self.dense_backward(Site::Pooler, d_pooled, partial);
                sum_of_products(block.gradient.write(hidden, count), Start::Zero, terms);
            }
        }
    }

    fn head_backward(&self, d_logits: MatRef<'_, T>, block: &mut SequenceGroup<T>) {
        let (head, hidden, count) = (&self.network.head, self.config().hidden_size, block.extent.sequences.len());
        let mut d_pooled = block.pooled.gradient.write(hidden, count);
        for (place, sequence) in block.extent.sequences.clone().enumerate() {
            let d_pooled = column_mut(d_pooled.as_mut(), place);
            d_pooled.fill(T::of(0.0));
            for output in 0..head.outputs() {
                let d_logit = d_logits[(output, sequence)];
                for (d, &w) in d_pooled.iter_mut().zip(head.weight.row(output).iter()) {
                    *d += d_logit * w;
                }
            }
            self.dropout.mask(DropoutSite::Pooled, sequence, self.config().hidden_dropout).apply(0, hidden, d_pooled);
        }
    }

    /// Sums the blocks' shares of the gradient of the pooler's adapter.
    pub(crate) fn reduce_pooler(&self, blocks: &[SequenceGroup<T>], adapters: &mut Adapters<T>, par: Par) {
        if let Some((_, gradient)) = adapters.applied_and_gradient(Site::Pooler) {
            match self.network.pooling {
                Pooling::Pooler => {
                    let hidden = self.config().hidden_size;
                    let shares = blocks.iter().map(|block| {
                        (&block.partials[POOLER], block.hidden.read(hidden, block.extent.sequences.len()))
                    });
                    reduce(shares, false, gradient, par);
                }
                Pooling::Mean => reduce(std::iter::empty(), false, gradient, par),
            }
        }
    }
}
