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
use self::follow::{Blocks, Twin};
pub use self::rows::{BlockRow, DistanceRow, block_rows, distance_rows};
pub use self::summary::{CaseRow, Points, have_learned, largest, largest_by_iteration};
use super::trial::as_trial_error;

/// Everything that determines one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TheoremTrial {
    /// The experiment's name.
    pub experiment: &'static str,
    /// The experiment's seed.
    pub seed: u64,
    /// Number of the trial, from 0.
    pub trial: usize,
    /// The case.
    pub case: TheoremCase,
    /// Iterations between two records.
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
    /// Iteration.
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
        let mut original = original.context("drawing the factors")?;
        let subspace = InvariantSubspace::new(&original, &target).context("the invariant subspace")?;
        let mut compressed = compress_exact(&original, &target).context("compressing")?;
        let objective = Objective::new(target, Observed::Full, LossForm::Sum).context("making the problem")?;

        let max_iterations = *self.case.iterations;
        let schedule = Schedule { max_iterations, tolerance: 0.0, record_every: self.record_every };
        let steps = optimizer.optimizer().context("the optimizer")?;
        let mut blocks = Blocks::new(self, &subspace, context);
        train(&mut original, &objective, &mut steps.clone(), schedule, &mut blocks, Par::Seq)
            .map_err(as_trial_error)?;
        let mut twin = Twin { originals: blocks.products.into_iter(), distances: Vec::new() };
        train(&mut compressed, &objective, &mut steps.clone(), schedule, &mut twin, Par::Seq)
            .map_err(as_trial_error)?;

        let mut records = blocks.records;
        for (record, distance) in records.iter_mut().zip(twin.distances) {
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
mod tests {
    use lab::checked::{Count, Depth, Momentum, NotNegative, Positive, Size, Steps};

    use super::*;
    use crate::matrix::{MethodSettings, OptimizerSettings};

    fn outcome(method: MethodSettings) -> TheoremOutcome {
        let (step_size, weight_decay) = (Positive::new(0.01).unwrap(), NotNegative::new(0.01).unwrap());
        let case = TheoremCase {
            name: "small".to_owned(),
            size: Size::new(9).unwrap(),
            rank: Count::new(2).unwrap(),
            depth: Depth::new(3).unwrap(),
            init_scale: Positive::new(0.7).unwrap(),
            iterations: Steps::new(47).unwrap(),
            optimizer: OptimizerSettings { method, step_size, weight_decay },
        };
        case.check("case").unwrap();
        let trial = TheoremTrial { experiment: "test", seed: 0, trial: 0, case, record_every: 10 };
        trial.run(&(), &TrialContext::silent(1)).unwrap()
    }

    #[test]
    fn the_theorem_holds_along_gradient_descent_with_weight_decay() {
        let outcome = outcome(MethodSettings::GradientDescent);
        let iterations: Vec<_> = outcome.records.iter().map(|record| record.iteration).collect();
        assert_eq!(iterations, [0, 10, 20, 30, 40, 47]);
        for record in &outcome.records {
            let recursion = record.rho_recursion.as_ref().unwrap();
            for l in 0..3 {
                assert!(record.block_residuals[l] < 1e-13);
                assert!((record.rho[l] / recursion[l] - 1.0).abs() < 1e-13);
            }
            let predicted = 5f64.sqrt() * recursion.iter().product::<f64>();
            assert!((record.distance / predicted - 1.0).abs() < 1e-12);
        }
        let last = outcome.records.last().unwrap();
        assert!(last.training_loss < 0.9 * outcome.records[0].training_loss);
        assert!(last.rho[0] < 0.65, "ρ did not move: {}", last.rho[0]);
    }

    #[test]
    fn other_methods_have_no_recursion() {
        let adam = outcome(MethodSettings::Adam {
            beta1: Momentum::new(0.9).unwrap(),
            beta2: Momentum::new(0.999).unwrap(),
            epsilon: Positive::new(1e-8).unwrap(),
        });
        let last = adam.records.last().unwrap();
        assert!(last.rho_recursion.is_none() && last.block_residuals[1] > 1e-3);
    }
}
