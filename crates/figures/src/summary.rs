//! Curves over trials: means with their intervals, and how curves compare.

use std::collections::BTreeMap;

use lab::statistics::{Estimate, StandardError};

/// The least trials whose interval is drawn: that of two is nine times as wide as the way between them, and hides it.
pub const LEAST_BAND: usize = 3;

/// A quantity over its trials: at every x, ascending, the mean and its 95 % interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Averaged {
    /// (x, mean)
    pub mean: Vec<(f64, f64)>,
    /// (x, lower end, upper end), where there are two values or more.
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
    let mut averaged = Averaged::default();
    for (x, values) in grouped(points.into_iter().map(|(x, y)| (x, map(y)))) {
        let Some(estimate) = Estimate::of(&values) else { continue };
        averaged.mean.push((x, back(estimate.mean)));
        averaged.band.extend(estimate.interval().map(|(low, high)| (x, back(low), back(high))));
    }
    averaged
}

/// All y of the same x, by x.
pub fn grouped(points: impl IntoIterator<Item = (f64, f64)>) -> Vec<(f64, Vec<f64>)> {
    // Sizes and iterations are not negative, and the bits of such numbers are in their order.
    let mut groups = BTreeMap::<u64, Vec<f64>>::new();
    for (x, y) in points {
        groups.entry(x.to_bits()).or_default().push(y);
    }
    groups.into_iter().map(|(x, values)| (f64::from_bits(x), values)).collect()
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

/// The exponent a of the power law `y ∝ xᵃ` that fits a curve of positive values best, by least squares in logarithms, and
/// how sure it is; `None` with fewer than four points.
pub fn exponent(curve: &[(f64, f64)]) -> Option<Estimate> {
    let logs: Vec<_> = curve.iter().map(|point| (point.0.ln(), point.1.ln())).collect();
    let n = logs.len();
    let center = |values: fn(&(f64, f64)) -> f64| logs.iter().map(values).sum::<f64>() / n as f64;
    let (x, y) = (center(|point| point.0), center(|point| point.1));
    let spread: f64 = logs.iter().map(|point| (point.0 - x).powi(2)).sum();
    if n < 4 || spread <= 0.0 {
        return None;
    }
    let slope = logs.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    let residuals: f64 = logs.iter().map(|point| (point.1 - y - slope * (point.0 - x)).powi(2)).sum();
    let degrees = (n - 2) as f64;
    let size = (residuals / degrees / spread).sqrt();
    Some(Estimate { n, mean: slope, error: Some(StandardError { size, degrees }) })
}

/// The value in the middle, or the lower of the two there; `None` of none.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// A number in three digits or so, for sentences.
pub fn short(x: f64) -> String {
    match x.abs() {
        magnitude if magnitude >= 100.0 => format!("{x:.0}"),
        magnitude if magnitude >= 0.1 => format!("{x:.2}"),
        _ => format!("{x:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_by_x() {
        let points = [(10.0, 4.0), (2.0, 1.0), (10.0, 16.0), (2.0, 1.0), (3.0, 5.0)];
        assert_eq!(averaged(points).mean, [(2.0, 1.0), (3.0, 5.0), (10.0, 10.0)]);
        // One value has no interval.
        assert_eq!(averaged(points).band.iter().map(|band| band.0).collect::<Vec<_>>(), [2.0, 10.0]);
        let logs = averaged_in_logs(points);
        assert!((logs.mean[2].1 - 8.0).abs() < 1e-12);
        assert!((logs.band[1].1 * logs.band[1].2 - 64.0).abs() < 1e-10);
    }

    #[test]
    fn exponents_of_power_laws() {
        let cubes: Vec<_> = (1..5).map(|x| (f64::from(x), 7.0 * f64::from(x).powi(3))).collect();
        let exact = exponent(&cubes).unwrap();
        assert!((exact.mean - 3.0).abs() < 1e-12 && exact.half_width().unwrap() < 1e-12);
        assert_eq!((exponent(&cubes[..3]), exponent(&[]), exponent(&[(2.0, 1.0); 4])), (None, None, None));
    }

    /// By hand: ln x = 0, 1, 2, 3 and ln y = 0, 1, 2, 4; slope 13 / 10, residuals 0.3, scaled by 2 degrees and 5.
    #[test]
    fn an_exponent_has_an_error() {
        let curve: Vec<_> =
            [0.0, 1.0, 2.0, 4.0].iter().zip(0i32..).map(|(y, x)| (f64::from(x).exp(), f64::exp(*y))).collect();
        let fitted = exponent(&curve).unwrap();
        let error = fitted.error.unwrap();
        assert!((fitted.mean - 1.3).abs() < 1e-12 && (error.size - 0.03f64.sqrt()).abs() < 1e-12, "{fitted:?}");
        assert_eq!(error.degrees, 2.0);
    }

    #[test]
    fn medians() {
        assert_eq!((median(vec![3.0, 1.0, 9.0]), median(vec![2.0, 1.0]), median(vec![])), (Some(3.0), Some(1.0), None));
    }

    #[test]
    fn comparisons_of_curves() {
        let (a, b) = ([(1.0, 4.0), (2.0, 9.0), (3.0, 1.0)], [(1.0, 2.0), (2.0, 3.0)]);
        assert_eq!(quotients(&a, &b), [(1.0, 2.0), (2.0, 3.0)]);
        assert_eq!(range(&a), Some((1.0, 9.0)));
    }
}
