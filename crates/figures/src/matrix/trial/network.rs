//! The networks of a trial, and how their initial factors are made.

use anyhow::Context;
use dynamics::{CompressedFactorization, DeepFactorization, DynamicsError, Initialization, Objective, compression};
use faer::Par;
use serde::{Deserialize, Serialize};

use super::MatrixTrial;
use crate::matrix::DrawSettings;
use crate::matrix::recipe::Recipe;

/// A network, with what makes its initial factors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Network {
    /// Factors `ε ×` orthogonal, rows or columns cut off: the original (width d) or a narrow one.
    Deep { depth: usize, width: usize, init_scale: f64 },
    /// The same with factors of independent entries, whose norm is on average that of the orthogonal ones.
    Independent { depth: usize, width: usize, init_scale: f64, law: Law },
    /// The compressed network of the original of width d.
    Compressed { depth: usize, init_scale: f64, rank_guess: usize, discrepant_step: f64 },
    /// The exact compression under full observation: null-space construction, fixed bases.
    CompressedExact { depth: usize, init_scale: f64 },
    /// The compressed network of an original of width d that is never built.
    Sampled { depth: usize, init_scale: f64, rank_guess: usize, discrepant_step: f64 },
    /// The spectral initialization of Kwon et al.
    Spectral {
        depth: usize,
        init_scale: f64,
        /// Rank guess r̂, which is the width.
        rank_guess: usize,
        discrepant_step: f64,
    },
}

/// The law of independent entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// Normal.
    Normal,
    /// Uniform around zero.
    Uniform,
}

impl From<Law> for Initialization {
    fn from(law: Law) -> Self {
        match law {
            Law::Normal => Self::Gaussian,
            Law::Uniform => Self::Uniform,
        }
    }
}

impl MatrixTrial {
    /// A deep network of this trial's initialization.
    pub(super) fn deep(&self, depth: usize, width: usize, scale: f64) -> Result<DeepFactorization, DynamicsError> {
        if self.problem.draw == DrawSettings::Authors {
            return Recipe::of(self.start.experiment).factors(&self.network, self.start.initialization);
        }
        self.drawn(depth, width, scale, Initialization::Orthogonal)
    }

    /// A deep network from the seed.
    pub(super) fn drawn(
        &self,
        depth: usize,
        width: usize,
        scale: f64,
        initialization: Initialization,
    ) -> Result<DeepFactorization, DynamicsError> {
        let shape = (*self.problem.size, *self.problem.size);
        let mut rng = self.start.network_stream("initial factors");
        DeepFactorization::draw(shape, depth, width, initialization, scale, &mut rng)
    }

    /// A compressed network of this trial.
    pub(super) fn compressed(&self, objective: &Objective, par: Par) -> anyhow::Result<CompressedFactorization> {
        match self.network {
            Network::Deep { .. } | Network::Independent { .. } => anyhow::bail!("a deep network is not compressed"),
            Network::Compressed { depth, init_scale, rank_guess, discrepant_step } => {
                let mut original = self.deep(depth, *self.problem.size, init_scale).context("drawing the factors")?;
                compression::compress(&mut original, objective, rank_guess, discrepant_step, par)
            }
            Network::Sampled { depth, init_scale, rank_guess, discrepant_step } => {
                let mut rng = self.start.network_stream("sampled construction");
                compression::sampled(objective, rank_guess, depth, init_scale, discrepant_step, &mut rng, par)
            }
            Network::CompressedExact { depth, init_scale } => {
                let original = self.deep(depth, *self.problem.size, init_scale).context("drawing the factors")?;
                compression::compress_exact(&original, objective.target())
            }
            Network::Spectral { depth, init_scale, rank_guess, discrepant_step } => {
                compression::spectral(objective, rank_guess, depth, init_scale, discrepant_step)
            }
        }
        .context("compressing")
    }
}
