//! A matrix completed in one call: for a user's own entries, with everything chosen that need not be.

use faer::Par;
use rand::Rng;

use crate::DynamicsError;
use crate::compression::sampled;
use crate::factorization::Factorization;
use crate::kernel::cheapest_form;
use crate::optimizer::Optimizer;
use crate::problem::Objective;
use crate::training::{Schedule, train};
use crate::units::{Hyperparameters, largest_singular_value};

/// How to complete a matrix by a compressed deep factorization that starts from [`sampled`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Completion {
    /// Rank guess r̂: at least the rank of the matrix, at most half its shorter side.
    pub rank: usize,
    /// Number of factors L of the original.
    pub depth: usize,
    /// In relative units.
    pub hyperparameters: Hyperparameters,
    /// At most this many steps.
    pub max_iterations: u64,
    /// Stop when the training loss, in units of that of zeros, is below it.
    pub tolerance: f64,
}

impl Completion {
    /// With three factors, the default hyperparameters, at most 2000 steps and a tolerance of 1e-10.
    pub fn of_rank(rank: usize) -> Self {
        let hyperparameters = Hyperparameters::default();
        Self { rank, depth: 3, hyperparameters, max_iterations: 2000, tolerance: 1e-10 }
    }

    /// Completes the target of `objective`: [`Factorization::entry`] has the result.
    ///
    /// # Errors
    /// If the observed entries are all zero, the rank guess or the depth is out of range, all entries of the target are
    /// observed, or training diverges.
    pub fn run(
        &self,
        objective: &Objective,
        rng: &mut impl Rng,
        par: Par,
    ) -> Result<Box<dyn Factorization>, DynamicsError> {
        let sigma = largest_singular_value(objective, rng, par)?;
        if sigma == 0.0 {
            return Err(DynamicsError::Compression("all observed entries are zero".to_owned()));
        }
        let Hyperparameters { init_scale, step_size, discrepant_step } =
            self.hyperparameters.absolute(objective, self.depth, sigma);
        let start = sampled(objective, self.rank, self.depth, init_scale, discrepant_step, rng, par)?;
        let mut model = cheapest_form(start, objective);
        let zeros = 0.5 * objective.weight() * objective.values().iter().map(|value| value * value).sum::<f64>();
        let tolerance = self.tolerance * zeros;
        let schedule = Schedule { max_iterations: self.max_iterations, tolerance, record_every: 10 };
        train(&mut model, objective, &mut Optimizer::gradient_descent(step_size)?, schedule, &mut (), par)?;
        model.multiply(par);
        Ok(model)
    }
}
