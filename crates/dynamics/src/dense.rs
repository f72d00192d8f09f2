//! Dense products whose result has the same bits for any number of threads, and the matrices for products in a loop.

use std::ops::{Deref, DerefMut};

use faer::traits::ComplexField;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Multiply-adds from which [`faer`] splits a product over threads itself.
const WORTH_SPLITTING: usize = 1 << 21;
/// Multiply-adds from which half a product is worth handing to another thread that waits for work.
const WORTH_SHARING: usize = 1 << 19;
/// Columns from which a product is shared by halves: a half of one or two columns would be computed in another way.
const LEAST_COLUMNS: usize = 32;
/// Rows, columns and inner size of a product from which its transposed right factor is worth a copy.
const WORTH_TRANSPOSING: usize = 512;
/// Columns of such a product that are computed at a time: what a copy takes stays small.
const PANEL: usize = 1024;
/// Columns of a transposed copy that a task writes: a cache line of the original's columns.
const TRANSPOSED_AT_A_TIME: usize = 8;

/// Bytes of a cache line, to which [`faer`] rounds up the room of a column.
const LINE: usize = 64;

/// A matrix of zeros, whose columns are followed by zeros in the room that [`faer`] leaves between them.
///
/// [`faer`] does not initialize that room, and its product's kernels read and multiply whole vectors of it, although the result is
/// thrown away. What was there before in memory is often a denormal number, for which many processors take a hundred cycles
/// and more: on a Xeon of the Emerald Rapids kind a 10 × 10 matrix times a 10 × 1000 one took 10 µs with zeros there and 330 to
/// 720 µs with denormals (bench `kernels`, group `room-between-columns`). A matrix that a loop multiplies should begin as one of these, and be written in place: its clone has a room of its
/// own, as it comes.
pub fn zeros<T: ComplexField>(rows: usize, columns: usize) -> Mat<T> {
    let mut matrix = Mat::zeros(rows.next_multiple_of((LINE / size_of::<T>()).max(1)), columns);
    matrix.truncate(rows, columns);
    matrix
}

/// A copy of a matrix in one made by [`zeros`].
pub fn copy<T: ComplexField>(matrix: MatRef<'_, T>) -> Mat<T> {
    let mut copy = zeros(matrix.nrows(), matrix.ncols());
    copy.copy_from(matrix);
    copy
}

/// A matrix made by [`zeros`], and so is its clone. To be written in place: another [`Mat`] put in its place would have a room of its own.
#[derive(Debug)]
pub(crate) struct Padded(Mat<f64>);

impl Padded {
    /// A matrix of zeros.
    pub(crate) fn zeros(rows: usize, columns: usize) -> Self {
        Self(zeros(rows, columns))
    }

    /// A copy.
    pub(crate) fn copy(matrix: MatRef<'_, f64>) -> Self {
        Self(copy(matrix))
    }
}

impl Clone for Padded {
    fn clone(&self) -> Self {
        Self::copy(self.as_ref())
    }
}

impl Deref for Padded {
    type Target = Mat<f64>;

    fn deref(&self) -> &Mat<f64> {
        &self.0
    }
}

impl DerefMut for Padded {
    fn deref_mut(&mut self) -> &mut Mat<f64> {
        &mut self.0
    }
}

/// `dst = alpha lhs rhs`, or `dst += alpha lhs rhs` with [`Accum::Add`]; any strides, so transposed views need no copy.
///
/// The bits of the result do not depend on `par`. [`faer`] gives the same bits for any number of threads in every product of
/// two matrices tried (22 shapes, both transposed or not, 1 to 8 threads); a matrix times a vector is the exception, so
/// vectors run on the calling thread, as do products too small to gain from a second one. In between (100 × 100 × 100: 19 µs)
/// faer's own splitting costs what it gains; the left and the right half, side by side, take 11 µs. Small products need no
/// path of their own: 10 × 10 × 10 takes 0.09 µs, 20 × 20 × 20 0.23 µs (70 GFLOP/s).
///
/// Columns that are not a multiple of eight long are multiplied together with what follows them in a [`Mat`]'s memory, which may make
/// it many times slower, never wrong: see [`zeros`].
///
/// # Panics
/// If shapes do not match.
pub fn matmul(
    dst: MatMut<'_, f64>,
    accumulate: Accum,
    lhs: MatRef<'_, f64>,
    rhs: MatRef<'_, f64>,
    alpha: f64,
    par: Par,
) {
    let multiply_adds = dst.nrows() * dst.ncols() * lhs.ncols();
    if dst.nrows() > 1
        && dst.ncols() >= LEAST_COLUMNS
        && multiply_adds < WORTH_SPLITTING
        && can_share(par, multiply_adds)
    {
        // Columns in whole groups of eight, as the product's kernel takes them.
        let middle = (dst.ncols() / 2).next_multiple_of(8);
        let (left, right) = dst.split_at_col_mut(middle);
        let (rhs_left, rhs_right) = rhs.split_at_col(middle);
        let half = |dst: MatMut<'_, f64>, rhs| faer::linalg::matmul::matmul(dst, accumulate, lhs, rhs, alpha, Par::Seq);
        rayon::join(|| half(left, rhs_left), || half(right, rhs_right));
        return;
    }
    let is_vector = dst.nrows() == 1 || dst.ncols() == 1;
    let par = if is_vector || multiply_adds < WORTH_SPLITTING { Par::Seq } else { par };
    faer::linalg::matmul::matmul(dst, accumulate, lhs, rhs, alpha, par);
}

/// Room for transposed copies of right factors of one shape, made when it is first needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transposing(Option<Padded>);

impl Transposing {
    /// `dst = alpha lhs rhsᵀ`; the bits of the result do not depend on `par`.
    ///
    /// [`faer`] takes 1.15 times as long with a right factor whose rows are contiguous (1000 × 1000 × 1000 on the two threads of
    /// a Xeon: 19.7 ms instead of 17.1). Where products are large it is copied first, which takes 0.5 ms.
    ///
    /// # Panics
    /// If shapes do not match.
    pub(crate) fn matmul(
        &mut self,
        mut dst: MatMut<'_, f64>,
        lhs: MatRef<'_, f64>,
        rhs: MatRef<'_, f64>,
        alpha: f64,
        par: Par,
    ) {
        let (columns, inner) = rhs.shape();
        assert_eq!((dst.nrows(), dst.ncols(), lhs.ncols()), (lhs.nrows(), columns, inner), "shapes of a product");
        if dst.nrows().min(columns).min(inner) < WORTH_TRANSPOSING {
            return matmul(dst, Accum::Replace, lhs, rhs.transpose(), alpha, par);
        }
        let room = self.of_shape(inner, columns.min(PANEL));
        for first in (0..columns).step_by(PANEL) {
            let count = PANEL.min(columns - first);
            let mut copy = room.as_mut().subcols_mut(0, count);
            transpose(copy.as_mut(), rhs.subrows(first, count), par);
            matmul(dst.as_mut().subcols_mut(first, count), Accum::Replace, lhs, copy.as_ref(), alpha, par);
        }
    }

    fn of_shape(&mut self, rows: usize, columns: usize) -> &mut Padded {
        let room = self.0.take().filter(|room| room.shape() == (rows, columns));
        self.0.insert(room.unwrap_or_else(|| Padded::zeros(rows, columns)))
    }
}

/// `to = fromᵀ`.
fn transpose(mut to: MatMut<'_, f64>, from: MatRef<'_, f64>, par: Par) {
    let copy = |first: usize, mut to: MatMut<'_, f64>| {
        let rows = from.subrows(first, to.ncols());
        to.copy_from(rows.transpose());
    };
    if par.degree() > 1 {
        let parts = to.par_col_chunks_mut(TRANSPOSED_AT_A_TIME).enumerate();
        parts.for_each(|(part, to)| copy(part * TRANSPOSED_AT_A_TIME, to));
        return;
    }
    for first in (0..to.ncols()).step_by(TRANSPOSED_AT_A_TIME) {
        let count = TRANSPOSED_AT_A_TIME.min(to.ncols() - first);
        copy(first, to.as_mut().subcols_mut(first, count));
    }
}

/// Runs two independent pieces of work of about so many multiply-adds each; side by side where that is faster. `par` is for
/// what is inside them.
pub(crate) fn both(par: Par, multiply_adds: usize, first: impl FnOnce(Par) + Send, second: impl FnOnce(Par) + Send) {
    if multiply_adds < WORTH_SPLITTING && can_share(par, 2 * multiply_adds) {
        rayon::join(|| first(Par::Seq), || second(Par::Seq));
    } else {
        first(par);
        second(par);
    }
}

/// Whether half of the work should go to another thread. Only a thread of the pool hands over work this small: for one
/// outside, waking the pool takes as long as the work.
fn can_share(par: Par, multiply_adds: usize) -> bool {
    multiply_adds >= WORTH_SHARING && par.degree() > 1 && rayon::current_thread_index().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers between the columns of a matrix, which belong to it but to none of them.
    fn between<T: Copy>(matrix: &Mat<T>) -> Vec<T> {
        let (rows, stride) = (matrix.nrows(), matrix.col_stride() as usize);
        let places = (0..matrix.ncols()).flat_map(|j| (rows..stride).map(move |i| j * stride + i));
        // SAFETY: the room of a column is `stride` doubles, which have all been set.
        places.map(|place| unsafe { *matrix.as_ptr().add(place) }).collect()
    }

    #[test]
    fn there_are_zeros_between_the_columns() {
        for (rows, columns) in [(10usize, 7), (1, 3), (100, 100), (8, 4)] {
            // What is allocated next may get this memory.
            drop(vec![Mat::from_fn(rows.next_multiple_of(8), columns, |_, _| 7.0); 8]);
            let copied = Padded::copy(Mat::from_fn(rows, columns, |i, j| (i + j) as f64).as_ref());
            let zeros = Padded::zeros(rows, columns);
            drop(vec![Mat::from_fn(rows.next_multiple_of(8), columns, |_, _| 7.0); 8]);
            for matrix in [&zeros, &copied, &copied.clone()] {
                assert_eq!(matrix.shape(), (rows, columns));
                let between = between(matrix);
                assert_eq!(between.len(), (rows.next_multiple_of(8) - rows) * columns, "room of {rows} rows");
                assert!(between.iter().all(|number| number.to_bits() == 0), "{rows} × {columns}: {between:?}");
            }
            assert_eq!(copied.clone().as_ref(), copied.as_ref());
        }
    }

    #[test]
    fn a_transposed_copy_changes_nothing_but_the_time() {
        let number = |i: usize, j: usize| ((i * 7 + j * 13) % 17) as f64 / 17.0 - 0.5;
        // Below the size from which factors are copied, above it, and in two panels.
        for (rows, columns, inner) in [(100, 600, 600), (513, 514, 515), (512, PANEL + 9, 512)] {
            let lhs = Mat::from_fn(rows, inner, number);
            let rhs = Mat::from_fn(columns, inner, |i, j| number(j, i + 3));
            let expected = &lhs * rhs.transpose();
            let mut transposing = Transposing::default();
            let results = [Par::Seq, Par::rayon(2)].map(|par| {
                let mut dst = Padded::zeros(rows, columns);
                transposing.matmul(dst.as_mut(), lhs.as_ref(), rhs.as_ref(), 0.5, par);
                dst
            });
            let distance = (faer::Scale(2.0) * results[0].as_ref() - &expected).norm_l2();
            assert!(distance < 1e-13 * expected.norm_l2(), "{rows} × {columns}: off by {distance:e}");
            assert_eq!(results[0].as_ref(), results[1].as_ref(), "{rows} × {columns}: another number of threads");
            let copied = transposing.0.is_some();
            assert_eq!(copied, rows >= WORTH_TRANSPOSING, "{rows} × {columns}: copied");
        }
    }

    #[test]
    fn in_single_precision_the_room_is_a_multiple_of_sixteen() {
        drop(vec![Mat::from_fn(16, 5, |_, _| 7.0f32); 8]);
        let between = between(&zeros::<f32>(8, 5));
        assert_eq!(between.len(), 8 * 5);
        assert!(between.iter().all(|number| number.to_bits() == 0), "{between:?}");
    }
}
