//! The three kernels for long factors (large k): sampling, and one gradient for each side.
//!
//! Each walks tiles (some rows of k × some panels of columns) of one factor that stay in the nearest cache, while
//! the other operand of every multiply-add sits in registers: one load per multiply-add.

use super::entries::{Lines, ObservedEntries};
use super::parallel::{Shared, for_each, share};
#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Avx512};
use super::simd::{Lanes, Portable, Simd};
use faer::{MatMut, MatRef, Par};
use std::ops::Range;

/// Most vectors of one column a kernel keeps in registers.
const MOST_VECTORS: usize = 16;
/// Blocks of rows in sampling: the unit of parallel work, and of the sum of squares.
const MOST_BLOCKS: usize = 16;
/// Multiply-adds worth a task of their own.
const WORK_PER_TASK: usize = 1 << 20;

/// Columns of length `len` from row `first` of a factor, read through a pointer.
#[derive(Clone, Copy)]
struct Columns {
    data: *const f64,
    stride: usize,
}

// SAFETY: read-only access to a factor borrowed for the whole call.
unsafe impl Send for Columns {}
// SAFETY: as above.
unsafe impl Sync for Columns {}

impl Columns {
    fn new(factor: MatRef<'_, f64>) -> Self {
        Self { data: factor.as_ptr(), stride: factor.col_stride() as usize }
    }
}

/// One k-chunk of a factor: `vectors` vectors per column, the last of which has `tail` valid lanes.
#[derive(Clone, Copy)]
struct Chunk {
    first: usize,
    vectors: usize,
    tail: usize,
}

/// Cuts columns of length `k` into chunks of at most `most` vectors, as equal as possible.
fn chunks(k: usize, lanes: usize, most: usize) -> impl ExactSizeIterator<Item = Chunk> + Clone {
    let vectors = k.div_ceil(lanes);
    let count = vectors.div_ceil(most);
    (0..count).map(move |index| {
        let part = share(vectors, count, index);
        let end = (part.end * lanes).min(k);
        Chunk { first: part.start * lanes, vectors: part.len(), tail: end - (part.end - 1) * lanes }
    })
}

/// Panels of a tile: as many as keep the tile's part of the factor within `bytes`.
pub(super) fn panels_per_tile(lines: &Lines, bytes_per_column: usize, bytes: usize) -> usize {
    (bytes / (bytes_per_column * lines.panel_width)).clamp(1, lines.panels)
}

pub(super) fn assert_columns(name: &str, factor: MatRef<'_, f64>, columns: usize) {
    assert!(factor.row_stride() == 1 || factor.nrows() <= 1, "{name} must be column-major");
    assert!(
        factor.ncols() <= 1 || factor.col_stride() >= factor.nrows() as isize,
        "columns of {name} must not overlap"
    );
    assert_eq!(factor.ncols(), columns, "columns of {name}");
}

/// Matches a number of vectors with the function compiled for it.
macro_rules! by_vectors {
    ($vectors:expr, $function:ident $(, $extra:tt)*) => {
        match $vectors {
            1 => $function::<1 $(, $extra)*>,
            2 => $function::<2 $(, $extra)*>,
            3 => $function::<3 $(, $extra)*>,
            4 => $function::<4 $(, $extra)*>,
            5 => $function::<5 $(, $extra)*>,
            6 => $function::<6 $(, $extra)*>,
            7 => $function::<7 $(, $extra)*>,
            8 => $function::<8 $(, $extra)*>,
            9 => $function::<9 $(, $extra)*>,
            10 => $function::<10 $(, $extra)*>,
            11 => $function::<11 $(, $extra)*>,
            12 => $function::<12 $(, $extra)*>,
            13 => $function::<13 $(, $extra)*>,
            14 => $function::<14 $(, $extra)*>,
            15 => $function::<15 $(, $extra)*>,
            16 => $function::<16 $(, $extra)*>,
            other => unreachable!("no kernel for {other} vectors"),
        }
    };
}

// ---------------------------------------------------------------------------------------------- sampling

/// One k-chunk of a block of rows: adds the chunk's part of every sampled entry to `residual`.
struct Sampling<'a> {
    lines: &'a Lines,
    rows: Range<usize>,
    tile_panels: usize,
    chunk: Chunk,
    p: Columns,
    q: Columns,
    targets: &'a [f64],
    residual: *mut f64,
    first: bool,
    last: bool,
}

/// # Safety
/// The chunk lies within the columns of `p` and `q`, which have as many columns as the entries' matrix has rows and
/// columns; `residual` holds a number for every entry and nobody else touches those of `rows`; `S` is available.
#[inline(always)]
unsafe fn sample<S: Lanes<N>, const N: usize, const V: usize>(job: &Sampling<'_>) -> f64 {
    unsafe {
        let tail = job.chunk.tail;
        let mut squares = S::splat(0.0);
        let mut panel = 0;
        while panel < job.lines.panels {
            let next = (panel + job.tile_panels).min(job.lines.panels);
            for row in job.rows.clone() {
                let whole = (job.lines.start[row], job.lines.start[row + 1]);
                let (from, to) = job.lines.grouped_run(row, panel, next, whole, N);
                if from == to {
                    continue;
                }
                let column = job.p.data.add(row * job.p.stride + job.chunk.first);
                let mut p = [S::splat(0.0); V];
                for v in 0..V - 1 {
                    p[v] = S::load(column.add(v * N));
                }
                p[V - 1] = S::load_first(column.add((V - 1) * N), tail);
                let mut position = from;
                while position < to {
                    let count = (to - position).min(N);
                    // The missing entries of an incomplete group repeat its first one.
                    let index = job.lines.index.as_ptr().add(position);
                    let mut sums = [S::splat(0.0); N];
                    for l in 0..N {
                        let at = *index.add(if l < count { l } else { 0 }) as usize;
                        let column = job.q.data.add(at * job.q.stride + job.chunk.first);
                        let mut sum = S::mul(p[V - 1], S::load_first(column.add((V - 1) * N), tail));
                        for v in 0..V - 1 {
                            sum = S::mul_add(p[v], S::load(column.add(v * N)), sum);
                        }
                        sums[l] = sum;
                    }
                    let mut entry = S::sum_each(sums);
                    let residual = job.residual.add(position);
                    if !job.first {
                        entry = S::add(entry, S::load_first(residual, count));
                    }
                    if job.last {
                        let target = S::load_first(job.targets.as_ptr().add(position), count);
                        entry = S::keep_first(count, S::sub(entry, target));
                        squares = S::mul_add(entry, entry, squares);
                    }
                    S::store_first(residual, count, entry);
                    position += count;
                }
            }
            panel = next;
        }
        S::to_array(squares).iter().sum()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn sample_avx512<const V: usize>(job: &Sampling<'_>) -> f64 {
    // SAFETY: passed on to the caller.
    unsafe { sample::<Avx512, 8, V>(job) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn sample_avx2<const V: usize>(job: &Sampling<'_>) -> f64 {
    // SAFETY: passed on to the caller.
    unsafe { sample::<Avx2, 4, V>(job) }
}

unsafe fn sample_portable<const V: usize>(job: &Sampling<'_>) -> f64 {
    // SAFETY: passed on to the caller.
    unsafe { sample::<Portable, 4, V>(job) }
}

type SamplingKernel = unsafe fn(&Sampling<'_>) -> f64;

fn sampling_kernel(simd: Simd, vectors: usize) -> SamplingKernel {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => by_vectors!(vectors, sample_avx512),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => by_vectors!(vectors, sample_avx2),
        _ => by_vectors!(vectors, sample_portable),
    }
}

/// [`sample_residual`](super::sample_residual) with a given instruction set.
pub fn sample_residual(
    simd: Simd,
    entries: &ObservedEntries,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    targets: &[f64],
    residual: &mut [f64],
    par: Par,
) -> f64 {
    assert!(simd.is_available(), "{simd:?} is not available here");
    assert_columns("P", p, entries.d_out());
    assert_columns("Q", q, entries.d_in());
    assert_eq!(p.nrows(), q.nrows(), "rows of P and Q");
    assert_eq!(targets.len(), entries.len(), "number of targets");
    assert_eq!(residual.len(), entries.len(), "number of residuals");
    let k = p.nrows();
    if k == 0 {
        residual.iter_mut().zip(targets).for_each(|(r, t)| *r = -t);
        return targets.iter().map(|t| t * t).sum();
    }
    let lines = &entries.by_row;
    let blocks = (entries.len() * k / WORK_PER_TASK).clamp(1, MOST_BLOCKS);
    let mut squares = [0.0; MOST_BLOCKS];
    let sums = Shared(squares.as_mut_ptr());
    let residual = Shared(residual.as_mut_ptr());
    let (p, q) = (Columns::new(p), Columns::new(q));
    for_each(par, blocks, |block| {
        let (sums, residual) = (sums, residual);
        let chunks = chunks(k, simd.lanes(), MOST_VECTORS);
        let count = chunks.len();
        let mut sum = 0.0;
        for (index, chunk) in chunks.enumerate() {
            let bytes = chunk.vectors * simd.lanes() * 8;
            let job = Sampling {
                lines,
                rows: share(lines.lines(), blocks, block),
                tile_panels: panels_per_tile(lines, bytes, super::NEAR_BYTES),
                chunk,
                p,
                q,
                targets,
                residual: residual.0,
                first: index == 0,
                last: index + 1 == count,
            };
            // SAFETY: shapes are asserted above; a block's rows, and with them its residuals and its sum, are its own;
            // the instruction set is available.
            sum = unsafe { sampling_kernel(simd, chunk.vectors)(&job) };
        }
        // SAFETY: `block` is below MOST_BLOCKS and belongs to this task alone.
        unsafe { *sums.0.add(block) = sum };
    });
    squares[..blocks].iter().sum()
}

// --------------------------------------------------------------------------------------------- gradients

/// One k-chunk of the gradient of some lines: `out[:, line] = scale Σ value · source[:, index]`.
struct Gradient<'a> {
    lines: &'a Lines,
    range: Range<usize>,
    tile_panels: usize,
    chunk: Chunk,
    values: &'a [f64],
    /// Where the value of an entry is, if not at its own position.
    positions: &'a [u32],
    scale: f64,
    source: Columns,
    out: *mut f64,
    out_stride: usize,
}

/// # Safety
/// The chunk lies within the columns of `source` and `out`, which have as many columns as the indices and lines say;
/// nobody else touches the chunk of the lines `range` of `out`; `positions` (if `MAPPED`) are below `values.len()`,
/// which is the number of entries; `S` is available.
#[inline(always)]
unsafe fn gradient<S: Lanes<N>, const N: usize, const V: usize, const MAPPED: bool>(job: &Gradient<'_>) {
    unsafe {
        let tail = job.chunk.tail;
        let scale = S::splat(job.scale);
        let mut panel = 0;
        while panel < job.lines.panels {
            let next = (panel + job.tile_panels).min(job.lines.panels);
            let last = next == job.lines.panels;
            for line in job.range.clone() {
                let (from, to) = job.lines.run(line, panel, next);
                let out = job.out.add(line * job.out_stride + job.chunk.first);
                let mut sum = [S::splat(0.0); V];
                if panel > 0 {
                    for v in 0..V - 1 {
                        sum[v] = S::load(out.add(v * N));
                    }
                    sum[V - 1] = S::load_first(out.add((V - 1) * N), tail);
                }
                for position in from..to {
                    let at = *job.lines.index.get_unchecked(position) as usize;
                    let value = if MAPPED { *job.positions.get_unchecked(position) as usize } else { position };
                    let value = S::splat(*job.values.get_unchecked(value));
                    let column = job.source.data.add(at * job.source.stride + job.chunk.first);
                    for v in 0..V - 1 {
                        sum[v] = S::mul_add(value, S::load(column.add(v * N)), sum[v]);
                    }
                    sum[V - 1] = S::mul_add(value, S::load_first(column.add((V - 1) * N), tail), sum[V - 1]);
                }
                for v in 0..V {
                    let value = if last { S::mul(scale, sum[v]) } else { sum[v] };
                    if v < V - 1 {
                        S::store(out.add(v * N), value);
                    } else {
                        S::store_first(out.add(v * N), tail, value);
                    }
                }
            }
            panel = next;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn gradient_avx512<const V: usize, const MAPPED: bool>(job: &Gradient<'_>) {
    // SAFETY: passed on to the caller.
    unsafe { gradient::<Avx512, 8, V, MAPPED>(job) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn gradient_avx2<const V: usize, const MAPPED: bool>(job: &Gradient<'_>) {
    // SAFETY: passed on to the caller.
    unsafe { gradient::<Avx2, 4, V, MAPPED>(job) }
}

unsafe fn gradient_portable<const V: usize, const MAPPED: bool>(job: &Gradient<'_>) {
    // SAFETY: passed on to the caller.
    unsafe { gradient::<Portable, 4, V, MAPPED>(job) }
}

type GradientKernel = unsafe fn(&Gradient<'_>);

fn gradient_kernel(simd: Simd, vectors: usize, mapped: bool) -> GradientKernel {
    match (simd, mapped) {
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, false) => by_vectors!(vectors, gradient_avx512, false),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx512, true) => by_vectors!(vectors, gradient_avx512, true),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, false) => by_vectors!(vectors, gradient_avx2, false),
        #[cfg(target_arch = "x86_64")]
        (Simd::Avx2, true) => by_vectors!(vectors, gradient_avx2, true),
        (_, false) => by_vectors!(vectors, gradient_portable, false),
        (_, true) => by_vectors!(vectors, gradient_portable, true),
    }
}

/// The gradient over `lines`; `positions` is empty when values are in the lines' own order.
fn line_gradient(
    simd: Simd,
    lines: &Lines,
    values: &[f64],
    positions: &[u32],
    scale: f64,
    source: MatRef<'_, f64>,
    out: MatMut<'_, f64>,
    par: Par,
) {
    assert!(simd.is_available(), "{simd:?} is not available here");
    let k = source.nrows();
    if k == 0 || lines.lines() == 0 {
        return;
    }
    let chunks = chunks(k, simd.lanes(), MOST_VECTORS);
    let tasks = (lines.index.len() * k / WORK_PER_TASK).max(1);
    let blocks = tasks.div_ceil(chunks.len()).min(lines.lines());
    let out_stride = out.col_stride() as usize;
    let out = Shared(out.as_ptr_mut());
    let source = Columns::new(source);
    let chunk_list = chunks.clone();
    for_each(par, chunks.len() * blocks, |task| {
        let out = out;
        let Some(chunk) = chunk_list.clone().nth(task / blocks) else {
            return;
        };
        let bytes = chunk.vectors * simd.lanes() * 8;
        let job = Gradient {
            lines,
            range: share(lines.lines(), blocks, task % blocks),
            tile_panels: panels_per_tile(lines, bytes, super::NEAR_BYTES),
            chunk,
            values,
            positions,
            scale,
            source,
            out: out.0,
            out_stride,
        };
        // SAFETY: shapes are asserted by the callers; each task has its own chunk of its own lines of the output;
        // positions come from the entries themselves; the instruction set is available.
        unsafe { gradient_kernel(simd, chunk.vectors, !positions.is_empty())(&job) };
    });
}

/// [`gradient_left`](super::gradient_left) with a given instruction set.
pub fn gradient_left(
    simd: Simd,
    entries: &ObservedEntries,
    residual: &[f64],
    scale: f64,
    q: MatRef<'_, f64>,
    dp: MatMut<'_, f64>,
    par: Par,
) {
    assert_columns("Q", q, entries.d_in());
    assert_columns("the gradient of P", dp.as_ref(), entries.d_out());
    assert_eq!(dp.nrows(), q.nrows(), "rows of the gradient of P");
    assert_eq!(residual.len(), entries.len(), "number of residuals");
    line_gradient(simd, &entries.by_row, residual, &[], scale, q, dp, par);
}

/// [`gradient_right`](super::gradient_right) with a given instruction set.
pub fn gradient_right(
    simd: Simd,
    entries: &ObservedEntries,
    residual: &[f64],
    scale: f64,
    p: MatRef<'_, f64>,
    dq: MatMut<'_, f64>,
    par: Par,
) {
    assert_columns("P", p, entries.d_out());
    assert_columns("the gradient of Q", dq.as_ref(), entries.d_in());
    assert_eq!(dq.nrows(), p.nrows(), "rows of the gradient of Q");
    assert_eq!(residual.len(), entries.len(), "number of residuals");
    line_gradient(simd, &entries.by_column, residual, entries.csr_positions(), scale, p, dq, par);
}
