//! What an adapter trains.

use dynamics::dense;
use faer::{Mat, MatRef};

use super::RowBlock;
use crate::Real;

/// One trained matrix with its gradient.
#[derive(Clone, Debug)]
pub struct Parameter<T: Real> {
    /// Name within its adapter: `A`, `W_1`, `U`.
    pub name: String,
    /// Its value; transposed if it is a [`table`](Self::table).
    pub value: Mat<T>,
    /// Gradient of the loss (penalty included), of the value's shape; of a [`table`](Self::table), a column for each of the
    /// `touched` rows.
    pub gradient: Mat<T>,
    /// Which step size it moves with.
    pub group: Group,
    /// Of a [`table`](Self::table) only: the rows whose gradient is not 0, rising.
    pub touched: Option<Vec<usize>>,
}

/// Parameters with a step size in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Moves with the step size η.
    Inner,
    /// The bases U, V of a compressed adapter: move with the discrepant step γη.
    Outer,
}

impl<T: Real> Parameter<T> {
    /// A parameter with this value and a zero gradient.
    pub fn new(name: impl Into<String>, value: MatRef<'_, T>, group: Group) -> Self {
        let gradient = dense::zeros(value.nrows(), value.ncols());
        Self { name: name.into(), value: dense::copy(value), gradient, group, touched: None }
    }

    /// The factor on the vocabulary's side of an adapter of an embedding (vocabulary × k), of which a batch looks up some rows:
    /// kept transposed, so that a row is without gaps, with the gradient of the rows that were looked up.
    /// [`AdamW`](crate::AdamW) moves a row when it is looked up the next time.
    pub fn table(name: impl Into<String>, value: MatRef<'_, T>, group: Group) -> Self {
        let value = dense::copy(value.transpose());
        let gradient = Mat::zeros(value.nrows(), 0);
        Self { name: name.into(), value, gradient, group, touched: Some(Vec::new()) }
    }

    /// The matrix as it is a factor of `ΔW`.
    pub fn matrix(&self) -> MatRef<'_, T> {
        if self.touched.is_some() { self.value.transpose() } else { self.value.as_ref() }
    }

    /// The gradient with respect to [`matrix`](Self::matrix), of its shape.
    pub fn matrix_gradient(&self) -> Mat<T> {
        let Some(touched) = &self.touched else { return self.gradient.clone() };
        let (height, width) = self.matrix().shape();
        let mut rows = RowBlock::zeros(height, width);
        rows.keep(touched.iter().copied());
        touched.iter().enumerate().for_each(|(place, &row)| rows.add(row, self.gradient.col_as_slice(place)));
        rows.to_dense()
    }

    /// Replaces the gradient of a [`table`](Self::table).
    ///
    /// # Panics
    /// If it is none, or the gradient is of another shape.
    pub(crate) fn set_rows(&mut self, gradient: &RowBlock<T>) {
        assert_eq!(gradient.shape(), self.matrix().shape(), "a gradient of the parameter's shape");
        let touched = self.touched.as_mut().expect("a parameter whose rows are looked up");
        touched.clear();
        touched.extend_from_slice(gradient.rows());
        self.gradient.resize_with(self.value.nrows(), touched.len(), |_, _| T::of(0.0));
        self.gradient.copy_from(gradient.block());
    }
}
