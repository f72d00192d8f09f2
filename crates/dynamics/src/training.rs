//! The training loop: evaluate, record, stop or step.

use std::time::{Duration, Instant};

use faer::Par;

use crate::DynamicsError;
use crate::factorization::Factorization;
use crate::optimizer::Optimizer;
use crate::problem::Objective;

/// A loss above this multiple of the first one counts as divergence.
pub const DIVERGENCE_FACTOR: f64 = 1e6;

/// When to record and when to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// At most this many steps.
    pub max_iterations: u64,
    /// Stop when a RECORDED training loss is below it. Zero: never.
    pub tolerance: f64,
    /// Record at every iteration divisible by it, and at the last one.
    pub record_every: u64,
}

/// What the loop shows an observer at a recorded iteration.
pub struct Record<'a, F> {
    /// Steps taken so far.
    pub iteration: u64,
    /// Training loss after that many steps.
    pub loss: f64,
    /// Time spent in iterations so far; recording is not counted.
    pub elapsed: Duration,
    /// The factorization, with its partial products up to date.
    pub model: &'a F,
}

/// Follows a run. The methods do nothing unless given.
///
/// ```
/// use dynamics::{Observer, Record};
///
/// /// Keeps the learning curve: iterations and losses of all records.
/// struct Curve(Vec<(u64, f64)>);
///
/// impl<F> Observer<F> for Curve {
///     fn record(&mut self, record: &Record<'_, F>) {
///         self.0.push((record.iteration, record.loss));
///     }
/// }
/// ```
pub trait Observer<F> {
    /// Called at every iteration: must be cheap.
    fn iteration(&mut self, _iteration: u64, _loss: f64) {}

    /// Called at every recorded iteration.
    fn record(&mut self, _record: &Record<'_, F>) {}

    /// Asked after every record: whether to stop here. Never, unless given.
    fn is_done(&self) -> bool {
        false
    }
}

/// An observer that does nothing.
impl<F> Observer<F> for () {}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The recorded loss fell below the tolerance.
    Tolerance,
    /// The iterations are used up.
    Iterations,
    /// The observer said so.
    Observer,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Steps taken.
    pub iterations: u64,
    /// Training loss after them.
    pub loss: f64,
    /// Time spent in iterations, recording not counted.
    pub elapsed: Duration,
    /// Why it ended.
    pub stop: Stop,
}

/// Trains `model` on `objective` until the schedule says stop.
///
/// # Errors
/// [`DynamicsError::Diverged`] if the loss is not finite or exceeds [`DIVERGENCE_FACTOR`] times the first one;
/// [`DynamicsError::RecordEvery`] if `record_every` is zero.
pub fn train<F: Factorization>(
    model: &mut F,
    objective: &Objective,
    optimizer: &mut Optimizer,
    schedule: Schedule,
    observer: &mut impl Observer<F>,
    par: Par,
) -> Result<Outcome, DynamicsError> {
    if schedule.record_every == 0 {
        return Err(DynamicsError::RecordEvery);
    }
    let mut workspace = model.workspace(objective);
    let mut elapsed = Duration::ZERO;
    let mut clock = Instant::now();
    let mut limit = f64::INFINITY;
    for iteration in 0.. {
        let loss = model.loss_and_gradients(objective, &mut workspace, par);
        if !loss.is_finite() || loss > limit {
            return Err(DynamicsError::Diverged { iteration, loss });
        }
        if iteration == 0 && loss > 0.0 {
            limit = loss * DIVERGENCE_FACTOR;
        }
        observer.iteration(iteration, loss);
        let exhausted = iteration >= schedule.max_iterations;
        if exhausted || iteration % schedule.record_every == 0 {
            elapsed += clock.elapsed();
            model.refresh(par);
            observer.record(&Record { iteration, loss, elapsed, model });
            let converged = loss < schedule.tolerance;
            let done = observer.is_done();
            if converged || exhausted || done {
                let stop = match (converged, exhausted) {
                    (true, _) => Stop::Tolerance,
                    (_, true) => Stop::Iterations,
                    _ => Stop::Observer,
                };
                return Ok(Outcome { iterations: iteration, loss, elapsed, stop });
            }
            clock = Instant::now();
        }
        optimizer.step(model, par);
    }
    unreachable!("the loop ends at max_iterations")
}
