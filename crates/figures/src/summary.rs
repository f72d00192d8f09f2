//! Curves over trials: means with their intervals, and how curves compare.

use std::collections::BTreeMap;

use lab::statistics::Estimate;

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
    fn comparisons_of_curves() {
        let (a, b) = ([(1.0, 4.0), (2.0, 9.0), (3.0, 1.0)], [(1.0, 2.0), (2.0, 3.0)]);
        assert_eq!(quotients(&a, &b), [(1.0, 2.0), (2.0, 3.0)]);
        assert_eq!(range(&a), Some((1.0, 9.0)));
    }
}
