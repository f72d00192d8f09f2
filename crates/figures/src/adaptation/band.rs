//! What is drawn around a mean.

use lab::statistics::{Estimate, deviation, mean};
use serde::{Deserialize, Serialize};

use crate::summary::LEAST_BAND;

/// The key `band`: what is drawn around the mean of several seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Band {
    /// The 95 % interval of the mean.
    #[default]
    Interval,
    /// Half a standard deviation on both sides, as in the paper's figures.
    HalfDeviation,
}

impl Band {
    /// Lower and upper end around the mean of some values; `None` of too few.
    pub fn around(self, values: &[f64]) -> Option<(f64, f64)> {
        match self {
            Self::Interval if values.len() < LEAST_BAND => None,
            Self::Interval => Estimate::of(values)?.interval(),
            Self::HalfDeviation => {
                let (mean, half) = (mean(values)?, deviation(values)? / 2.0);
                Some((mean - half, mean + half))
            }
        }
    }

    /// The same of values with their draw of the head and number: the interval is two-way where there are several draws.
    pub fn around_runs(self, values: &[((usize, usize), f64)]) -> Option<(f64, f64)> {
        match self {
            Self::Interval if values.len() >= LEAST_BAND => Estimate::crossed(values)?.interval(),
            _ => self.around(&values.iter().map(|value| value.1).collect::<Vec<_>>()),
        }
    }

    /// What a subtitle says of curves over so many seeds.
    pub fn over_seeds(self, trials: usize) -> String {
        match (trials, self) {
            (1, _) => "1 seed".to_owned(),
            (..LEAST_BAND, Self::Interval) => format!("mean of {trials} seeds"),
            (_, Self::Interval) => format!("mean of {trials} seeds with its 95 % interval"),
            (_, Self::HalfDeviation) => format!("mean of {trials} seeds ± half a standard deviation"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_of_few_values() {
        let half = 2f64.sqrt() / 2.0;
        let (low, high) = Band::HalfDeviation.around(&[1.0, 3.0]).unwrap();
        assert!((low - (2.0 - half)).abs() < 1e-12 && (high - (2.0 + half)).abs() < 1e-12);
        // Student's t of two degrees of freedom is 4.303; the standard error is 1/√3.
        let (low, high) = Band::Interval.around(&[1.0, 2.0, 3.0]).unwrap();
        assert!((high - 2.0 - 4.303 / 3f64.sqrt()).abs() < 1e-3 && (low + high - 4.0).abs() < 1e-12);
        assert_eq!(Band::Interval.around(&[1.0, 3.0]), None);
        assert_eq!(Band::Interval.over_seeds(2), "mean of 2 seeds");
        assert_eq!((Band::Interval.around(&[1.0]), Band::HalfDeviation.around(&[1.0])), (None, None));
    }
}
