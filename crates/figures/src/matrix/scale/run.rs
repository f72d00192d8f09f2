//! Trains one network of any size and writes down what it costs.

use std::time::Instant;

use anyhow::Context;
use dynamics::{Estimate, Factorization, HeldOut, Objective, Observer, Optimizer, Record, Schedule, train};
use faer::Par;
use lab::{TrialContext, TrialError};

use super::{ScaleOutcome, ScaleTrial};
use crate::matrix::trial::as_trial_error;

/// A run whose problem is made.
pub(super) struct Run<'a> {
    pub(super) trial: &'a ScaleTrial,
    pub(super) objective: &'a Objective,
    pub(super) held_out: &'a HeldOut,
    pub(super) step: f64,
    pub(super) context: &'a TrialContext,
    pub(super) par: Par,
    /// Started before the initial factors were made.
    pub(super) clock: Instant,
}

impl Run<'_> {
    pub(super) fn train<F: Factorization>(&self, mut model: F) -> Result<ScaleOutcome, TrialError> {
        let setup_seconds = self.clock.elapsed().as_secs_f64();
        let mut optimizer = Optimizer::gradient_descent(self.step).context("gradient descent")?;
        // The product is negligible at the start, so the loss is that of the target.
        let values = self.objective.values();
        let start = 0.5 * self.objective.weight() * values.iter().map(|value| value * value).sum::<f64>();
        let schedule = Schedule {
            max_iterations: self.trial.max_iterations,
            tolerance: self.trial.tolerance * start,
            record_every: self.trial.record_every,
        };
        let mut recorder = Recorder { run: self, iterations: Vec::new(), losses: Vec::new(), held_out: Vec::new() };
        let end = train(&mut model, self.objective, &mut optimizer, schedule, &mut recorder, self.par)
            .map_err(as_trial_error)?;
        let Recorder { iterations, losses, held_out, .. } = recorder;
        Ok(ScaleOutcome {
            observed_entries: values.len(),
            iterations,
            losses,
            held_out,
            problem_seconds: 0.0,
            setup_seconds,
            training_seconds: end.elapsed.as_secs_f64(),
            peak_bytes: 0,
        })
    }
}

struct Recorder<'a> {
    run: &'a Run<'a>,
    iterations: Vec<u64>,
    losses: Vec<f64>,
    held_out: Vec<(f64, f64)>,
}

impl<F: Factorization> Observer<F> for Recorder<'_> {
    fn iteration(&mut self, iteration: u64, loss: f64) {
        self.run.context.progress(iteration, self.run.trial.max_iterations, loss);
    }

    fn record(&mut self, record: &Record<'_, F>) {
        let (p, q) = record.model.halves();
        let Estimate { value, standard_error } = self.run.held_out.recovery_error(p, q);
        self.iterations.push(record.iteration);
        self.losses.push(record.loss);
        self.held_out.push((value, standard_error));
    }
}
