//! Kernels over the observed entries Ω: what a loss over Ω and its gradients cost when nothing else is computed.
//!
//! The end-to-end product is split once, `E = Pᵀ Q` with `P` (k × d_out) and `Q` (k × d_in), so that entry (i, j) is the
//! dot product of two contiguous columns. With the residual `r = E − Φ` on Ω, a step needs `r` itself,
//! `∂P[:, i] = Σ_j r_ij Q[:, j]` and `∂Q[:, j] = Σ_i r_ij P[:, i]`: three times |Ω| k multiply-adds.
//!
//! There are two sets of kernels. With AVX-512, and for wide matrices, factors and entries are read where they are
//! (`sampling`, `gradient`: "Layout" to "Wide matrices" below). Otherwise they are copied into the order of their use (`tiled`:
//! "Tiles").
//!
//! # Layout
//!
//! [`ObservedEntries`] keeps Ω by rows and by columns, with 32-bit indices; values (targets, residuals) are slices in
//! row order, and the column order knows the place of each of its entries there. Both orders are cut into panels of
//! the other side with about 16 entries per line, so that a kernel can walk a tile (some lines × some panels)
//! without searching.
//!
//! Columns of P and Q are read where they are, whole vectors at a time and a masked one at the end: nothing is packed or
//! padded. A column is cut into chunks of at most 16 vectors. Sampling keeps a chunk of `P[:, i]` in registers, takes
//! eight entries of the row at once and adds the lanes of their eight sums by one transposition; a gradient keeps a chunk of
//! the sum in registers, with about eight independent additions under way. Either way there is one load per
//! multiply-add. With AVX-512 and up to four vectors (k ≤ 32) the left gradient is formed while sampling,
//! group by group.
//!
//! The right gradient is a second pass, by columns. A task has its own rows or columns (or its own chunk of them), the number
//! of tasks depends on the shape alone, and sums of tasks are added in order: the same bits for any number of threads.
//! Different instruction sets round differently.
//!
//! # Where it is bound
//!
//! Shortest of many runs with 200 000 entries (d = 1000, p = 0.2) on a Zen 5 at 4.1 GHz that other work shared, on two
//! hardware threads. They behave like one core's: fused multiply-adds reach 117 GFLOP/s on one and 130 on both. A load of
//! 64 bytes takes half a cycle from L1 (48 KiB) and 1.4 cycles from L2. At k = 10, Q is 128 KB and lives in L2: a padded
//! column is two lines, 2.8 cycles per entry and pass, against one cycle of arithmetic. A tile in L1 has so few entries per
//! row that starting and ending each run eats the gain. At k = 1000 a chunk is 1 KB and a panel of it 86 KB: L2 again,
//! 35 to 46 GFLOP/s on one thread and 72 to 89 on two.
//!
//! | loss and both gradients | one thread | two threads |
//! |---|---|---|
//! | d = 1000, k = 10 | 0.44 ms | 0.28 ms |
//! | d = 1000, k = 40 | 1.0 ms | 0.50 ms |
//! | d = 1000, k = 1000 | 29 ms | 14.8 ms |
//! | d = 100, p = 0.3, k = 10 | 6.5 µs | not split |
//! | d = 100, p = 0.3, k = 100 | 32 µs | the two gradients side by side |
//!
//! Weak: columns a multiple of 4 KiB apart fall into the same cache sets (k = 1024: 40 ms and 20 ms), and time grows faster
//! than Ω (k = 10, one thread: 0.44 ms at p = 0.2, 0.98 ms at 0.4, 3.8 ms at 1), probably because the residual outgrows L2
//! and the right gradient reads it column by column.
//!
//! # Tiles
//!
//! Ω is cut into bands of rows and bands of columns, so narrow that one chunk of all columns of a band of the factor fits in 24
//! KB, three quarters of a first cache; where two bands meet is a tile. Sampling has one task for each band of rows, a gradient one
//! for each chunk and each band of its lines. Targets, residuals, numbers of entries and indices (16 bits, counted from the
//! beginning of the band) are kept tile by tile and line by line in it, by rows and, for the right gradient, by columns: a task
//! reads them from one end to the other. Factors are copied chunk by chunk into whole vectors, filled up with zeros, at the
//! beginning of each evaluation: a tile's columns are one contiguous piece of the first cache, and nothing is masked. The right
//! gradient takes its residuals by position if columns have one chunk, from a copy in its own order if they have several.
//!
//! At d = 1000 and k = 10 there are four bands, so that more than four threads do not help (`TASKS`).
//!
//! Why: tiles over rows in CSR order jump from row to row, 1.6 KB apart in targets and residuals (d = 1000, p = 0.2), which no
//! prefetcher follows. Every run of 16 entries then waits for three to eight cache lines, longer than it computes. Loss
//! and both gradients on a Zen 3 at 2.45 GHz (32 KiB and 512 KiB of cache a core, AVX2; 39 GFLOP/s on one thread, 69 on two):
//!
//! | | one thread, in place | tiled | two threads, in place | tiled |
//! |---|---|---|---|---|
//! | d = 1000, k = 10 | 1.5 to 1.8 ms | 0.73 ms | 1.0 ms | 0.41 ms |
//! | d = 1000, k = 40 | 6.5 ms | 2.3 ms | 3.8 ms | 1.6 ms |
//! | d = 1000, k = 1000 | 138 ms | 58 ms | 72 ms | 30 ms |
//! | d = 100, p = 0.3, k = 10 | 19 µs | 10.5 µs | not split | not split |
//! | d = 100, p = 0.3, k = 100 | 125 µs | 70 µs | | |
//!
//! Steps on the way there, one thread:
//!
//! | | k = 10 | k = 1000 |
//! |---|---|---|
//! | tiles of 24 KB, packed factors, one pass for residual and left gradient; entries in CSR order | 1.75 ms | 100 ms |
//! | a group's columns read again instead of kept (16 registers are too few), no masked stores | 1.65 ms | 93 ms |
//! | entries in the order of the tiles | 0.73 ms | 59 ms |
//! | eight bands instead of four | 0.80 ms | |
//!
//! This was made on a machine without AVX-512; there are no such kernels for it, and whether they would be faster there has not
//! been tried.
//!
//! # Wide matrices
//!
//! From 2048 rows or columns on, with at most every 16th entry observed, a factor is far from the first cache or even from
//! the second, and an entry costs what fetching its column costs. Three things differ there. A line is left in one panel: it
//! has so few entries that tiles only interrupt it. The columns of entries 64 further on are asked for ahead of their use. And up
//! to four vectors per column the residual is not stored by rows and fetched by columns, one cache line for each of its
//! numbers, but computed a second time along the columns (the column of P is needed there anyway), which also saves its
//! memory and leaves nothing to allocate: [`recomputed_loss_and_gradients`].
//!
//! Nanoseconds per entry for loss and both gradients, 100 entries per row, k = 8 (an 8-vector is one cache line), one thread
//! and two of the same core (measured as above, the machine otherwise quiet):
//!
//! | | d = 10⁵ | d = 10⁶ |
//! |---|---|---|
//! | as for small matrices: tiles, stored residual | 16.1, 8.5 | not measured |
//! | residual computed twice, in tiles | 13.5, 7.3 | not measured |
//! | and without tiles | 6.1, 6.2 | 26, 21 |
//! | and columns asked for 32 entries ahead | 6.4, 3.2 | 10.7, 5.4 |
//! | 64 ahead, as it is | 6.5, 3.3 | 8.8, 4.4 |
//! | 64 ahead, with the residual stored after all | 9.2, 4.6 | 14.4, 7.3 |
//!
//! At d = 2500, 5000 and 10 000 it was 2.0, 3.5 and 7.4 in tiles on one thread, 2.2, 2.5 and 3.2 on two; it is 2.0, 2.1 and
//! 3.4, and 1.1, 1.1 and 1.5.
//!
//! Tried and rejected there: asking for the columns of the whole next row at once (8.1, 8.1 and 10.8, 5.7, without
//! tiles; 22.9, 12.3 with them at d = 10⁶); 64 tasks instead of 8 (4.7 instead of 3.2 on two threads at d = 10⁵); pages of
//! 2 MB (no difference).
//!
//! # Tried and rejected
//!
//! One thread, d = 1000, unless said otherwise.
//!
//! - One pass that accumulates both gradients, with Q and its gradient packed and padded, and blocks of rows and columns
//!   paired so that no two threads share a column: 0.63 ms against 0.44 ms at k = 10; 8.9 µs against 6.5 µs at d = 100. A
//!   64-byte store takes a whole cycle, so loading and storing a gradient column per entry costs more than reading the
//!   other factor again in column order.
//! - The fused pass one group behind the sampling, so that no gradient waits for a residual: 5.8 cycles per entry
//!   against 5.4 at k = 10 (the columns are loaded twice); no better than two passes at k = 40.
//! - The fused pass for more than four vectors, against sampling and the left gradient apart: 0.66 ms against 0.61 ms at
//!   k = 40.
//! - Unmasked loads where columns are padded anyway: 6 to 11 % off sampling, at most 3 % off the gradients (k = 16). Not taken: it
//!   needs a second set of kernels for columns that fill whole vectors.
//! - Tiles of 16 KB: 0.62 ms against 0.44 ms with 64 KB at k = 10. Of 512 KB: 0.76 ms against 0.61 ms for sampling and the
//!   left gradient at k = 40.
//! - The incomplete last vectors of all columns copied apart, so that at k = 10 a column is one cache line instead of two and
//!   the rests stay in L1: no difference (0.49 ms with and without, on a day when both were slower), in tiles of 40, 64
//!   or 80 KB. So it is not the lines fetched from L2 that bind it.
//! - Masked dense products: see [`dense_is_faster`].

mod entries;
mod factor;
mod gradient;
mod packed;
mod parallel;
mod sampling;
mod simd;
mod tiled;
mod workspace;

pub use entries::{ObservedEntries, ObservedEntriesError};
pub use simd::Simd;
pub use workspace::Workspace;

use faer::{MatMut, MatRef, Par};

/// The same kernels with the instruction set given, to compare them.
///
/// # Panics
/// If this machine does not have it, or shapes do not match.
pub mod with_simd {
    pub use super::gradient::{gradient_left, gradient_right};
    pub use super::sampling::sample_residual;
    pub use super::workspace::recomputed_loss_and_gradients;
}

/// Observed fraction above which three dense products on a masked residual tend to beat the sparse kernels.
const DENSE_FRACTION: f64 = 0.5;

/// Whether dense products with a masked residual are likely to be faster than these kernels.
///
/// Sparse time grows with the observed fraction, dense time does not. Where they meet was measured roughly, on a busy
/// machine (d = 1000): on two threads between 0.3 and 0.5 for k = 10, 40 and 100 and about 0.5 for k = 1000; on one
/// thread about 0.4 to 0.5 (k = 1000), 0.6 (k = 100), 0.7 (k = 40), and never for k = 10. One threshold in the middle
/// stands for all of them.
pub fn dense_is_faster(entries: &ObservedEntries) -> bool {
    entries.fraction() > DENSE_FRACTION
}

/// Samples the product on Ω and subtracts the targets: `residual = (Pᵀ Q − Φ)` on the observed entries, in CSR order.
///
/// `p` is k × d_out, `q` is k × d_in, both column-major. Returns `Σ residual²`.
///
/// # Panics
/// If shapes do not match.
pub fn sample_residual(
    entries: &ObservedEntries,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    targets: &[f64],
    residual: &mut [f64],
    par: Par,
) -> f64 {
    sampling::sample_residual(Simd::best(), entries, p, q, targets, residual, par)
}

/// Gradient of the left factor: `dp[:, i] = scale Σ_j residual_ij q[:, j]` over the observed entries of row `i`.
///
/// # Panics
/// If shapes do not match.
pub fn gradient_left(
    entries: &ObservedEntries,
    residual: &[f64],
    scale: f64,
    q: MatRef<'_, f64>,
    dp: MatMut<'_, f64>,
    par: Par,
) {
    gradient::gradient_left(Simd::best(), entries, residual, scale, q, dp, par);
}

/// Gradient of the right factor: `dq[:, j] = scale Σ_i residual_ij p[:, i]` over the observed entries of column `j`.
///
/// # Panics
/// If shapes do not match.
pub fn gradient_right(
    entries: &ObservedEntries,
    residual: &[f64],
    scale: f64,
    p: MatRef<'_, f64>,
    dq: MatMut<'_, f64>,
    par: Par,
) {
    gradient::gradient_right(Simd::best(), entries, residual, scale, p, dq, par);
}

/// The sum of squared residuals over Ω, and its half's gradients times `scale`, whatever the length of the columns.
///
/// With the residual `r = Pᵀ Q − Φ` on the observed entries, returns `Σ r²` and writes
/// `dp[:, i] = scale Σ_j r_ij q[:, j]` and `dq[:, j] = scale Σ_i r_ij p[:, i]`; a gradient that is `None` is skipped.
///
/// # Panics
/// If shapes do not match, or the workspace is for another `k` or another number of entries. (Given other entries of the same
/// number and shape, the result means nothing.)
pub fn sampled_loss_and_gradients(
    entries: &ObservedEntries,
    scale: f64,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    dp: Option<MatMut<'_, f64>>,
    dq: Option<MatMut<'_, f64>>,
    workspace: &mut Workspace,
    par: Par,
) -> f64 {
    workspace::sampled_loss_and_gradients(entries, scale, p, q, dp, dq, workspace, par)
}

/// Whether the matrix is so wide that computing the residual again costs less than fetching it in the other order.
pub fn is_wide(entries: &ObservedEntries) -> bool {
    entries.is_wide()
}

/// Whether [`recomputed_loss_and_gradients`] is there for these entries and columns of length `k`, and worth it.
pub fn can_recompute(entries: &ObservedEntries, k: usize) -> bool {
    is_wide(entries) && sampling::can_pass_wide(Simd::best(), k)
}

/// As [`sampled_loss_and_gradients`], for wide matrices and short columns, without buffers: one pass along the rows makes the
/// loss and the gradient of P, one along the columns that of Q, and each computes the residuals it needs. `targets` are the
/// values in row-wise and in column-wise order.
///
/// # Panics
/// If shapes do not match, or columns are longer than [`can_recompute`] says.
pub fn recomputed_loss_and_gradients(
    entries: &ObservedEntries,
    targets: (&[f64], &[f64]),
    scale: f64,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    dp: Option<MatMut<'_, f64>>,
    dq: Option<MatMut<'_, f64>>,
    par: Par,
) -> f64 {
    with_simd::recomputed_loss_and_gradients(Simd::best(), entries, targets, scale, p, q, dp, dq, par)
}
