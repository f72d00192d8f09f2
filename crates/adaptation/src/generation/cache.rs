//! Keys and values of the tokens that were read, so that the next token is all that is computed.

use faer::{Mat, MatRef, Par};

use crate::parts::blocks::for_each;
use crate::{Batch, DecoderConfig, Real};

/// The keys (after their rotation) and values of some sequences.
#[derive(Clone, Debug)]
pub struct Cache<T: Real> {
    sequences: Vec<Layers<T>>,
    /// Tokens of each sequence.
    lengths: Vec<usize>,
    /// Rows of a matrix.
    rows: usize,
}

/// What is kept of a sequence: keys and values below each other by layer, 2 (key-value heads · head size) × room for tokens.
type Layers<T> = Vec<Mat<T>>;

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
        let empty = |_| (0..layers).map(|_| Mat::zeros(rows, tokens)).collect();
        Self { sequences: (0..sequences).map(empty).collect(), lengths: vec![0; sequences], rows }
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
        let mut old: Vec<Option<Layers<T>>> = std::mem::take(&mut self.sequences).into_iter().map(Some).collect();
        let is_free = |(sequence, layers): (usize, &mut Option<Layers<T>>)| {
            if sequences.contains(&sequence) { None } else { layers.take() }
        };
        let mut free: Vec<Layers<T>> = old.iter_mut().enumerate().filter_map(is_free).collect();
        let again = |place: usize| sequences[place + 1..].contains(&sequences[place]);
        let copied = (0..sequences.len()).filter(|&place| again(place));
        let mut copies: Vec<_> = copied.map(|place| (sequences[place], free.pop().unwrap_or_default())).collect();
        let lengths = &self.lengths;
        for_each(&mut copies, par, &|(from, to)| copy(old[*from].as_deref().expect("kept"), lengths[*from], to));
        let mut copies = copies.into_iter().map(|(_, copy)| copy);
        let next =
            |(place, sequence): (usize, &usize)| if again(place) { copies.next() } else { old[*sequence].take() };
        self.sequences =
            sequences.iter().enumerate().map(next).map(|layers| layers.expect("kept until asked for last")).collect();
        self.lengths = sequences.iter().map(|&sequence| self.lengths[sequence]).collect();
    }

    /// All sequences.
    pub(crate) fn all(&mut self) -> CachePart<'_, T> {
        CachePart { sequences: &mut self.sequences, lengths: &self.lengths, rows: self.rows }
    }

    /// Counts the new tokens, once all layers have them.
    pub(crate) fn advance(&mut self, batch: &Batch) {
        for (sequence, length) in self.lengths.iter_mut().enumerate() {
            *length += batch.range(sequence).len();
        }
    }
}

/// Some sequences of a cache that follow each other.
#[derive(Debug)]
pub(crate) struct CachePart<'a, T: Real> {
    sequences: &'a mut [Layers<T>],
    lengths: &'a [usize],
    rows: usize,
}

impl<'a, T: Real> CachePart<'a, T> {
    /// The first so many of them, and the others.
    pub(crate) fn split_at(self, count: usize) -> (Self, Self) {
        let (first, rest) = self.sequences.split_at_mut(count);
        let (first_lengths, lengths) = self.lengths.split_at(count);
        let rows = self.rows;
        (Self { sequences: first, lengths: first_lengths, rows }, Self { sequences: rest, lengths, rows })
    }

    /// Number of tokens of a sequence.
    pub(crate) fn length(&self, sequence: usize) -> usize {
        self.lengths[sequence]
    }

    /// Adds the new tokens' keys and values of a layer, 2 (key-value heads · head size) × tokens of the batch.
    pub(crate) fn append(&mut self, l: usize, batch: &Batch, keys_values: MatRef<'_, T>) {
        for (sequence, (layers, &length)) in self.sequences.iter_mut().zip(self.lengths).enumerate() {
            let (matrix, tokens) = (&mut layers[l], batch.range(sequence));
            let end = length + tokens.len();
            if matrix.ncols() < end {
                let mut larger = Mat::zeros(self.rows, end.max(2 * length));
                larger.subcols_mut(0, length).copy_from(matrix.subcols(0, length));
                *matrix = larger;
            }
            matrix.subcols_mut(length, tokens.len()).copy_from(keys_values.subcols(tokens.start, tokens.len()));
        }
    }

    /// Keys and values of a layer, those of the batch's tokens as the last, which were added and are not yet counted.
    pub(crate) fn keys_values(&self, l: usize, batch: &Batch, sequence: usize) -> MatRef<'_, T> {
        self.sequences[sequence][l].subcols(0, self.lengths[sequence] + batch.range(sequence).len())
    }
}

/// Copies so many columns of a sequence's matrices, to where there may be room already.
fn copy<T: Real>(from: &[Mat<T>], length: usize, to: &mut Layers<T>) {
    to.resize_with(from.len(), Mat::new);
    for (from, to) in from.iter().zip(to) {
        if to.ncols() < length {
            *to = Mat::zeros(from.nrows(), from.ncols());
        }
        to.subcols_mut(0, length).copy_from(from.subcols(0, length));
    }
}
