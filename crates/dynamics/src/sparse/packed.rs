//! A factor copied so that a kernel finds the columns of a chunk one behind the other, in whole vectors.

use super::factor::{Chunk, Columns, assert_columns, chunk, chunk_count};
use super::parallel::{Shared, for_each, share, task_count};
use super::simd::{Lanes, Simd, compiled};
use faer::{MatRef, Par};
use std::ops::Range;

/// A cache line; vectors that begin in one do not reach into the next.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f64; LINE]);

const LINE: usize = 64 / size_of::<f64>();

/// Most tasks of a copy.
const MOST_TASKS: usize = 32;

/// Room for a copy of a factor: chunk after chunk, of each the columns one behind the other, as far apart as the longest chunk's
/// whole vectors need; zeros fill them up.
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
        let doubles = chunk_count(k, simd) * width(simd, k) * columns;
        Self { simd, shape: (k, columns), lines: vec![Line([0.0; LINE]); doubles.div_ceil(LINE)] }
    }

    /// Takes over the numbers of a factor.
    ///
    /// # Panics
    /// If its shape is another one, or it is not column-major.
    pub fn fill(&mut self, factor: MatRef<'_, f64>, par: Par) {
        assert_eq!(factor.shape(), self.shape, "shape of the factor");
        assert_columns("the factor", factor, self.shape.1);
        let (simd, (k, columns)) = (self.simd, self.shape);
        let (source, data) = (Columns::read(factor), Shared(self.lines.as_mut_ptr().cast::<f64>()));
        let chunks = chunk_count(k, simd);
        let blocks = task_count(k * columns, MOST_TASKS).div_ceil(chunks.max(1));
        for_each(par, chunks * blocks, |task| {
            let to = part_of(data.pointer(), task / blocks, columns, width(simd, k));
            let copy = Copy {
                source,
                chunk: chunk(k, simd, task / blocks),
                to,
                columns: share(columns, blocks, task % blocks),
            };
            // SAFETY: both have those columns and the chunk's rows of them; the copy's are this task's alone; the instruction set is
            // available (asserted where the room was made).
            unsafe { kernel(simd)(&copy) };
        });
    }

    /// The columns of the `index`-th chunk, from their beginning; they must not be written.
    pub fn chunk(&self, index: usize) -> Columns {
        let data = self.lines.as_ptr().cast::<f64>().cast_mut();
        part_of(data, index, self.shape.1, width(self.simd, self.shape.0))
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

/// Doubles from one column of a chunk to the next: whole vectors, as many as the longest chunk has.
pub(super) fn width(simd: Simd, k: usize) -> usize {
    let vectors = k.div_ceil(simd.lanes()).max(1);
    vectors.div_ceil(chunk_count(k, simd).max(1)) * simd.lanes()
}

fn part_of(data: *mut f64, index: usize, columns: usize, width: usize) -> Columns {
    Columns::contiguous(data.wrapping_add(index * columns * width), width)
}

/// Some columns of a chunk to copy.
struct Copy {
    source: Columns,
    chunk: Chunk,
    to: Columns,
    columns: Range<usize>,
}

/// # Safety
/// `source` has the chunk's rows of the columns, `to` its whole vectors; nobody else touches those; `S` is available.
#[inline(always)]
unsafe fn copy<S: Lanes<N>, const N: usize>(task: &Copy) {
    let last = (task.chunk.vectors - 1) * N;
    for column in task.columns.clone() {
        // SAFETY: passed on to the caller.
        unsafe {
            let (from, to) = (task.source.at(task.chunk.first, column), task.to.at(0, column));
            for row in (0..last).step_by(N) {
                S::store(to.add(row), S::load(from.add(row)));
            }
            S::store(to.add(last), S::load_first(from.add(last), task.chunk.tail));
        }
    }
}

compiled!(copy as avx512, avx2, portable: <>(task: &Copy));

fn kernel(simd: Simd) -> unsafe fn(&Copy) {
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => avx512,
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => avx2,
        _ => portable,
    }
}
