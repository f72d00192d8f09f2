//! One trial of the invariant-subspace theorem: the original and its exact compression, trained by the same method.

use anyhow::Context;
use dynamics::compression::compress_exact;
use dynamics::random::{Generator, stream};
use dynamics::subspace::{InvariantSubspace, step_rho};
use dynamics::{
    CompressedFactorization, DeepFactorization, Factorization, Initialization, LossForm, Objective, Observed, Observer,
    Record, Schedule, Target, train,
};
use faer::{Mat, Par};
use lab::{Invalid, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use super::trial::as_trial_error;
use super::{OptimizerSettings, check_depth, check_init_scale, check_size};

mod rows;
mod summary;

pub use rows::{BlockRow, DistanceRow, block_rows, distance_rows};
pub use summary::{CaseRow, Points, have_learned, largest, largest_by_iteration};

/// `[[cases]]`: one network and how it is trained, under full observation and the sum form of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TheoremCase {
    /// Its name: the legend's and the tables' label, and part of its random streams.
    pub name: String,
    /// Rows and columns of the target and of every factor, d.
    pub size: usize,
    /// Rank of the target, r.
    pub rank: usize,
    /// Number of factors, L.
    pub depth: usize,
    /// Init scale, ε.
    pub init_scale: f64,
    /// Number of iterations.
    pub iterations: u64,
    /// The optimizer.
    pub optimizer: OptimizerSettings,
}

impl TheoremCase {
    /// Checks the section named `key`.
    pub fn check(&self, key: &str) -> Result<(), Invalid> {
        let name = self.name.as_str();
        Invalid::unless(!name.is_empty(), format!("{key}.name"), "\"\"", "a name")?;
        Invalid::unless(self.size >= 3, format!("{key}.size"), self.size, "an integer from 3")?;
        check_size(&format!("{key}.size"), self.size)?;
        let ranks = format!("an integer from 1 to {}, below half the size ({})", (self.size - 1) / 2, self.size);
        Invalid::unless((1..=(self.size - 1) / 2).contains(&self.rank), format!("{key}.rank"), self.rank, ranks)?;
        check_depth(&format!("{key}.depth"), self.depth)?;
        check_init_scale(&format!("{key}.init_scale"), self.init_scale, self.depth)?;
        let iterations = self.iterations;
        Invalid::unless(iterations >= 1, format!("{key}.iterations"), iterations, "an integer from 1")?;
        self.optimizer.check(&format!("{key}.optimizer"))
    }
}

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

/// Trains the original, then its compression, and compares them at the records.
pub fn run_theorem(trial: &TheoremTrial, context: &TrialContext) -> Result<TheoremOutcome, TrialError> {
    let TheoremCase { size, rank, depth, init_scale, optimizer, .. } = trial.case;
    let target = Target::gaussian(size, size, rank, &mut trial.stream("target")).context("drawing the target")?;
    let mut rng = trial.stream("initial factors");
    let original = DeepFactorization::draw((size, size), depth, size, Initialization::Orthogonal, init_scale, &mut rng);
    let mut original = original.context("drawing the factors")?;
    let subspace = InvariantSubspace::new(&original, &target).context("the invariant subspace")?;
    let mut compressed = compress_exact(&original, &target).context("compressing")?;
    let objective = Objective::new(target, Observed::Full, LossForm::Sum).context("making the problem")?;

    let max_iterations = trial.case.iterations;
    let schedule = Schedule { max_iterations, tolerance: 0.0, record_every: trial.record_every };
    let steps = optimizer.optimizer().context("the optimizer")?;
    let mut blocks = Blocks::new(trial, &subspace, context);
    train(&mut original, &objective, &mut steps.clone(), schedule, &mut blocks, Par::Seq).map_err(as_trial_error)?;
    let mut twin = Twin { originals: blocks.products.into_iter(), distances: Vec::new() };
    train(&mut compressed, &objective, &mut steps.clone(), schedule, &mut twin, Par::Seq).map_err(as_trial_error)?;

    let mut records = blocks.records;
    for (record, distance) in records.iter_mut().zip(twin.distances) {
        record.distance = distance;
    }
    Ok(TheoremOutcome { frozen: subspace.frozen(), records })
}

impl TheoremTrial {
    fn stream(&self, purpose: &str) -> Generator {
        let case = format!("case {}, trial {}", self.case.name, self.trial);
        stream(self.seed, &[self.experiment, &case, purpose])
    }
}

/// Follows the original: its block structure beside the recursion of ρ, and its products for the comparison.
struct Blocks<'a> {
    trial: &'a TheoremTrial,
    subspace: &'a InvariantSubspace,
    context: &'a TrialContext,
    /// ρ by the recursion, after as many steps as the last record's.
    recursion: Option<Vec<f64>>,
    products: Vec<Mat<f64>>,
    records: Vec<TheoremRecord>,
}

impl<'a> Blocks<'a> {
    fn new(trial: &'a TheoremTrial, subspace: &'a InvariantSubspace, context: &'a TrialContext) -> Self {
        let recursion = trial.case.optimizer.is_gradient_descent().then(|| subspace.scales().to_vec());
        Self { trial, subspace, context, recursion, products: Vec::new(), records: Vec::new() }
    }
}

impl Observer<DeepFactorization> for Blocks<'_> {
    fn iteration(&mut self, iteration: u64, loss: f64) {
        self.context.progress(iteration, self.trial.case.iterations, loss);
    }

    fn record(&mut self, record: &Record<'_, DeepFactorization>) {
        let OptimizerSettings { step_size, weight_decay, .. } = self.trial.case.optimizer;
        let previous = self.records.last().map_or(0, |record| record.iteration);
        if let Some(rho) = &mut self.recursion {
            (previous..record.iteration).for_each(|_| step_rho(rho, step_size, weight_decay));
        }
        let layers = 1..=record.model.depth();
        let blocks: Vec<_> =
            layers.map(|l| self.subspace.block_structure(l, record.model.factor(l).as_ref())).collect();
        self.products.push(record.model.end_to_end());
        self.records.push(TheoremRecord {
            iteration: record.iteration,
            training_loss: record.loss,
            block_residuals: blocks.iter().map(|block| block.residual).collect(),
            rho: blocks.iter().map(|block| block.rho).collect(),
            rho_recursion: self.recursion.clone(),
            distance: f64::NAN,
        });
    }
}

/// Follows the compressed network: its distance from the original at each record.
struct Twin {
    originals: std::vec::IntoIter<Mat<f64>>,
    distances: Vec<f64>,
}

impl Observer<CompressedFactorization> for Twin {
    fn record(&mut self, record: &Record<'_, CompressedFactorization>) {
        let original = self.originals.next().expect("both networks have the same schedule");
        self.distances.push((original - record.model.end_to_end()).norm_l2());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::MethodSettings;

    fn outcome(method: MethodSettings) -> TheoremOutcome {
        let optimizer = OptimizerSettings { method, step_size: 0.01, weight_decay: 0.01 };
        let name = "small".to_owned();
        let case = TheoremCase { name, size: 9, rank: 2, depth: 3, init_scale: 0.7, iterations: 47, optimizer };
        case.check("case").unwrap();
        let trial = TheoremTrial { experiment: "test", seed: 0, trial: 0, case, record_every: 10 };
        run_theorem(&trial, &TrialContext::silent(1)).unwrap()
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
        let adam = outcome(MethodSettings::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
        let last = adam.records.last().unwrap();
        assert!(last.rho_recursion.is_none() && last.block_residuals[1] > 1e-3);
    }
}
