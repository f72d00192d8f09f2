//! Seeded randomness: one ChaCha stream per purpose, Gaussian matrices, and Haar-distributed orthogonal matrices.
//!
//! [`jax`] has the numbers that JAX draws, to make other people's instances again.

pub mod jax;

use faer::Mat;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use rand_distr::StandardNormal;

use crate::decomposition::oriented_basis;

/// The project's random number generator.
pub type Generator = ChaCha12Rng;

/// The generator of one stream: `seed` is the experiment's, `path` names what the numbers are for
/// (experiment, trial, purpose). Different paths give independent streams; the same path the same numbers.
///
/// The 256-bit ChaCha key is the BLAKE3 hash of the seed and the length-prefixed parts of the path.
pub fn stream(seed: u64, path: &[&str]) -> Generator {
    let mut hasher = blake3::Hasher::new_derive_key("compressible-dynamics 2026 random streams");
    hasher.update(&seed.to_le_bytes());
    for part in path {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    ChaCha12Rng::from_seed(*hasher.finalize().as_bytes())
}

/// A `rows × columns` matrix of independent standard normal entries, drawn column by column.
pub fn gaussian(rows: usize, columns: usize, rng: &mut impl Rng) -> Mat<f64> {
    Mat::from_fn(rows, columns, |_, _| rng.sample(StandardNormal))
}

/// A `rows × columns` matrix of independent entries uniform on [−1, 1), drawn column by column.
pub fn uniform(rows: usize, columns: usize, rng: &mut impl Rng) -> Mat<f64> {
    Mat::from_fn(rows, columns, |_, _| rng.random_range(-1.0..1.0))
}

/// A matrix with orthonormal columns (`rows ≥ columns`) or orthonormal rows (`rows < columns`), Haar distributed.
///
/// A square one is a Haar-random orthogonal matrix; a rectangular one has the law of such a matrix of the larger
/// size with columns or rows cut off. Made by QR of a Gaussian matrix with the signs of R's diagonal moved into Q
/// (F. Mezzadri, "How to generate random matrices from the classical compact groups", 2007).
pub fn haar(rows: usize, columns: usize, rng: &mut impl Rng) -> Mat<f64> {
    if rows < columns {
        return haar(columns, rows, rng).transpose().to_owned();
    }
    oriented_basis(&gaussian(rows, columns, rng)).0
}

/// How the factors of a factorization are drawn. All three have the same (expected) Frobenius norm, that of
/// `scale × orthogonal`: `scale · √min(rows, columns)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initialization {
    /// `scale ×` a Haar-random orthogonal matrix, rows or columns cut off if it is not square (the paper's choice).
    Orthogonal,
    /// Independent normal entries of variance `scale² / max(rows, columns)`.
    Gaussian,
    /// Independent entries, uniform on an interval around zero, of the same variance.
    Uniform,
}

impl Initialization {
    /// Draws one `rows × columns` factor.
    pub fn draw(self, rows: usize, columns: usize, scale: f64, rng: &mut impl Rng) -> Mat<f64> {
        let deviation = scale / (rows.max(columns) as f64).sqrt();
        match self {
            Self::Orthogonal => haar(rows, columns, rng) * faer::Scale(scale),
            Self::Gaussian => gaussian(rows, columns, rng) * faer::Scale(deviation),
            Self::Uniform => uniform(rows, columns, rng) * faer::Scale(deviation * 3f64.sqrt()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, path: &[&str]| stream(seed, path).random::<u64>();
        assert_eq!(draw(1, &["a", "b"]), draw(1, &["a", "b"]));
        assert_ne!(draw(1, &["a", "b"]), draw(1, &["ab"]));
        assert_ne!(draw(1, &["a", "b"]), draw(2, &["a", "b"]));
    }

    #[test]
    fn haar_is_orthonormal_in_the_short_direction() {
        for (m, n) in [(7, 7), (9, 4), (4, 9), (1, 3)] {
            let q = haar(m, n, &mut stream(3, &["haar"]));
            let gram = if m >= n { q.transpose() * &q } else { &q * q.transpose() };
            let distance = (gram - Mat::<f64>::identity(m.min(n), m.min(n))).norm_l2();
            assert!(distance < 1e-14 * 10.0, "{m} × {n}: {distance}");
        }
    }

    /// For Haar measure on O(n): E tr Q = 0, E (tr Q)² = 1, E q₁₁² = 1/n, E q₁₁⁴ = 3 / (n (n + 2)).
    /// A QR without sign correction fails the first by far.
    #[test]
    fn haar_moments() {
        let (n, draws) = (5, 20_000);
        let mut rng = stream(11, &["haar moments"]);
        let mut sums = [0.0; 4];
        for _ in 0..draws {
            let q = haar(n, n, &mut rng);
            let trace: f64 = (0..n).map(|i| q[(i, i)]).sum();
            let square = q[(0, 0)] * q[(0, 0)];
            for (sum, x) in sums.iter_mut().zip([trace, trace * trace, square, square * square]) {
                *sum += x / draws as f64;
            }
        }
        let expected = [0.0, 1.0, 0.2, 3.0 / 35.0];
        let tolerance = [0.04, 0.06, 0.008, 0.006];
        for i in 0..4 {
            assert!((sums[i] - expected[i]).abs() < tolerance[i], "moment {i}: {} against {}", sums[i], expected[i]);
        }
    }

    #[test]
    fn initializations_have_matched_norms() {
        let (rows, columns, scale) = (120, 80, 0.3);
        let expected = scale * 80f64.sqrt();
        for kind in [Initialization::Orthogonal, Initialization::Gaussian, Initialization::Uniform] {
            let norm = kind.draw(rows, columns, scale, &mut stream(5, &["norms"])).norm_l2();
            assert!((norm / expected - 1.0).abs() < 0.03, "{kind:?}: {norm} against {expected}");
        }
    }
}
