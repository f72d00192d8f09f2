//! Looks at the errors along a run, keeps the best factors, and ends the run when they no longer improve.

use std::time::Duration;

use faer::Mat;

use super::{Biases, Completed, Entry, Predictor, root_mean_square};
use crate::factorization::Factorization;
use crate::training::{Observer, Record};

/// What a look at the errors found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Check {
    /// Steps taken.
    pub iteration: u64,
    /// Root mean square error on the training entries.
    pub training_error: f64,
    /// The same on the validation entries, if there are any.
    pub validation_error: Option<f64>,
    /// Time spent in iterations.
    pub elapsed: Duration,
}

/// Follows a run with the loss `½ Σ residual²`.
pub(super) struct Follower<'a> {
    /// Validation entries without their biases.
    validation: Vec<Entry>,
    training_entries: usize,
    patience: u64,
    watch: &'a mut dyn FnMut(&Check),
    checks: Vec<Check>,
    best: Option<Best>,
}

/// The factors of the look with the smallest error.
struct Best {
    check: Check,
    left: Mat<f64>,
    right: Mat<f64>,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        validation: Vec<Entry>,
        training_entries: usize,
        patience: u64,
        watch: &'a mut dyn FnMut(&Check),
    ) -> Self {
        Self { validation, training_entries, patience, watch, checks: Vec::new(), best: None }
    }

    /// What was found, with the time that came before.
    ///
    /// # Panics
    /// If the run made no record: [`train`](crate::train) makes one at the start.
    pub(super) fn completed(self, biases: Biases, setup: Duration) -> Completed {
        let Best { check, left, right } = self.best.expect("a run has a record at its start");
        Completed { predictor: Predictor { biases, left, right }, best: check, checks: self.checks, setup }
    }
}

impl<F: Factorization> Observer<F> for Follower<'_> {
    fn record(&mut self, record: &Record<'_, F>) {
        let (p, q) = record.model.halves();
        let residuals = self.validation.iter().map(|&(i, j, value)| p.col(i).transpose() * q.col(j) - value);
        let check = Check {
            iteration: record.iteration,
            training_error: (2.0 * record.loss / self.training_entries as f64).sqrt(),
            validation_error: root_mean_square(residuals),
            elapsed: record.elapsed,
        };
        let better = match (&self.best, check.validation_error) {
            (Some(best), Some(error)) => best.check.validation_error.is_none_or(|least| error < least),
            _ => true,
        };
        if better {
            self.best = Some(Best { check, left: p.to_owned(), right: q.to_owned() });
        }
        self.checks.push(check);
        (self.watch)(&check);
    }

    fn is_done(&self) -> bool {
        let [best, last] = [self.best.as_ref().map(|best| &best.check), self.checks.last()];
        let waited = |best: &Check, last: &Check| last.iteration - best.iteration >= self.patience.max(1);
        // Without validation entries every look is the best.
        best.zip(last).is_some_and(|(best, last)| waited(best, last))
    }
}
