//! Keys and values of the tokens that were read, layer by layer, so that the next token is all that is computed.

use faer::{Mat, MatRef, Par};

use crate::kernels::fork::for_each;
use crate::{Batch, DecoderConfig, Real};

/// The keys (after their rotation) and values of some sequences.
#[derive(Clone, Debug)]
pub struct Cache<T: Real> {
    /// By layer and sequence: keys and values below each other, 2 (key-value heads · head size) × room for tokens.
    layers: Vec<Vec<Mat<T>>>,
    /// Tokens of each sequence.
    lengths: Vec<usize>,
    /// Rows of a matrix.
    rows: usize,
}

impl<T: Real> Cache<T> {
    /// Of so many sequences, still empty.
    pub fn new(config: &DecoderConfig, sequences: usize) -> Self {
        Self::with_room(config, sequences, 0)
    }

    /// The same, with room for so many tokens of each sequence, which else is made as they come.
    pub fn with_room(config: &DecoderConfig, sequences: usize, tokens: usize) -> Self {
        Self::of(config.layers, 2 * config.keys(), sequences, tokens)
    }

    /// Of so many layers, and of so many numbers in keys and values of a token.
    pub(crate) fn of(layers: usize, rows: usize, sequences: usize, tokens: usize) -> Self {
        let layer = || (0..sequences).map(|_| Mat::zeros(rows, tokens)).collect();
        Self { layers: (0..layers).map(|_| layer()).collect(), lengths: vec![0; sequences], rows }
    }

    /// Number of sequences.
    pub fn sequences(&self) -> usize {
        self.lengths.len()
    }

    /// Number of tokens of a sequence.
    ///
    /// # Panics
    /// If there is no such sequence.
    pub fn length(&self, sequence: usize) -> usize {
        self.lengths[sequence]
    }

    /// Other sequences in place of those that are there: the numbers say which, in which order; one may come several times.
    /// Of those that go on from the same sequence, the last takes over its memory, the others that of sequences that end.
    ///
    /// # Panics
    /// If there is no such sequence.
    pub fn select(&mut self, sequences: &[usize], par: Par) {
        let lengths = &self.lengths;
        for_each(&mut self.layers, par, &|layer| select(layer, lengths, sequences));
        self.lengths = sequences.iter().map(|&sequence| self.lengths[sequence]).collect();
    }

    /// Adds the new tokens' keys and values of a layer, 2 (key-value heads · head size) × tokens of the batch.
    pub(crate) fn append(&mut self, l: usize, batch: &Batch, keys_values: MatRef<'_, T>) {
        for (sequence, (matrix, &length)) in self.layers[l].iter_mut().zip(&self.lengths).enumerate() {
            let tokens = batch.range(sequence);
            let end = length + tokens.len();
            if matrix.ncols() < end {
                let mut larger = Mat::zeros(self.rows, end.max(2 * length));
                larger.subcols_mut(0, length).copy_from(matrix.subcols(0, length));
                *matrix = larger;
            }
            matrix.subcols_mut(length, tokens.len()).copy_from(keys_values.subcols(tokens.start, tokens.len()));
        }
    }

    /// Counts the new tokens, once all layers have them.
    pub(crate) fn advance(&mut self, batch: &Batch) {
        for (sequence, length) in self.lengths.iter_mut().enumerate() {
            *length += batch.range(sequence).len();
        }
    }

    /// Keys and values of a layer, those of the batch's tokens as the last, which were added and are not yet counted.
    pub(crate) fn keys_values(&self, l: usize, batch: &Batch, sequence: usize) -> MatRef<'_, T> {
        self.layers[l][sequence].subcols(0, self.lengths[sequence] + batch.range(sequence).len())
    }
}

/// The sequences of a layer, of these lengths, that are asked for.
fn select<T: Real>(layer: &mut Vec<Mat<T>>, lengths: &[usize], sequences: &[usize]) {
    let (kept, mut free): (Vec<_>, Vec<_>) =
        std::mem::take(layer).into_iter().enumerate().partition(|(sequence, _)| sequences.contains(sequence));
    let mut old: Vec<Option<Mat<T>>> = lengths.iter().map(|_| None).collect();
    kept.into_iter().for_each(|(sequence, matrix)| old[sequence] = Some(matrix));
    for (place, &sequence) in sequences.iter().enumerate() {
        let again = sequences[place + 1..].contains(&sequence);
        let matrix = if again {
            old[sequence].as_ref().map(|from| copy(from, lengths[sequence], free.pop().map(|(_, matrix)| matrix)))
        } else {
            old[sequence].take()
        };
        layer.push(matrix.expect("kept until it is asked for last"));
    }
}

/// A copy of so many columns with at least that room, in the place of another matrix if that has it.
fn copy<T: Real>(from: &Mat<T>, length: usize, place: Option<Mat<T>>) -> Mat<T> {
    let place = place.filter(|place| place.ncols() >= length);
    let mut copy = place.unwrap_or_else(|| Mat::zeros(from.nrows(), from.ncols()));
    copy.subcols_mut(0, length).copy_from(from.subcols(0, length));
    copy
}
