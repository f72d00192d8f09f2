//! Problem, network and methods of any size, as `scaling.toml` names them.

use dynamics::Objective;
use dynamics::units::Hyperparameters;
use lab::Invalid;
use lab::checked::{Count, Depth, NotNegative, Positive, Size};
use serde::{Deserialize, Serialize};

use crate::checks::check_init_scale;
use crate::matrix::check_rank_guess;

/// Largest size at which a dense target is decomposed.
const LARGEST_DENSE: usize = 5000;

/// `[problem]`: a square low-rank target of any size, and how much is observed of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WideProblem {
    /// How the target is made.
    pub target: TargetSettings,
    /// Rank of the target, r.
    pub rank: Count,
    /// Observed entries per row, on average; their number is d times that.
    pub observed_per_row: Count,
}

/// How a target is made: `target = "gaussian"` or `"factors"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetSettings {
    /// A Gaussian matrix cut to its largest singular triplets, which takes a dense decomposition.
    Gaussian,
    /// Haar-distributed singular vectors, all singular values `2√d`: what the former tends to as d grows.
    Factors,
}

impl WideProblem {
    /// Checks the section named `key` for targets of the given size.
    pub fn check(&self, key: &str, size: Size) -> Result<(), Invalid> {
        let Self { target, rank, observed_per_row } = *self;
        let ranks = format!("a whole number from 1 to the smallest size ({size})");
        Invalid::unless(*rank <= *size, format!("{key}.rank"), rank, ranks)?;
        let fits = *observed_per_row <= *size / 2;
        let allowed = format!("a whole number from 1 to half the smallest size ({})", *size / 2);
        Invalid::unless(fits, format!("{key}.observed_per_row"), observed_per_row, allowed)?;
        let dense = target == TargetSettings::Gaussian && *size > LARGEST_DENSE;
        let allowed = format!("\"factors\" for sizes above {LARGEST_DENSE}");
        Invalid::unless(!dense, format!("{key}.target"), "\"gaussian\"", allowed)
    }
}

/// `[network]`: a network and its training in units in which the target's largest singular value σ is 1 and every entry is
/// observed. In these units the dynamics do not depend on the size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelativeNetwork {
    pub depth: Depth,
    pub rank_guess: Count,
    /// Init scale in units of the factors of a balanced solution: `ε / σ^(1/L)`.
    pub init_scale: Positive,
    /// Step size in units of the inverse curvature there: `η p σ^(2 − 2/L) / d²`, η being that of the mean form.
    pub step_size: Positive,
    /// Discrepant step such that at 1 the bases move as fast as one small factor there: `γ σ^(2/L)`.
    pub discrepant_step: NotNegative,
}

impl RelativeNetwork {
    /// Checks the section named `key` for the smallest size.
    pub fn check(&self, key: &str, size: Size) -> Result<(), Invalid> {
        check_rank_guess(&format!("{key}.rank_guess"), self.rank_guess, size)?;
        check_init_scale(&format!("{key}.init_scale"), *self.init_scale, *self.depth)
    }

    /// ε, η and γ for the objective's size, observed fraction and largest singular value.
    pub(super) fn absolute(&self, objective: &Objective) -> (f64, f64, f64) {
        let Self { init_scale, step_size, discrepant_step, .. } = *self;
        let relative =
            Hyperparameters { init_scale: *init_scale, step_size: *step_size, discrepant_step: *discrepant_step };
        let absolute = relative.absolute(objective, *self.depth, objective.target().values()[0]);
        (absolute.init_scale, absolute.step_size, absolute.discrepant_step)
    }
}

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScaleMethod {
    /// The compressed network of an original that is never built.
    Sampled,
    /// The compressed network, from the factors of the original.
    Explicit,
    /// The original, as wide as the target.
    Original,
}

impl ScaleMethod {
    /// All, in the order of tables and legends.
    pub const ALL: [Self; 3] = [Self::Sampled, Self::Explicit, Self::Original];

    /// Its name in tables and legends.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sampled => "compressed, sampled",
            Self::Explicit => "compressed, explicit",
            Self::Original => "original",
        }
    }
}
