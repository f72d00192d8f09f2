//! A bias of the attention scores by relative position, one for all layers: that of T5 (Raffel et al., arXiv 1910.10683,
//! section 2.1), which MPNet has too.
//!
//! Keys near the query have a bias each; farther ones share one, the more the farther they are ("bucket"); from a certain
//! distance on all have the last one of their side. Each head has biases of its own.

use faer::MatRef;

use crate::Real;
use crate::kernels::columns::PADDING;

/// How relative positions are put into buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelativePositions {
    /// Number of buckets, at least 4 and a multiple of 4.
    pub buckets: usize,
    /// The last bucket of a side ends nowhere, and is full from this distance on; more than half of the side's buckets.
    pub farthest: usize,
    /// Of a decoder, whose queries see no keys behind them: all buckets are for those before. In an encoder keys before and behind
    /// the query each have half of the buckets.
    pub causal: bool,
}

impl RelativePositions {
    /// The bucket for a query and a key at these places: `relative_position_bucket` of transformers.
    pub fn bucket(self, query: usize, key: usize) -> usize {
        let (side, first) = match (self.causal, key > query) {
            (true, true) => return 0,
            (true, false) => (self.buckets, 0),
            (false, behind) => (self.buckets / 2, if behind { self.buckets / 2 } else { 0 }),
        };
        let (exact, distance) = (side / 2, query.abs_diff(key));
        if distance < exact {
            return first + distance;
        }
        let [growth, most] = [distance, self.farthest].map(|distance| (distance as f64 / exact as f64).ln());
        let beyond = (growth / most * (side - exact) as f64) as usize;
        first + (exact + beyond).min(side - 1)
    }
}

/// The bias of every head, spread out by relative position, so that a query's keys read a part without gaps.
#[derive(Debug)]
pub(crate) struct RelativeBias<T> {
    /// Head by head: keys `longest − 1` before the query, … `longest − 1` behind it, and zeros for whole vectors.
    values: Vec<T>,
    /// Most tokens of a sequence.
    longest: usize,
}

impl<T: Real> RelativeBias<T> {
    /// Of a table with a row per head and a column per bucket.
    pub(crate) fn new(table: MatRef<'_, T>, positions: RelativePositions, longest: usize) -> Self {
        let of_head = |head| {
            let before = (1..longest).rev().map(move |query| positions.bucket(query, 0));
            let behind = (0..longest).map(move |key| positions.bucket(0, key));
            let biases = before.chain(behind).map(move |bucket| table[(head, bucket)]);
            biases.chain(std::iter::repeat_n(T::of(0.0), PADDING))
        };
        Self { values: (0..table.nrows()).flat_map(of_head).collect(), longest }
    }

    /// What is added to the scores of a query's keys, from the sequence's first key on; more than there are keys.
    #[inline(always)]
    pub(super) fn keys(&self, head: usize, query: usize) -> &[T] {
        let length = 2 * self.longest - 1 + PADDING;
        &self.values[head * length..][self.longest - 1 - query..length]
    }

    /// The same in `f64`.
    pub(crate) fn to_f64(&self) -> RelativeBias<f64> {
        RelativeBias { values: self.values.iter().map(|x| x.as_f64()).collect(), longest: self.longest }
    }
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::*;

    /// Queries of a decoder have all buckets for the keys before them, as transformers' with `bidirectional=False`.
    #[test]
    fn causal_buckets() {
        let positions = RelativePositions { buckets: 8, farthest: 20, causal: true };
        let found: Vec<usize> = (0..=30).rev().step_by(3).map(|key| positions.bucket(30, key)).collect();
        assert_eq!(found, [0, 3, 5, 6, 6, 7, 7, 7, 7, 7, 7]);
        assert_eq!(positions.bucket(3, 4), 0);
    }

    /// Every head and query reads what the table says of each of its keys.
    #[test]
    fn spread_out_by_distance() {
        let (positions, longest) = (RelativePositions { buckets: 32, farthest: 128, causal: false }, 300);
        let table = Mat::from_fn(3, 32, |head, bucket| (100 * head + bucket) as f64);
        let bias = RelativeBias::new(table.as_ref(), positions, longest);
        for (head, query) in [(0, 0), (1, 17), (2, 0), (2, 299)] {
            let found = bias.keys(head, query);
            assert!(found.len() >= longest.next_multiple_of(PADDING), "room for a padded column");
            for key in 0..longest {
                assert_eq!(found[key], table[(head, positions.bucket(query, key))], "query {query}, key {key}");
            }
        }
    }
}
