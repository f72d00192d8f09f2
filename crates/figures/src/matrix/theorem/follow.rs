//! What is written down while the original and its compression are trained.

use dynamics::subspace::{InvariantSubspace, step_rho};
use dynamics::{CompressedFactorization, DeepFactorization, Factorization, Observer, Record};
use faer::Mat;
use lab::TrialContext;

use super::{TheoremRecord, TheoremTrial};
use crate::matrix::OptimizerSettings;

/// Follows the original: its block structure beside the recursion of ρ, and its products for the comparison.
pub(super) struct Blocks<'a> {
    trial: &'a TheoremTrial,
    subspace: &'a InvariantSubspace,
    context: &'a TrialContext,
    /// ρ by the recursion, after as many steps as the last record's.
    recursion: Option<Vec<f64>>,
    pub(super) products: Vec<Mat<f64>>,
    pub(super) records: Vec<TheoremRecord>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(trial: &'a TheoremTrial, subspace: &'a InvariantSubspace, context: &'a TrialContext) -> Self {
        let recursion = trial.case.optimizer.is_gradient_descent().then(|| subspace.scales().to_vec());
        Self { trial, subspace, context, recursion, products: Vec::new(), records: Vec::new() }
    }
}

impl Observer<DeepFactorization> for Blocks<'_> {
    fn iteration(&mut self, iteration: u64, loss: f64) {
        self.context.progress(iteration, *self.trial.case.iterations, loss);
    }

    fn record(&mut self, record: &Record<'_, DeepFactorization>) {
        let OptimizerSettings { step_size, weight_decay, .. } = self.trial.case.optimizer;
        let previous = self.records.last().map_or(0, |record| record.iteration);
        if let Some(rho) = &mut self.recursion {
            (previous..record.iteration).for_each(|_| step_rho(rho, *step_size, *weight_decay));
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
pub(super) struct Distances {
    pub(super) originals: std::vec::IntoIter<Mat<f64>>,
    pub(super) measured: Vec<f64>,
}

impl Observer<CompressedFactorization> for Distances {
    fn record(&mut self, record: &Record<'_, CompressedFactorization>) {
        let original = self.originals.next().expect("both networks have the same schedule");
        self.measured.push((original - record.model.end_to_end()).norm_l2());
    }
}
