//! LoRA with a scaling, as PEFT trains it: `ΔW = s B A`.

use dynamics::dense;
use faer::{Mat, MatRef, Par};

use super::deep::factor;
use super::{Adapter, Applied, AppliedGradient, Form, Group, Parameter};
use crate::{Real, Site};

/// `ΔW = s B A` with B (m × r) and A (r × n) trained and s fixed, applied as `left = B`, `right = s A`.
///
/// [`Lora`](super::Lora) draws its factors and has s = 1. With s in a factor instead, the product would be the same and AdamW's
/// steps would not: they do not depend on the size of a gradient.
pub struct ScaledLora<T: Real> {
    /// A, B.
    parameters: [Parameter<T>; 2],
    scale: T,
    /// `s A`.
    right: Mat<T>,
}

impl<T: Real> ScaledLora<T> {
    /// From B (m × r), A (r × n) and s, for a site, on which it depends whether B is a [table](Parameter::table).
    ///
    /// # Panics
    /// If the factors have no inner width in common.
    pub fn new(site: Site, b: MatRef<'_, T>, a: MatRef<'_, T>, scale: f64) -> Self {
        assert_eq!(b.ncols(), a.nrows(), "an inner width in common");
        let parameters = [Parameter::new("A", a, Group::Inner), factor(site, "B", b, Group::Inner)];
        let mut adapter = Self { parameters, scale: T::of(scale), right: dense::zeros(a.nrows(), a.ncols()) };
        adapter.refresh(Par::Seq);
        adapter
    }
}

/// `target = scale × source`, of one shape.
fn scale_into<T: Real>(target: &mut Mat<T>, source: &Mat<T>, scale: T) {
    for j in 0..source.ncols() {
        for i in 0..source.nrows() {
            target[(i, j)] = scale * source[(i, j)];
        }
    }
}

impl<T: Real> Adapter<T> for ScaledLora<T> {
    fn shape(&self) -> (usize, usize) {
        let [a, b] = &self.parameters;
        (b.matrix().nrows(), a.value.ncols())
    }

    fn form(&self) -> Form {
        let rank = self.right.nrows();
        if self.parameters[1].touched.is_some() { Form::FactoredRows { rank } } else { Form::Factored { rank } }
    }

    fn applied(&self) -> Applied<'_, T> {
        Applied::Factored { left: self.parameters[1].matrix(), right: self.right.as_ref() }
    }

    fn refresh(&mut self, _: Par) {
        scale_into(&mut self.right, &self.parameters[0].value, self.scale);
    }

    fn pull_back(&mut self, gradient: &AppliedGradient<T>, _: Par) {
        let [a, b] = &mut self.parameters;
        let right = match gradient {
            AppliedGradient::Factored { left, right } => {
                b.gradient.copy_from(left);
                right
            }
            AppliedGradient::FactoredRows { left, right } => {
                b.set_rows(left);
                right
            }
            _ => panic!("the gradient of a factored adapter is that of its two factors"),
        };
        scale_into(&mut a.gradient, right, self.scale);
    }

    fn parameters(&self) -> &[Parameter<T>] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [Parameter<T>] {
        &mut self.parameters
    }
}
