//! When every `ΔW` of a run leaves the origin.

use adaptation::spectrum::{ZERO_NORM, spectral_norm};
use adaptation::{Adapters, Applied, AppliedGradient};
use faer::{Mat, MatRef};

use super::outcome::Escape;

/// Watches the updates that are still at the origin.
pub struct EscapeLog {
    /// What was found, in the order of the sites.
    pub found: Vec<Escape>,
}

impl EscapeLog {
    /// For updates whose first gradients are in these adapters.
    pub fn new(gradients: &Adapters<f32>) -> Self {
        let of = |site| {
            let gradient_norm = match gradients.gradient(site)? {
                AppliedGradient::Merged(gradient) => spectral_norm(gradient.as_ref()),
                AppliedGradient::MergedRows(rows) => spectral_norm(rows.block()),
                _ => return None,
            };
            Some(Escape { site, gradient_norm, step: None })
        };
        Self { found: gradients.sites().filter_map(of).collect() }
    }

    /// Notes down which updates left the origin with this step. One that has left is not looked at again.
    pub fn note(&mut self, step: u64, adapters: &Adapters<f32>) {
        for escape in self.found.iter_mut().filter(|escape| escape.step.is_none()) {
            if adapters.applied(escape.site).is_some_and(|applied| norm(applied) > ZERO_NORM) {
                escape.step = Some(step);
            }
        }
    }
}

/// ‖ΔW‖_F, of a product from the Gram matrices of its factors.
pub fn norm(applied: Applied<'_, f32>) -> f64 {
    match applied {
        Applied::Merged(delta) => f64::from(delta.norm_l2()),
        Applied::Factored { left, right } => {
            let gram = |factor: MatRef<'_, f32>| -> Mat<f32> { factor.transpose() * factor };
            let (of_left, of_right) = (gram(left), gram(right.transpose()));
            let trace: f64 = (0..of_left.ncols())
                .flat_map(|j| (0..of_left.nrows()).map(move |i| (i, j)))
                .map(|at| f64::from(of_left[at]) * f64::from(of_right[at]))
                .sum();
            // Rounding may bring it below 0; NaN stays.
            if trace < 0.0 { 0.0 } else { trace.sqrt() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_of_a_product_is_that_of_the_matrix() {
        let entry = |i: usize, j: usize| (1.0 + i as f32).sin() * (2.0 + j as f32).cos();
        let (left, right) = (Mat::from_fn(7, 3, entry), Mat::from_fn(3, 5, entry));
        let delta: Mat<f32> = &left * &right;
        let (merged, factored) =
            (Applied::Merged(delta.as_ref()), Applied::Factored { left: left.as_ref(), right: right.as_ref() });
        assert!((norm(merged) - norm(factored)).abs() < 1e-5 * norm(merged));
    }
}
