//! How a batch is cut into blocks of whole sequences, which threads share out among themselves.
//!
//! Nothing but the gradients' sums connects blocks, and how a batch is cut depends on nothing but the batch: so neither do the
//! results.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use faer::{MatMut, MatRef};

use crate::Batch;

/// Tokens of a block, about: enough to read the weights from a far cache once for many tokens, few enough to keep a block's
/// activations near.
const TOKENS: usize = 128;

/// A block's sequences, and its tokens, within the batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) sequences: Range<usize>,
    pub(crate) tokens: Range<usize>,
}

impl Extent {
    /// That of some sequences of a batch.
    pub(crate) fn of(batch: &Batch, sequences: Range<usize>) -> Self {
        let tokens = batch.range(sequences.start).start..batch.range(sequences.end - 1).end;
        Self { sequences, tokens }
    }

    /// Number of tokens.
    pub(crate) fn count(&self) -> usize {
        self.tokens.len()
    }

    /// Every sequence of the block: its number within the batch, and its tokens within the block.
    pub(crate) fn sequences_of<'b>(
        &self,
        batch: &'b Batch,
    ) -> impl Iterator<Item = (usize, Range<usize>)> + Clone + use<'b> {
        let first = self.tokens.start;
        self.sequences.clone().map(move |sequence| {
            let tokens = batch.range(sequence);
            (sequence, tokens.start - first..tokens.end - first)
        })
    }
}

/// Cuts a batch into blocks of whole sequences and about [`TOKENS`] tokens, an even number of them if there is more than one;
/// hands out each with its number. Returns how many there are.
pub(crate) fn cut(batch: &Batch, mut block: impl FnMut(usize, Extent)) -> usize {
    cut_sequences(
        batch.sequences(),
        |sequence| batch.range(sequence).len(),
        |place, sequences| {
            block(place, Extent::of(batch, sequences));
        },
    )
}

/// As [`cut`], of so many sequences with as many tokens each as `length` says.
pub(crate) fn cut_sequences(
    sequences: usize,
    length: impl Fn(usize) -> usize,
    mut block: impl FnMut(usize, Range<usize>),
) -> usize {
    let tokens: usize = (0..sequences).map(&length).sum();
    let wanted = match tokens.div_ceil(TOKENS) {
        0 | 1 => 1,
        several => several.next_multiple_of(2),
    };
    let (mut count, mut first, mut end) = (0, 0, 0);
    for sequence in 0..sequences {
        end += length(sequence);
        // The nearest to an even share of all tokens up to here.
        let next = if sequence + 1 < sequences { length(sequence + 1) } else { 0 };
        if (2 * end + next) * wanted >= 2 * (count + 1) * tokens || sequence + 1 == sequences {
            block(count, first..sequence + 1);
            (count, first) = (count + 1, sequence + 1);
        }
    }
    count
}

/// Scratch buffers, one for every thread that works at the same time.
#[derive(Debug, Default)]
pub(crate) struct Pool<S>(Mutex<Vec<S>>);

impl<S: Default> Pool<S> {
    /// Runs `work` with one of the buffers.
    pub(crate) fn with(&self, work: impl FnOnce(&mut S)) {
        let mut scratch = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        work(&mut scratch);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }

    /// The sum over all buffers.
    pub(crate) fn sum(&self, of: impl Fn(&S) -> usize) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(of).sum()
    }
}

/// The columns of a range.
pub(crate) fn part<'a, T>(matrix: MatRef<'a, T>, range: &Range<usize>) -> MatRef<'a, T> {
    matrix.subcols(range.start, range.len())
}

/// The columns of a range.
pub(crate) fn part_mut<'a, T>(matrix: MatMut<'a, T>, range: &Range<usize>) -> MatMut<'a, T> {
    matrix.subcols_mut(range.start, range.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(lengths: &[usize]) -> Vec<usize> {
        let mut batch = Batch::new();
        lengths.iter().for_each(|&length| batch.push(&vec![0; length], &vec![0; length]));
        let mut blocks = Vec::new();
        let count = cut(&batch, |place, extent| {
            assert_eq!(place, blocks.len());
            blocks.push(extent);
        });
        assert_eq!(count, blocks.len());
        let mut next = 0;
        for block in &blocks {
            assert_eq!(block.tokens.start, next);
            assert_eq!(batch.range(block.sequences.start).start, block.tokens.start);
            assert_eq!(batch.range(block.sequences.end - 1).end, block.tokens.end);
            next = block.tokens.end;
        }
        assert_eq!(next, batch.tokens());
        blocks.iter().map(Extent::count).collect()
    }

    #[test]
    fn blocks_are_even_and_whole() {
        assert_eq!(counts(&[5]), [5]);
        assert_eq!(counts(&[128; 16]), [128; 16]);
        assert_eq!(counts(&[27; 16]), [108; 4]);
        assert_eq!(counts(&[512]), [512]);
        assert_eq!(counts(&[1, 500, 1]), [1, 500, 1]);
        assert_eq!(counts(&[]), [0; 0]);
    }
}
