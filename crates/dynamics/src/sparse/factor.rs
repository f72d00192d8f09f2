//! How the kernels see a factor: columns behind a pointer, cut into chunks that fit the registers.

use super::parallel::share;
use super::simd::Simd;
use faer::{MatMut, MatRef};

/// The columns of a factor or of a gradient, shared by tasks that each write only their own part.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    data: *mut f64,
    stride: usize,
}

// SAFETY: a factor is only read; of a gradient every task writes its own part (argued where it is done).
unsafe impl Send for Columns {}
// SAFETY: as above.
unsafe impl Sync for Columns {}

impl Columns {
    /// A factor, which must not be written.
    pub fn read(factor: MatRef<'_, f64>) -> Self {
        Self { data: factor.as_ptr().cast_mut(), stride: factor.col_stride() as usize }
    }

    /// Columns of so many doubles each, one behind the other.
    pub fn contiguous(data: *mut f64, width: usize) -> Self {
        Self { data, stride: width }
    }

    /// A gradient.
    pub fn write(gradient: MatMut<'_, f64>) -> Self {
        Self { stride: gradient.col_stride() as usize, data: gradient.as_ptr_mut() }
    }

    /// The columns from `column` on.
    #[inline(always)]
    pub fn part(self, column: usize) -> Self {
        Self { data: self.data.wrapping_add(column * self.stride), ..self }
    }

    /// So many doubles behind the first column's beginning.
    ///
    /// # Safety
    /// That is within the matrix.
    #[inline(always)]
    pub unsafe fn offset(self, doubles: usize) -> *const f64 {
        // SAFETY: passed on to the caller.
        unsafe { self.data.add(doubles) }
    }

    /// Where `column` is at `row`.
    ///
    /// # Safety
    /// The matrix has that row and column.
    #[inline(always)]
    pub unsafe fn at(self, row: usize, column: usize) -> *mut f64 {
        // SAFETY: passed on to the caller.
        unsafe { self.data.add(column * self.stride + row) }
    }
}

/// One k-chunk of a factor: `vectors` vectors per column from row `first`, the last of them with `tail` valid lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub first: usize,
    pub vectors: usize,
    pub tail: usize,
}

/// Number of chunks that columns of length `k` are cut into.
pub(super) fn chunk_count(k: usize, simd: Simd) -> usize {
    k.div_ceil(simd.lanes()).div_ceil(simd.most_vectors())
}

/// The `index`-th of `chunk_count(k, simd)` nearly equal chunks.
pub(super) fn chunk(k: usize, simd: Simd, index: usize) -> Chunk {
    let lanes = simd.lanes();
    let part = share(k.div_ceil(lanes), chunk_count(k, simd), index);
    Chunk { first: part.start * lanes, vectors: part.len(), tail: k.min(part.end * lanes) - (part.end - 1) * lanes }
}

/// Checks that columns are contiguous, do not overlap, and are as many as expected.
pub(super) fn assert_columns(name: &str, factor: MatRef<'_, f64>, columns: usize) {
    assert_eq!(factor.ncols(), columns, "columns of {name}");
    assert!(factor.row_stride() == 1 || factor.nrows() <= 1, "{name} must be column-major");
    assert!(factor.col_stride() >= factor.nrows() as isize || columns <= 1, "columns of {name} must not overlap");
}

/// Matches a number of vectors with the kernel compiled for it; the second number is how many sums a gradient kernel
/// interleaves, so that about eight multiply-adds do not wait for each other.
macro_rules! by_vectors {
    ($vectors:expr, $kernel:ident, $flag:tt) => {
        match $vectors {
            1 => $kernel::<1, 8, $flag>,
            2 => $kernel::<2, 4, $flag>,
            3 => $kernel::<3, 4, $flag>,
            4 => $kernel::<4, 2, $flag>,
            5 => $kernel::<5, 2, $flag>,
            6 => $kernel::<6, 2, $flag>,
            7 => $kernel::<7, 1, $flag>,
            8 => $kernel::<8, 1, $flag>,
            other => unreachable!("no kernel for {other} vectors"),
        }
    };
}
pub(super) use by_vectors;
