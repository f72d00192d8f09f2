//! Sampling the product along the rows of Ω with factors where they are; for wide matrices and short columns, with the gradient of
//! the left factor in the same pass.

use super::entries::{Lines, SparseRef};
use super::factor::{Chunk, Columns, assert_columns, by_vectors, chunk, chunk_count};
use super::parallel::{Shared, for_each, share, task_count};
use super::simd::{Lanes, Simd, compiled};
use faer::{MatMut, MatRef, Par};
use std::ops::Range;

/// Most blocks of rows: the units of parallel work and of the sum of squares.
const MOST_BLOCKS: usize = 8;
/// How many entries ahead of its use a column is asked for in wide matrices (measured in `docs/kernels.md`).
pub(super) const AHEAD: usize = 64;

/// One k-chunk of a block of rows: adds the chunk's part of every sampled entry to `residual`.
struct SamplingChunk<'a> {
    lines: &'a Lines,
    rows: Range<usize>,
    chunk: Chunk,
    p: Columns,
    q: Columns,
    targets: &'a [f64],
    /// Where residuals go; null if they are not wanted, as with the gradient of P.
    residual: *mut f64,
    /// Whether this is the first chunk (nothing to add to) and the last (the sum is complete).
    first: bool,
    last: bool,
    /// Gradient of P, if the kernel is to form it.
    dp: Columns,
    scale: f64,
}

/// Samples a block; with `LEFT` also forms the gradient of its rows. Returns the sum of squared residuals, if complete.
///
/// # Safety
/// The chunk has `V` vectors and lies within the columns of `p` and `q` (and `dp` if `LEFT`, for which it is the only
/// chunk), which have as many columns as the entries' matrix has rows and columns; `residual`, unless null (which it is only if
/// there is one chunk), holds a number for every entry, and nobody else touches those of `rows`, nor these columns of `dp`;
/// `S` is available.
#[inline(always)]
unsafe fn sample<S: Lanes<N>, const N: usize, const V: usize, const U: usize, const LEFT: bool>(
    block: &SamplingChunk<'_>,
) -> f64 {
    // SAFETY: indices come from the entries, so that all accesses are within what the contract above names.
    unsafe {
        let lines = block.lines;
        let first = block.chunk.first;
        let tail = block.chunk.tail;
        let mut squares = S::splat(0.0);
        for row in block.rows.clone() {
            let to = lines.start[row + 1];
            let p = load_column::<S, N, V>(block.p.at(first, row), tail);
            let mut dp = [[S::splat(0.0); V]; U];
            let mut position = lines.start[row];
            while position + N <= to {
                group::<S, N, V, U, LEFT>(block, position, N, &p, &mut dp, &mut squares);
                position += N;
            }
            if position < to {
                group::<S, N, V, U, LEFT>(block, position, to - position, &p, &mut dp, &mut squares);
            }
            if LEFT {
                let sum = total::<S, N, V, U>(dp, Some(block.scale));
                store_column::<S, N, V>(block.dp.at(first, row), tail, sum);
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
    block: &SamplingChunk<'_>,
    position: usize,
    count: usize,
    p: &[S::V; V],
    dp: &mut [[S::V; V]; U],
    squares: &mut S::V,
) {
    // SAFETY: as for `sample`.
    unsafe {
        let first = block.chunk.first;
        let tail = block.chunk.tail;
        let index = block.lines.index.as_ptr().add(position);
        prefetch_ahead::<S, N, V>(block.lines, position, N, block.q, first);
        let mut columns = [std::ptr::null_mut(); N];
        let mut sums = [S::splat(0.0); N];
        for l in 0..N {
            let column = *index.add(if l < count { l } else { 0 }) as usize;
            columns[l] = block.q.at(first, column);
            sums[l] = dot::<S, N, V>(p, load_column::<S, N, V>(columns[l], tail));
        }
        let mut entry = S::sum_each(sums);
        let residual = block.residual.wrapping_add(position);
        if !LEFT && !block.first {
            entry = S::add(entry, S::load_first(residual, count));
        }
        if LEFT || block.last {
            let target = S::load_first(block.targets.as_ptr().add(position), count);
            entry = S::keep_first(count, S::sub(entry, target));
            *squares = S::mul_add(entry, entry, *squares);
        }
        if LEFT {
            let values = S::to_array(entry);
            for l in 0..N {
                add::<S, N, V>(values[l], load_column::<S, N, V>(columns[l], tail), &mut dp[l % U]);
            }
        }
        if !block.residual.is_null() {
            S::store_first(residual, count, entry);
        }
    }
}

/// Asks for the columns of `source` that the `count` entries [`AHEAD`] after `position` will read.
///
/// # Safety
/// `source` has as many columns as the indices say, and V vectors from row `first` on; `S` is available.
#[inline(always)]
pub(super) unsafe fn prefetch_ahead<S: Lanes<N>, const N: usize, const V: usize>(
    lines: &Lines,
    position: usize,
    count: usize,
    source: Columns,
    first: usize,
) {
    const LINE: usize = 64 / size_of::<f64>();
    let from = (position + AHEAD).min(lines.index.len());
    let to = (from + count).min(lines.index.len());
    for &column in &lines.index[from..to] {
        // SAFETY: passed on to the caller.
        unsafe {
            let column = source.at(first, column as usize);
            for part in 0..(V * N).div_ceil(LINE) {
                S::prefetch(column.wrapping_add(part * LINE));
            }
        }
    }
}

/// The vectors of a column's chunk.
///
/// # Safety
/// `(V - 1) N + tail` doubles are valid from `from`.
#[inline(always)]
pub(super) unsafe fn load_column<S: Lanes<N>, const N: usize, const V: usize>(
    from: *const f64,
    tail: usize,
) -> [S::V; V] {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut column = [S::splat(0.0); V];
        for v in 0..V - 1 {
            column[v] = S::load(from.add(v * N));
        }
        column[V - 1] = S::load_first(from.add((V - 1) * N), tail);
        column
    }
}

/// # Safety
/// `(V - 1) N + tail` doubles may be written from `to`.
#[inline(always)]
pub(super) unsafe fn store_column<S: Lanes<N>, const N: usize, const V: usize>(
    to: *mut f64,
    tail: usize,
    column: [S::V; V],
) {
    // SAFETY: passed on to the caller.
    unsafe {
        for v in 0..V - 1 {
            S::store(to.add(v * N), column[v]);
        }
        S::store_first(to.add((V - 1) * N), tail, column[V - 1]);
    }
}

/// What adds up to the dot product of two columns: lane by lane.
///
/// # Safety
/// `S` is available.
#[inline(always)]
pub(super) unsafe fn dot<S: Lanes<N>, const N: usize, const V: usize>(p: &[S::V; V], q: [S::V; V]) -> S::V {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut sum = S::mul(p[0], q[0]);
        for v in 1..V {
            sum = S::mul_add(p[v], q[v], sum);
        }
        sum
    }
}

/// Adds a multiple of a column.
///
/// # Safety
/// `S` is available.
#[inline(always)]
pub(super) unsafe fn add<S: Lanes<N>, const N: usize, const V: usize>(
    factor: f64,
    column: [S::V; V],
    sum: &mut [S::V; V],
) {
    // SAFETY: passed on to the caller.
    unsafe {
        let factor = S::splat(factor);
        for v in 0..V {
            sum[v] = S::mul_add(factor, column[v], sum[v]);
        }
    }
}

/// The sum of interleaved sums, in their order, times `scale` if there is one.
///
/// # Safety
/// `S` is available.
#[inline(always)]
pub(super) unsafe fn total<S: Lanes<N>, const N: usize, const V: usize, const U: usize>(
    sums: [[S::V; V]; U],
    scale: Option<f64>,
) -> [S::V; V] {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut sum = sums[0];
        for u in 1..U {
            for v in 0..V {
                sum[v] = S::add(sum[v], sums[u][v]);
            }
        }
        if let Some(scale) = scale {
            for v in 0..V {
                sum[v] = S::mul(S::splat(scale), sum[v]);
            }
        }
        sum
    }
}

compiled!(sample as avx512, avx2, portable: <V: usize, U: usize, LEFT: bool>(block: &SamplingChunk<'_>) -> f64);

type Kernel = unsafe fn(&SamplingChunk<'_>) -> f64;

fn sampling_kernel(simd: Simd, vectors: usize) -> Kernel {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => by_vectors!(vectors, avx512, false),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => by_vectors!(vectors, avx2, false),
        _ => by_vectors!(vectors, portable, false),
    }
}

/// The kernel that also forms the gradient of the left factor, for columns so short that a group of entries stays in
/// registers or nearly so: wide matrices are bound by memory.
fn fused_kernel(simd: Simd, k: usize) -> Option<Kernel> {
    match (simd, k.div_ceil(simd.lanes())) {
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, 1) => Some(avx512::<1, 8, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, 2) => Some(avx512::<2, 4, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, 3) => Some(avx512::<3, 4, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, 4) => Some(avx512::<4, 2, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, 1) => Some(avx2::<1, 4, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, 2) => Some(avx2::<2, 2, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, 3) => Some(avx2::<3, 2, true>),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, 4) => Some(avx2::<4, 1, true>),
        (Simd::Portable, 1) => Some(portable::<1, 4, true>),
        (Simd::Portable, 2) => Some(portable::<2, 2, true>),
        (Simd::Portable, 3) => Some(portable::<3, 2, true>),
        (Simd::Portable, 4) => Some(portable::<4, 1, true>),
        _ => None,
    }
}

/// Samples the product on Ω and subtracts the targets: `residual = (Pᵀ Q − Φ)` on the observed entries, in CSR order.
/// `p` is k × d_out, `q` is k × d_in, both column-major. Returns `Σ residual²`.
///
/// # Panics
/// If shapes do not match, or this machine does not have the instruction set.
pub fn sample_residual(
    residual: &mut [f64],
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    targets: SparseRef<'_>,
    simd: Simd,
    par: Par,
) -> f64 {
    let SparseRef { entries, values, .. } = targets;
    assert_columns("P", p, entries.d_out());
    assert_columns("Q", q, entries.d_in());
    assert_eq!(residual.len(), entries.len(), "number of residuals");
    let pass = Pass { lines: &entries.by_row, p, q, targets: values };
    pass.run(residual.as_mut_ptr(), None, simd, par)
}

/// Whether there is a kernel that forms a gradient while sampling columns of length `k`.
pub(super) fn can_fuse(simd: Simd, k: usize) -> bool {
    fused_kernel(simd, k).is_some()
}

/// A pass over `lines` (rows; or columns, with P and Q in each other's place). P and Q have as many columns as there are lines and
/// indices; `targets` are in the lines' order.
pub(super) struct Pass<'a> {
    pub lines: &'a Lines,
    pub p: MatRef<'a, f64>,
    pub q: MatRef<'a, f64>,
    pub targets: &'a [f64],
}

impl Pass<'_> {
    /// The sum of squared residuals and the gradient of P; no residual is stored.
    pub fn fused(&self, dp: Option<MatMut<'_, f64>>, alpha: f64, simd: Simd, par: Par) -> f64 {
        let kernel = fused_kernel(simd, self.p.nrows()).expect("columns short enough for one pass");
        let left = dp.map(|dp| {
            assert_columns("the gradient", dp.as_ref(), self.lines.lines());
            assert_eq!(dp.nrows(), self.p.nrows(), "rows of the gradient");
            (kernel, alpha, Columns::write(dp))
        });
        self.run(std::ptr::null_mut(), left, simd, par)
    }

    /// `residual` is null or holds a number for every entry.
    fn run(&self, residual: *mut f64, left: Option<(Kernel, f64, Columns)>, simd: Simd, par: Par) -> f64 {
        let Self { lines, p, q, targets } = *self;
        assert!(simd.is_available(), "{simd:?} is not available here");
        assert_eq!(p.nrows(), q.nrows(), "rows of P and Q");
        assert_eq!(targets.len(), lines.index.len(), "number of targets");
        let k = p.nrows();
        let chunks = chunk_count(k, simd);
        assert!(chunks <= 1 || !residual.is_null(), "sums of several chunks need somewhere to be");
        let residual = Shared(residual);
        if k == 0 {
            // SAFETY: there is a residual for every entry (only the fused kernels, of which none is for k = 0, want none).
            targets.iter().enumerate().for_each(|(at, target)| unsafe { *residual.0.add(at) = -target });
            return targets.iter().map(|t| t * t).sum();
        }
        let blocks = task_count(targets.len() * k, MOST_BLOCKS);
        let mut squares = [0.0; MOST_BLOCKS];
        let sums = Shared(squares.as_mut_ptr());
        let (p, q) = (Columns::read(p), Columns::read(q));
        let (fused, scale, dp) = match left {
            Some((kernel, scale, dp)) => (Some(kernel), scale, dp),
            None => (None, 0.0, p),
        };
        for_each(par, blocks, |index| {
            let (sums, residual) = (sums, residual);
            let mut sum = 0.0;
            for part in 0..chunks {
                let chunk = chunk(k, simd, part);
                let rows = share(lines.lines(), blocks, index);
                let (first, last) = (part == 0, part + 1 == chunks);
                let block =
                    SamplingChunk { lines, rows, chunk, p, q, targets, residual: residual.0, first, last, dp, scale };
                let kernel = fused.unwrap_or_else(|| sampling_kernel(simd, chunk.vectors));
                // SAFETY: shapes are asserted above and by the callers; a block's lines, and with them its residuals and its
                // gradients, are its own; `dp` is a gradient if `fused`; the instruction set is available.
                sum = unsafe { kernel(&block) };
            }
            // SAFETY: `index` is below MOST_BLOCKS and belongs to this task alone.
            unsafe { *sums.0.add(index) = sum };
        });
        squares[..blocks].iter().sum()
    }
}
