//! `ΔW = 0` with nothing to train: put on a network to read the gradient with respect to `ΔW`.

use faer::{MatRef, Par};

use super::{Adapter, Applied, AppliedGradient, Form, Parameter};
use crate::{Real, Site};

/// `ΔW = 0`, applied merged, without a matrix of zeros.
pub(super) struct Zero<T: Real> {
    shape: (usize, usize),
    form: Form,
    zero: T,
}

impl<T: Real> Zero<T> {
    /// Of this shape, for a site.
    pub(super) fn new(site: Site, shape: (usize, usize)) -> Self {
        let form = if site.is_only_looked_up() { Form::MergedRows } else { Form::Merged };
        Self { shape, form, zero: T::of(0.0) }
    }
}

impl<T: Real> Adapter<T> for Zero<T> {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn form(&self) -> Form {
        self.form
    }

    fn applied(&self) -> Applied<'_, T> {
        Applied::Merged(MatRef::from_repeated_ref(&self.zero, self.shape.0, self.shape.1))
    }

    fn refresh(&mut self, _par: Par) {}

    fn pull_back(&mut self, _gradient: &AppliedGradient<T>, _par: Par) {}

    fn parameters(&self) -> &[Parameter<T>] {
        &[]
    }

    fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut []
    }
}
