//! An adapter without parameters, whose `ΔW` is set from outside: what the encoder's tests put on its sites.

use adaptation::adapter::Parameter;
use adaptation::{Adapter, Applied, AppliedGradient, Form, Real};
use faer::{Mat, Par};

/// `ΔW` in one of the two forms.
pub struct Fixed<T: Real>(AppliedGradient<T>);

impl<T: Real> Fixed<T> {
    pub fn factored(left: Mat<T>, right: Mat<T>) -> Self {
        Self(AppliedGradient::Factored { left, right })
    }

    pub fn merged(delta: Mat<T>) -> Self {
        Self(AppliedGradient::Merged(delta))
    }
}

const ROWS: &str = "made of whole matrices";

impl<T: Real> Adapter<T> for Fixed<T> {
    fn shape(&self) -> (usize, usize) {
        match &self.0 {
            AppliedGradient::Factored { left, right } => (left.nrows(), right.ncols()),
            AppliedGradient::Merged(delta) => delta.shape(),
            _ => unreachable!("{ROWS}"),
        }
    }

    fn form(&self) -> Form {
        match &self.0 {
            AppliedGradient::Factored { left, .. } => Form::Factored { rank: left.ncols() },
            AppliedGradient::Merged(_) => Form::Merged,
            _ => unreachable!("{ROWS}"),
        }
    }

    fn applied(&self) -> Applied<'_, T> {
        match &self.0 {
            AppliedGradient::Factored { left, right } => {
                Applied::Factored { left: left.as_ref(), right: right.as_ref() }
            }
            AppliedGradient::Merged(delta) => Applied::Merged(delta.as_ref()),
            _ => unreachable!("{ROWS}"),
        }
    }

    fn refresh(&mut self, _: Par) {}

    fn pull_back(&mut self, _: &AppliedGradient<T>, _: Par) {}

    fn parameters(&self) -> &[Parameter<T>] {
        &[]
    }

    fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut []
    }
}
