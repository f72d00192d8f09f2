//! `ΔW = 0` with nothing to train: put on a network to read the dense gradient with respect to `ΔW`.

use faer::{Mat, Par};

use super::{Adapter, Applied, AppliedGradient, Form, Parameter};
use crate::Real;

/// `ΔW = 0`, m × n, applied merged.
pub(super) struct Zero<T: Real>(pub(super) Mat<T>);

impl<T: Real> Adapter<T> for Zero<T> {
    fn shape(&self) -> (usize, usize) {
        self.0.shape()
    }

    fn form(&self) -> Form {
        Form::Merged
    }

    fn applied(&self) -> Applied<'_, T> {
        Applied::Merged(self.0.as_ref())
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
