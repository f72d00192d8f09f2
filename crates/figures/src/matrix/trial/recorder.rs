//! Writes down a run as it goes.

use std::collections::VecDeque;

use dynamics::random::Generator;
use dynamics::trajectory::Snapshot;
use dynamics::{Factorization, Objective, Observer, Record};
use faer::Par;
use lab::TrialContext;

use super::{MatrixOutcome, MatrixTrial, Recovery, StoredProduct};

/// Writes down a run as it goes and reports its progress.
pub(super) struct Recorder<'a> {
    trial: &'a MatrixTrial,
    objective: &'a Objective,
    context: &'a TrialContext,
    par: Par,
    sketch: Generator,
    products: VecDeque<StoredProduct>,
    outcome: MatrixOutcome,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(trial: &'a MatrixTrial, objective: &'a Objective, context: &'a TrialContext, par: Par) -> Self {
        let sketch = trial.start.network_stream("sketch");
        Self { trial, objective, context, par, sketch, products: VecDeque::new(), outcome: MatrixOutcome::default() }
    }

    /// What was written down, without what is known at the end only.
    pub(super) fn outcome(self) -> MatrixOutcome {
        MatrixOutcome { products: self.products.into(), ..self.outcome }
    }
}

impl<F: Factorization> Observer<F> for Recorder<'_> {
    fn iteration(&mut self, iteration: u64, loss: f64) {
        self.context.progress(iteration, *self.trial.schedule.max_iterations, loss);
    }

    fn record(&mut self, record: &Record<'_, F>) {
        self.outcome.iterations.push(record.iteration);
        self.outcome.losses.push(record.loss);
        self.outcome.seconds.push(record.elapsed.as_secs_f64());
        if self.trial.recovery == Recovery::EveryRecord {
            let (p, q) = record.model.halves();
            self.outcome.recovery_errors.push(self.objective.recovery_error(p, q, self.par));
        }
        if self.trial.snapshots > 0 {
            // Twice the width of the compressed network: the products are that low-rank up to ∏ε.
            let snapshot = Snapshot::new(record.model, 4 * *self.trial.problem.rank, &mut self.sketch);
            if self.products.len() == self.trial.snapshots {
                self.products.pop_front();
            }
            self.products.push_back(StoredProduct::new(record.iteration, &snapshot));
        }
    }
}
