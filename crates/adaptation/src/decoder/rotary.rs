//! Rotary positions: entries i and i + half of a head are a pair, which turns with the token's position.

use faer::{Mat, MatMut};

use super::DecoderConfig;
use crate::kernels::columns::{column, column_mut};
use crate::{Batch, Real};

/// Sines and cosines of a batch's tokens; the same in all layers and heads.
pub(super) struct Rotary<T: Real> {
    /// Cosines above sines; head size × tokens.
    turns: Mat<T>,
}

impl<T: Real> Rotary<T> {
    /// Those of the batch's tokens, before which each sequence has as many as `before` says. Angles are taken in `f64`.
    pub(super) fn new(config: &DecoderConfig, batch: &Batch, before: impl Fn(usize) -> usize) -> Self {
        let half = config.head_size / 2;
        let mut turns = Mat::zeros(config.head_size, batch.tokens());
        let speeds: Vec<f64> =
            (0..half).map(|i| config.rotary_base.powf(-2.0 * i as f64 / config.head_size as f64)).collect();
        for sequence in 0..batch.sequences() {
            for (place, token) in batch.range(sequence).enumerate() {
                let position = (before(sequence) + place) as f64;
                let column = column_mut(turns.as_mut(), token);
                for (i, speed) in speeds.iter().enumerate() {
                    let (sine, cosine) = (position * speed).sin_cos();
                    (column[i], column[half + i]) = (T::of(cosine), T::of(sine));
                }
            }
        }
        Self { turns }
    }

    /// Turns queries or keys of the batch's tokens from `first` on, in place; (heads · head size) × tokens.
    pub(super) fn turn(&self, first: usize, x: MatMut<'_, T>) {
        self.turn_by(first, x, |sine| sine);
    }

    /// The way back through [`turn`](Self::turn), from the gradient of its result: a turn the other way round.
    pub(super) fn turn_back(&self, first: usize, gradient: MatMut<'_, T>) {
        self.turn_by(first, gradient, |sine| -sine);
    }

    fn turn_by(&self, first: usize, mut x: MatMut<'_, T>, sign: impl Fn(T) -> T) {
        let size = self.turns.nrows();
        for token in 0..x.ncols() {
            let (cosines, sines) = column(self.turns.as_ref(), first + token).split_at(size / 2);
            for head in column_mut(x.as_mut(), token).chunks_exact_mut(size) {
                let (upper, lower) = head.split_at_mut(size / 2);
                for i in 0..size / 2 {
                    let (a, b, sine) = (upper[i], lower[i], sign(sines[i]));
                    upper[i] = a * cosines[i] - b * sine;
                    lower[i] = b * cosines[i] + a * sine;
                }
            }
        }
    }
}
