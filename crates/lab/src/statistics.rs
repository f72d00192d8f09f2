//! Statistics over trials: means with intervals, differences, p-values. A statistic of nothing is `None`, never zero.

use std::fmt;

use puruspe::{betai, erfc, invbetai};

/// Differences of values that are equal but for rounding, in units of the largest: digits that cancelled included.
const ROUNDING: f64 = 1e-12;

/// Confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// The mean of some values; `None` of none.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation (divisor n − 1); `None` of fewer than two values. What rounding alone may have made is 0: three
/// times 0.1 does not add up to 0.3.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() >= 2)?;
    let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    Some(unless_rounding((squares / (values.len() - 1) as f64).sqrt(), values))
}

/// A measure of spread; 0 if it is as small as rounding, beside the largest of the values.
fn unless_rounding(spread: f64, values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    if spread <= ROUNDING * largest { 0.0 } else { spread }
}

/// A mean over trials and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Number of values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard error of the mean and its degrees of freedom; `None` of fewer than two values.
    pub error: Option<StandardError>,
}

/// The standard error of a mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StandardError {
    /// Its size.
    pub size: f64,
    /// Degrees of freedom of Student's t; fractional by Welch and Satterthwaite.
    pub degrees: f64,
}

impl Estimate {
    /// The mean of independent values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let error = deviation(values)
            .map(|deviation| StandardError { size: deviation / (n as f64).sqrt(), degrees: (n - 1) as f64 });
        Some(Self { n, mean: mean(values)?, error })
    }

    /// The mean over two crossed random factors, such as draws of a head and seeds; `None` of no values.
    ///
    /// Its variance is that of the two-way model with random effects and one value for each pair: (MS_rows + MS_columns −
    /// MS_rest) / n, where a component that comes out negative is taken as 0; degrees of freedom by Satterthwaite. It is of the
    /// values in the [`full_table`]. With one row, one column, or pairs that share nothing (a head of its own for every seed), the
    /// values are independent, and it is [`Self::of`].
    pub fn crossed<R: PartialEq + Copy, C: PartialEq + Copy>(values: &[((R, C), f64)]) -> Option<Self> {
        let values = full_table(values);
        let (rows, columns) = (distinct(values.iter().map(|v| v.0.0)), distinct(values.iter().map(|v| v.0.1)));
        let at = |row: R, column: C| values.iter().find(|(key, _)| *key == (row, column)).map(|value| value.1);
        if rows.len() < 2 || columns.len() < 2 || rows.len() * columns.len() > values.len() {
            return Self::of(&values.iter().map(|value| value.1).collect::<Vec<_>>());
        }
        let table: Vec<Vec<f64>> =
            rows.iter().map(|&row| columns.iter().filter_map(|&column| at(row, column)).collect()).collect();
        Some(Self::two_way(&table))
    }

    /// The mean of a full table with at least two rows and columns.
    fn two_way(table: &[Vec<f64>]) -> Self {
        let (a, b) = (table.len() as f64, table[0].len() as f64);
        let all = table.concat();
        let average = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (total, squares) =
            (average(&all), |means: &[f64], total: f64| means.iter().map(|m| (m - total).powi(2)).sum::<f64>());
        let row_means: Vec<f64> = table.iter().map(|row| average(row)).collect();
        let column_means: Vec<f64> =
            (0..table[0].len()).map(|j| average(&table.iter().map(|row| row[j]).collect::<Vec<_>>())).collect();
        let (rows, columns) = (b * squares(&row_means, total), a * squares(&column_means, total));
        let rest = (squares(&all, total) - rows - columns).max(0.0);
        let degrees = [a - 1.0, b - 1.0, (a - 1.0) * (b - 1.0)];
        let [of_rows, of_columns, of_rest] = [rows / degrees[0], columns / degrees[1], rest / degrees[2]];
        let sum = of_rows + of_columns - of_rest;
        let (variance, degrees) = if of_rows.min(of_columns) >= of_rest && sum > 0.0 {
            let parts =
                [of_rows, of_columns, of_rest].iter().zip(degrees).map(|(part, df)| part * part / df).sum::<f64>();
            (sum, sum * sum / parts)
        } else {
            let largest = [of_rows, of_columns, of_rest].into_iter().zip(degrees).max_by(|x, y| x.0.total_cmp(&y.0));
            largest.unwrap_or((0.0, 1.0))
        };
        let size = unless_rounding((variance / (a * b)).sqrt(), &all);
        Self { n: all.len(), mean: total, error: Some(StandardError { size, degrees }) }
    }

    /// The difference of two means of independent samples, with the degrees of freedom of Welch and Satterthwaite. Without
    /// a standard error if one of them has none.
    pub fn minus(&self, other: &Self) -> Self {
        let error = self.error.zip(other.error).map(|(a, b)| {
            let (p, q) = (a.size.powi(2), b.size.powi(2));
            let parts = p * p / a.degrees + q * q / b.degrees;
            let degrees = if parts > 0.0 { (p + q).powi(2) / parts } else { a.degrees.min(b.degrees) };
            StandardError { size: (p + q).sqrt(), degrees }
        });
        Self { n: self.n.min(other.n), mean: self.mean - other.mean, error }
    }

    /// Half the width of the 95 % interval; `None` of fewer than two values.
    pub fn half_width(&self) -> Option<f64> {
        self.error.map(|error| quantile(error.degrees) * error.size)
    }

    /// Lower and upper end of the 95 % interval (Student's t); `None` of fewer than two values.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.half_width().map(|half| (self.mean - half, self.mean + half))
    }

    /// Two-sided p-value of the hypothesis that the mean is `value`. `None` of fewer than two values, and where there is
    /// no spread: equal counts are ties, not certainty. `None` too if a number is not finite.
    pub fn p_value(&self, value: f64) -> Option<f64> {
        let StandardError { size, degrees } = self.error?;
        let t = (self.mean - value).abs() / size;
        (size.is_finite() && t.is_finite()).then(|| tails(t, degrees))
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.half_width() {
            Some(half) => write!(f, "{:+.3} ± {half:.3}", self.mean),
            None => write!(f, "{:+.3}", self.mean),
        }
    }
}

/// The value in the middle, or the mean of the two there; `None` of none.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let below = *values.get(values.len().checked_sub(1)? / 2)?;
    let above = values[values.len() / 2];
    // Halves first: no sum overflows, and infinities of one sign stay.
    Some(if below == above { below } else { below / 2.0 + above / 2.0 })
}

/// The exponent a of the power law `y ∝ xᵃ` that fits points (x, y) of positive numbers best, by least squares in logarithms, and
/// how sure it is; `None` with fewer than four points.
pub fn power_law_exponent(points: &[(f64, f64)]) -> Option<Estimate> {
    let logs: Vec<_> = points.iter().map(|point| (point.0.ln(), point.1.ln())).collect();
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

/// Intercept and slope of the line through points (x, y) that outliers move least: the slope is the median of those of all pairs,
/// the intercept that of `y − slope · x` (P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63
/// (1968)). `None` with fewer than four points, or if all are at one x.
pub fn median_line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let pairs = points.iter().enumerate().flat_map(|(k, a)| points[..k].iter().map(move |b| (a, b)));
    let slopes = pairs.filter(|(a, b)| a.0 != b.0).map(|(a, b)| (a.1 - b.1) / (a.0 - b.0));
    let slope = median(slopes.collect()).filter(|_| points.len() >= 4)?;
    Some((median(points.iter().map(|point| point.1 - slope * point.0).collect())?, slope))
}

/// Differences `a − b` of values that belong together by their key; keys that only one of them has are left out.
pub fn paired<K: PartialEq + Copy>(a: &[(K, f64)], b: &[(K, f64)]) -> Vec<f64> {
    paired_by_key(a, b).into_iter().map(|pair| pair.1).collect()
}

/// The same with the keys kept.
pub fn paired_by_key<K: PartialEq + Copy>(a: &[(K, f64)], b: &[(K, f64)]) -> Vec<(K, f64)> {
    let partner = |key: &K| b.iter().find(|(other, _)| other == key);
    a.iter().filter_map(|(key, value)| Some((*key, value - partner(key)?.1))).collect()
}

/// Of values by two keys, those of a table without holes: rows and columns are left out until there is none, each time the one that
/// lacks the largest share. All of them if no two share a key.
pub fn full_table<R: PartialEq + Copy, C: PartialEq + Copy>(values: &[((R, C), f64)]) -> Vec<((R, C), f64)> {
    let (mut rows, mut columns) = (distinct(values.iter().map(|v| v.0.0)), distinct(values.iter().map(|v| v.0.1)));
    if rows.len() == values.len() && columns.len() == values.len() {
        return values.to_vec();
    }
    let is_hole = |row: R, column: C| !values.iter().any(|value| value.0 == (row, column));
    loop {
        let in_rows = rows.iter().map(|&row| columns.iter().filter(|&&column| is_hole(row, column)).count());
        let in_columns = columns.iter().map(|&column| rows.iter().filter(|&&row| is_hole(row, column)).count());
        let ((in_row, row), (in_column, column)) = (largest(in_rows), largest(in_columns));
        if in_row == 0 {
            return values
                .iter()
                .filter(|value| rows.contains(&value.0.0) && columns.contains(&value.0.1))
                .copied()
                .collect();
        }
        // As shares of their lengths; of equal ones the column's.
        if in_row * rows.len() > in_column * columns.len() {
            rows.remove(row);
        } else {
            columns.remove(column);
        }
    }
}

/// The mean of the values whose keys are among those of `others`: of what a paired difference is made from.
pub fn mean_among<K: PartialEq>(values: &[(K, f64)], others: &[(K, f64)]) -> Option<f64> {
    let shared = values.iter().filter(|value| others.iter().any(|other| other.0 == value.0));
    mean(&shared.map(|value| value.1).collect::<Vec<_>>())
}

/// The largest number and its place; of equal ones the last.
fn largest(numbers: impl Iterator<Item = usize>) -> (usize, usize) {
    numbers.enumerate().map(|(place, number)| (number, place)).max().unwrap_or_default()
}

fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    values.for_each(|value| {
        if !found.contains(&value) {
            found.push(value)
        }
    });
    found
}

/// Holm's adjusted p-values of a family of tests, in its order: each is at least its own p and keeps the chance of any
/// false finding in the family below the level.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0f64;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max((p_values.len() - rank) as f64 * p_values[index]).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

/// Two-sided p-value of the Mann–Whitney test, from the normal approximation with corrections for ties and continuity (good from
/// about eight values a sample on). One if the samples cannot be told apart at all, all values being the same.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    let mut pooled: Vec<(f64, bool)> = a.iter().map(|&x| (x, true)).chain(b.iter().map(|&x| (x, false))).collect();
    pooled.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut ranks_of_a, mut ties, mut below) = (0.0, 0.0, 0.0);
    for equal in pooled.chunk_by(|x, y| x.0 == y.0) {
        let count = equal.len() as f64;
        let rank = below + (count + 1.0) / 2.0;
        ranks_of_a += rank * equal.iter().filter(|value| value.1).count() as f64;
        ties += count.powi(3) - count;
        below += count;
    }
    let (m, n) = (a.len() as f64, b.len() as f64);
    let all = m + n;
    let statistic = ranks_of_a - m * (m + 1.0) / 2.0;
    let variance = m * n / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance.is_nan() || variance <= 0.0 {
        return 1.0;
    }
    let distance = ((statistic - m * n / 2.0).abs() - 0.5).max(0.0);
    erfc(distance / variance.sqrt() / std::f64::consts::SQRT_2)
}

/// P(|T| > t) for Student's t: the regularized incomplete beta function at ν / (ν + t²) (Abramowitz & Stegun, 26.5.27).
fn tails(t: f64, degrees: f64) -> f64 {
    betai(degrees / 2.0, 0.5, degrees / (degrees + t * t))
}

/// The t with P(|T| < t) = 95 %.
fn quantile(degrees: f64) -> f64 {
    let x = invbetai(1.0 - CONFIDENCE, degrees / 2.0, 0.5);
    (degrees * (1.0 / x - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_statistic() {
        assert_eq!((mean(&[]), deviation(&[1.0]), Estimate::of(&[])), (None, None, None));
        // Equal but for rounding: ties, no certainty.
        for ties in [vec![0.1; 3], vec![0.86 - 0.82, 0.90 - 0.86, 0.84 - 0.80]] {
            let tie = Estimate::of(&ties).unwrap();
            assert_eq!((tie.error.unwrap().size, tie.p_value(0.0)), (0.0, None));
        }
        let one = Estimate::of(&[2.0]).unwrap();
        assert_eq!((one.mean, one.interval(), one.p_value(0.0)), (2.0, None, None));
        assert_eq!(one.to_string(), "+2.000");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (degrees, expected) in
            [(1.0, 12.706), (2.0, 4.303), (3.0, 3.182), (4.0, 2.776), (9.0, 2.262), (19.0, 2.093), (120.0, 1.980)]
        {
            assert!((quantile(degrees) - expected).abs() < 6e-4, "{degrees}: {}", quantile(degrees));
        }
    }

    #[test]
    fn known_values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values), Some(5.0));
        assert!((deviation(&values).unwrap() - (32.0f64 / 7.0).sqrt()).abs() < 1e-15);
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((estimate.interval().unwrap().1 - 4.963).abs() < 1e-3);
        assert_eq!(estimate.to_string(), "+3.000 ± 1.963");
        // By numerical integration of the density.
        assert!((estimate.p_value(0.0).unwrap() - 0.0132356).abs() < 1e-6);
    }

    /// By hand: standard errors 0.5 and 5/3 squared; the p-value by numerical integration of the density.
    #[test]
    fn welch() {
        let difference =
            Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap().minus(&Estimate::of(&[2.0, 4.0, 6.0, 8.0]).unwrap());
        let error = difference.error.unwrap();
        assert!((error.degrees - 4.749415).abs() < 1e-5, "{}", error.degrees);
        assert!((difference.mean / error.size + 1.358732).abs() < 1e-5);
        assert!((difference.p_value(0.0).unwrap() - 0.235194).abs() < 1e-5);
    }

    #[test]
    fn crossed_factors() {
        let table = [[1.5, 2.0, 2.5], [2.5, 4.0, 5.5]];
        let values: Vec<((usize, usize), f64)> =
            (0..2).flat_map(|i| (0..3).map(move |j| ((i, j), table[i][j]))).collect();
        let found = Estimate::crossed(&values).unwrap();
        let error = found.error.unwrap();
        // Row means 2, 4: MS 6. Column means 2, 3, 4: MS 2. Rest: SS 1 over 2.
        let variance: f64 = 6.0 + 2.0 - 0.5;
        assert_eq!((found.n, found.mean), (6, 3.0));
        assert!((error.size - (variance / 6.0).sqrt()).abs() < 1e-12, "{}", error.size);
        let degrees = variance.powi(2) / (36.0 / 1.0 + 4.0 / 2.0 + 0.25 / 2.0);
        assert!((error.degrees - degrees).abs() < 1e-12, "{}", error.degrees);
        // Without effects of its own the rest is what there is, and a missing cell drops its column.
        let noise = [((0, 0), 1.0), ((0, 1), -1.0), ((1, 0), -1.0), ((1, 1), 1.0), ((0, 2), 9.0)];
        let found = Estimate::crossed(&noise).unwrap();
        assert_eq!((found.n, found.mean, found.error.unwrap()), (4, 0.0, StandardError { size: 1.0, degrees: 1.0 }));
        // Values that are the sum of a row's and a column's: there is no rest.
        let sums = [((0, 0), 0.0), ((0, 1), 1.0), ((1, 0), 1.0), ((1, 1), 2.0)];
        let error = Estimate::crossed(&sums).unwrap().error.unwrap();
        assert_eq!(error, StandardError { size: 0.5f64.sqrt(), degrees: 2.0 });
        // No column is complete, and the first row has the holes but one: that row, then one column is left out.
        let holes = [(0, 0), (0, 1), (1, 2)];
        let gappy: Vec<_> = (0..3)
            .flat_map(|i| (0..3).map(move |j| ((i, j), (3 * i + j * j) as f64)))
            .filter(|value| !holes.contains(&value.0))
            .collect();
        let cut: Vec<_> = gappy.iter().copied().filter(|&((i, j), _)| i > 0 && j < 2).collect();
        assert_eq!((full_table(&gappy), cut.len()), (cut.clone(), 4));
        assert_eq!(Estimate::crossed(&gappy), Estimate::crossed(&cut));
        assert_eq!(mean_among(&[((2, 0), 1.0), ((2, 1), 3.0), ((0, 0), 99.0)], &cut), Some(2.0));
        // A head of its own for every seed: independent values.
        let own = [((0, 0), 1.0), ((1, 1), 2.0), ((2, 2), 3.0)];
        assert_eq!(Estimate::crossed(&own), Estimate::of(&[1.0, 2.0, 3.0]));
        assert_eq!(Estimate::crossed(&values[..3]), Estimate::of(&[1.5, 2.0, 2.5]));
    }

    #[test]
    fn values_without_spread_have_no_p_value() {
        let estimate = Estimate::of(&[3.0, 3.0]).unwrap();
        assert_eq!((estimate.interval(), estimate.p_value(3.0), estimate.p_value(0.0)), (Some((3.0, 3.0)), None, None));
    }

    #[test]
    fn infinite_values_have_no_p_value() {
        for values in [[1.0, f64::INFINITY], [1e308, -1e308], [f64::NAN, 1.0]] {
            assert_eq!(Estimate::of(&values).unwrap().p_value(0.0), None, "{values:?}");
        }
        assert_eq!(Estimate::of(&[1.0, 2.0]).unwrap().p_value(f64::INFINITY), None);
    }

    #[test]
    fn pairs_need_both() {
        assert_eq!(paired(&[(0, 1.0), (1, 5.0), (2, 9.0)], &[(2, 4.0), (0, 3.0)]), [-2.0, 5.0]);
    }

    /// By hand: 4 × 0.005, 3 × 0.01, 2 × 0.03, and never less than the one before.
    #[test]
    fn holms_adjustment() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (value, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((value - expected).abs() < 1e-12, "{adjusted:?}");
        }
    }

    #[test]
    fn exponents_of_power_laws() {
        let cubes: Vec<_> = (1..5).map(|x| (f64::from(x), 7.0 * f64::from(x).powi(3))).collect();
        let exact = power_law_exponent(&cubes).unwrap();
        assert!((exact.mean - 3.0).abs() < 1e-12 && exact.half_width().unwrap() < 1e-12);
        assert_eq!(
            (power_law_exponent(&cubes[..3]), power_law_exponent(&[]), power_law_exponent(&[(2.0, 1.0); 4])),
            (None, None, None)
        );
    }

    /// By hand: ln x = 0, 1, 2, 3 and ln y = 0, 1, 2, 4; slope 13 / 10, residuals 0.3, scaled by 2 degrees and 5.
    #[test]
    fn an_exponent_has_an_error() {
        let curve: Vec<_> =
            [0.0, 1.0, 2.0, 4.0].iter().zip(0i32..).map(|(y, x)| (f64::from(x).exp(), f64::exp(*y))).collect();
        let fitted = power_law_exponent(&curve).unwrap();
        let error = fitted.error.unwrap();
        assert!((fitted.mean - 1.3).abs() < 1e-12 && (error.size - 0.03f64.sqrt()).abs() < 1e-12, "{fitted:?}");
        assert_eq!(error.degrees, 2.0);
    }

    #[test]
    fn a_line_is_found_among_outliers() {
        let mut points: Vec<_> = (0..9).map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x))).collect();
        points[4].1 = 1e6;
        points[7].1 = -50.0;
        assert_eq!(median_line(&points), Some((3.0, 2.0)));
        assert_eq!(median_line(&points[..3]), None);
        assert_eq!(median_line(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0), (1.0, 4.0)]), None);
    }

    #[test]
    fn medians() {
        let cases: [(&[f64], Option<f64>); 6] = [
            (&[], None),
            (&[5.0], Some(5.0)),
            (&[3.0, 1.0, 9.0], Some(3.0)),
            (&[2.0, 1.0], Some(1.5)),
            (&[f64::MAX, f64::MAX, 1.0, f64::MAX], Some(f64::MAX)),
            (&[1.0, f64::INFINITY, f64::INFINITY, 2.0], Some(f64::INFINITY)),
        ];
        for (values, expected) in cases {
            assert_eq!(median(values.to_vec()), expected, "{values:?}");
        }
    }

    /// The values of `scipy.stats.mannwhitneyu(a, b, method="asymptotic")`.
    #[test]
    fn the_mann_whitney_test() {
        let close = |a: &[f64], b: &[f64], expected: f64| {
            let p = mann_whitney(a, b);
            assert!((p - expected).abs() < 1e-12, "{p} against {expected}");
            assert!((mann_whitney(b, a) - p).abs() < 1e-12);
        };
        close(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0], 0.012185780355344813);
        close(&[1.0, 2.0, 2.0, 3.0], &[2.0, 3.0, 4.0, 4.0], 0.13416918012812581);
        close(&[1.0, 3.0, 5.0], &[2.0, 4.0, 6.0], 0.6625205835400575);
        close(&[7.0; 4], &[7.0; 5], 1.0);
    }
}
