//! Loss and gradients with everything in the order in which it is read: factors packed into whole vectors, entries tile by tile.

use super::entries::{Lines, ObservedEntries};
use super::factor::{Columns, assert_columns, by_vectors, chunk, chunk_count};
use super::packed::{Packed, width};
use super::parallel::{Shared, for_each, share, task_count};
use super::sampling::{add_up, load_column, store_column};
#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Avx512};
use super::simd::{Lanes, Portable, Simd};
use crate::dense::both;
use faer::{MatMut, MatRef, Par};
use std::ops::Range;

/// Least number of bands of lines, if there is work enough for so many tasks.
const TASKS: usize = 4;
/// In a tile, the entries of a line are a multiple of this, but for its last ones: the kernels take so many together, or a part of it.
const GROUP: usize = 8;

/// The entries of one orientation: band of lines by band of lines, in it tile by tile (the entries on one band of the other
/// side, and some of the next ones to fill up groups), in it line by line. A task reads all of it from one end of its band to the other.
#[derive(Debug, Clone)]
struct Order {
    lines: usize,
    others: usize,
    line_bands: usize,
    other_bands: usize,
    /// Doubles from one packed column of the other side to the next.
    width: usize,
    /// Where each tile starts; one more than there are tiles.
    tile_start: Vec<usize>,
    /// Entries of each line of each tile.
    count: Vec<u32>,
    /// Where the packed column of each entry begins, in doubles from that of the tile's first one.
    offset: Vec<u16>,
}

impl Order {
    /// The order for packed columns of `width` doubles, and for each of its entries the position in `lines`.
    fn new(lines: &Lines, others: usize, line_bands: usize, other_bands: usize, width: usize) -> (Self, Vec<u32>) {
        let mut order = Self {
            lines: lines.lines(),
            others,
            line_bands,
            other_bands,
            width,
            tile_start: vec![0],
            count: Vec::with_capacity(lines.lines() * other_bands),
            offset: Vec::with_capacity(lines.index.len()),
        };
        let mut places = Vec::with_capacity(lines.index.len());
        let mut next = lines.start.clone();
        for band in 0..line_bands {
            for tile in 0..other_bands {
                let others = share(order.others, other_bands, tile);
                for line in share(order.lines, line_bands, band) {
                    let from = next[line];
                    let rest = &lines.index[from..lines.start[line + 1]];
                    let count = in_groups(rest, from - lines.start[line], &others, width);
                    let offset = |&other: &u32| offset(other, others.start, width).expect("a tile is narrow");
                    order.offset.extend(rest[..count].iter().map(offset));
                    order.count.push(count as u32);
                    places.extend((from..from + count).map(|place| place as u32));
                    next[line] += count;
                }
                order.tile_start.push(order.offset.len());
            }
        }
        assert_eq!(order.offset.len(), lines.index.len(), "every entry is in a tile");
        (order, places)
    }

    fn band(&self, band: usize) -> Range<usize> {
        share(self.lines, self.line_bands, band)
    }

    /// Where the counts of a band's tiles start, one tile after the other.
    fn counts_of(&self, band: usize) -> usize {
        self.band(band).start * self.other_bands
    }
}

/// How many of the entries left in a line belong to the tile on `others`, after `taken` in the tiles before: those in it, and some of
/// the next ones to fill up a group, if 16 bits reach them.
fn in_groups(rest: &[u32], taken: usize, others: &Range<usize>, width: usize) -> usize {
    let inside = rest.partition_point(|&other| (other as usize) < others.end);
    let filled = ((taken + inside).next_multiple_of(GROUP) - taken).min(rest.len());
    (inside..filled).find(|&i| offset(rest[i], others.start, width).is_none()).unwrap_or(filled)
}

/// Doubles from the packed column `first` to the column `other`.
fn offset(other: u32, first: usize, width: usize) -> Option<u16> {
    ((other as usize - first) * width).try_into().ok()
}

/// Buffers for one set of entries and columns of one length.
#[derive(Debug, Clone)]
pub(super) struct Tiled {
    simd: Simd,
    p: Packed,
    q: Packed,
    by_row: Order,
    by_column: Order,
    /// Targets and residuals by rows.
    targets: Vec<f64>,
    residual: Vec<f64>,
    /// Sum of squared residuals of each band of rows.
    squares: Vec<f64>,
    /// For each entry by columns, its place by rows.
    places: Vec<u32>,
    /// Residuals by columns; empty if columns have a single chunk, where they would be read but once.
    residual_by_column: Vec<f64>,
}

impl Tiled {
    /// `targets` are in CSR order.
    pub fn new(simd: Simd, entries: &ObservedEntries, targets: &[f64], k: usize) -> Self {
        let (rows, columns) = (entries.d_out(), entries.d_in());
        let width = width(simd, k);
        let widest = simd.tile_bytes() / (width * size_of::<f64>());
        let tasks = task_count(entries.len() * k, TASKS);
        // A multiple of the number of tasks (if there are so many lines), so that 2 or 4 threads share them evenly.
        let bands = |side: usize| side.div_ceil(widest).next_multiple_of(tasks).clamp(1, side.max(1));
        let (row_bands, column_bands) = (bands(rows), bands(columns));
        let (by_row, of_rows) = Order::new(&entries.by_row, columns, row_bands, column_bands, width);
        let (by_column, of_columns) = Order::new(&entries.by_column, rows, column_bands, row_bands, width);
        let mut place_by_row = vec![0u32; entries.len()];
        of_rows.iter().enumerate().for_each(|(place, &csr)| place_by_row[csr as usize] = place as u32);
        let csr = entries.csr_positions();
        Self {
            simd,
            p: Packed::new(simd, k, rows),
            q: Packed::new(simd, k, columns),
            by_row,
            by_column,
            targets: of_rows.iter().map(|&csr| targets[csr as usize]).collect(),
            residual: vec![0.0; entries.len()],
            squares: vec![0.0; row_bands],
            places: of_columns.iter().map(|&csc| place_by_row[csr[csc as usize] as usize]).collect(),
            residual_by_column: vec![0.0; if chunk_count(k, simd) > 1 { entries.len() } else { 0 }],
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// See [`sampled_loss_and_gradients`](super::sampled_loss_and_gradients).
    pub fn loss_and_gradients(
        &mut self,
        scale: f64,
        p: MatRef<'_, f64>,
        q: MatRef<'_, f64>,
        dp: Option<MatMut<'_, f64>>,
        dq: Option<MatMut<'_, f64>>,
        par: Par,
    ) -> f64 {
        let work = self.targets.len() * self.p.k();
        // A small problem may have several bands all the same: not worth a task each.
        let within = |par: Par| if task_count(work, TASKS) > 1 { par } else { Par::Seq };
        self.p.fill(p, within(par));
        self.q.fill(q, within(par));
        let fused = fused_kernel(self.simd, self.p.k());
        let (squares, dp) = match (fused, dp) {
            (Some(kernel), Some(dp)) => (self.sample(Some((kernel, scale, dp)), within(par)), None),
            (_, dp) => (self.sample(None, within(par)), dp),
        };
        let Self { simd, p, q, by_row, by_column, residual, places, residual_by_column, .. } = self;
        let (simd, residual): (Simd, &[f64]) = (*simd, residual);
        let left = |dp, par| gradient_of(simd, by_row, (residual, &[]), scale, q, dp, within(par));
        let mut right = |dq, par| {
            let values = if residual_by_column.is_empty() {
                (residual, places.as_slice())
            } else {
                reorder(by_column, residual, places, residual_by_column, within(par));
                (residual_by_column.as_slice(), [].as_slice())
            };
            gradient_of(simd, by_column, values, scale, p, dq, within(par));
        };
        match (dp, dq) {
            (Some(dp), Some(dq)) => both(par, work, |par| left(dp, par), |par| right(dq, par)),
            (Some(dp), None) => left(dp, par),
            (None, Some(dq)) => right(dq, par),
            (None, None) => {}
        }
        squares
    }

    /// Samples the product into the residual, with the gradient of the left factor in the same pass if a kernel for it is given.
    /// Returns the sum of squares.
    fn sample(&mut self, left: Option<(SamplingKernel, f64, MatMut<'_, f64>)>, par: Par) -> f64 {
        let Self { simd, p, q, by_row: order, targets, residual, squares, .. } = self;
        let (simd, k) = (*simd, p.k());
        if k == 0 {
            residual.iter_mut().zip(&*targets).for_each(|(residual, target)| *residual = -target);
            return targets.iter().map(|target| target * target).sum();
        }
        let (fused, scale, dp) = match left {
            Some((kernel, scale, dp)) => {
                assert_columns("the gradient of P", dp.as_ref(), p.columns());
                assert_eq!(dp.nrows(), k, "rows of the gradient of P");
                (Some(kernel), scale, Some(Columns::write(dp)))
            }
            None => (None, 0.0, None),
        };
        assert_eq!(order.width, width(simd, k), "width of the packed columns");
        let chunks = chunk_count(k, simd);
        let (sums, residual) = (Shared(squares.as_mut_ptr()), Shared(residual.as_mut_ptr()));
        for_each(par, order.line_bands, |band| {
            for part in 0..chunks {
                let chunk = chunk(k, simd, part);
                let p = p.chunk(part);
                let task = Sampling {
                    order,
                    band,
                    tail: chunk.tail,
                    p,
                    q: q.chunk(part),
                    dp: dp.unwrap_or(p),
                    targets,
                    residual: residual.pointer(),
                    first: part == 0,
                    last: part + 1 == chunks,
                    scale,
                };
                let kernel = fused.unwrap_or_else(|| sampling_kernel(simd, chunk.vectors));
                // SAFETY: the instruction set is available (asserted by the workspace); factors and gradient have the shapes of
                // the order; a band's residuals, gradients and sum are this task's alone.
                unsafe { *sums.pointer().add(band) = kernel(&task) };
            }
        });
        squares.iter().sum()
    }
}

/// One chunk of a band of rows: adds the chunk's part of every sampled entry to `residual`.
struct Sampling<'a> {
    order: &'a Order,
    band: usize,
    /// Valid lanes of the last vector of a gradient's column.
    tail: usize,
    p: Columns,
    q: Columns,
    dp: Columns,
    targets: &'a [f64],
    residual: *mut f64,
    /// Whether this is the first chunk (nothing to add to) and the last (the sum is complete).
    first: bool,
    last: bool,
    scale: f64,
}

/// Samples a band; with `LEFT` also forms the gradient of its rows. Returns the sum of squared residuals, if complete.
///
/// # Safety
/// The columns of `p` and `q` have `V` whole vectors and are the order's width apart, those of `dp` (if `LEFT`) `V` vectors, the last with `tail` lanes; there are
/// as many as the order has lines and others, and with `LEFT` the chunk is the only one; `targets` and `residual` hold a number for
/// every entry (unless `first`, `residual` the sum of the chunks before), and nobody else touches the residuals of the band, nor
/// its columns of `dp`; `S` is available.
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
            let q = task.q.part(share(order.others, order.other_bands, tile).start);
            for row in order.band(task.band) {
                let end = position + *count as usize;
                count = count.add(1);
                let p = load_column::<S, N, V>(task.p.at(0, row), N);
                let mut dp = [[S::splat(0.0); V]; U];
                if LEFT && tile > 0 {
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
                    let sum = scaled_at_the_end::<S, N, V, U>(dp, tile, order, task.scale);
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
            let q = load_column::<S, N, V>(columns[l], N);
            let mut sum = S::mul(p[0], q[0]);
            for v in 1..V {
                sum = S::mul_add(p[v], q[v], sum);
            }
            sums[l] = sum;
        }
        let mut entry = S::sum_each(sums);
        let residual = task.residual.add(position);
        if !LEFT && !task.first {
            entry = S::add(entry, S::load_first(residual, count));
        }
        if LEFT || task.last {
            let target = S::load_first(task.targets.as_ptr().add(position), count);
            entry = S::keep_first(count, S::sub(entry, target));
            *squares = S::mul_add(entry, entry, *squares);
        }
        if LEFT {
            let values = S::to_array(entry);
            for l in 0..N {
                let r = S::splat(values[l]);
                let q = load_column::<S, N, V>(S::again(columns[l]), N);
                for v in 0..V {
                    dp[l % U][v] = S::mul_add(r, q[v], dp[l % U][v]);
                }
            }
        }
        S::store_first(residual, count, entry);
    }
}

/// The sum of interleaved sums, scaled if this is the last tile.
///
/// # Safety
/// `S` is available.
#[inline(always)]
unsafe fn scaled_at_the_end<S: Lanes<N>, const N: usize, const V: usize, const U: usize>(
    sums: [[S::V; V]; U],
    tile: usize,
    order: &Order,
    scale: f64,
) -> [S::V; V] {
    // SAFETY: passed on to the caller.
    unsafe {
        let mut sum = add_up::<S, N, V, U>(sums);
        if tile + 1 == order.other_bands {
            for v in 0..V {
                sum[v] = S::mul(S::splat(scale), sum[v]);
            }
        }
        sum
    }
}

/// One chunk of the gradient of a band of lines: `out[:, line] = scale Σ value · source[:, index]`.
struct Gradient<'a> {
    order: &'a Order,
    band: usize,
    /// Valid lanes of the last vector of a gradient's column.
    tail: usize,
    values: &'a [f64],
    /// Where the value of an entry is, if not at its own position.
    places: &'a [u32],
    scale: f64,
    source: Columns,
    out: Columns,
    /// First row of the chunk.
    first: usize,
}

/// # Safety
/// The columns of `source` have `V` whole vectors and are the order's width apart, those of `out` from row `first` on `V` vectors, the last with `tail` lanes; there
/// are as many as the order has others and lines; nobody else touches the chunk of the band's lines of `out`; `places` (if
/// `MAPPED`) are below `values.len()`, which is the number of entries; `S` is available.
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
            let source = task.source.part(share(order.others, order.other_bands, tile).start);
            for line in order.band(task.band) {
                let end = position + *count as usize;
                count = count.add(1);
                let out = task.out.at(task.first, line);
                let mut sums = [[S::splat(0.0); V]; U];
                if tile > 0 {
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
                let sum = scaled_at_the_end::<S, N, V, U>(sums, tile, order, task.scale);
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
        let value = S::splat(*task.values.get_unchecked(place));
        let column = source.offset(*task.order.offset.get_unchecked(position) as usize);
        let column = load_column::<S, N, V>(column, N);
        for v in 0..V {
            sum[v] = S::mul_add(value, column[v], sum[v]);
        }
    }
}

/// The gradient of `out` from values in the order, or at `places` if there are any.
fn gradient_of(
    simd: Simd,
    order: &Order,
    (values, places): (&[f64], &[u32]),
    scale: f64,
    source: &Packed,
    out: MatMut<'_, f64>,
    par: Par,
) {
    let k = source.k();
    assert_columns("the gradient", out.as_ref(), order.lines);
    assert_eq!(out.nrows(), k, "rows of the factor and the gradient");
    assert_eq!(order.width, width(simd, k), "width of the packed columns");
    let out = Columns::write(out);
    let bands = order.line_bands;
    for_each(par, chunk_count(k, simd) * bands, |task| {
        let chunk = chunk(k, simd, task / bands);
        let band = task % bands;
        let (source, first, tail) = (source.chunk(task / bands), chunk.first, chunk.tail);
        let task = Gradient { order, band, tail, values, places, scale, source, out, first };
        // SAFETY: shapes are asserted above; the source has as many columns as the order has others; a task has its own chunk of
        // its own lines; places come from the entries; the instruction set is available (asserted by the workspace).
        unsafe { gradient_kernel(simd, chunk.vectors, !places.is_empty())(&task) };
    });
}

/// `to[i] = values[places[i]]`, band by band of the order of `to`.
fn reorder(order: &Order, values: &[f64], places: &[u32], to: &mut [f64], par: Par) {
    let to = Shared(to.as_mut_ptr());
    for_each(par, order.line_bands, |band| {
        let tiles = band * order.other_bands;
        for i in order.tile_start[tiles]..order.tile_start[tiles + order.other_bands] {
            // SAFETY: there are as many numbers as entries, and the band's are this task's alone.
            unsafe { *to.pointer().add(i) = values[places[i] as usize] };
        }
    });
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn sample_avx512<const V: usize, const U: usize, const LEFT: bool>(task: &Sampling<'_>) -> f64 {
    // SAFETY: passed on to the caller.
    unsafe { sample::<Avx512, 8, V, U, LEFT>(task) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn sample_avx2<const V: usize, const U: usize, const LEFT: bool>(task: &Sampling<'_>) -> f64 {
    // SAFETY: passed on to the caller.
    unsafe { sample::<Avx2, 4, V, U, LEFT>(task) }
}

unsafe fn sample_portable<const V: usize, const U: usize, const LEFT: bool>(task: &Sampling<'_>) -> f64 {
    // SAFETY: passed on to the caller.
    unsafe { sample::<Portable, 4, V, U, LEFT>(task) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn gradient_avx512<const V: usize, const U: usize, const MAPPED: bool>(task: &Gradient<'_>) {
    // SAFETY: passed on to the caller.
    unsafe { gradient::<Avx512, 8, V, U, MAPPED>(task) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn gradient_avx2<const V: usize, const U: usize, const MAPPED: bool>(task: &Gradient<'_>) {
    // SAFETY: passed on to the caller.
    unsafe { gradient::<Avx2, 4, V, U, MAPPED>(task) }
}

unsafe fn gradient_portable<const V: usize, const U: usize, const MAPPED: bool>(task: &Gradient<'_>) {
    // SAFETY: passed on to the caller.
    unsafe { gradient::<Portable, 4, V, U, MAPPED>(task) }
}

type SamplingKernel = unsafe fn(&Sampling<'_>) -> f64;
type GradientKernel = unsafe fn(&Gradient<'_>);

fn sampling_kernel(simd: Simd, vectors: usize) -> SamplingKernel {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => by_vectors!(vectors, sample_avx512, false),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => by_vectors!(vectors, sample_avx2, false),
        _ => by_vectors!(vectors, sample_portable, false),
    }
}

/// The kernel that also forms the gradient of the left factor, where columns are so short that their sums stay in registers.
fn fused_kernel(simd: Simd, k: usize) -> Option<SamplingKernel> {
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

fn gradient_kernel(simd: Simd, vectors: usize, mapped: bool) -> GradientKernel {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty entries on the band 100..200, then four on the next.
    fn line() -> Vec<u32> {
        (0..20).map(|i| 100 + 5 * i).chain([200, 210, 220, 60_000]).collect()
    }

    #[test]
    fn a_tile_takes_the_next_entries_up_to_a_whole_group() {
        assert_eq!(in_groups(&line(), 0, &(100..200), 16), 23, "20 inside, 24 wanted, the last out of reach");
        assert_eq!(in_groups(&line(), 0, &(100..200), 1), 24, "the last within reach of 16 bits");
        assert_eq!(in_groups(&line(), 4, &(100..200), 16), 20, "a whole group already");
        assert_eq!(in_groups(&line(), 5, &(100..200), 16), 23, "25 taken with those before, 32 wanted");
        assert_eq!(in_groups(&line()[..20], 0, &(100..200), 16), 20, "no more in the line");
        assert_eq!(in_groups(&line()[20..], 8, &(100..200), 16), 0, "none inside, none wanted");
        assert_eq!(in_groups(&[], 3, &(100..200), 16), 0);
    }
}
