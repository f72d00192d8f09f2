//! The recovery error estimated on a sample of the unobserved entries, for targets too large to visit all of them.

use faer::MatRef;
use rand::{Rng, RngExt};

use crate::DynamicsError;
use crate::problem::{Objective, Observed};

/// Unobserved entries, independent and uniform, with their values in the target.
#[derive(Clone, Debug)]
pub struct HeldOut {
    places: Vec<(u32, u32)>,
    values: Vec<f64>,
    /// What the mean of the squared residuals is multiplied by: half the loss' weight times the number of unobserved entries.
    factor: f64,
}

/// An estimate with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// The standard deviation of the estimate, itself estimated from the sample.
    pub standard_error: f64,
}

impl HeldOut {
    /// Draws `count` of the entries that `objective` does not see, independently and uniformly.
    ///
    /// # Errors
    /// If `count` is below 2 (there would be no standard error), it is not some entries that are observed, or only these are known.
    pub fn draw(objective: &Objective, count: usize, rng: &mut impl Rng) -> Result<Self, DynamicsError> {
        let target = objective.known_target().ok_or(DynamicsError::UnknownTarget)?;
        let (d_out, d_in) = (target.d_out(), target.d_in());
        let Observed::Entries(entries) = objective.observed() else {
            return Err(DynamicsError::NothingHeldOut(count));
        };
        if count < 2 || entries.is_full() {
            return Err(DynamicsError::NothingHeldOut(count));
        }
        let mut places = Vec::with_capacity(count);
        while places.len() < count {
            let (i, j) = (rng.random_range(0..d_out as u32), rng.random_range(0..d_in as u32));
            if !entries.contains(i as usize, j as usize) {
                places.push((i, j));
            }
        }
        // Neighbours in memory one after the other.
        places.sort_unstable();
        let values = places.iter().map(|&(i, j)| target.entry(i as usize, j as usize)).collect();
        let unobserved = d_out as f64 * d_in as f64 - entries.len() as f64;
        Ok(Self { places, values, factor: 0.5 * objective.weight() * unobserved })
    }

    /// Number of entries in the sample.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether the sample is empty: never.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// An unbiased estimate of [`Objective::recovery_error`] at `E = Pᵀ Q`.
    ///
    /// # Panics
    /// If P and Q have different numbers of rows, or not as many columns as the target has rows and columns.
    pub fn recovery_error(&self, p: MatRef<'_, f64>, q: MatRef<'_, f64>) -> Estimate {
        assert_eq!(p.nrows(), q.nrows(), "rows of P and Q");
        let squares = || {
            self.places.iter().zip(&self.values).map(|(&(i, j), value)| {
                let (p, q) = (p.col(i as usize), q.col(j as usize));
                let product: f64 = p.iter().zip(q.iter()).map(|(a, b)| a * b).sum();
                (product - value).powi(2)
            })
        };
        let count = self.places.len() as f64;
        let mean = squares().sum::<f64>() / count;
        let variance = squares().map(|square| (square - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Estimate { value: self.factor * mean, standard_error: self.factor * (variance / count).sqrt() }
    }
}
