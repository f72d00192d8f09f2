//! Some rows of a table, such as those that a batch looks up; all others are 0.

use faer::{Mat, MatRef};

use crate::Real;

/// A height × width matrix that is 0 outside a few rows. A row is kept as a column, without gaps.
#[derive(Clone, Debug)]
pub struct RowBlock<T: Real> {
    height: usize,
    /// Rising, each once.
    rows: Vec<usize>,
    /// width × (at least the number of rows).
    columns: Mat<T>,
}

impl<T: Real> RowBlock<T> {
    /// A height × width matrix of zeros.
    pub fn zeros(height: usize, width: usize) -> Self {
        Self { height, rows: Vec::new(), columns: Mat::zeros(width, 0) }
    }

    /// Shape of the whole matrix.
    pub fn shape(&self) -> (usize, usize) {
        (self.height, self.columns.nrows())
    }

    /// The rows that are kept, rising.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The kept rows, each a column: width × their number.
    pub fn block(&self) -> MatRef<'_, T> {
        self.columns.subcols(0, self.rows.len())
    }

    /// Keeps these rows from now on, in any order and as often as they come, all 0. Allocates only if there never were as many.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn keep(&mut self, rows: impl Iterator<Item = usize>) {
        self.rows.clear();
        self.rows.extend(rows);
        self.rows.sort_unstable();
        self.rows.dedup();
        assert!(self.rows.last().is_none_or(|&last| last < self.height), "rows of the table");
        let (width, count) = (self.columns.nrows(), self.rows.len());
        if self.columns.ncols() < count {
            self.columns = Mat::zeros(width, count);
        }
        self.columns.subcols_mut(0, count).fill(T::of(0.0));
    }

    /// Adds to a kept row.
    ///
    /// # Panics
    /// If it is not kept.
    pub fn add(&mut self, row: usize, summand: &[T]) {
        let place = self.rows.binary_search(&row).expect("a row that is kept");
        for (sum, &x) in self.columns.col_as_slice_mut(place).iter_mut().zip(summand) {
            *sum += x;
        }
    }

    /// The whole matrix.
    pub fn to_dense(&self) -> Mat<T> {
        let mut dense = Mat::zeros(self.height, self.columns.nrows());
        for (place, &row) in self.rows.iter().enumerate() {
            dense.row_mut(row).copy_from(self.columns.col(place).transpose());
        }
        dense
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_up_and_forgotten() {
        let mut block = RowBlock::<f64>::zeros(9, 2);
        block.keep([7, 3, 7].into_iter());
        assert_eq!((block.rows(), block.shape()), (&[3, 7][..], (9, 2)));
        for row in [7, 3, 7] {
            block.add(row, &[1.0, row as f64]);
        }
        let dense = block.to_dense();
        let expected = |i: usize, j: usize| match (i, j) {
            (3, _) => [1.0, 3.0][j],
            (7, _) => [2.0, 14.0][j],
            _ => 0.0,
        };
        assert_eq!(dense, Mat::from_fn(9, 2, expected));
        block.keep([8].into_iter());
        assert_eq!((block.to_dense().norm_max(), block.block().shape()), (0.0, (2, 1)));
    }
}
