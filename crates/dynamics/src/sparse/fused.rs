//! The kernel for short factors (small k): one pass over the observed entries that samples the product, forms the
//! residual and accumulates both gradients.

use super::entries::{Lines, ObservedEntries};
use super::parallel::{for_each, inside_pool, share};
#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Avx512};
use super::simd::{Lanes, Portable, Simd};
use super::tiled;
use faer::{MatMut, MatRef, Par};
use std::ops::Range;

/// Most vectors of a column the fused kernel is compiled for.
const MOST_VECTORS: usize = 8;
/// Multiply-adds (entries × k) worth a task of their own.
const WORK_PER_TASK: usize = 1 << 17;
/// Most blocks per side.
const MOST_BLOCKS: usize = 16;

/// A cache line of doubles, so that packed columns start on cache lines.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct CacheLine([f64; 8]);

/// Buffers of [`sampled_loss_and_gradients`](super::sampled_loss_and_gradients), for one set of entries and one k.
#[derive(Debug, Clone)]
pub struct Workspace {
    k: usize,
    simd: Simd,
    plan: Plan,
}

/// What a workspace prepares, by the length of the columns.
#[derive(Debug, Clone)]
enum Plan {
    Fused(Packed),
    Separate { residual: Vec<f64> },
}

/// Q and its gradient with columns padded to whole vectors, and a spare column per block.
#[derive(Debug, Clone)]
struct Packed {
    /// Vectors per column.
    vectors: usize,
    /// The rows and the panels are each cut into this many blocks.
    blocks: usize,
    q: Vec<CacheLine>,
    gradient: Vec<CacheLine>,
    /// Sum of squares of each pair of blocks.
    squares: Vec<f64>,
}

impl Workspace {
    /// Buffers for these entries and columns of length `k`, with the best instruction set of this machine.
    pub fn new(entries: &ObservedEntries, k: usize) -> Self {
        Self::with_simd(Simd::best(), entries, k)
    }

    /// The same with a given instruction set.
    ///
    /// # Panics
    /// If this machine does not have it.
    pub fn with_simd(simd: Simd, entries: &ObservedEntries, k: usize) -> Self {
        assert!(simd.is_available(), "{simd:?} is not available here");
        let vectors = k.div_ceil(simd.lanes());
        let plan = if (1..=MOST_VECTORS).contains(&vectors) {
            Plan::Fused(Packed::new(simd, entries, k, vectors))
        } else {
            Plan::Separate { residual: vec![0.0; entries.len()] }
        };
        Self { k, simd, plan }
    }
}

impl Packed {
    fn new(simd: Simd, entries: &ObservedEntries, k: usize, vectors: usize) -> Self {
        let pairs = entries.len() * k / WORK_PER_TASK;
        let blocks = pairs.isqrt().clamp(1, MOST_BLOCKS).min(entries.by_row.panels).min(entries.d_out().max(1));
        let stride = vectors * simd.lanes();
        let buffer = vec![CacheLine([0.0; 8]); ((entries.d_in() + blocks) * stride).div_ceil(8)];
        Self { vectors, blocks, q: buffer.clone(), gradient: buffer, squares: vec![0.0; blocks * blocks] }
    }
}

/// Some rows × some panels of Ω, for one task.
struct Block<'a> {
    lines: &'a Lines,
    rows: Range<usize>,
    panels: Range<usize>,
    tile_panels: usize,
    targets: &'a [f64],
    scale: f64,
    /// Valid lanes of the last vector of a column.
    tail: usize,
    p: *const f64,
    p_stride: usize,
    /// Gradient of P; null if not wanted.
    dp: *mut f64,
    dp_stride: usize,
    /// Packed Q and its packed gradient (null if not wanted).
    q: *const f64,
    dq: *mut f64,
    /// Index of a column of zeros that stands for the missing entries of an incomplete group.
    spare: usize,
}

/// # Safety
/// `p` (and `dp`) have a column of `(V - 1) N + tail` doubles for each row; `q` (and `dq`) one of `V N` doubles for
/// each column of the panels and for `spare`; nobody else touches these parts of `dp` and `dq`; `S` is available.
#[inline(always)]
unsafe fn sweep<S: Lanes<N>, const N: usize, const V: usize>(block: &Block<'_>) -> f64 {
    unsafe {
        let lines = block.lines;
        let tail = block.tail;
        let scale = S::splat(block.scale);
        let left = !block.dp.is_null();
        let right = !block.dq.is_null();
        let mut squares = S::splat(0.0);
        let mut panel = block.panels.start;
        while panel < block.panels.end {
            let next = (panel + block.tile_panels).min(block.panels.end);
            for row in block.rows.clone() {
                let whole = lines.run(row, block.panels.start, block.panels.end);
                let (from, to) = lines.grouped_run(row, panel, next, whole, N);
                if from == to {
                    continue;
                }
                let column = block.p.add(row * block.p_stride);
                let gradient = block.dp.wrapping_add(row * block.dp_stride);
                let mut p = [S::splat(0.0); V];
                let mut dp = [S::splat(0.0); V];
                for v in 0..V - 1 {
                    p[v] = S::load(column.add(v * N));
                }
                p[V - 1] = S::load_first(column.add((V - 1) * N), tail);
                if left {
                    for v in 0..V - 1 {
                        dp[v] = S::load(gradient.add(v * N));
                    }
                    dp[V - 1] = S::load_first(gradient.add((V - 1) * N), tail);
                }
                let mut position = from;
                while position < to {
                    let count = (to - position).min(N);
                    let index = lines.index.as_ptr().add(position);
                    let mut offset = [block.spare * V * N; N];
                    if count == N {
                        for l in 0..N {
                            offset[l] = *index.add(l) as usize * (V * N);
                        }
                    } else {
                        for l in 0..count {
                            offset[l] = *index.add(l) as usize * (V * N);
                        }
                    }
                    let mut sums = [S::splat(0.0); N];
                    for l in 0..N {
                        let q = block.q.add(offset[l]);
                        let mut sum = S::mul(p[0], S::load(q));
                        for v in 1..V {
                            sum = S::mul_add(p[v], S::load(q.add(v * N)), sum);
                        }
                        sums[l] = sum;
                    }
                    let target = S::load_first(block.targets.as_ptr().add(position), count);
                    let residual = S::sub(S::sum_each(sums), target);
                    squares = S::mul_add(residual, residual, squares);
                    let residual = S::to_array(S::mul(scale, residual));
                    for l in 0..N {
                        let r = S::splat(residual[l]);
                        let q = block.q.add(offset[l]);
                        if left {
                            for v in 0..V {
                                dp[v] = S::mul_add(r, S::load(q.add(v * N)), dp[v]);
                            }
                        }
                        if right {
                            let dq = block.dq.add(offset[l]);
                            for v in 0..V {
                                S::store(dq.add(v * N), S::mul_add(r, p[v], S::load(dq.add(v * N))));
                            }
                        }
                    }
                    position += count;
                }
                if left {
                    for v in 0..V - 1 {
                        S::store(gradient.add(v * N), dp[v]);
                    }
                    S::store_first(gradient.add((V - 1) * N), tail, dp[V - 1]);
                }
            }
            panel = next;
        }
        S::to_array(squares).iter().sum()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn sweep_avx512<const V: usize>(block: &Block<'_>) -> f64 {
    // SAFETY: passed on to the caller.
    unsafe { sweep::<Avx512, 8, V>(block) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn sweep_avx2<const V: usize>(block: &Block<'_>) -> f64 {
    // SAFETY: passed on to the caller.
    unsafe { sweep::<Avx2, 4, V>(block) }
}

unsafe fn sweep_portable<const V: usize>(block: &Block<'_>) -> f64 {
    // SAFETY: passed on to the caller.
    unsafe { sweep::<Portable, 4, V>(block) }
}

type SweepKernel = unsafe fn(&Block<'_>) -> f64;

/// Matches a number of vectors with the function compiled for it.
macro_rules! by_vectors {
    ($vectors:expr, $function:ident) => {
        match $vectors {
            1 => $function::<1>,
            2 => $function::<2>,
            3 => $function::<3>,
            4 => $function::<4>,
            5 => $function::<5>,
            6 => $function::<6>,
            7 => $function::<7>,
            8 => $function::<8>,
            other => unreachable!("no kernel for {other} vectors"),
        }
    };
}

fn sweep_kernel(simd: Simd, vectors: usize) -> SweepKernel {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => by_vectors!(vectors, sweep_avx512),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => by_vectors!(vectors, sweep_avx2),
        _ => by_vectors!(vectors, sweep_portable),
    }
}

/// See [`sampled_loss_and_gradients`](super::sampled_loss_and_gradients).
pub(super) fn sampled_loss_and_gradients(
    entries: &ObservedEntries,
    targets: &[f64],
    scale: f64,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    dp: Option<MatMut<'_, f64>>,
    dq: Option<MatMut<'_, f64>>,
    workspace: &mut Workspace,
    par: Par,
) -> f64 {
    let k = workspace.k;
    tiled::assert_columns("P", p, entries.d_out());
    tiled::assert_columns("Q", q, entries.d_in());
    assert_eq!((p.nrows(), q.nrows()), (k, k), "rows of P and Q");
    assert_eq!(targets.len(), entries.len(), "number of targets");
    for (name, gradient, columns) in [("P", &dp, entries.d_out()), ("Q", &dq, entries.d_in())] {
        if let Some(gradient) = gradient {
            tiled::assert_columns(name, gradient.as_ref(), columns);
            assert_eq!(gradient.nrows(), k, "rows of the gradient of {name}");
        }
    }
    let simd = workspace.simd;
    match &mut workspace.plan {
        Plan::Separate { residual } => {
            let sum = tiled::sample_residual(simd, entries, p, q, targets, residual, par);
            if let Some(dp) = dp {
                tiled::gradient_left(simd, entries, residual, scale, q, dp, par);
            }
            if let Some(dq) = dq {
                tiled::gradient_right(simd, entries, residual, scale, p, dq, par);
            }
            sum
        }
        Plan::Fused(packed) => {
            let pass = Pass {
                kernel: sweep_kernel(simd, packed.vectors),
                lanes: simd.lanes(),
                entries,
                targets,
                scale,
                k,
                p: Columns::of(p),
                q: Columns::of(q),
                dp: Columns::of_gradient(dp),
                dq: Columns::of_gradient(dq),
                packed_q: packed.q.as_mut_ptr().cast(),
                packed_dq: packed.gradient.as_mut_ptr().cast(),
                squares: packed.squares.as_mut_ptr(),
                vectors: packed.vectors,
                blocks: packed.blocks,
            };
            inside_pool(par, || pass.run(par));
            packed.squares.iter().sum()
        }
    }
}

/// The columns of a factor or gradient, shared by tasks that each touch their own part.
#[derive(Clone, Copy)]
struct Columns {
    data: *mut f64,
    stride: usize,
}

impl Columns {
    /// A factor, which is only read.
    fn of(factor: MatRef<'_, f64>) -> Self {
        Self { data: factor.as_ptr().cast_mut(), stride: factor.col_stride() as usize }
    }

    /// A gradient; null if it is not wanted.
    fn of_gradient(gradient: Option<MatMut<'_, f64>>) -> Self {
        match gradient {
            None => Self { data: std::ptr::null_mut(), stride: 0 },
            Some(gradient) => Self { stride: gradient.col_stride() as usize, data: gradient.as_ptr_mut() },
        }
    }
}

/// One pass over Ω: phase t pairs block s of the rows with block s + t (cyclic) of the panels, so that the tasks of a
/// phase share no row and no column, every sum has one owner at a time, and its order does not depend on the threads.
struct Pass<'a> {
    kernel: SweepKernel,
    lanes: usize,
    entries: &'a ObservedEntries,
    targets: &'a [f64],
    scale: f64,
    k: usize,
    p: Columns,
    q: Columns,
    dp: Columns,
    dq: Columns,
    packed_q: *mut f64,
    packed_dq: *mut f64,
    squares: *mut f64,
    vectors: usize,
    blocks: usize,
}

// SAFETY: within a phase the tasks touch disjoint rows, columns and sums (see `Pass`), and phases follow each other.
unsafe impl Sync for Pass<'_> {}
// SAFETY: the pointers are borrowed for the whole call.
unsafe impl Send for Pass<'_> {}

impl Pass<'_> {
    fn run(&self, par: Par) {
        for phase in 0..self.blocks {
            for_each(par, self.blocks, |rows| {
                let panels = (rows + phase) % self.blocks;
                // SAFETY: the tasks of a phase have different rows and different panels.
                unsafe {
                    if phase == 0 {
                        self.begin(rows, panels);
                    }
                    *self.squares.add(rows * self.blocks + panels) = self.sweep(rows, panels);
                    if phase + 1 == self.blocks {
                        self.finish(panels);
                    }
                }
            });
        }
    }

    fn rows(&self, block: usize) -> Range<usize> {
        share(self.entries.d_out(), self.blocks, block)
    }

    fn panels(&self, block: usize) -> Range<usize> {
        share(self.entries.by_row.panels, self.blocks, block)
    }

    fn columns(&self, block: usize) -> Range<usize> {
        let panels = self.panels(block);
        let width = self.entries.by_row.panel_width;
        let d_in = self.entries.d_in();
        (panels.start * width).min(d_in)..(panels.end * width).min(d_in)
    }

    /// Packs the columns of Q, and clears the gradients of these rows and columns.
    ///
    /// # Safety
    /// Nobody else touches these rows and columns; shapes are as `sampled_loss_and_gradients` asserts.
    unsafe fn begin(&self, rows: usize, panels: usize) {
        let stride = self.vectors * self.lanes;
        for column in self.columns(panels) {
            // SAFETY: the packed column has `stride >= k` doubles, the padding of which stays zero.
            unsafe {
                let from = self.q.data.add(column * self.q.stride);
                let to = self.packed_q.add(column * stride);
                std::ptr::copy_nonoverlapping(from, to, self.k);
                std::ptr::write_bytes(self.packed_dq.add(column * stride), 0, stride);
            }
        }
        if !self.dp.data.is_null() {
            for row in self.rows(rows) {
                // SAFETY: a column of the gradient has `k` doubles.
                unsafe { std::ptr::write_bytes(self.dp.data.add(row * self.dp.stride), 0, self.k) };
            }
        }
    }

    /// # Safety
    /// As for `begin`.
    unsafe fn sweep(&self, rows: usize, panels: usize) -> f64 {
        let stride = self.vectors * self.lanes;
        let bytes_per_column = 2 * 8 * stride;
        let lines = &self.entries.by_row;
        let wanted = !self.dq.data.is_null();
        let block = Block {
            lines,
            rows: self.rows(rows),
            panels: self.panels(panels),
            tile_panels: tiled::panels_per_tile(lines, bytes_per_column, super::NEAR_BYTES),
            targets: self.targets,
            scale: self.scale,
            tail: self.k - (self.vectors - 1) * self.lanes,
            p: self.p.data,
            p_stride: self.p.stride,
            dp: self.dp.data,
            dp_stride: self.dp.stride,
            q: self.packed_q,
            dq: if wanted { self.packed_dq } else { std::ptr::null_mut() },
            spare: self.entries.d_in() + rows,
        };
        // SAFETY: passed on to the caller; the spare columns are `d_in..d_in + blocks`, one for each block of rows.
        unsafe { (self.kernel)(&block) }
    }

    /// Copies the finished gradient of these columns to the caller's.
    ///
    /// # Safety
    /// As for `begin`.
    unsafe fn finish(&self, panels: usize) {
        if self.dq.data.is_null() {
            return;
        }
        let stride = self.vectors * self.lanes;
        for column in self.columns(panels) {
            // SAFETY: both columns have `k` doubles.
            unsafe {
                let from = self.packed_dq.add(column * stride);
                let to = self.dq.data.add(column * self.dq.stride);
                std::ptr::copy_nonoverlapping(from, to, self.k);
            }
        }
    }
}
