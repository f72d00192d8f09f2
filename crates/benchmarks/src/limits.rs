//! What the machine of a measurement can do at most.

use std::time::Instant;

use dynamics::random::stream;
use faer::traits::ComplexField;
use faer::{Accum, Mat, Par};
use pulp::{Arch, WithSimd};
use rayon::prelude::*;

/// What the machine can do at most, measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Floating-point operations a second in a large product of `f64` matrices, all threads.
    pub gemm_f64_flop_per_second: f64,
    /// The same in `f32`.
    pub gemm_f32_flop_per_second: f64,
    /// Bytes a second that all threads together read from their second caches.
    pub cache_read_bytes_per_second: f64,
    /// Bytes a second that all threads together read from and write to memory, half of them each.
    pub memory_bytes_per_second: f64,
}

/// Side of the matrices whose product is timed.
const GEMM_SIZE: usize = 1000;
/// Numbers that a thread reads again and again: 256 KiB, more than any first cache and less than most second ones.
const READ_LENGTH: usize = 32 << 10;
const READ_PASSES: usize = 400;
/// Numbers that are read and written one after another: 256 MiB, more than any cache holds.
const MEMORY_LENGTH: usize = 64 << 20;
const MEMORY_ATTEMPTS: usize = 5;
/// The best of so many counts.
const ATTEMPTS: usize = 15;

impl Limits {
    /// Measures them, in about a second.
    pub fn measure() -> Self {
        Self {
            gemm_f64_flop_per_second: gemm_flops(|x| x),
            gemm_f32_flop_per_second: gemm_flops(|x| x as f32),
            cache_read_bytes_per_second: cache_read_bytes(),
            memory_bytes_per_second: memory_bytes(),
        }
    }

    /// The better of two measurements, each rate by itself: a machine shared with others is not always as fast.
    pub fn or(self, other: Self) -> Self {
        Self {
            gemm_f64_flop_per_second: self.gemm_f64_flop_per_second.max(other.gemm_f64_flop_per_second),
            gemm_f32_flop_per_second: self.gemm_f32_flop_per_second.max(other.gemm_f32_flop_per_second),
            cache_read_bytes_per_second: self.cache_read_bytes_per_second.max(other.cache_read_bytes_per_second),
            memory_bytes_per_second: self.memory_bytes_per_second.max(other.memory_bytes_per_second),
        }
    }
}

fn gemm_flops<T: ComplexField>(number: impl Fn(f64) -> T) -> f64 {
    let n = GEMM_SIZE;
    let mut rng = stream(1, &["gemm"]);
    let random = dynamics::random::gaussian(n, n, &mut rng);
    let a = Mat::<T>::from_fn(n, n, |i, j| number(random[(i, j)]));
    let mut c = Mat::<T>::zeros(n, n);
    let one = number(1.0);
    let seconds = (0..ATTEMPTS).map(|_| {
        let start = Instant::now();
        faer::linalg::matmul::matmul(&mut c, Accum::Replace, &a, &a, one.clone(), Par::rayon(0));
        start.elapsed().as_secs_f64()
    });
    2.0 * (n as f64).powi(3) / seconds.fold(f64::INFINITY, f64::min)
}

fn cache_read_bytes() -> f64 {
    let attempt = |_| -> f64 {
        let rates = rayon::broadcast(|_| {
            let numbers = vec![1.0; READ_LENGTH];
            let arch = Arch::new();
            let start = Instant::now();
            for _ in 0..READ_PASSES {
                std::hint::black_box(arch.dispatch(Sum(std::hint::black_box(&numbers))));
            }
            (READ_PASSES * READ_LENGTH * size_of::<f64>()) as f64 / start.elapsed().as_secs_f64()
        });
        rates.iter().sum()
    };
    (0..ATTEMPTS).map(attempt).fold(0.0, f64::max)
}

fn memory_bytes() -> f64 {
    let mut numbers = vec![1.0f32; MEMORY_LENGTH];
    let part = MEMORY_LENGTH.div_ceil(rayon::current_num_threads());
    let seconds = (0..MEMORY_ATTEMPTS).map(|_| {
        let start = Instant::now();
        numbers.par_chunks_mut(part).for_each(|part| part.iter_mut().for_each(|number| *number *= 0.999));
        start.elapsed().as_secs_f64()
    });
    let least = seconds.fold(f64::INFINITY, f64::min);
    std::hint::black_box(&numbers);
    2.0 * (MEMORY_LENGTH * size_of::<f32>()) as f64 / least
}

/// A sum with enough independent parts to be as fast as the reads are.
struct Sum<'a>(&'a [f64]);

impl WithSimd for Sum<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> f64 {
        let (vectors, _) = S::as_simd_f64s(self.0);
        let mut sums = [simd.splat_f64s(0.0); 8];
        for chunk in vectors.chunks_exact(8) {
            for (sum, vector) in sums.iter_mut().zip(chunk) {
                *sum = simd.add_f64s(*sum, *vector);
            }
        }
        sums.into_iter().map(|sum| simd.reduce_sum_f64s(sum)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_reads_everything() {
        let numbers = vec![0.5; READ_LENGTH];
        assert_eq!(Arch::new().dispatch(Sum(&numbers)), 0.5 * READ_LENGTH as f64);
    }
}
