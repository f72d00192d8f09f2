//! Init scale, step size and discrepant step in units in which problems of any size behave alike.

use faer::Par;
use rand::Rng;

use crate::DynamicsError;
use crate::decomposition::thin_svd;
use crate::problem::{Objective, Observed};
use crate::truncated::{Accuracy, leading_triplets};

/// Two digits of the largest singular value are plenty for a step size.
const LARGEST: Accuracy = Accuracy { tolerance: 1e-2, max_iterations: 20 };

/// What gradient descent on a compressed factorization is to be told besides its depth and rank.
///
/// The default is in relative units (see [`Self::absolute`]), and trains at any size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hyperparameters {
    /// Init scale ε.
    pub init_scale: f64,
    /// Step size η.
    pub step_size: f64,
    /// Discrepant step γ.
    pub discrepant_step: f64,
}

/// Those of three factors.
impl Default for Hyperparameters {
    fn default() -> Self {
        Self::of_depth(3)
    }
}

impl Hyperparameters {
    /// Relative ones for `depth` factors. A network leaves its start after a time of about `ε^(2 − L)` (for two factors,
    /// `ln 1/ε`): ε is chosen so that this is the same 50 for any depth from 3.
    pub fn of_depth(depth: usize) -> Self {
        let init_scale = 0.02_f64.powf(1.0 / depth.saturating_sub(2).max(1) as f64);
        Self { init_scale, step_size: 0.3, discrepant_step: 1.0 }
    }

    /// Takes these as relative to units in which the target's largest singular value `sigma` (σ) is 1 and every entry is
    /// observed, where the dynamics do not depend on the size, and returns what they are for `objective` and `depth` factors.
    ///
    /// The units: of ε the factors of a balanced solution, `σ^(1/L)`; of η the inverse curvature there, `1 / (w p σ^(2 − 2/L))`
    /// for the observed fraction p (of m measurements m, as each sees every entry) and the loss' weight w; of γ `σ^(−2/L)`, so that with 1 the bases move as fast as one small
    /// factor there.
    pub fn absolute(self, objective: &Objective, depth: usize, sigma: f64) -> Self {
        let depth = depth as f64;
        let curvature = objective.weight() * fraction(objective) * sigma.powf(2.0 - 2.0 / depth);
        Self {
            init_scale: self.init_scale * sigma.powf(1.0 / depth),
            step_size: self.step_size / curvature,
            discrepant_step: self.discrepant_step / sigma.powf(2.0 / depth),
        }
    }
}

/// How often an entry is observed.
fn fraction(objective: &Objective) -> f64 {
    match objective.observed() {
        Observed::Full => 1.0,
        Observed::Entries(entries) => entries.len() as f64 / (objective.d_out() as f64 * objective.d_in() as f64),
        Observed::Measurements(measurements) => measurements.len() as f64,
    }
}

/// The target's largest singular value; where only some entries are known, that of these divided by their fraction, and where only
/// measurements are, that of their [surrogate](crate::Measurements::surrogate): the noise of sampling makes either a little too large.
///
/// # Errors
/// If the decomposition fails.
pub fn largest_singular_value(objective: &Objective, rng: &mut impl Rng, par: Par) -> Result<f64, DynamicsError> {
    match (objective.known_target(), objective.observed()) {
        (None, Observed::Entries(entries)) => {
            let triplets = leading_triplets(entries, objective.values(), 1, LARGEST, rng, par)?;
            Ok(triplets.svd.values[0] / fraction(objective))
        }
        (None, Observed::Measurements(measurements)) => {
            Ok(thin_svd(measurements.surrogate(objective.values()).as_ref())?.values[0])
        }
        _ => Ok(objective.target().values()[0]),
    }
}
