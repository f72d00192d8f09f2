//! Completing a matrix of which only some entries are known: a user's ratings, say.
//!
//! [`Completion::fit`] takes the biases away (a mean, one number for each row and each column), trains a network on what is
//! left, and stops when the error on validation entries no longer falls. [`Completed`] has the result. Everything that
//! need not be chosen has a default, in units in which matrices of any size behave alike ([`Hyperparameters`]).
//!
//! ```
//! use dynamics::{Completion, random};
//! use faer::Par;
//!
//! # fn main() -> Result<(), dynamics::DynamicsError> {
//! // A 60 × 40 matrix, of which two fifths are known; every tenth of these stops training.
//! let value = |i: usize, j: usize| 3.0 + (1.0 + i as f64).ln() * (j as f64).sin();
//! let known = (0..2400).filter(|n| n * n % 11 < 4).map(|n| (n / 40, n % 40, value(n / 40, n % 40)));
//! let (validation, training): (Vec<_>, Vec<_>) = known.partition(|(i, j, _)| (i + j) % 10 == 0);
//!
//! let mut rng = random::stream(0, &["example"]);
//! let completed = Completion::of_rank(2).fit((60, 40), &training, &validation, &mut rng, &mut |_| (), Par::Seq)?;
//! assert!((completed.entry(2, 1) - value(2, 1)).abs() < 0.1); // an entry that was not known: 3.92
//! # Ok(())
//! # }
//! ```

mod biases;
mod completed;
mod follow;
mod network;

use std::time::Instant;

use faer::Par;
use rand::Rng;

pub use self::biases::{Biases, Centering, Shrinkage};
pub use self::completed::{Completed, Predictor, root_mean_square};
pub use self::follow::Check;
use self::follow::Follower;
pub use self::network::NetworkKind;
use crate::DynamicsError;
use crate::optimizer::Optimizer;
use crate::problem::{LossForm, Objective};
use crate::training::{Schedule, train};
use crate::units::Hyperparameters;

/// A known entry: row, column, value.
pub type Entry = (usize, usize, f64);

/// How to complete a matrix by a deep factorization.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Completion {
    /// Rank guess r̂, at most half the shorter side.
    pub rank: usize,
    /// Number of factors L.
    pub depth: usize,
    /// What is trained.
    pub network: NetworkKind,
    /// What is taken away before training, and added to every prediction.
    pub centering: Centering,
    /// In relative units.
    pub hyperparameters: Hyperparameters,
    /// When to stop.
    pub stopping: Stopping,
}

/// When training ends: at whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stopping {
    /// At most this many steps.
    pub max_iterations: u64,
    /// Stop when the training loss, in units of that of zeros, is below it.
    pub tolerance: f64,
    /// Steps between two looks at the errors.
    pub check_every: u64,
    /// Stop when the validation error has not fallen for this many steps; 0 counts as 1. Without validation entries it means
    /// nothing.
    pub patience: u64,
}

impl Default for Stopping {
    fn default() -> Self {
        Self { max_iterations: 5000, tolerance: 1e-10, check_every: 5, patience: 500 }
    }
}

impl Completion {
    /// By a compressed network of three factors, about the mean, with the other defaults.
    pub fn of_rank(rank: usize) -> Self {
        Self {
            rank,
            depth: 3,
            network: NetworkKind::Compressed,
            centering: Centering::Mean,
            hyperparameters: Hyperparameters::default(),
            stopping: Stopping::default(),
        }
    }

    /// Completes a matrix of `shape` (rows, columns) from `training` entries, in any order. The result is that of the
    /// look with the smallest error on `validation` entries; of the last one if there are none. Of these none should be among the
    /// training entries, which is not checked. `watch` sees every look.
    ///
    /// # Errors
    /// If an entry is outside the matrix, given twice or not finite, the training entries are all the same, all too small or
    /// one too large, or nothing is left of them beside the biases, the rank guess or the depth is out of range, or training
    /// diverges.
    pub fn fit(
        &self,
        shape: (usize, usize),
        training: &[Entry],
        validation: &[Entry],
        rng: &mut impl Rng,
        watch: &mut dyn FnMut(&Check),
        par: Par,
    ) -> Result<Completed, DynamicsError> {
        let clock = Instant::now();
        check_entries(shape, training, validation)?;
        let biases = Biases::fit(shape, training, self.centering);
        let residual = biases.without(training);
        let zeros = 0.5 * residual.iter().map(|entry| entry.2.powi(2)).sum::<f64>();
        if zeros == 0.0 {
            return Err(DynamicsError::NothingLeft);
        }
        let objective = Objective::of_entries(shape, residual, LossForm::Sum)?;
        let (mut model, step_size) = network::start(self, &objective, rng, par)?;
        let setup = clock.elapsed();

        let Stopping { max_iterations, tolerance, check_every, patience } = self.stopping;
        let schedule = Schedule { max_iterations, tolerance: tolerance * zeros, record_every: check_every };
        let mut follower = Follower::new(biases.without(validation), training.len(), patience, watch);
        let mut optimizer = Optimizer::gradient_descent(step_size)?;
        train(&mut model, &objective, &mut optimizer, schedule, &mut follower, par)?;
        Ok(follower.completed(biases, setup))
    }
}

/// The largest known value may be from here …
const SMALLEST: f64 = 1e-60;
/// … to here: fourth powers of singular values are formed, and must neither overflow nor vanish.
const LARGEST: f64 = 1e60;

/// Checks what biases and errors rely on, without training; [`Objective::of_entries`] finds entries that are there twice.
///
/// # Errors
/// If an entry is outside the matrix or not finite, or the training entries are none, all the same, all too small, or one too
/// large.
pub fn check_entries(
    (d_out, d_in): (usize, usize),
    training: &[Entry],
    validation: &[Entry],
) -> Result<(), DynamicsError> {
    if let Some(&(row, column, _)) = training.iter().chain(validation).find(|entry| entry.0 >= d_out || entry.1 >= d_in)
    {
        return Err(DynamicsError::Outside { row, column, d_out, d_in });
    }
    if let Some(&(row, column, value)) = training.iter().chain(validation).find(|entry| !entry.2.is_finite()) {
        return Err(DynamicsError::NotFinite { row, column, value });
    }
    let largest = training.iter().map(|entry| entry.2.abs()).fold(0.0, f64::max);
    if largest != 0.0 && !(SMALLEST..=LARGEST).contains(&largest) {
        return Err(DynamicsError::Magnitude { value: largest, smallest: SMALLEST, largest: LARGEST });
    }
    match training {
        [] => Err(DynamicsError::ObservedCount { count: 0, d_out, d_in }),
        [first, rest @ ..] if rest.iter().all(|entry| entry.2 == first.2) => {
            Err(DynamicsError::AllTheSame { count: training.len(), value: first.2 })
        }
        _ => Ok(()),
    }
}
