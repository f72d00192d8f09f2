//! The networks that a matrix can be completed with, at their start.

use faer::Par;
use rand::Rng;

use super::Completion;
use crate::DynamicsError;
use crate::compression::{sampled, spectral_sparse};
use crate::factorization::{DeepFactorization, Factorization};
use crate::kernel::cheapest_form;
use crate::problem::Objective;
use crate::random::Initialization;
use crate::units::{Hyperparameters, largest_singular_value};

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetworkKind {
    /// The compressed network of an original that is never built, `2r̂` wide ([`sampled`]).
    Compressed,
    /// The compressed network that starts from the singular vectors of the known entries, `r̂` wide ([`spectral_sparse`]).
    Spectral,
    /// A deep factorization of width `2r̂` from a random orthogonal start.
    Narrow,
    /// A deep factorization as wide as the longer side, from a random orthogonal start.
    Original,
}

/// A network for what the biases leave, and its step size.
pub(super) fn start(
    completion: &Completion,
    objective: &Objective,
    rng: &mut impl Rng,
    par: Par,
) -> Result<(Box<dyn Factorization>, f64), DynamicsError> {
    let Completion { rank, depth, network, hyperparameters, .. } = *completion;
    let shape = (objective.d_out(), objective.d_in());
    let sigma = largest_singular_value(objective, rng, par)?;
    let Hyperparameters { init_scale, step_size, discrepant_step } = hyperparameters.absolute(objective, depth, sigma);
    let mut deep = |width| {
        DeepFactorization::draw(shape, depth, width, Initialization::Orthogonal, init_scale, rng)
            .map(|model| Box::new(model) as Box<dyn Factorization>)
    };
    let model = match network {
        NetworkKind::Narrow => deep(2 * rank)?,
        NetworkKind::Original => deep(shape.0.max(shape.1))?,
        NetworkKind::Compressed => {
            cheapest_form(sampled(objective, rank, depth, init_scale, discrepant_step, rng, par)?, objective)
        }
        NetworkKind::Spectral => {
            cheapest_form(spectral_sparse(objective, rank, depth, init_scale, discrepant_step, rng, par)?, objective)
        }
    };
    Ok((model, step_size))
}
