//! A dense matrix times a sparse one, along the columns or the rows of Ω, with both where they are. It makes the gradient of a
//! factor from the residual.

use super::entries::{Lines, SparseRef};
use super::factor::{Chunk, Columns, assert_columns, by_vectors, chunk, chunk_count};
use super::parallel::{for_each, share, task_count};
use super::sampling::{AHEAD, add, load_column, prefetch_ahead, store_column, total};
use super::simd::{Lanes, Simd, compiled};
use faer::{MatMut, MatRef, Par};
use std::ops::Range;

/// Most tasks: more would fetch the source too often.
const MOST_TASKS: usize = 32;

/// One k-chunk of the gradient of some lines: `out[:, line] = scale Σ value · source[:, index]`.
struct GradientChunk<'a> {
    lines: &'a Lines,
    range: Range<usize>,
    chunk: Chunk,
    values: &'a [f64],
    /// Where the value of an entry is, if not at its own position.
    positions: &'a [u32],
    scale: f64,
    source: Columns,
    out: Columns,
}

/// # Safety
/// The chunk has `V` vectors and lies within the columns of `source` and `out`, which have as many columns as the
/// indices and lines say; nobody else touches the chunk of the lines `range` of `out`; `positions` (if `MAPPED`) are
/// below `values.len()`, which is the number of entries; `S` is available.
#[inline(always)]
unsafe fn gradient<S: Lanes<N>, const N: usize, const V: usize, const U: usize, const MAPPED: bool>(
    block: &GradientChunk<'_>,
) {
    // SAFETY: indices and positions come from the entries, so that all accesses are within what the contract names.
    unsafe {
        let lines = block.lines;
        let first = block.chunk.first;
        let tail = block.chunk.tail;
        for line in block.range.clone() {
            let (from, to) = (lines.start[line], lines.start[line + 1]);
            let mut sums = [[S::splat(0.0); V]; U];
            let mut position = from;
            while position + U <= to {
                prefetch_ahead::<S, N, V>(lines, position, U, block.source, first);
                if MAPPED {
                    prefetch_values::<S, N>(block, position + AHEAD, U);
                }
                for u in 0..U {
                    add_entry::<S, N, V, MAPPED>(block, position + u, &mut sums[u]);
                }
                position += U;
            }
            while position < to {
                add_entry::<S, N, V, MAPPED>(block, position, &mut sums[0]);
                position += 1;
            }
            let sum = total::<S, N, V, U>(sums, Some(block.scale));
            store_column::<S, N, V>(block.out.at(first, line), tail, sum);
        }
    }
}

/// Adds one entry's value times its source column.
///
/// # Safety
/// As for `gradient`.
#[inline(always)]
unsafe fn add_entry<S: Lanes<N>, const N: usize, const V: usize, const MAPPED: bool>(
    block: &GradientChunk<'_>,
    position: usize,
    sum: &mut [S::V; V],
) {
    // SAFETY: as for `gradient`.
    unsafe {
        let value = if MAPPED { *block.positions.get_unchecked(position) as usize } else { position };
        let at = *block.lines.index.get_unchecked(position) as usize;
        let column = load_column::<S, N, V>(block.source.at(block.chunk.first, at), block.chunk.tail);
        add::<S, N, V>(*block.values.get_unchecked(value), column, sum);
    }
}

/// Asks for the values of `count` entries.
///
/// # Safety
/// As for `gradient`.
#[inline(always)]
unsafe fn prefetch_values<S: Lanes<N>, const N: usize>(block: &GradientChunk<'_>, position: usize, count: usize) {
    let from = position.min(block.positions.len());
    let to = (from + count).min(block.positions.len());
    for &value in &block.positions[from..to] {
        // SAFETY: passed on to the caller.
        unsafe { S::prefetch(block.values.as_ptr().wrapping_add(value as usize)) };
    }
}

compiled!(gradient as avx512, avx2, portable: <V: usize, U: usize, MAPPED: bool>(block: &GradientChunk<'_>));

type Kernel = unsafe fn(&GradientChunk<'_>);

fn kernel(simd: Simd, vectors: usize, mapped: bool) -> Kernel {
    match (simd, mapped) {
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, true) => by_vectors!(vectors, avx512, true),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, false) => by_vectors!(vectors, avx512, false),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, true) => by_vectors!(vectors, avx2, true),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, false) => by_vectors!(vectors, avx2, false),
        (_, true) => by_vectors!(vectors, portable, true),
        (_, false) => by_vectors!(vectors, portable, false),
    }
}

/// `dst = alpha lhs rhs`, of which `rhs` is sparse and the others are column-major.
///
/// # Panics
/// If shapes do not match, or this machine does not have the instruction set.
pub fn matmul(dst: MatMut<'_, f64>, lhs: MatRef<'_, f64>, rhs: SparseRef<'_>, alpha: f64, simd: Simd, par: Par) {
    let SparseRef { entries, values, transposed } = rhs;
    // A column of the result belongs to a line of entries.
    let (lines, positions, inner) = if transposed {
        (&entries.by_row, [].as_slice(), entries.d_in())
    } else {
        (&entries.by_column, entries.csr_positions(), entries.d_out())
    };
    assert!(simd.is_available(), "{simd:?} is not available here");
    assert_columns("the left factor", lhs, inner);
    assert_columns("the product", dst.as_ref(), lines.lines());
    assert_eq!(dst.nrows(), lhs.nrows(), "rows of the left factor and the product");
    let k = lhs.nrows();
    let chunks = chunk_count(k, simd);
    let blocks = task_count(values.len() * k, MOST_TASKS).div_ceil(chunks.max(1));
    let (source, out) = (Columns::read(lhs), Columns::write(dst));
    for_each(par, chunks * blocks, |task| {
        let chunk = chunk(k, simd, task / blocks);
        let range = share(lines.lines(), blocks, task % blocks);
        let block = GradientChunk { lines, range, chunk, values, positions, scale: alpha, source, out };
        // SAFETY: shapes are asserted above; each task has its own chunk of its own lines of the output; positions come from
        // the entries; the instruction set is available.
        unsafe { kernel(simd, chunk.vectors, !positions.is_empty())(&block) };
    });
}
