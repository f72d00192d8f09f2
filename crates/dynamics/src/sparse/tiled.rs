//! Loss and gradients with everything in the order in which it is read: factors packed into whole vectors, entries block by block.

use super::Evaluation;
use super::block_kernels::{
    Gradient, Sampling, SamplingKernel, Summand, fused_kernel, gradient_kernel, sampling_kernel,
};
use super::entries::ObservedEntries;
use super::factor::{Columns, assert_columns, chunk, chunk_count};
use super::order::Order;
use super::packed::{Packed, width};
use super::parallel::{Shared, for_each, for_each_of, share, task_count};
use super::simd::Simd;
use crate::dense::both;
use faer::{MatMut, Par};
use std::ops::Range;

/// Most tasks, if there is work enough for so many.
const TASKS: usize = 4;
/// Entries of a block from which more and smaller blocks are worth their cost: half a megabyte of residuals, part of a second cache.
const BLOCK: usize = 1 << 16;
/// Entries of a line of a block, on average, below which blocks are not worth what a line costs besides its entries.
const LEAST_OF_A_LINE: usize = 8;

/// How Ω is cut into blocks, and who works on which one when.
///
/// Rows and columns are cut into `tasks` times `per_task` bands each. In each of `tasks` steps a task works where its own bands of
/// rows meet as many bands of columns, on which no other task works in that step. So it may add to the gradients of both factors
/// there, and all sums have one order for any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grid {
    tasks: usize,
    per_task: usize,
}

impl Grid {
    fn bands(self) -> usize {
        self.tasks * self.per_task
    }

    /// The blocks of a task in a step, as band of rows and band of columns, with what they add to: the gradients of their rows and of
    /// their columns.
    fn visits(self, task: usize, step: usize) -> impl Iterator<Item = (usize, usize, [Summand; 2])> {
        let summand = move |inner: usize| Summand {
            first: step == 0 && inner == 0,
            last: step + 1 == self.tasks && inner + 1 == self.per_task,
        };
        let columns = (task + step) % self.tasks;
        (0..self.per_task * self.per_task).map(move |visit| {
            let (row, column) = (visit / self.per_task, visit % self.per_task);
            (task * self.per_task + row, columns * self.per_task + column, [summand(column), summand(row)])
        })
    }
}

/// The entries where a band of rows and a band of columns meet.
#[derive(Debug, Clone)]
struct Block {
    by_row: Order,
    by_column: Order,
    /// By rows.
    targets: Vec<f64>,
    /// For each entry by columns, its place by rows.
    places: Vec<u32>,
}

impl Block {
    /// The block of those rows and columns, which `bands` cuts for tiles. `place_by_row` has room for every entry of the matrix.
    fn new(
        entries: &ObservedEntries,
        targets: &[f64],
        (rows, columns): (Range<usize>, Range<usize>),
        bands: impl Fn(usize) -> usize,
        width: usize,
        place_by_row: &mut [u32],
    ) -> Self {
        let (row_bands, column_bands) = (bands(rows.len()), bands(columns.len()));
        let sides = (rows.clone(), columns.clone());
        let (by_row, of_rows) = Order::new(&entries.by_row, sides, (row_bands, column_bands), width);
        let (by_column, of_columns) = Order::new(&entries.by_column, (columns, rows), (column_bands, row_bands), width);
        of_rows.iter().enumerate().for_each(|(place, &csr)| place_by_row[csr as usize] = place as u32);
        let csr = entries.csr_positions();
        Self {
            by_row,
            by_column,
            targets: of_rows.iter().map(|&csr| targets[csr as usize]).collect(),
            places: of_columns.iter().map(|&csc| place_by_row[csr[csc as usize] as usize]).collect(),
        }
    }
}

/// What a task needs for one block after the other.
#[derive(Debug, Clone)]
struct Scratch {
    /// Residuals by rows.
    residual: Vec<f64>,
    /// Residuals by columns; empty if columns have a single chunk, where they would be read but once.
    by_column: Vec<f64>,
    /// Sum of squared residuals of each band of rows of a block.
    squares: Vec<f64>,
    /// Of all blocks so far.
    sum: f64,
}

/// The entries of one matrix with their targets, and room for factors with columns of one length, in the order of their use.
#[derive(Debug, Clone)]
pub struct Tiled {
    simd: Simd,
    p: Packed,
    q: Packed,
    grid: Grid,
    /// Band of rows by band of rows.
    blocks: Vec<Block>,
    /// One for each task.
    scratch: Vec<Scratch>,
    /// Number of entries.
    len: usize,
    /// Whether there is work enough for several threads.
    worth_sharing: bool,
}

/// What all blocks share in one evaluation.
struct Shares<'a> {
    simd: Simd,
    p: &'a Packed,
    q: &'a Packed,
    dp: Option<Columns>,
    dq: Option<Columns>,
    alpha: f64,
}

impl Tiled {
    /// For these entries, the target of each in CSR order, and columns of length `k`.
    ///
    /// # Panics
    /// If this machine does not have the instruction set, or there are not as many targets as entries.
    pub fn new(entries: &ObservedEntries, targets: &[f64], k: usize, simd: Simd) -> Self {
        assert!(simd.is_available(), "{simd:?} is not available here");
        assert_eq!(targets.len(), entries.len(), "number of targets");
        let (rows, columns) = (entries.d_out(), entries.d_in());
        let width = width(simd, k);
        let widest = simd.tile_bytes() / (width * size_of::<f64>());
        let tasks = task_count(entries.len() * k, TASKS);
        let grid = grid(entries.len(), rows.max(columns), tasks, chunk_count(k, simd));
        // A single block is shared evenly by 2 or 4 threads within it.
        let multiple = if grid.bands() == 1 { tasks } else { 1 };
        let bands = |side: usize| side.div_ceil(widest).next_multiple_of(multiple).clamp(1, side.max(1));
        let mut place_by_row = vec![0u32; entries.len()];
        let mut block = |index: usize| {
            let rows = share(rows, grid.bands(), index / grid.bands());
            let columns = share(columns, grid.bands(), index % grid.bands());
            Block::new(entries, targets, (rows, columns), bands, width, &mut place_by_row)
        };
        let blocks: Vec<_> = (0..grid.bands() * grid.bands()).map(&mut block).collect();
        let most = blocks.iter().map(|block| block.by_row.len()).max().unwrap_or(0);
        let most_bands = blocks.iter().map(|block| block.by_row.line_bands).max().unwrap_or(0);
        let scratch = Scratch {
            residual: vec![0.0; most],
            by_column: vec![0.0; if chunk_count(k, simd) > 1 { most } else { 0 }],
            squares: vec![0.0; most_bands],
            sum: 0.0,
        };
        Self {
            simd,
            p: Packed::new(simd, k, rows),
            q: Packed::new(simd, k, columns),
            grid,
            blocks,
            scratch: vec![scratch; grid.tasks],
            len: entries.len(),
            worth_sharing: tasks > 1,
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The sum of squared residuals over Ω, and its half's gradients times `alpha`.
    ///
    /// # Panics
    /// If shapes do not match.
    pub fn loss_and_gradients(&mut self, evaluation: Evaluation<'_>, par: Par) -> f64 {
        let Evaluation { p, q, dp, dq, alpha } = evaluation;
        // A small problem may have several bands all the same: not worth a task each.
        let within = if self.worth_sharing { par } else { Par::Seq };
        self.p.fill(p, within);
        self.q.fill(q, within);
        let Self { simd, p, q, grid, blocks, scratch, .. } = self;
        let shares = Shares { simd: *simd, dp: columns_of(p, dp), dq: columns_of(q, dq), p, q, alpha };
        if let [block] = blocks.as_slice() {
            let only = Summand { first: true, last: true };
            // SAFETY: there is no other block.
            return unsafe { shares.of_block(block, [only; 2], &mut scratch[0], (par, within)) };
        }
        scratch.iter_mut().for_each(|scratch| scratch.sum = 0.0);
        for step in 0..grid.tasks {
            for_each_of(par, scratch, |task, scratch| {
                for (row, column, summands) in grid.visits(task, step) {
                    let block = &blocks[row * grid.bands() + column];
                    // SAFETY: in a step, no two tasks visit blocks with rows or columns in common, and summands come in their order.
                    scratch.sum += unsafe { shares.of_block(block, summands, scratch, (Par::Seq, Par::Seq)) };
                }
            });
        }
        scratch.iter().map(|scratch| scratch.sum).sum()
    }
}

/// The grid for so many entries in lines and columns, at most `longest`, and so many tasks. Where columns have several chunks there is a
/// single block: in each block a gradient is read and written once more, and a long one costs more than residuals nearby save.
/// Likewise where the lines of a block would be short.
fn grid(entries: usize, longest: usize, tasks: usize, chunks: usize) -> Grid {
    if tasks == 1 || chunks > 1 || entries < LEAST_OF_A_LINE * tasks * longest {
        return Grid { tasks: 1, per_task: 1 };
    }
    let per_task = (1..).find(|per_task| entries / (tasks * per_task).pow(2) <= BLOCK).expect("blocks become small");
    Grid { tasks, per_task }
}

/// The columns of the gradient of a factor, which has its shape.
fn columns_of(factor: &Packed, gradient: Option<MatMut<'_, f64>>) -> Option<Columns> {
    gradient.map(|gradient| {
        assert_columns("the gradient", gradient.as_ref(), factor.columns());
        assert_eq!(gradient.nrows(), factor.k(), "rows of the factor and the gradient");
        Columns::write(gradient)
    })
}

impl Shares<'_> {
    /// Adds what a block adds to the gradients of its rows and its columns, and returns its sum of squared residuals. The two gradients
    /// are computed side by side with `beside`, parts of everything with `within`.
    ///
    /// # Safety
    /// Nobody else touches the gradients of the block's rows and columns meanwhile, and they hold what was added before, unless it is
    /// their first summand.
    unsafe fn of_block(
        &self,
        block: &Block,
        summands: [Summand; 2],
        scratch: &mut Scratch,
        (beside, within): (Par, Par),
    ) -> f64 {
        let k = self.p.k();
        if k == 0 {
            return block.targets.iter().map(|target| target * target).sum();
        }
        let fused = fused_kernel(self.simd, k).filter(|_| self.dp.is_some());
        // SAFETY: passed on to the caller.
        let squares = unsafe { self.sample(block, fused, summands[0], scratch, within) };
        let Scratch { residual, by_column, .. } = scratch;
        let residual = &residual[..block.targets.len()];
        let left = |dp, par| {
            let sum = Sum { order: &block.by_row, values: residual, places: &[], source: self.q, summand: summands[0] };
            // SAFETY: passed on to the caller.
            unsafe { self.gradient(dp, &sum, par) };
        };
        let mut right = |dq, par| {
            let (values, places) = if by_column.is_empty() {
                (residual, block.places.as_slice())
            } else {
                reorder(by_column, &block.by_column, residual, &block.places, par);
                (by_column.as_slice(), [].as_slice())
            };
            let sum = Sum { order: &block.by_column, values, places, source: self.p, summand: summands[1] };
            // SAFETY: passed on to the caller.
            unsafe { self.gradient(dq, &sum, par) };
        };
        match (self.dp.filter(|_| fused.is_none()), self.dq) {
            (Some(dp), Some(dq)) => {
                let inside = |par: Par| if within.degree() > 1 { par } else { Par::Seq };
                both(beside, block.targets.len() * k, |par| left(dp, inside(par)), |par| right(dq, inside(par)));
            }
            (Some(dp), None) => left(dp, within),
            (None, Some(dq)) => right(dq, within),
            (None, None) => {}
        }
        squares
    }

    /// Samples the product into the residual, with the gradient of the left factor in the same pass if a kernel for it is given.
    /// Returns the sum of squares.
    ///
    /// # Safety
    /// As for [`Self::of_block`].
    unsafe fn sample(
        &self,
        block: &Block,
        fused: Option<SamplingKernel>,
        summand: Summand,
        scratch: &mut Scratch,
        par: Par,
    ) -> f64 {
        let (simd, k, order) = (self.simd, self.p.k(), &block.by_row);
        assert_eq!(order.width, width(simd, k), "width of the packed columns");
        assert!(scratch.residual.len() >= order.len() && block.targets.len() == order.len(), "room for the entries");
        let chunks = chunk_count(k, simd);
        let squares = &mut scratch.squares[..order.line_bands];
        let (sums, residual) = (Shared(squares.as_mut_ptr()), Shared(scratch.residual.as_mut_ptr()));
        for_each(par, order.line_bands, |band| {
            for part in 0..chunks {
                let chunk = chunk(k, simd, part);
                let p = self.p.chunk(part);
                let task = Sampling {
                    order,
                    band,
                    tail: chunk.tail,
                    p,
                    q: self.q.chunk(part),
                    dp: self.dp.unwrap_or(p),
                    targets: &block.targets,
                    residual: residual.pointer(),
                    first_chunk: part == 0,
                    last_chunk: part + 1 == chunks,
                    scale: self.alpha,
                    summand,
                };
                let kernel = fused.unwrap_or_else(|| sampling_kernel(simd, chunk.vectors));
                // SAFETY: the instruction set is available (asserted at the beginning); factors and gradient have the columns that
                // the order reaches; a band's residuals, gradients and sum are this task's alone; the caller vouches for the rest.
                unsafe { *sums.pointer().add(band) = kernel(&task) };
            }
        });
        squares.iter().sum()
    }

    /// Adds a block's sum to the gradient `out`.
    ///
    /// # Safety
    /// `out` has the source's length of columns, and at least as many as the order's range of lines reaches; nobody else touches
    /// those meanwhile; they hold what was added before, unless it is their first summand.
    unsafe fn gradient(&self, out: Columns, sum: &Sum<'_>, par: Par) {
        let (simd, scale) = (self.simd, self.alpha);
        let Sum { order, values, places, source, summand } = *sum;
        let k = source.k();
        assert_eq!(order.width, width(simd, k), "width of the packed columns");
        assert!(values.len() >= order.len(), "a value for every entry");
        assert!(order.others().end <= source.columns(), "columns of the factor");
        let bands = order.line_bands;
        for_each(par, chunk_count(k, simd) * bands, |task| {
            let chunk = chunk(k, simd, task / bands);
            let band = task % bands;
            let (source, first_row, tail) = (source.chunk(task / bands), chunk.first, chunk.tail);
            let task = Gradient { order, band, tail, values, places, scale, source, out, first_row, summand };
            // SAFETY: the caller vouches for the gradient; the source has the columns of the order's others; a task has its own
            // chunk of its own lines; places come from the entries; the instruction set is available (asserted at the beginning).
            unsafe { gradient_kernel(simd, chunk.vectors, !places.is_empty())(&task) };
        });
    }
}

/// What a block adds to a gradient: over the entries of each line, values (in the order, or at `places` if there are any) times
/// columns of the source.
struct Sum<'a> {
    order: &'a Order,
    values: &'a [f64],
    places: &'a [u32],
    source: &'a Packed,
    summand: Summand,
}

/// `to[i] = values[places[i]]`, band by band of the order of `to`.
fn reorder(to: &mut [f64], order: &Order, values: &[f64], places: &[u32], par: Par) {
    assert!(to.len() >= order.len(), "room for every entry");
    let to = Shared(to.as_mut_ptr());
    for_each(par, order.line_bands, |band| {
        for i in order.entries_of(band) {
            // SAFETY: there is room for every entry, and the band's are this task's alone.
            unsafe { *to.pointer().add(i) = values[places[i] as usize] };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_for_short_columns_and_full_lines() {
        let single = Grid { tasks: 1, per_task: 1 };
        assert_eq!(grid(3_000, 100, 1, 1), single);
        assert_eq!(grid(200_000, 1_000, 4, 1), Grid { tasks: 4, per_task: 1 });
        assert_eq!(grid(200_000, 1_000, 4, 16), single, "long columns");
        assert_eq!(grid(200_000, 10_000, 4, 1), single, "short lines");
        assert_eq!(grid(3_200_000, 4_000, 4, 1), Grid { tasks: 4, per_task: 2 });
    }

    #[test]
    fn every_block_is_added_once_and_no_two_tasks_meet() {
        for grid in [Grid { tasks: 1, per_task: 1 }, Grid { tasks: 4, per_task: 1 }, Grid { tasks: 2, per_task: 3 }] {
            let bands = grid.bands();
            let mut visited = vec![0; bands * bands];
            // Of each band of rows and each band of columns, how many blocks have been added.
            let mut added = [vec![0; bands], vec![0; bands]];
            for step in 0..grid.tasks {
                let mut workers = [vec![None; bands], vec![None; bands]];
                for task in 0..grid.tasks {
                    for (row, column, summands) in grid.visits(task, step) {
                        visited[row * bands + column] += 1;
                        for (side, band) in [row, column].into_iter().enumerate() {
                            let worker = workers[side][band].get_or_insert(task);
                            assert_eq!(*worker, task, "{grid:?}: two tasks on one band in step {step}");
                            let before = added[side][band];
                            let summand = Summand { first: before == 0, last: before + 1 == bands };
                            assert_eq!(summands[side], summand, "{grid:?}: block ({row}, {column})");
                            added[side][band] += 1;
                        }
                    }
                }
            }
            assert!(visited.iter().all(|&times| times == 1), "{grid:?}: {visited:?}");
        }
    }
}
