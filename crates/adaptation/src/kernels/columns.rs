//! Columns of matrices as slices, and buffers that grow to what is asked of them and are then reused.

use faer::{Mat, MatMut, MatRef};

use crate::Real;

/// Numbers that a column of attention probabilities is padded to a multiple of: an f32 vector of 512 bits.
pub(crate) const PADDING: usize = 16;

/// Length of a sequence's column of probabilities.
pub(crate) fn padded(tokens: usize) -> usize {
    tokens.next_multiple_of(PADDING)
}

/// A column, which is without gaps.
#[inline(always)]
pub(crate) fn column<T>(matrix: MatRef<'_, T>, index: usize) -> &[T] {
    matrix.col(index).try_as_col_major().expect("columns without gaps").as_slice()
}

/// A column, which is without gaps.
#[inline(always)]
pub(crate) fn column_mut<T>(matrix: MatMut<'_, T>, index: usize) -> &mut [T] {
    matrix.col_mut(index).try_as_col_major_mut().expect("columns without gaps").as_slice_mut()
}

/// Memory for a matrix, aligned for vectors; columns follow each other without gaps.
#[derive(Debug)]
pub(crate) struct Buffer<T: Real> {
    storage: Mat<T>,
}

impl<T: Real> Default for Buffer<T> {
    fn default() -> Self {
        Self { storage: Mat::new() }
    }
}

impl<T: Real> Buffer<T> {
    /// As a matrix to be written. Allocates only if it never was this large; then what was in it is lost.
    pub(crate) fn write(&mut self, rows: usize, columns: usize) -> MatMut<'_, T> {
        if self.storage.nrows() < rows * columns {
            self.storage = Mat::zeros(rows * columns, 1);
        }
        if rows * columns == 0 {
            return MatMut::from_column_major_slice_mut(&mut [], rows, columns);
        }
        let numbers = column_mut(self.storage.as_mut(), 0);
        MatMut::from_column_major_slice_mut(&mut numbers[..rows * columns], rows, columns)
    }

    /// As the matrix that was written, to be read.
    pub(crate) fn read(&self, rows: usize, columns: usize) -> MatRef<'_, T> {
        if rows * columns == 0 {
            return MatRef::from_column_major_slice(&[], rows, columns);
        }
        MatRef::from_column_major_slice(&column(self.storage.as_ref(), 0)[..rows * columns], rows, columns)
    }

    /// As a list to be written.
    pub(crate) fn list(&mut self, length: usize) -> &mut [T] {
        if length == 0 { &mut [] } else { column_mut(self.write(length, 1), 0) }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.storage.nrows() * size_of::<T>()
    }
}

/// Tokens as rows, padded with zeros.
pub(crate) fn transpose<T: Real>(from: MatRef<'_, T>, to: &mut Buffer<T>) {
    let (size, tokens) = from.shape();
    let length = padded(tokens);
    let to = to.list(length * size);
    for token in 0..tokens {
        for (row, &x) in to.chunks_exact_mut(length).zip(column(from, token)) {
            row[token] = x;
        }
    }
    to.chunks_exact_mut(length).for_each(|row| row[tokens..].fill(T::of(0.0)));
}
