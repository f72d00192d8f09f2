//! An axis: its label, its scale, the range it covers and where it puts a value.

use crate::ticks::{self, Ticks};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear,
    Log,
}

/// Description of an axis; the range follows the data unless it is given.
#[derive(Clone, Debug)]
pub struct Axis {
    label: String,
    scale: Scale,
    range: Option<(f64, f64)>,
    include: Option<f64>,
    ticks: Option<Vec<f64>>,
}

impl Axis {
    fn new(label: String, scale: Scale) -> Self {
        Self { label, scale, range: None, include: None, ticks: None }
    }

    /// A linear axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self::new(label.into(), Scale::Linear)
    }

    /// A base-ten logarithmic axis; values that are not positive have no place on it.
    pub fn log(label: impl Into<String>) -> Self {
        Self::new(label.into(), Scale::Log)
    }

    /// Covers exactly `lo` to `hi`, whatever the data. A range that is empty, not finite or, on a log axis, not
    /// positive is ignored.
    pub fn range(mut self, lo: f64, hi: f64) -> Self {
        self.range = Some((lo, hi));
        self
    }

    /// Stretches the range that follows the data to reach `value` at least.
    pub fn include(mut self, value: f64) -> Self {
        self.include = Some(value);
        self
    }

    /// Puts labelled ticks at exactly these values.
    pub fn ticks(mut self, values: impl IntoIterator<Item = f64>) -> Self {
        self.ticks = Some(values.into_iter().collect());
        self
    }

    /// Whether `value` has a place on the axis.
    pub(crate) fn accepts(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }

    /// The range to draw for `values`, with some room around them; `None` if none of them has a place on the axis.
    pub(crate) fn fit(&self, values: impl IntoIterator<Item = f64>) -> Option<Domain> {
        self.fit_padded(values, true)
    }

    /// Like `fit`, without room around the values.
    pub(crate) fn fit_tightly(&self, values: impl IntoIterator<Item = f64>) -> Option<Domain> {
        self.fit_padded(values, false)
    }

    fn fit_padded(&self, values: impl IntoIterator<Item = f64>, padded: bool) -> Option<Domain> {
        let log = self.scale == Scale::Log;
        let forward = |value: f64| if log { value.log10() } else { value };
        let mut bounds: Option<(f64, f64)> = None;
        for value in values.into_iter().filter(|value| self.accepts(*value)).map(forward) {
            let (lo, hi) = bounds.unwrap_or((value, value));
            bounds = Some((lo.min(value), hi.max(value)));
        }
        let (mut lo, mut hi) = bounds?;
        if let Some((from, to)) = self.range.filter(|&(from, to)| from < to && self.accepts(from) && self.accepts(to)) {
            return Some(Domain { lo: forward(from), hi: forward(to), log });
        }
        if let Some(value) = self.include.filter(|value| self.accepts(*value)).map(forward) {
            (lo, hi) = (lo.min(value), hi.max(value));
        }
        // A range of no extent needs room in any case.
        if padded || hi - lo <= 1e-12 * lo.abs().max(hi.abs()) {
            (lo, hi) = if log { padded_log(lo, hi) } else { padded_linear(lo, hi) };
        }
        Some(Domain { lo, hi, log })
    }

    /// Ticks over `domain` for an axis with room for `room` labels.
    pub(crate) fn ticks_over(&self, domain: &Domain, room: usize) -> Ticks {
        let (lo, hi) = domain.bounds();
        match &self.ticks {
            Some(values) => {
                let seen: Vec<f64> = values.iter().copied().filter(|value| (lo..=hi).contains(value)).collect();
                ticks::exactly(&seen)
            }
            None if domain.log => ticks::logarithmic(lo, hi, room),
            None => ticks::linear(lo, hi, room),
        }
    }

    /// The axis label, with the factor taken out of the tick labels.
    pub(crate) fn full_label(&self, ticks: &Ticks) -> String {
        match ticks.factor {
            Some(exponent) => format!("{} (×{})", self.label, ticks::power_of_ten(exponent)).trim_start().to_owned(),
            None => self.label.clone(),
        }
    }
}

/// Room above and below the data; a range that nearly starts (or ends) at zero does so exactly.
fn padded_linear(lo: f64, hi: f64) -> (f64, f64) {
    let spread = hi - lo;
    if spread <= 1e-12 * lo.abs().max(hi.abs()) {
        let half = if hi == 0.0 { 1.0 } else { hi.abs() * 0.1 };
        return (lo - half, hi + half);
    }
    let pad = 0.04 * spread;
    let lower = if lo >= 0.0 && lo < 0.2 * hi { 0.0 } else { lo - pad };
    let upper = if hi <= 0.0 && hi > 0.2 * lo { 0.0 } else { hi + pad };
    (lower, upper)
}

fn padded_log(lo: f64, hi: f64) -> (f64, f64) {
    if hi - lo < 1e-6 {
        return (lo - 0.5, hi + 0.5);
    }
    let pad = 0.04 * (hi - lo);
    (lo - pad, hi + pad)
}

/// The range an axis covers; on a log axis `lo` and `hi` are exponents of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Domain {
    lo: f64,
    hi: f64,
    log: bool,
}

impl Domain {
    /// A linear range without padding.
    pub(crate) fn exact(lo: f64, hi: f64) -> Self {
        Self { lo, hi, log: false }
    }

    /// First and last value.
    pub(crate) fn bounds(&self) -> (f64, f64) {
        if self.log { (10f64.powf(self.lo), 10f64.powf(self.hi)) } else { (self.lo, self.hi) }
    }

    /// The place of `value` on the axis, 0 at its start and 1 at its end (values outside lie beyond); `None` if it has none.
    pub(crate) fn unit(&self, value: f64) -> Option<f64> {
        if !value.is_finite() || (self.log && value <= 0.0) {
            return None;
        }
        let value = if self.log { value.log10() } else { value };
        Some((value - self.lo) / (self.hi - self.lo))
    }

    /// Like `unit`, with values below the start of a log axis (zero and negative ones too) at its start.
    pub(crate) fn unit_or_start(&self, value: f64) -> Option<f64> {
        if self.log && value.is_finite() && value <= 0.0 { Some(0.0) } else { self.unit(value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_nearly_starts_at_zero_starts_there() {
        let domain = Axis::linear("").fit([1.0, 100.0]).unwrap();
        assert_eq!(domain.bounds().0, 0.0);
        assert!(domain.bounds().1 > 100.0);
        let far = Axis::linear("").fit([90.0, 100.0]).unwrap();
        assert!(far.bounds().0 > 80.0);
    }

    #[test]
    fn values_without_a_place_are_ignored() {
        let values = [f64::NAN, -1.0, 0.0, 1e-3, 1e3, f64::INFINITY];
        let domain = Axis::log("").fit(values).unwrap();
        assert!(domain.bounds().0 > 1e-4 && domain.bounds().1 < 1e4);
        assert_eq!(domain.unit(0.0), None);
        assert_eq!(domain.unit_or_start(-3.0), Some(0.0));
        assert!(Axis::log("").fit([0.0, -2.0]).is_none());
        assert!(Axis::linear("").fit([f64::NAN]).is_none());
    }

    #[test]
    fn a_single_value_still_has_a_range_around_it() {
        for axis in [Axis::linear(""), Axis::log("")] {
            let middle = axis.fit([7.0]).unwrap().unit(7.0).unwrap();
            assert!((middle - 0.5).abs() < 1e-9);
        }
    }

    #[test]
    fn a_useless_range_is_ignored() {
        let fitted = Axis::log("").fit([1.0, 10.0]);
        assert_eq!(Axis::log("").range(0.0, 5.0).fit([1.0, 10.0]), fitted);
        assert_eq!(Axis::log("").range(5.0, 5.0).fit([1.0, 10.0]), fitted);
    }
}
