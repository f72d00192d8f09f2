//! One trial of the invariant-subspace theorem: the original and its exact compression, trained by the same method.

mod case;
mod follow;
mod rows;
mod summary;

use anyhow::Context;
use dynamics::compression::compress_exact;
use dynamics::random::{Generator, stream};
use dynamics::subspace::InvariantSubspace;
use dynamics::{DeepFactorization, Initialization, LossForm, Objective, Observed, Schedule, Target, train};
use faer::Par;
use lab::{Memory, Trial, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

pub use self::case::TheoremCase;
use self::follow::{Blocks, Distances};
pub use self::rows::{BlockRow, DistanceRow, block_rows, distance_rows};
pub use self::summary::{CaseRow, Points, have_learned, largest, largest_by_iteration};
use super::trial::as_trial_error;

/// Everything that determines one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TheoremTrial {
    pub experiment: &'static str,
    pub seed: u64,
    pub trial: usize,
    pub case: TheoremCase,
    pub record_every: u64,
}

/// What one run yields.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TheoremOutcome {
    /// Number of directions in which nothing is learned, `m = d − 2r`.
    frozen: usize,
    records: Vec<TheoremRecord>,
}

/// How far the theorem holds at one recorded iteration.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct TheoremRecord {
    iteration: u64,
    /// Training loss of the original, without the weight decay's term.
    training_loss: f64,
    /// For every layer: distance from the block form, divided by `‖W_l‖_F`.
    block_residuals: Vec<f64>,
    /// For every layer: ρ_l, measured.
    rho: Vec<f64>,
    /// For every layer: ρ_l by the recursion; only gradient descent has it.
    rho_recursion: Option<Vec<f64>>,
    /// `‖original − compressed‖_F` of the end-to-end products.
    distance: f64,
}

impl Trial for TheoremTrial {
    type Inputs = ();
    type Outcome = TheoremOutcome;

    fn memory(&self, (): &()) -> Memory {
        self.estimate()
    }

    /// Trains the original, then its compression, and compares them at the records.
    fn run(&self, (): &(), context: &TrialContext) -> Result<TheoremOutcome, TrialError> {
        let TheoremCase { optimizer, .. } = self.case;
        let (size, depth, init_scale) = (*self.case.size, *self.case.depth, *self.case.init_scale);
        let rank = *self.case.rank;
        let target = Target::gaussian(size, size, rank, &mut self.stream("target")).context("drawing the target")?;
        let mut rng = self.stream("initial factors");
        let original =
            DeepFactorization::draw((size, size), depth, size, Initialization::Orthogonal, init_scale, &mut rng);
        let original = original.context("drawing the factors")?;
        let scaled = (1..=depth).map(|l| original.factor(l) * faer::Scale(self.case.layer_scale(l))).collect();
        let mut original = DeepFactorization::new(scaled).context("scaling the factors")?;
        let subspace = InvariantSubspace::new(&original, &target).context("the invariant subspace")?;
        let mut compressed = compress_exact(&original, &target).context("compressing")?;
        let objective = Objective::new(target, Observed::Full, LossForm::Sum).context("making the problem")?;

        let max_iterations = *self.case.iterations;
        let schedule = Schedule { max_iterations, tolerance: 0.0, record_every: self.record_every };
        let steps = optimizer.optimizer().context("the optimizer")?;
        let mut blocks = Blocks::new(self, &subspace, context);
        train(&mut original, &objective, &mut steps.clone(), schedule, &mut blocks, Par::Seq)
            .map_err(as_trial_error)?;
        let mut distances = Distances { originals: blocks.products.into_iter(), measured: Vec::new() };
        train(&mut compressed, &objective, &mut steps.clone(), schedule, &mut distances, Par::Seq)
            .map_err(as_trial_error)?;

        let mut records = blocks.records;
        for (record, distance) in records.iter_mut().zip(distances.measured) {
            record.distance = distance;
        }
        Ok(TheoremOutcome { frozen: subspace.frozen(), records })
    }
}

impl TheoremTrial {
    fn stream(&self, purpose: &str) -> Generator {
        let case = format!("case {}, trial {}", self.case.name, self.trial);
        stream(self.seed, &[self.experiment, &case, purpose])
    }
}

#[cfg(test)]
mod tests;
