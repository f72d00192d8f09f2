//! Means over seeds: bands as the paper draws them, and paired differences with their confidence interval.

use crate::summary::{Averaged, averaged, deviation, mean};

/// Averages all y of the same x, with the paper's band: mean ± half a standard deviation.
pub fn banded(points: impl IntoIterator<Item = (f64, f64)>) -> Averaged {
    let mut averaged = averaged(points);
    for (x, low, high) in &mut averaged.band {
        let Some((_, mean)) = averaged.mean.iter().find(|point| point.0 == *x) else { continue };
        let half = (*high - mean) / 2.0;
        (*low, *high) = (mean - half, mean + half);
    }
    averaged
}

/// A mean and its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Number of values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Lower end of the 95 % confidence interval (Student's t); `None` with fewer than two values.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl Interval {
    /// Of independent values; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let (mean, count) = (mean(values)?, values.len());
        let half = deviation(values).map(|deviation| t_quantile(count as u32 - 1) * deviation / (count as f64).sqrt());
        Some(Self { count, mean, low: half.map(|half| mean - half), high: half.map(|half| mean + half) })
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.high {
            Some(high) => write!(f, "{:+.3} ± {:.3}", self.mean, high - self.mean),
            None => write!(f, "{:+.3}", self.mean),
        }
    }
}

/// The 97.5 % quantile of Student's t distribution.
fn t_quantile(degrees: u32) -> f64 {
    let (mut low, mut high) = (0.0, 20.0);
    // Bisection to the last bit or so.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if central_probability(middle, degrees) < 0.95 { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// P(|T| < t) for whole degrees of freedom (Abramowitz & Stegun, 26.7.3 and 26.7.4).
fn central_probability(t: f64, degrees: u32) -> f64 {
    let angle = (t / f64::from(degrees).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = degrees % 2 == 1;
    let (mut term, mut sum) = if odd { (cosine, 0.0) } else { (1.0, 0.0) };
    for k in 0..degrees / 2 {
        sum += term;
        let k = f64::from(2 * k + if odd { 2 } else { 1 });
        term *= k / (k + 1.0) * cosine * cosine;
    }
    if odd { (angle + sine * sum) * std::f64::consts::FRAC_2_PI } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (degrees, expected) in
            [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (19, 2.093), (120, 1.980)]
        {
            let quantile = t_quantile(degrees);
            assert!((quantile - expected).abs() < 6e-4, "{degrees}: {quantile}");
        }
    }

    #[test]
    fn an_interval_of_known_values() {
        let interval = Interval::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((interval.count, interval.mean), (5, 3.0));
        assert!((interval.high.unwrap() - 4.963).abs() < 1e-3);
        assert_eq!(interval.to_string(), "+3.000 ± 1.963");
        assert_eq!(Interval::of(&[2.0]).unwrap().low, None);
        assert_eq!(Interval::of(&[]), None);
    }

    #[test]
    fn bands_are_half_a_deviation() {
        let band = banded([(1.0, 1.0), (1.0, 3.0)]).band[0];
        let half = 2f64.sqrt() / 2.0;
        assert!((band.1 - (2.0 - half)).abs() < 1e-12 && (band.2 - (2.0 + half)).abs() < 1e-12);
    }
}
