//! The networks, and how their initial factors are made.

use dynamics::compression::{compress, spectral};
use dynamics::kernel::cheapest_form;
use dynamics::{DeepFactorization, DynamicsError, Factorization, Initialization, Objective};
use faer::{Mat, Par, Scale};
use serde::Serialize;

use crate::matrix::Start;

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

/// What the initial factors of all networks of a trial are made of.
pub(super) struct Seeds<'a> {
    pub(super) start: &'a Start,
    /// Rows and columns of the target.
    pub(super) size: usize,
    pub(super) depth: usize,
    pub(super) init_scale: f64,
}

impl Seeds<'_> {
    fn original(&self) -> Result<DeepFactorization, DynamicsError> {
        let Self { start, size, depth, init_scale } = *self;
        let mut rng = start.network_stream("initial factors");
        DeepFactorization::draw((size, size), depth, size, Initialization::Orthogonal, init_scale, &mut rng)
    }
}

impl Network {
    /// The network before training.
    pub(super) fn model(
        self,
        seeds: &Seeds<'_>,
        objective: &Objective,
        par: Par,
    ) -> Result<Box<dyn Factorization>, DynamicsError> {
        Ok(match self {
            Self::Original => Box::new(seeds.original()?),
            Self::Compressed { rank_guess, discrepant_step } => {
                let compressed = compress(&mut seeds.original()?, objective, rank_guess, discrepant_step, par)?;
                cheapest_form(compressed, objective)
            }
            Self::Spectral { rank_guess } => {
                let Seeds { depth, init_scale, .. } = *seeds;
                let (width, scale) = (2 * rank_guess, Scale(init_scale));
                let bases = spectral(objective, width, depth, init_scale, 0.0)?;
                let mut factors = vec![Mat::<f64>::identity(width, width) * scale; depth];
                factors[0] = bases.right().transpose() * scale;
                factors[depth - 1] = bases.left() * scale;
                Box::new(DeepFactorization::new(factors)?)
            }
        })
    }
}
