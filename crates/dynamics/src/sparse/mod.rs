//! Kernels over the observed entries Ω: what a loss over Ω and its gradients cost when nothing else is computed.
//!
//! The end-to-end product is split once, `E = Pᵀ Q` with `P` (k × d_out) and `Q` (k × d_in), so that entry (i, j) is the
//! dot product of two contiguous columns. With the residual `r = E − Φ` on Ω, a step needs `r` itself,
//! `∂P[:, i] = Σ_j r_ij Q[:, j]` and `∂Q[:, j] = Σ_i r_ij P[:, i]`: three times |Ω| k multiply-adds.
//!
//! There are two sets of kernels. Unless the matrix is wide, entries and factors are copied into the order of their use
//! (`tiled`, `block_kernels`, `order`, `packed`: "Tiles", "Blocks"). For wide matrices, and for a product with a sparse matrix
//! by itself, both are read where they are (`sampling`, `gradient`: "Wide matrices").
//!
//! [`ObservedEntries`] keeps Ω by rows and by columns, with 32-bit indices; values (targets, residuals) are slices in row
//! order, and the column order knows the place of each of its entries there.
//!
//! A column of P or Q is cut into chunks of at most 8 vectors (4 without SIMD). Sampling keeps a chunk of `P[:, i]` in
//! registers, takes as many entries of the row at once as a vector has lanes, and adds the lanes of their sums by one
//! transposition; a gradient keeps a chunk of the sum in registers, with about eight independent additions under way. Either
//! way there is one load per multiply-add. With SIMD and up to four vectors the left gradient is formed while sampling, group
//! by group. The right gradient is a second pass, by columns.
//!
//! A task has the lines of a gradient that it adds to for itself meanwhile, the number of tasks depends on the shape, the
//! number of entries and k alone, and sums are added in order: the same bits for any number of threads. Different instruction
//! sets round differently.
//!
//! # Tiles
//!
//! Ω (or a block of it, see below) is cut into bands of rows and bands of columns, so narrow that one chunk of all columns of a
//! band of the factor fits in 24 KB (32 with AVX-512), part of a first cache; where two bands meet is a tile. Targets,
//! residuals, numbers of entries and where their columns begin (16 bits, in doubles from the beginning of the band) are kept
//! tile by tile and line by line in it, by rows and, for the right gradient, by columns: a task reads them from one end to the
//! other. A tile takes up to seven entries of the next ones, as far as 16 bits reach, so that every line has whole groups of
//! eight in it, but for its last one. Factors are copied chunk by chunk into whole vectors, filled up with zeros, at the
//! beginning of each evaluation: a tile's columns are one contiguous piece of the first cache, and nothing is masked. The right
//! gradient takes its residuals by position if columns have one chunk, from a copy in its own order if they have several.
//!
//! Why: tiles over rows in CSR order jump from row to row, 1.6 KB apart in targets and residuals (d = 1000, p = 0.2), which no
//! prefetcher follows. Every run of 16 entries then waits for three to eight cache lines, longer than it computes. Loss
//! and both gradients, the best of many runs, in place (with tiles over CSR order, as all kernels here once were) and tiled
//! (bench `kernels`, group `sampled-loss-and-gradients`):
//!
//! | AVX-512 | one thread, in place | tiled | in blocks | two threads, in place | tiled | in blocks |
//! |---|---|---|---|---|---|---|
//! | d = 1000, k = 10 | 0.87 ms | 0.70 ms | 0.68 ms | 0.50 ms | 0.45 ms | 0.38 ms |
//! | d = 1000, k = 24 | | 0.93 ms | 0.92 ms | | 0.59 ms | 0.51 ms |
//! | d = 1000, k = 40 | 1.83 ms | 1.40 ms | 1.36 ms | 1.00 ms | 0.87 ms | 0.76 ms |
//! | d = 1000, k = 1000 | 55 ms | 42 ms | not in blocks | 28 ms | 21 ms | not in blocks |
//! | d = 100, p = 0.3, k = 10 | 11.0 µs | 10.0 µs | not in blocks | not split | | |
//! | d = 100, p = 0.3, k = 100 | 53 µs | 48 µs | not in blocks | | | |
//!
//! | AVX2 | one thread, in place | tiled | two threads, in place | tiled |
//! |---|---|---|---|---|
//! | d = 1000, k = 10 | 1.5 to 1.8 ms | 0.73 ms | 1.0 ms | 0.41 ms |
//! | d = 1000, k = 40 | 6.5 ms | 2.3 ms | 3.8 ms | 1.6 ms |
//! | d = 1000, k = 1000 | 138 ms | 58 ms | 72 ms | 30 ms |
//! | d = 100, p = 0.3, k = 10 | 19 µs | 10.5 µs | not split | not split |
//! | d = 100, p = 0.3, k = 100 | 125 µs | 70 µs | | |
//!
//! The first table is of a Xeon of the Emerald Rapids kind (48 KiB and 2 MiB of cache a core; dense products 70 to 74 GFLOP/s
//! on one thread, 105 to 123 on two, as its other tenants allow), the second of a Zen 3 at 2.45 GHz (32 KiB and 512 KiB; 39 and
//! 69 GFLOP/s). On both machines the two threads share a core, whose arithmetic does not double. The AVX2 times were taken
//! before the groups of eight and the blocks. (AVX2 on the Xeon, two threads, k = 10: 0.42 ms tiled, 0.36 ms in blocks.)
//!
//! # Blocks
//!
//! Where there is work for several tasks and columns have one chunk, rows and columns are first cut into as many bands each as
//! there are tasks: Ω into sixteen blocks, mostly. A task samples a block and then, at once, forms what it adds to both
//! gradients, while the residuals are near: all its blocks have the same room for them, and there are never residuals of all Ω.
//! In each of as many steps the tasks work on blocks that have neither rows nor columns in common (a Latin square), so that
//! nobody else adds to their gradients, and the order of all sums is fixed. There are at most four tasks (`TASKS`): more
//! threads do not help.
//!
//! Why: what a pass over Ω reads and writes is more than the second cache holds, at d = 1000 and p = 0.2 32 to 40 bytes for
//! each of 200 000 entries against 2 MiB: residuals (8 bytes, written once and read once, and read before they are written),
//! targets (8), places (4), offsets (2, twice). Copying 200 000 numbers takes 125 µs on that Xeon, as long as the arithmetic of
//! a gradient. In blocks it is 16 bytes. The pass for the right gradient took up to twice as long as that for the left one; in
//! blocks they take the same time.
//!
//! Long columns (several chunks) stay in one block: reading and writing gradients four times as often would cost more than
//! that. So do lines with less than eight entries for each block. From a million entries on (at four tasks) blocks are smaller,
//! so that their residuals take at most half a megabyte (on average: the fullest block makes the room). At d = 4000, p = 0.2, k
//! = 10, one thread: one block 16.8 ms, sixteen 13.8, sixty-four 12.9.
//!
//! Tried and rejected: blocks a half, a third and a quarter as wide at d = 1000 (12, 26 and 39 % slower at k = 10: a line of a
//! block costs about 40 cycles besides its entries); lines sorted by their number of entries, to spare the processor wrong
//! guesses where a loop ends (k = 40: 1 to 3 % faster; k = 10, two threads: 5 to 13 % slower, as neighbouring columns use the
//! same residuals' cache lines); 16-bit places (no difference); the columns of a group kept in registers for the left gradient,
//! with fewer sums (k = 10: no difference).
//!
//! # Where it is bound
//!
//! AVX-512, k = 10: a column is two vectors. An entry takes two multiply-adds in each of the three passes and its share (21/8
//! operations) of the transposition that adds the lanes of eight entries: 8.6 operations on the two vector ports, 4.3 cycles;
//! and eleven loads, two in a cycle: 5.5 cycles. 0.38 ms are 7 cycles if the clock is what the dense products' rate says (3.8
//! GHz at 123 GFLOP/s; this machine does not count cycles). The six lanes that ten numbers leave empty in sixteen are a quarter
//! of the arithmetic. Three 256-bit vectors leave two empty, and take as long: 0.36 ms. At k = 1000 the three passes reach 29
//! GFLOP/s on one thread and 56 on two, two fifths and half of a dense product's rate.
//!
//! Steps on the way there, AVX-512, one thread:
//!
//! | | k = 10 | k = 24 | k = 1000 |
//! |---|---|---|---|
//! | the AVX2 kernels, for AVX-512; tiles of 32 KB, up to 16 vectors | 0.76 ms | | 59 to 64 ms |
//! | whole groups of eight entries in a tile | 0.70 ms | 0.98 ms | 56 ms |
//! | at most eight vectors: a tile has twice as many entries of a row | 0.70 ms | | 42 ms |
//! | the columns of a group read again for the left gradient, instead of kept (and spilled) | 0.67 ms | 0.88 ms | |
//!
//! Indices that are multiplied by the constant width of a column are computed eight at a time by the compiler, and taken out of
//! the vector one by one on the port that the transposition needs: 0.31 ms instead of 0.25 ms for sampling at k = 10. Hence
//! offsets instead of indices. Tried and rejected: tiles of 16 and of 24 KB (1.5 to 3 % slower), at most four vectors (42 ms
//! at k = 1000, 1.6 instead of 1.35 ms at k = 40), the left gradient while sampling for five to eight vectors (no
//! difference), four offsets and two places read in one load each (no difference). (The times of these
//! steps were taken side by side, on a better day than those of the first table.)
//!
//! AVX2, one thread:
//!
//! | | k = 10 | k = 1000 |
//! |---|---|---|
//! | tiles of 24 KB, packed factors, one pass for residual and left gradient; entries in CSR order | 1.75 ms | 100 ms |
//! | a group's columns read again instead of kept (16 registers are too few), no masked stores | 1.65 ms | 93 ms |
//! | entries in the order of the tiles | 0.73 ms | 59 ms |
//! | eight bands instead of four | 0.80 ms | |
//!
//! # Wide matrices
//!
//! From 2048 rows or columns on, with at most every 16th entry observed, a factor is far from the first cache or even from the
//! second, and an entry costs what fetching its column costs. There, columns of P and Q are read in place, whole vectors at a
//! time and a masked one at the end, line by line: a line has so few entries that tiles only interrupt it. The columns of
//! entries 64 further on are asked for ahead of their use. And up to four vectors per column the residual is not stored by rows
//! and fetched by columns, one cache line for each of its numbers, but computed a second time along the columns (the column of
//! P is needed there anyway), which also saves its memory and leaves nothing to allocate: [`recomputed_loss_and_gradients`].
//!
//! Nanoseconds per entry for loss and both gradients, 100 entries per row, k = 8 (an 8-vector is one cache line), one thread
//! and two of the same core (a Zen 5 at 4.1 GHz with AVX-512, otherwise quiet):
//!
//! | | d = 10⁵ | d = 10⁶ |
//! |---|---|---|
//! | as for small matrices: tiles, stored residual | 16.1, 8.5 | not measured |
//! | residual computed twice, in tiles | 13.5, 7.3 | not measured |
//! | and without tiles | 6.1, 6.2 | 26, 21 |
//! | and columns asked for 32 entries ahead | 6.4, 3.2 | 10.7, 5.4 |
//! | 64 ahead, as it is | 6.5, 3.3 | 8.8, 4.4 |
//! | 64 ahead, with the residual stored after all (but the left gradient in the same pass) | 9.2, 4.6 | 14.4, 7.3 |
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
//! On that Zen 5, one thread, d = 1000, with factors and entries in place:
//!
//! - One pass that accumulates both gradients, with Q and its gradient packed and padded, and blocks of rows and columns
//!   paired so that no two threads share a column: 0.63 ms against 0.44 ms at k = 10; 8.9 µs against 6.5 µs at d = 100. A
//!   64-byte store takes a whole cycle, so loading and storing a gradient column per entry costs more than reading the
//!   other factor again in column order.
//! - The fused pass one group behind the sampling, so that no gradient waits for a residual: 5.8 cycles per entry
//!   against 5.4 at k = 10 (the columns are loaded twice); no better than two passes at k = 40.
//! - The incomplete last vectors of all columns copied apart, so that at k = 10 a column is one cache line instead of two and
//!   the rests stay in L1: no difference.
//! - Masked dense products: see [`dense_is_faster`].

mod block_kernels;
mod entries;
mod factor;
mod gradient;
mod order;
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
/// stands for all of them. (The sparse kernels have become up to twice as fast since.)
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

/// Whether a factor is so long, and the lines are so sparse, that tiles of it do not help (see the module's text).
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
