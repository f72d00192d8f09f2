//! The head: logits, the loss and its gradient, for a few tokens at a time.
//!
//! The logits of a batch would be vocabulary × targets, more than all that is kept of a layer. So the states that a target is behind
//! are gathered, and at most [`COLUMNS`] of them at a time go forward and back: logits, in their place the loss's gradient, and
//! from that the gradients of the states and of the head's adapter. Threads share the vocabulary, and the columns of the softmax.

use faer::{Accum, ColMut, Mat, MatMut, MatRef, Par};

use super::adapted::{Prepared, clear, is_probe};
use super::blocks::Extent;
use crate::adapter::matmul;
use crate::kernels::columns::{Buffer, column, column_mut};
use crate::kernels::fork::for_each;
use crate::kernels::product::{Packed, Start, Term, sum_of_products};
use crate::kernels::reduce::cross_entropy;
use crate::kernels::shared_product::{share_columns, share_rows};
use crate::{Applied, AppliedGradient, Real};

/// Most targets whose logits are held at a time.
const COLUMNS: usize = 192;

/// Buffers of the head.
#[derive(Debug, Default)]
pub(crate) struct HeadWork<T: Real> {
    /// The states that a target is behind, then their gradient; hidden × targets.
    states: Buffer<T>,
    /// Logits, then their gradient; vocabulary × columns.
    logits: Buffer<T>,
    /// `R x`; rank × columns.
    low: Buffer<T>,
    /// `Lᵀ` times the logits' gradient; rank × columns.
    d_low: Buffer<T>,
    /// One per column.
    losses: Buffer<T>,
}

impl<T: Real> HeadWork<T> {
    pub(crate) fn bytes(&self) -> usize {
        let buffers = [&self.states, &self.logits, &self.low, &self.d_low, &self.losses];
        buffers.into_iter().map(Buffer::bytes).sum()
    }

    /// Gathers the states that a target is behind, hidden × targets, from blocks of tokens: each given with its tokens' states, in
    /// the order of the rising `places`, all of which are in one of the blocks.
    pub(crate) fn gather<'a>(
        &mut self,
        hidden: usize,
        places: &[usize],
        blocks: impl Iterator<Item = (&'a Extent, MatRef<'a, T>)>,
    ) {
        let mut states = self.states.write(hidden, places.len());
        let mut targets = places.iter().enumerate().peekable();
        for (Extent { tokens, .. }, own) in blocks {
            while let Some((target, token)) = targets.next_if(|(_, token)| tokens.contains(token)) {
                column_mut(states.as_mut(), target).copy_from_slice(column(own, token - tokens.start));
            }
        }
    }

    /// The states' gradient to the blocks, 0 of a state that no target is behind.
    pub(crate) fn scatter<'a>(
        &self,
        hidden: usize,
        places: &[usize],
        blocks: impl Iterator<Item = (&'a Extent, MatMut<'a, T>)>,
    ) {
        let states = self.states.read(hidden, places.len());
        let mut targets = places.iter().enumerate().peekable();
        for (Extent { tokens, .. }, mut own) in blocks {
            own.fill(T::of(0.0));
            while let Some((target, token)) = targets.next_if(|(_, token)| tokens.contains(token)) {
                column_mut(own.as_mut(), token - tokens.start).copy_from_slice(column(states, target));
            }
        }
    }
}

/// The head of a pass, and what it is to say.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a, T: Real> {
    /// vocabulary × hidden.
    pub(crate) frozen: &'a Packed<T>,
    /// The same, as it lies; hidden × vocabulary.
    pub(crate) transposed: &'a Mat<T>,
    /// Its adapter.
    pub(crate) prepared: &'a Prepared<T>,
    /// The targets behind the states that were gathered.
    pub(crate) ids: &'a [u32],
    /// Number of targets that the loss is the mean of, these among them.
    pub(crate) targets: usize,
    /// Whether the gradient of the adapter is added to what is there.
    pub(crate) adds: bool,
    /// Whether a way back will follow.
    pub(crate) keep: bool,
}

impl<T: Real> Head<'_, T> {
    /// What the states that were [gathered](HeadWork::gather) add to the mean loss, given what is applied on the head. If a way back
    /// follows, the states' gradient in their place, and that of the head's adapter, if there is one.
    pub(crate) fn loss(
        &self,
        work: &mut HeadWork<T>,
        applied: Option<Applied<'_, T>>,
        mut gradient: Option<&mut AppliedGradient<T>>,
        par: Par,
    ) -> f64 {
        if !self.adds {
            gradient.iter_mut().for_each(|gradient| clear(gradient));
        }
        let mut sum = 0.0;
        let columns = self.ids.len().div_ceil(self.ids.len().div_ceil(COLUMNS));
        for (place, some) in self.ids.chunks(columns).enumerate() {
            let first = place * columns;
            sum += self.losses(first, some, work, applied, par);
            if self.keep {
                self.backward(first, some.len(), work, applied, gradient.as_deref_mut(), par);
            }
        }
        sum / self.targets as f64
    }

    /// (vocabulary, hidden).
    fn shape(&self) -> (usize, usize) {
        self.frozen.shape()
    }

    /// The sum of the losses of some targets from `first` on; leaves the gradient of their logits.
    fn losses(
        &self,
        first: usize,
        ids: &[u32],
        work: &mut HeadWork<T>,
        applied: Option<Applied<'_, T>>,
        par: Par,
    ) -> f64 {
        let ((vocabulary, hidden), prepared) = (self.shape(), self.prepared);
        let states = work.states.read(hidden, self.ids.len()).subcols(first, ids.len());
        if let Prepared::Factored { right, .. } = prepared {
            right.transposed_times(work.low.write(right.columns(), ids.len()), states);
        }
        let (low, mut logits) = (&work.low, work.logits.write(vocabulary, ids.len()));
        share_rows(logits.as_mut(), (self.frozen.height(), hidden), par, &|rows, panel| {
            let terms = prepared.rows(self.frozen, (panel, rows.nrows()), states, low);
            sum_of_products(rows, Start::Zero, terms);
        });
        if let Some(Applied::Merged(delta)) = applied
            && !is_probe(delta)
        {
            matmul(logits.as_mut(), Accum::Add, delta, states, par);
        }
        let scale = T::of(1.0 / self.targets as f64);
        let losses = work.losses.list(ids.len());
        let columns = logits.col_iter_mut().map(|logits| slice(logits));
        let mut columns: Vec<_> = columns.zip(ids).zip(losses.iter_mut()).collect();
        for_each(&mut columns, par, &|((logits, id), loss)| cross_entropy(logits, **id as usize, scale, loss));
        losses.iter().map(|loss| loss.as_f64()).sum()
    }

    /// From the gradient of some targets' logits to that of their states, in their place, and their share of that of the head's
    /// adapter.
    fn backward(
        &self,
        first: usize,
        count: usize,
        work: &mut HeadWork<T>,
        applied: Option<Applied<'_, T>>,
        gradient: Option<&mut AppliedGradient<T>>,
        par: Par,
    ) {
        let (vocabulary, hidden) = self.shape();
        let mut states = work.states.write(hidden, self.ids.len()).subcols_mut(first, count);
        let d_logits = work.logits.read(vocabulary, count);
        match (self.prepared, gradient) {
            (Prepared::Factored { left, right }, Some(AppliedGradient::Factored { left: d_left, right: d_right })) => {
                let (low, mut d_low) =
                    (work.low.read(right.columns(), count), work.d_low.write(right.columns(), count));
                share_columns(d_low.as_mut(), par, &|columns, first| {
                    let count = columns.ncols();
                    left.transposed_times(columns, d_logits.subcols(first, count));
                });
                let height = self.frozen.height();
                share_rows(d_left.as_mut(), (height, count), par, &|rows, panel| {
                    let d_logits = d_logits.subrows(panel * height, rows.nrows());
                    sum_of_products(rows, Start::Destination, [Term::columns(d_logits, low.transpose())]);
                });
                matmul(d_right.as_mut(), Accum::Add, d_low.as_ref(), states.as_ref().transpose(), par);
                sum_of_products(states.as_mut(), Start::Zero, [right.times(d_low.as_ref())]);
            }
            (_, Some(AppliedGradient::Merged(delta))) => {
                matmul(delta.as_mut(), Accum::Add, d_logits, states.as_ref().transpose(), par);
                states.fill(T::of(0.0));
            }
            (_, None) => states.fill(T::of(0.0)),
            _ => panic!("the head's adapter is that of a dense weight"),
        }
        if let Some(Applied::Merged(delta)) = applied
            && !is_probe(delta)
        {
            matmul(states.as_mut(), Accum::Add, delta.transpose(), d_logits, par);
        }
        matmul(states, Accum::Add, self.transposed.as_ref(), d_logits, par);
    }
}

/// A column without gaps.
fn slice<T>(column: ColMut<'_, T>) -> &mut [T] {
    column.try_as_col_major_mut().expect("columns without gaps").as_slice_mut()
}
