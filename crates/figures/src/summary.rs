//! Means and deviations over trials, and how curves compare.

use std::collections::BTreeMap;

/// Mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation (divisor n − 1); `None` with fewer than two values.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    Some((squares / (values.len() as f64 - 1.0)).sqrt())
}

/// A quantity over its trials: at every x, ascending, the mean, and, where there is more than one trial, the interval mean ±
/// deviation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Averaged {
    /// (x, mean)
    pub mean: Vec<(f64, f64)>,
    /// (x, mean − deviation, mean + deviation)
    pub band: Vec<(f64, f64, f64)>,
}

/// Averages all y of the same x.
pub fn averaged(points: impl IntoIterator<Item = (f64, f64)>) -> Averaged {
    averaged_through(points, |y| y, |y| y)
}

/// Averages the logarithms of all y of the same x: geometric means, for logarithmic axes. Every y must be positive.
pub fn averaged_in_logs(points: impl IntoIterator<Item = (f64, f64)>) -> Averaged {
    averaged_through(points, f64::ln, f64::exp)
}

fn averaged_through(
    points: impl IntoIterator<Item = (f64, f64)>,
    map: fn(f64) -> f64,
    back: fn(f64) -> f64,
) -> Averaged {
    // Sizes and iterations are not negative, and the bits of such numbers are in their order.
    let mut groups = BTreeMap::<u64, Vec<f64>>::new();
    for (x, y) in points {
        groups.entry(x.to_bits()).or_default().push(map(y));
    }
    let mut averaged = Averaged::default();
    for (x, values) in groups {
        let x = f64::from_bits(x);
        let Some(mean) = mean(&values) else { continue };
        averaged.mean.push((x, back(mean)));
        averaged.band.extend(deviation(&values).map(|deviation| (x, back(mean - deviation), back(mean + deviation))));
    }
    averaged
}

/// The quotients `a / b` of two curves, at every x that both have.
pub fn quotients(a: &[(f64, f64)], b: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let at = |x: f64| b.iter().find(|point| point.0 == x);
    a.iter().filter_map(|&(x, y)| at(x).map(|other| (x, y / other.1))).collect()
}

/// The smallest and the largest y of a curve; `None` if it has no points.
pub fn range(curve: &[(f64, f64)]) -> Option<(f64, f64)> {
    curve.iter().map(|point| (point.1, point.1)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The share of pairs of points in which the one of larger x has the larger y: 1 if the curve rises throughout, 0 if it
/// falls; `None` with fewer than two points.
pub fn share_rising(curve: &[(f64, f64)]) -> Option<f64> {
    let pairs = (0..curve.len()).flat_map(|i| (0..i).map(move |j| (curve[j], curve[i])));
    let rising: Vec<bool> = pairs.map(|(a, b)| (b.0 - a.0) * (b.1 - a.1) > 0.0).collect();
    (!rising.is_empty()).then(|| rising.iter().filter(|rising| **rising).count() as f64 / rising.len() as f64)
}

/// The exponent a of the power law `y ∝ xᵃ` that fits a curve of positive values best, by least squares in logarithms; `None`
/// with fewer than two points.
pub fn slope(curve: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<_> = curve.iter().map(|point| (point.0.ln(), point.1.ln())).collect();
    let n = logs.len() as f64;
    let (x, y) = (logs.iter().map(|p| p.0).sum::<f64>() / n, logs.iter().map(|p| p.1).sum::<f64>() / n);
    let spread: f64 = logs.iter().map(|p| (p.0 - x).powi(2)).sum();
    (spread > 0.0).then(|| logs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values), Some(5.0));
        assert!((deviation(&values).unwrap() - (32.0f64 / 7.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn statistics_of_nothing_are_none() {
        assert_eq!((mean(&[]), deviation(&[])), (None, None));
        assert_eq!((mean(&[3.0]), deviation(&[3.0])), (Some(3.0), None));
        assert_eq!(averaged([]), Averaged::default());
        let one = averaged([(1.0, 2.0), (2.0, 3.0), (2.0, 5.0)]);
        assert_eq!(one.mean, [(1.0, 2.0), (2.0, 4.0)]);
        assert_eq!(one.band.iter().map(|band| band.0).collect::<Vec<_>>(), [2.0], "a band of one trial");
    }

    #[test]
    fn averages_by_x() {
        let points = [(10.0, 4.0), (2.0, 1.0), (10.0, 16.0), (2.0, 1.0)];
        assert_eq!(averaged(points).mean, [(2.0, 1.0), (10.0, 10.0)]);
        assert_eq!(averaged(points).band[0], (2.0, 1.0, 1.0));
        let logs = averaged_in_logs(points);
        assert!((logs.mean[1].1 - 8.0).abs() < 1e-12);
        assert!((logs.band[1].1 * logs.band[1].2 - 64.0).abs() < 1e-10);
    }

    #[test]
    fn slopes_of_power_laws() {
        let cubes: Vec<_> = (1..5).map(|x| (f64::from(x), 7.0 * f64::from(x).powi(3))).collect();
        assert!((slope(&cubes).unwrap() - 3.0).abs() < 1e-12);
        assert_eq!(slope(&cubes[..1]), None);
        assert_eq!(slope(&[]), None);
    }

    #[test]
    fn comparisons_of_curves() {
        let (a, b) = ([(1.0, 4.0), (2.0, 9.0), (3.0, 1.0)], [(1.0, 2.0), (2.0, 3.0)]);
        assert_eq!(quotients(&a, &b), [(1.0, 2.0), (2.0, 3.0)]);
        assert_eq!(range(&a), Some((1.0, 9.0)));
        assert_eq!(share_rising(&a), Some(1.0 / 3.0));
        assert_eq!(share_rising(&a[..1]), None);
    }
}
