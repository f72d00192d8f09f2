//! The kernels of a block: one chunk of a band of its lines, tile by tile.

use super::factor::{Columns, by_vectors};
use super::order::Order;
use super::sampling::{add, dot, load_column, store_column, total};
use super::simd::{Lanes, Simd, compiled};

/// Which of the summands of a line's gradient a block adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Summand {
    /// What is there before is not read.
    pub first: bool,
    /// The sum is then complete, and scaled.
    pub last: bool,
}

/// One chunk of a band of rows: adds the chunk's part of every sampled entry to `residual`.
pub(super) struct Sampling<'a> {
    pub order: &'a Order,
    pub band: usize,
    /// Valid lanes of the last vector of a gradient's column.
    pub tail: usize,
    pub p: Columns,
    pub q: Columns,
    pub dp: Columns,
    pub targets: &'a [f64],
    pub residual: *mut f64,
    /// Whether this is the first chunk (nothing to add to) and the last (the sum is complete).
    pub first_chunk: bool,
    pub last_chunk: bool,
    pub scale: f64,
    pub summand: Summand,
}

/// Samples a band; with `LEFT` also forms the gradient of its rows. Returns the sum of squared residuals, if complete.
///
/// # Safety
/// The columns of `p` and `q` have `V` whole vectors and are the order's width apart, those of `dp` (if `LEFT`) `V` vectors, the
/// last with `tail` lanes. There are as many as the order's ranges of lines and others reach, and with `LEFT` the chunk is the only
/// one. `targets` and `residual` hold a number for every entry (`residual` the sum of the chunks before, unless this is the first), `dp`
/// what was added before (unless this is its first summand). Nobody else touches the residuals of the band, nor its columns of `dp`; `S` is
/// available.
#[inline(always)]
unsafe fn sample<S: Lanes<N>, const N: usize, const V: usize, const U: usize, const LEFT: bool>(
    task: &Sampling<'_>,
) -> f64 {
    // SAFETY: counts and offsets are those of the order, so that all accesses are within what the contract names.
    unsafe {
        let order = task.order;
        let mut squares = S::splat(0.0);
        let mut count = order.count.as_ptr().add(order.counts_of(task.band));
        for tile in 0..order.other_bands {
            let mut position = *order.tile_start.get_unchecked(task.band * order.other_bands + tile);
            let q = task.q.part(order.tile(tile).start);
            for row in order.band(task.band) {
                let end = position + *count as usize;
                count = count.add(1);
                let p = load_column::<S, N, V>(task.p.at(0, row), N);
                let mut dp = [[S::splat(0.0); V]; U];
                if LEFT && !(tile == 0 && task.summand.first) {
                    dp[0] = load_column::<S, N, V>(task.dp.at(0, row), task.tail);
                }
                while position + N <= end {
                    group::<S, N, V, U, LEFT>(task, q, position, N, &p, &mut dp, &mut squares);
                    position += N;
                }
                if position < end {
                    group::<S, N, V, U, LEFT>(task, q, position, end - position, &p, &mut dp, &mut squares);
                    position = end;
                }
                if LEFT {
                    let complete = task.summand.last && tile + 1 == order.other_bands;
                    let sum = total::<S, N, V, U>(dp, complete.then_some(task.scale));
                    store_column::<S, N, V>(task.dp.at(0, row), task.tail, sum);
                }
            }
        }
        S::to_array(squares).iter().sum()
    }
}

/// `count` (1..=N) neighbouring entries of a row. The missing ones of an incomplete group repeat the first.
///
/// # Safety
/// As for `sample`.
#[inline(always)]
unsafe fn group<S: Lanes<N>, const N: usize, const V: usize, const U: usize, const LEFT: bool>(
    task: &Sampling<'_>,
    q: Columns,
    position: usize,
    count: usize,
    p: &[S::V; V],
    dp: &mut [[S::V; V]; U],
    squares: &mut S::V,
) {
    // SAFETY: as for `sample`.
    unsafe {
        let offset = task.order.offset.as_ptr().add(position);
        let mut columns = [std::ptr::null(); N];
        let mut sums = [S::splat(0.0); N];
        for l in 0..N {
            columns[l] = q.offset(*offset.add(if l < count { l } else { 0 }) as usize);
            sums[l] = dot::<S, N, V>(p, load_column::<S, N, V>(columns[l], N));
        }
        let mut entry = S::sum_each(sums);
        let residual = task.residual.add(position);
        if !LEFT && !task.first_chunk {
            entry = S::add(entry, S::load_first(residual, count));
        }
        if LEFT || task.last_chunk {
            let target = S::load_first(task.targets.as_ptr().add(position), count);
            entry = S::keep_first(count, S::sub(entry, target));
            *squares = S::mul_add(entry, entry, *squares);
        }
        if LEFT {
            let values = S::to_array(entry);
            for l in 0..N {
                add::<S, N, V>(values[l], load_column::<S, N, V>(S::again(columns[l]), N), &mut dp[l % U]);
            }
        }
        S::store_first(residual, count, entry);
    }
}

/// One chunk of the gradient of a band of lines: `out[:, line] = scale Σ value · source[:, index]`.
pub(super) struct Gradient<'a> {
    pub order: &'a Order,
    pub band: usize,
    /// Valid lanes of the last vector of a gradient's column.
    pub tail: usize,
    pub values: &'a [f64],
    /// Where the value of an entry is, if not at its own position.
    pub places: &'a [u32],
    pub scale: f64,
    pub source: Columns,
    pub out: Columns,
    /// First row of the chunk.
    pub first_row: usize,
    pub summand: Summand,
}

/// # Safety
/// The columns of `source` have `V` whole vectors and are the order's width apart, those of `out` from `first_row` on `V` vectors, the
/// last with `tail` lanes. There are as many as the order's ranges of others and lines reach. `out` holds what was added before, unless
/// this is its first summand. Nobody else touches the chunk of the band's lines of `out`; `places` (if `MAPPED`) are below
/// `values.len()`, which is at least the number of entries; `S` is available.
#[inline(always)]
unsafe fn gradient<S: Lanes<N>, const N: usize, const V: usize, const U: usize, const MAPPED: bool>(
    task: &Gradient<'_>,
) {
    // SAFETY: counts and offsets are those of the order, so that all accesses are within what the contract names.
    unsafe {
        let order = task.order;
        let mut count = order.count.as_ptr().add(order.counts_of(task.band));
        for tile in 0..order.other_bands {
            let mut position = *order.tile_start.get_unchecked(task.band * order.other_bands + tile);
            let source = task.source.part(order.tile(tile).start);
            for line in order.band(task.band) {
                let end = position + *count as usize;
                count = count.add(1);
                let out = task.out.at(task.first_row, line);
                let mut sums = [[S::splat(0.0); V]; U];
                if !(tile == 0 && task.summand.first) {
                    sums[0] = load_column::<S, N, V>(out, task.tail);
                }
                while position + U <= end {
                    for u in 0..U {
                        add_entry::<S, N, V, MAPPED>(task, source, position + u, &mut sums[u]);
                    }
                    position += U;
                }
                while position < end {
                    add_entry::<S, N, V, MAPPED>(task, source, position, &mut sums[0]);
                    position += 1;
                }
                let complete = task.summand.last && tile + 1 == order.other_bands;
                let sum = total::<S, N, V, U>(sums, complete.then_some(task.scale));
                store_column::<S, N, V>(out, task.tail, sum);
            }
        }
    }
}

/// Adds one entry's value times its source column.
///
/// # Safety
/// As for `gradient`.
#[inline(always)]
unsafe fn add_entry<S: Lanes<N>, const N: usize, const V: usize, const MAPPED: bool>(
    task: &Gradient<'_>,
    source: Columns,
    position: usize,
    sum: &mut [S::V; V],
) {
    // SAFETY: as for `gradient`.
    unsafe {
        let place = if MAPPED { *task.places.get_unchecked(position) as usize } else { position };
        let column = source.offset(*task.order.offset.get_unchecked(position) as usize);
        add::<S, N, V>(*task.values.get_unchecked(place), load_column::<S, N, V>(column, N), sum);
    }
}

compiled!(sample as sample_avx512, sample_avx2, sample_portable: <V: usize, U: usize, LEFT: bool>(task: &Sampling<'_>) -> f64);

compiled!(gradient as gradient_avx512, gradient_avx2, gradient_portable: <V: usize, U: usize, MAPPED: bool>(task: &Gradient<'_>));

pub(super) type SamplingKernel = unsafe fn(&Sampling<'_>) -> f64;
pub(super) type GradientKernel = unsafe fn(&Gradient<'_>);

pub(super) fn sampling_kernel(simd: Simd, vectors: usize) -> SamplingKernel {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => by_vectors!(vectors, sample_avx512, false),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => by_vectors!(vectors, sample_avx2, false),
        _ => by_vectors!(vectors, sample_portable, false),
    }
}

/// The kernel that also forms the gradient of the left factor, where columns are so short that their sums stay in registers.
pub(super) fn fused_kernel(simd: Simd, k: usize) -> Option<SamplingKernel> {
    match (simd, k.div_ceil(simd.lanes())) {
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, 1) => Some(sample_avx512::<1, 8, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, 2) => Some(sample_avx512::<2, 4, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, 3) => Some(sample_avx512::<3, 4, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, 4) => Some(sample_avx512::<4, 2, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, 1) => Some(sample_avx2::<1, 4, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, 2) => Some(sample_avx2::<2, 2, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, 3) => Some(sample_avx2::<3, 1, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, 4) => Some(sample_avx2::<4, 1, true>),
        _ => None,
    }
}

pub(super) fn gradient_kernel(simd: Simd, vectors: usize, mapped: bool) -> GradientKernel {
    match (simd, mapped) {
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, true) => by_vectors!(vectors, gradient_avx512, true),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, false) => by_vectors!(vectors, gradient_avx512, false),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, true) => by_vectors!(vectors, gradient_avx2, true),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, false) => by_vectors!(vectors, gradient_avx2, false),
        (_, true) => by_vectors!(vectors, gradient_portable, true),
        (_, false) => by_vectors!(vectors, gradient_portable, false),
    }
}
