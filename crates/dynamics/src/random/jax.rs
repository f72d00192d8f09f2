//! The random numbers of JAX, bit by bit, so that an instance drawn there can be made again here.
//!
//! The generator is Threefry-2x32 with 20 rounds (J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as
//! 1, 2, 3", 2011). What is made from its words follows `jax/_src/prng.py`, `jax/_src/random.py` and
//! `jax/_src/nn/initializers.py` of JAX 0.4 with 64-bit floats and `jax_threefry_partitionable = false`, the layout of words that was
//! the default before JAX 0.5.
//!
//! Words, and what is made by sorting them, are JAX's exactly. A normal number is to rounding, about 1e-15; an orthogonal matrix and
//! a singular value decomposition, which LAPACK makes there, to about 1e-13.

use faer::{Mat, MatRef};
use puruspe::inverfc;

use crate::decomposition::oriented_basis;

/// A key: what `jax.random.PRNGKey` and `jax.random.split` return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub [u32; 2]);

impl Key {
    /// `PRNGKey(seed)`.
    pub fn new(seed: u64) -> Self {
        Self([(seed >> 32) as u32, seed as u32])
    }

    /// `split(key, count)`.
    pub fn split(self, count: usize) -> Vec<Self> {
        let words = self.bits32(2 * count);
        words.chunks_exact(2).map(|pair| Self([pair[0], pair[1]])).collect()
    }

    /// `key, sub = split(key)`: this key becomes the first, and the second is returned.
    pub fn advance(&mut self) -> Self {
        let pair = self.split(2);
        *self = pair[0];
        pair[1]
    }

    /// What [`Self::advance`] returns, again and again.
    pub fn chain(mut self) -> impl Iterator<Item = Self> {
        std::iter::repeat_with(move || self.advance())
    }

    /// `bits(key, (count,), uint32)`: the counters 0, 1, … are enciphered in pairs of one from the first half and one from the
    /// second; of an odd number, the last counter's partner is 0.
    pub fn bits32(self, count: usize) -> Vec<u32> {
        let half = count.div_ceil(2);
        let second = |i: usize| if half + i < count { word(half + i) } else { 0 };
        let (mut words, mut rest) = (Vec::with_capacity(2 * half), Vec::with_capacity(half));
        for i in 0..half {
            let [a, b] = threefry(self.0, [word(i), second(i)]);
            words.push(a);
            rest.push(b);
        }
        words.append(&mut rest);
        words.truncate(count);
        words
    }

    /// `bits(key, (count,), uint64)`: the first half of twice as many words are the upper ones.
    pub fn bits64(self, count: usize) -> impl Iterator<Item = u64> {
        (0..count).map(move |i| {
            let [upper, lower] = threefry(self.0, [word(i), word(count + i)]);
            u64::from(upper) << 32 | u64::from(lower)
        })
    }

    /// `uniform(key, (count,), float64)`: on [0, 1), the upper 52 bits of each number.
    pub fn uniform(self, count: usize) -> impl Iterator<Item = f64> {
        self.bits64(count).map(|bits| f64::from_bits(bits >> 12 | 1.0_f64.to_bits()) - 1.0)
    }

    /// `normal(key, (rows, columns), float64)`: √2 erf⁻¹(u) with u uniform on (−1, 1), row by row.
    pub fn normal(self, rows: usize, columns: usize) -> Mat<f64> {
        let least = (-1.0_f64).next_up();
        let in_both_signs = |u: f64| (u * (1.0 - least) + least).max(least);
        let mut flat = self.uniform(rows * columns).map(|u| std::f64::consts::SQRT_2 * inverse_erf(in_both_signs(u)));
        let mut matrix = Mat::zeros(rows, columns);
        for i in 0..rows {
            for j in 0..columns {
                matrix[(i, j)] = flat.next().expect("as many numbers as entries");
            }
        }
        matrix
    }

    /// `permutation(key, count)`: several times, the numbers are sorted by random words; so often that words that are
    /// drawn twice do not matter.
    pub fn permutation(mut self, count: u32) -> Vec<u32> {
        let rounds = (3.0 * f64::from(count.max(1)).ln() / f64::from(u32::MAX).ln()).ceil() as usize;
        let mut numbers: Vec<u32> = (0..count).collect();
        for _ in 0..rounds {
            let words = self.advance().bits32(numbers.len());
            let mut pairs: Vec<(u32, u32)> = words.into_iter().zip(numbers).collect();
            pairs.sort_by_key(|pair| pair.0);
            numbers = pairs.into_iter().map(|pair| pair.1).collect();
        }
        numbers
    }

    /// `choice(key, of, (count,), replace=False)`: the beginning of a permutation.
    pub fn choice(self, of: u32, count: usize) -> Vec<u32> {
        let mut chosen = self.permutation(of);
        chosen.truncate(count);
        chosen
    }

    /// `orthogonal(key, size)`: a Haar-random `size × size` matrix.
    pub fn orthogonal(self, size: usize) -> Mat<f64> {
        oriented_basis(&self.normal(size, size)).0
    }

    /// `scale ×` orthogonal factors of these shapes (rows, columns), W_1 first: one key each, and of an orthogonal matrix of the
    /// larger side the first columns or rows. So the authors of arXiv 2406.04112 draw their networks.
    pub fn factors(self, shapes: &[(usize, usize)], scale: f64) -> Vec<Mat<f64>> {
        let factor = |(key, &(rows, columns)): (Self, &(usize, usize))| {
            let square = key.orthogonal(rows.max(columns));
            let cut: MatRef<'_, f64> = square.submatrix(0, 0, rows, columns);
            cut * faer::Scale(scale)
        };
        self.split(shapes.len()).into_iter().zip(shapes).map(factor).collect()
    }
}

/// A counter. Above 32 bits JAX counts otherwise.
fn word(counter: usize) -> u32 {
    u32::try_from(counter).expect("at most 2³² words of a key")
}

/// Threefry-2x32, 20 rounds.
fn threefry(key: [u32; 2], [mut a, mut b]: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    let keys = [key[0], key[1], key[0] ^ key[1] ^ 0x1BD1_1BDA];
    (a, b) = (a.wrapping_add(keys[0]), b.wrapping_add(keys[1]));
    for group in 0..5 {
        for rotation in ROTATIONS[group % 2] {
            a = a.wrapping_add(b);
            b = b.rotate_left(rotation) ^ a;
        }
        a = a.wrapping_add(keys[(group + 1) % 3]);
        b = b.wrapping_add(keys[(group + 2) % 3]).wrapping_add(group as u32 + 1);
    }
    [a, b]
}

/// erf⁻¹(u). The complement of |u| is exact where it matters, towards 1.
fn inverse_erf(u: f64) -> f64 {
    inverfc(1.0 - u.abs()).copysign(u)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By mpmath, 20 digits.
    #[test]
    fn inverse_error_function() {
        let known = [
            (1e-12, 8.862_269_254_527_58e-13),
            (1e-3, 8.862_271_574_665_521e-4),
            (0.25, 0.225_312_055_012_178_1),
            (0.5, 0.476_936_276_204_469_9),
            (0.75, 0.813_419_847_597_618_5),
            (0.9, 1.163_087_153_676_674_2),
            (0.999, 2.326_753_765_513_524_5),
            (0.999_999_9, 3.766_562_581_638_471),
            (1.0 - f64::EPSILON / 2.0, 5.863_584_748_755_168),
        ];
        for (u, expected) in known {
            for sign in [1.0, -1.0] {
                let off = inverse_erf(sign * u) - sign * expected;
                assert!(off.abs() < 1e-15 * expected.max(1.0), "{u}: off by {off:e}");
            }
        }
    }

    #[test]
    fn a_seed_has_64_bits_and_a_chain_splits_in_two() {
        let key = Key::new(7 << 32 | 5);
        assert_eq!(key.0, [7, 5]);
        let mut chain = key;
        let sub = chain.advance();
        assert_eq!(vec![chain, sub], key.split(2));
    }
}
