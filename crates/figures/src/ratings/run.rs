//! One method on one split.

use std::time::Instant;

use anyhow::Context;
use dynamics::completion::{Biases, Centering, Check, Completed, Completion, Entry, Predictor, Shrinkage, Stopping};
use dynamics::random::{Generator, stream};
use dynamics::units::Hyperparameters;
use dynamics::{DynamicsError, completion};
use entries::Split;
use entries::baselines::{Als, SoftImpute};
use faer::{Mat, Par};
use lab::{Memory, Trial, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use super::inputs::Ratings;
use super::method::{Method, NetworkName};
use crate::matrix::as_trial_error;
use crate::memory::Watch;

/// Everything that determines one run.
#[derive(Clone, Debug, Serialize)]
pub struct RatingTrial {
    pub(super) seed: u64,
    pub(super) data: String,
    pub(super) hash: String,
    pub(super) split: usize,
    pub(super) validation_fraction: f64,
    pub(super) test_fraction: f64,
    pub(super) clip: bool,
    pub(super) method: Method,
}

/// What it yields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub(super) training: Errors,
    pub(super) validation: Errors,
    pub(super) test: Errors,
    /// Iterations that the result took; those after it, up to where training stopped, are not counted.
    pub(super) iterations: u64,
    /// (iteration, training error, validation error), not clipped, of a network.
    pub(super) checks: Vec<(u64, f64, f64)>,
    pub(super) seconds: f64,
    pub(super) seconds_per_iteration: f64,
    pub(super) peak_bytes: usize,
}

/// Errors on a part of the ratings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Root mean square.
    pub(super) rmse: f64,
    /// Mean absolute.
    pub(super) mae: f64,
}

/// Matrices of the factors' size that training holds: values, gradients, products, and the best ones so far.
const PER_FACTOR: usize = 5;
/// Bytes of a rating in all the layouts that kernels and baselines have of it.
const PER_ENTRY: usize = 160;

impl Trial for RatingTrial {
    type Inputs = Ratings;
    type Outcome = Outcome;

    fn memory(&self, inputs: &Ratings) -> Memory {
        let Ok(set) = inputs.set(&self.data) else { return Memory::default() };
        let (longer, entries) = (set.shape.0.max(set.shape.1), set.entries.len());
        let memory = Memory::default().and("data", PER_ENTRY, &[entries]);
        match self.method {
            Method::Network { name: NetworkName::Original, depth, .. } => {
                memory.and("original.data", 8, &[PER_FACTOR, depth, longer, longer])
            }
            _ => memory.and("networks.rank_guesses", 8, &[PER_FACTOR, 2, longer, 2, self.method.rank().unwrap_or(1)]),
        }
    }

    fn run(&self, inputs: &Ratings, context: &TrialContext) -> Result<Outcome, TrialError> {
        let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
        let set = inputs.set(&self.data)?;
        let split =
            Split::draw(set.entries.clone(), self.validation_fraction, self.test_fraction, &mut self.stream("split"));
        let split = split.with_context(|| self.data.clone())?;
        let (watch, clock) = (Watch::start(), Instant::now());
        let fitted = self.fit(set.shape, &split, context, par).map_err(as_trial_error)?;
        let (seconds, peak_bytes) = (clock.elapsed().as_secs_f64(), watch.peak());
        let Fitted { predictor, iterations, checks, seconds_per_iteration } = fitted;
        let range = self.clip.then(|| range(&split.training));
        let errors = |part: &[Entry]| Errors::of(&predictor, part, range);
        Ok(Outcome {
            training: errors(&split.training),
            validation: errors(&split.validation),
            test: errors(&split.test),
            iterations,
            checks,
            seconds,
            seconds_per_iteration,
            peak_bytes,
        })
    }
}

/// What a method makes of the training ratings.
struct Fitted {
    predictor: Predictor,
    iterations: u64,
    checks: Vec<(u64, f64, f64)>,
    seconds_per_iteration: f64,
}

impl RatingTrial {
    fn fit(
        &self,
        shape: (usize, usize),
        split: &Split,
        context: &TrialContext,
        par: Par,
    ) -> Result<Fitted, DynamicsError> {
        let about = Centering::Biases(Shrinkage::default());
        let (training, mut rng) = (&split.training, self.stream("start"));
        let alone = |centering| {
            let biases = Biases::fit(shape, training, centering);
            Predictor { biases, left: Mat::zeros(1, shape.0), right: Mat::zeros(1, shape.1) }
        };
        Ok(match self.method {
            Method::Mean => Fitted::by_formula(alone(Centering::Mean)),
            Method::Biases => Fitted::by_formula(alone(about)),
            Method::Als { rank, regularization, weighted, sweeps } => {
                let als = Als { rank, regularization, weighted, biased: true, sweeps };
                Fitted::by_formula(als.fit(shape, training, &mut rng)?)
            }
            Method::SoftImpute { rank, regularization, max_iterations, tolerance } => {
                let soft = SoftImpute { rank, regularization, centering: about, max_iterations, tolerance };
                Fitted::by_formula(soft.fit(shape, training, &mut rng, par)?)
            }
            Method::Network {
                name,
                depth,
                rank_guess,
                init_scale,
                step_size,
                discrepant_step,
                max_iterations,
                check_every,
                patience,
            } => {
                let completion = Completion {
                    rank: rank_guess.unwrap_or(1),
                    depth,
                    network: name.kind(),
                    centering: about,
                    hyperparameters: Hyperparameters { init_scale, step_size, discrepant_step },
                    stopping: Stopping { max_iterations, check_every, patience, ..Stopping::default() },
                };
                let mut watch = |check: &Check| context.progress(check.iteration, max_iterations, check.training_error);
                completion.fit(shape, training, &split.validation, &mut rng, &mut watch, par)?.into()
            }
        })
    }

    /// The generator for a purpose that all methods share.
    fn stream(&self, purpose: &str) -> Generator {
        stream(self.seed, &["ratings", &self.data, &format!("split {}", self.split), purpose])
    }
}

impl Fitted {
    fn by_formula(predictor: Predictor) -> Self {
        Self { predictor, iterations: 0, checks: Vec::new(), seconds_per_iteration: 0.0 }
    }
}

impl From<Completed> for Fitted {
    fn from(completed: Completed) -> Self {
        let steps = completed.checks.last().map_or(1.0, |check| (check.iteration + 1) as f64);
        let seconds = completed.checks.last().map_or(0.0, |check| check.elapsed.as_secs_f64());
        let of = |check: &Check| (check.iteration, check.training_error, check.validation_error.unwrap_or(f64::NAN));
        Self {
            iterations: completed.best.iteration,
            checks: completed.checks.iter().map(of).collect(),
            seconds_per_iteration: seconds / steps,
            predictor: completed.predictor,
        }
    }
}

impl Errors {
    /// Of predictions, cut off at the ends of `range`.
    fn of(predictor: &Predictor, part: &[Entry], range: Option<(f64, f64)>) -> Self {
        let residual = |&(i, j, value): &Entry| {
            let predicted = predictor.entry(i, j);
            range.map_or(predicted, |(low, high)| predicted.clamp(low, high)) - value
        };
        let rmse = completion::root_mean_square(part.iter().map(residual)).unwrap_or(f64::NAN);
        let mae = part.iter().map(|entry| residual(entry).abs()).sum::<f64>() / part.len() as f64;
        Self { rmse, mae }
    }
}

/// The smallest and the largest rating.
fn range(entries: &[Entry]) -> (f64, f64) {
    let ends = |(low, high): (f64, f64), entry: &Entry| (low.min(entry.2), high.max(entry.2));
    entries.iter().fold((f64::INFINITY, f64::NEG_INFINITY), ends)
}
