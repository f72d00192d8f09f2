//! Dropout whose mask is a function of the step and the place, computed again wherever it is needed.

use std::collections::HashMap;

use faer::MatMut;

use crate::Real;
use crate::kernels::columns::column_mut;
use crate::kernels::lanes::vector_code;

/// Whether and how values are dropped; what is kept is divided by the probability of keeping.
#[derive(Clone, Debug)]
pub enum Dropout {
    /// Nothing is dropped.
    Off,
    /// Dropped with the probabilities of the model's configuration. A mask depends on these two numbers, on the place, and on
    /// the number of the sequence within the batch, but not on the number of threads or the other sequences.
    Seeded {
        /// Of the run.
        seed: u64,
        /// Of the step.
        step: u64,
    },
    /// These masks, for tests.
    Given(Masks),
}

/// Given masks: for each place and sequence of the batch, whether each value is kept.
///
/// Hidden states are ordered token by token; attention probabilities head by head, within a head query by query, key by key.
pub type Masks = HashMap<(DropoutSite, usize), Vec<bool>>;

/// Where values are dropped; layers count from 0, in T5 through encoder and decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropoutSite {
    /// After the embeddings' LayerNorm; in T5, after the embedding of a source.
    Embeddings,
    /// Attention probabilities of a layer.
    Probabilities(usize),
    /// Before the residual sum after a layer's attention.
    AttentionOutput(usize),
    /// Before the residual sum at a layer's end.
    Output(usize),
    /// Before the head.
    Pooled,
    /// In T5, after the embedding of a target.
    TargetEmbeddings,
    /// In T5, after the encoder's last norm.
    Encoded,
    /// In T5, after the decoder's last norm.
    Decoded,
    /// In T5, after the activation of a layer's feed-forward part.
    Activated(usize),
    /// In T5, attention probabilities of a decoder's layer over the source.
    CrossProbabilities(usize),
    /// In T5, before the residual sum after that attention.
    CrossOutput(usize),
}

/// From here on the numbers of T5's own places: those before are an encoder's, of any number of layers.
const OF_T5: u64 = 1 << 32;

impl DropoutSite {
    fn number(self) -> u64 {
        match self {
            Self::Embeddings => 0,
            Self::Pooled => 1,
            Self::Probabilities(layer) => 2 + 3 * layer as u64,
            Self::AttentionOutput(layer) => 3 + 3 * layer as u64,
            Self::Output(layer) => 4 + 3 * layer as u64,
            Self::TargetEmbeddings => OF_T5,
            Self::Encoded => OF_T5 + 1,
            Self::Decoded => OF_T5 + 2,
            Self::Activated(layer) => OF_T5 + 3 + 3 * layer as u64,
            Self::CrossProbabilities(layer) => OF_T5 + 4 + 3 * layer as u64,
            Self::CrossOutput(layer) => OF_T5 + 5 + 3 * layer as u64,
        }
    }
}

impl Dropout {
    /// The mask of a sequence at a place; `probability` is that of dropping.
    ///
    /// # Panics
    /// If masks are given and this one is not among them.
    pub(crate) fn mask(&self, place: DropoutSite, sequence: usize, probability: f64) -> Mask<'_> {
        match self {
            _ if probability == 0.0 => Mask::All,
            Self::Off => Mask::All,
            Self::Seeded { seed, step } => {
                let key =
                    [*seed, *step, place.number(), sequence as u64].into_iter().fold(0, |key, x| mix(key ^ mix(x)));
                // At least this large of 2³²: kept.
                let threshold = (probability * 2f64.powi(32)) as u32;
                let kept = 1.0 - f64::from(threshold) / 2f64.powi(32);
                Mask::Hashed { key: (key as u32, (key >> 32) as u32), threshold, scale: 1.0 / kept }
            }
            Self::Given(masks) => {
                let kept = masks.get(&(place, sequence));
                let kept = kept.unwrap_or_else(|| panic!("no mask given for {place:?}, sequence {sequence}"));
                Mask::Given { kept, scale: 1.0 / (1.0 - probability) }
            }
        }
    }
}

/// SplitMix64's finalizer, after its increment.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Which values of a sequence are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mask<'a> {
    /// All.
    All,
    /// Those whose hash is large.
    Hashed {
        key: (u32, u32),
        threshold: u32,
        /// What is kept is multiplied by this.
        scale: f64,
    },
    /// These.
    Given { kept: &'a [bool], scale: f64 },
}

impl Mask<'_> {
    /// What kept values are multiplied by.
    pub(crate) fn scale(self) -> f64 {
        match self {
            Self::All => 1.0,
            Self::Hashed { scale, .. } | Self::Given { scale, .. } => scale,
        }
    }

    /// Drops and scales the values of a row (a token's hidden state, a query's probabilities); what is beyond its `width` is
    /// padding.
    #[inline(always)]
    pub(crate) fn apply<T: Real>(self, row: usize, width: usize, values: &mut [T]) {
        self.each(row, width, values, |value, factor| *value *= factor);
    }

    /// Negates what is dropped, and leaves what is kept as it is: so one number ≥ 0 says both what it was and whether it was
    /// kept.
    #[inline(always)]
    pub(crate) fn sign<T: Real>(self, row: usize, width: usize, values: &mut [T]) {
        let (zero, one) = (T::of(0.0), T::of(1.0));
        self.each(row, width, values, |value, factor| *value *= if factor == zero { -one } else { one });
    }

    /// Calls `change` on every value of a row with the scale, or with 0 for what is dropped; not at all if nothing is.
    #[inline(always)]
    fn each<T: Real>(self, row: usize, width: usize, values: &mut [T], change: impl Fn(&mut T, T)) {
        let (zero, scale) = (T::of(0.0), T::of(self.scale()));
        match self {
            Self::All => {}
            Self::Hashed { key, threshold, .. } => {
                let first = (row * values.len()) as u32;
                for (index, value) in values.iter_mut().enumerate() {
                    let kept = hash(first.wrapping_add(index as u32), key) >= threshold;
                    change(value, if kept { scale } else { zero });
                }
            }
            Self::Given { kept, .. } => {
                for (value, &kept) in values.iter_mut().zip(&kept[row * width..][..width]) {
                    change(value, if kept { scale } else { zero });
                }
            }
        }
    }
}

vector_code! {
    /// Drops and scales a sequence's hidden states, a token a column.
    fn drop_columns<'a, T>(mask: Mask<'a>, states: MatMut<'a, T>) {
        let (height, mut states) = (states.nrows(), states);
        for token in 0..states.ncols() {
            mask.apply(token, height, column_mut(states.as_mut(), token));
        }
    }
}

/// 32 bits of an index under a key: two rounds of multiplying and folding (the constants are C. Wellons' `lowbias32`), keyed
/// before both.
#[inline(always)]
fn hash(index: u32, key: (u32, u32)) -> u32 {
    let x = index ^ key.0;
    let x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D) ^ key.1;
    let x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(dropout: &Dropout, place: DropoutSite, sequence: usize, probability: f64, count: usize) -> Vec<bool> {
        let mut values = vec![1f64; count];
        dropout.mask(place, sequence, probability).apply(0, count, &mut values);
        let scale = 1.0 / (1.0 - probability);
        values.iter().for_each(|&x| assert!(x == 0.0 || (x - scale).abs() < 1e-8, "{x} is neither 0 nor the scale"));
        values.iter().map(|&x| x != 0.0).collect()
    }

    fn agreement(a: &[bool], b: &[bool]) -> f64 {
        a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64
    }

    #[test]
    fn as_often_as_it_should() {
        let (dropout, count) = (Dropout::Seeded { seed: 1, step: 2 }, 1_000_000);
        for p in [0.1, 0.25, 0.5] {
            let kept = kept(&dropout, DropoutSite::Output(3), 4, p, count);
            let share = kept.iter().filter(|&&kept| kept).count() as f64 / count as f64;
            // Five standard deviations.
            assert!((share - (1.0 - p)).abs() < 5.0 * (p * (1.0 - p) / count as f64).sqrt(), "{share} kept, p = {p}");
            // Neighbours, rows of a hidden state apart, and powers of two apart are dropped independently.
            let independent = p * p + (1.0 - p) * (1.0 - p);
            for lag in [1, 2, 16, 384, 65_536] {
                let agree = agreement(&kept[lag..], &kept[..count - lag]);
                assert!((agree - independent).abs() < 3e-3, "lag {lag}: agree in {agree}, independent {independent}");
            }
        }
    }

    #[test]
    fn places_steps_seeds_and_sequences_differ() {
        let mask = |seed, step, place, sequence| kept(&Dropout::Seeded { seed, step }, place, sequence, 0.5, 10_000);
        let all = [
            mask(1, 1, DropoutSite::Output(0), 0),
            mask(2, 1, DropoutSite::Output(0), 0),
            mask(1, 2, DropoutSite::Output(0), 0),
            mask(1, 1, DropoutSite::Output(1), 0),
            mask(1, 1, DropoutSite::Output(0), 1),
            mask(1, 1, DropoutSite::AttentionOutput(0), 0),
            mask(1, 1, DropoutSite::Probabilities(0), 0),
            mask(1, 1, DropoutSite::Embeddings, 0),
            mask(1, 1, DropoutSite::Pooled, 0),
            mask(1, 1, DropoutSite::TargetEmbeddings, 0),
            mask(1, 1, DropoutSite::Activated(0), 0),
            mask(1, 1, DropoutSite::CrossProbabilities(0), 0),
            mask(1, 1, DropoutSite::CrossOutput(0), 0),
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                assert!((agreement(a, b) - 0.5).abs() < 0.03);
            }
        }
        assert_eq!(all[0], mask(1, 1, DropoutSite::Output(0), 0));
    }

    #[test]
    fn rows_and_signs() {
        let mask = Dropout::Seeded { seed: 1, step: 2 };
        let mask = mask.mask(DropoutSite::Embeddings, 0, 0.3);
        let mut whole = vec![1f32; 100];
        mask.apply(0, 100, &mut whole);
        let mut row = vec![1f32; 20];
        mask.apply(2, 20, &mut row);
        assert_eq!(row, whole[40..60]);
        let mut signs = vec![2f32; 100];
        mask.sign(0, 100, &mut signs);
        assert!(signs.iter().zip(&whole).all(|(&sign, &kept)| sign == if kept > 0.0 { 2.0 } else { -2.0 }));
    }
}
