//! A factor copied so that a kernel finds the columns of a chunk one behind the other, in whole vectors.

use super::factor::{Chunk, Columns, chunk, chunk_count};
use super::parallel::{Shared, for_each, share, task_count};
use super::simd::Simd;
use faer::{MatRef, Par};

/// A cache line; vectors that begin in one do not reach into the next.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f64; LINE]);

const LINE: usize = 64 / size_of::<f64>();

/// Most tasks of a copy.
const MOST_TASKS: usize = 32;

/// Room for a copy of a factor: chunk after chunk, of each the columns one behind the other, filled up with zeros to
/// whole vectors.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    simd: Simd,
    /// Length and number of the columns.
    shape: (usize, usize),
    lines: Vec<Line>,
}

impl Packed {
    /// Room for a factor of `columns` columns of length `k`.
    pub fn new(simd: Simd, k: usize, columns: usize) -> Self {
        let doubles = k.next_multiple_of(simd.lanes()) * columns;
        Self { simd, shape: (k, columns), lines: vec![Line([0.0; LINE]); doubles.div_ceil(LINE)] }
    }

    /// Takes over the numbers of a factor.
    ///
    /// # Panics
    /// If its shape is another one.
    pub fn fill(&mut self, factor: MatRef<'_, f64>, par: Par) {
        assert_eq!(factor.shape(), self.shape, "shape of the factor");
        let (simd, (k, columns)) = (self.simd, self.shape);
        let (source, data) = (Columns::read(factor), Shared(self.lines.as_mut_ptr().cast::<f64>()));
        let chunks = chunk_count(k, simd);
        let blocks = task_count(k * columns, MOST_TASKS).div_ceil(chunks.max(1));
        for_each(par, chunks * blocks, |task| {
            let chunk = chunk(k, simd, task / blocks);
            let length = (k - chunk.first).min(chunk.vectors * simd.lanes());
            let to = chunk_of(data.pointer(), chunk, columns, simd);
            for column in share(columns, blocks, task % blocks) {
                // SAFETY: both have that column and at least so many rows of it; the copy's is this task's alone.
                unsafe { source.at(chunk.first, column).copy_to_nonoverlapping(to.at(0, column), length) };
            }
        });
    }

    /// The columns of a chunk, from their beginning; they must not be written.
    pub fn chunk(&self, chunk: Chunk) -> Columns {
        chunk_of(self.lines.as_ptr().cast::<f64>().cast_mut(), chunk, self.shape.1, self.simd)
    }

    /// Length of the columns.
    pub fn k(&self) -> usize {
        self.shape.0
    }

    /// Number of the columns.
    pub fn columns(&self) -> usize {
        self.shape.1
    }
}

/// The chunks before this one hold as many doubles of each column as it has rows before it.
fn chunk_of(data: *mut f64, chunk: Chunk, columns: usize, simd: Simd) -> Columns {
    Columns::contiguous(data.wrapping_add(chunk.first * columns), chunk.vectors * simd.lanes())
}
