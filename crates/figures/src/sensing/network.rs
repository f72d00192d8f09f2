//! The networks, and how their initial factors are made.

use dynamics::compression::{compress, spectral};
use dynamics::kernel::cheapest_form;
use dynamics::{DeepFactorization, DynamicsError, Factorization, Initialization, Objective};
use faer::{Mat, Par, Scale};
use serde::Serialize;

use super::trial::SensingTrial;

/// A network, with what makes its initial factors beside depth and init scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Network {
    /// Factors `ε ×` orthogonal, as wide as the target.
    Original,
    /// The compressed network of the original, `2r̂` wide.
    Compressed { rank_guess: usize, discrepant_step: f64 },
    /// Factors `ε Vᵀ, ε I, …, ε U`, `2r̂` wide, with the singular vectors of the measurements' surrogate (Kwon et al.).
    Spectral { rank_guess: usize },
}

impl SensingTrial {
    fn original(&self) -> Result<DeepFactorization, DynamicsError> {
        let size = *self.problem.size;
        let mut rng = self.start.network_stream("initial factors");
        DeepFactorization::draw((size, size), self.depth, size, Initialization::Orthogonal, self.init_scale, &mut rng)
    }

    /// The network of this trial, before training.
    pub(super) fn model(&self, objective: &Objective, par: Par) -> Result<Box<dyn Factorization>, DynamicsError> {
        Ok(match self.network {
            Network::Original => Box::new(self.original()?),
            Network::Compressed { rank_guess, discrepant_step } => {
                let compressed = compress(&mut self.original()?, objective, rank_guess, discrepant_step, par)?;
                cheapest_form(compressed, objective)
            }
            Network::Spectral { rank_guess } => {
                let (width, scale) = (2 * rank_guess, Scale(self.init_scale));
                let bases = spectral(objective, width, self.depth, self.init_scale, 0.0)?;
                let mut factors = vec![Mat::<f64>::identity(width, width) * scale; self.depth];
                factors[0] = bases.right().transpose() * scale;
                factors[self.depth - 1] = bases.left() * scale;
                Box::new(DeepFactorization::new(factors)?)
            }
        })
    }
}
