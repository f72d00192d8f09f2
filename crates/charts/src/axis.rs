//! An axis: its label, its scale, the range it covers and where it puts a value.

use crate::notation::power;
use crate::ticks::{self, Tick, Ticks};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear,
    Log,
}

/// Ranges shorter than this share of their larger end are rounding.
const LEAST_SHARE: f64 = 1e-12;
/// The shortest range of a linear axis: its ticks are still normal numbers.
const LEAST_SPAN: f64 = 1e-290;
/// The shortest range of a log axis, in powers of ten.
const LEAST_DECADES: f64 = 1e-6;
/// How far beyond the axis, in its lengths, a value is placed at most.
const FAR: f64 = 1e6;

/// Description of an axis; the range follows the data unless it is given.
#[derive(Clone, Debug)]
pub struct Axis {
    label: String,
    scale: Scale,
    range: Option<(f64, f64)>,
    included: Vec<f64>,
    ticks: Option<Vec<f64>>,
    whole: bool,
}

impl Axis {
    fn new(label: String, scale: Scale) -> Self {
        Self { label, scale, range: None, included: Vec::new(), ticks: None, whole: false }
    }

    /// A linear axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self::new(label.into(), Scale::Linear)
    }

    /// A linear axis of whole numbers, such as steps: ticks are at whole numbers only.
    pub fn counts(label: impl Into<String>) -> Self {
        Self { whole: true, ..Self::linear(label) }
    }

    /// A base-ten logarithmic axis; values that are not positive have no place on it.
    pub fn log(label: impl Into<String>) -> Self {
        Self::new(label.into(), Scale::Log)
    }

    /// Covers exactly `lo` to `hi`, whatever the data. A range that is empty but for rounding, not finite or, on a log
    /// axis, not positive is ignored.
    pub fn range(mut self, lo: f64, hi: f64) -> Self {
        self.range = Some((lo, hi));
        self
    }

    /// Stretches the range that follows the data to reach `value` at least.
    pub fn include(mut self, value: f64) -> Self {
        self.included.push(value);
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
        let (mut lo, mut hi) = self.extent(values)?;
        if let Some((lo, hi)) = self.given() {
            return Some(Domain { lo, hi, scale: self.scale });
        }
        if let Some((least, most)) = self.extent(self.included.iter().copied()) {
            (lo, hi) = (lo.min(least), hi.max(most));
        }
        if padded || self.scale.is_short(lo, hi) {
            (lo, hi) = self.scale.padded(lo, hi);
        }
        Some(Domain { lo, hi, scale: self.scale })
    }

    /// Least and largest coordinate of those values that have a place on the axis.
    fn extent(&self, values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
        let coordinates = values.into_iter().filter_map(|value| self.scale.coordinate(value));
        coordinates.fold(None, |extent, at| {
            let (lo, hi) = extent.unwrap_or((at, at));
            Some((lo.min(at), hi.max(at)))
        })
    }

    /// The range asked for, in coordinates, if it can be drawn.
    pub(crate) fn given(&self) -> Option<(f64, f64)> {
        let (from, to) = self.range?;
        let (lo, hi) = (self.scale.coordinate(from)?, self.scale.coordinate(to)?);
        (lo < hi && !self.scale.is_short(lo, hi)).then_some((lo, hi))
    }

    /// Whether `value` lies in the range asked for; any does if none is.
    pub(crate) fn shows(&self, value: f64) -> bool {
        let within = |(lo, hi): (f64, f64)| self.scale.coordinate(value).is_some_and(|at| (lo..=hi).contains(&at));
        self.accepts(value) && self.given().is_none_or(within)
    }

    /// Ticks over `domain` for an axis with room for `room` labels.
    pub(crate) fn ticks_over(&self, domain: &Domain, room: usize) -> Ticks {
        match &self.ticks {
            Some(values) => domain.ticks_at(values),
            None if domain.scale == Scale::Log => ticks::logarithmic(domain.lo, domain.hi, room),
            None if self.whole => ticks::whole(domain.lo, domain.hi, room),
            None => ticks::linear(domain.lo, domain.hi, room),
        }
    }

    /// The axis label without what is said of it elsewhere.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// The axis label, with the factor taken out of the tick labels.
    pub(crate) fn full_label(&self, ticks: &Ticks) -> String {
        match ticks.factor {
            Some(exponent) => format!("{} (×{})", self.label, power("10", exponent)).trim_start().to_owned(),
            None => self.label.clone(),
        }
    }
}

impl Scale {
    /// Where `value` lies along an axis, before it is fitted to a page: the value itself or its power of ten.
    fn coordinate(self, value: f64) -> Option<f64> {
        match self {
            Scale::Linear => value.is_finite().then_some(value),
            Scale::Log => (value.is_finite() && value > 0.0).then(|| value.log10()),
        }
    }

    /// Whether a range has no extent but for rounding.
    fn is_short(self, lo: f64, hi: f64) -> bool {
        match self {
            Scale::Linear => quarter_span(lo, hi) <= 0.25 * (LEAST_SHARE * lo.abs().max(hi.abs())).max(LEAST_SPAN),
            Scale::Log => hi - lo < LEAST_DECADES,
        }
    }

    /// The range with some room around it.
    fn padded(self, lo: f64, hi: f64) -> (f64, f64) {
        match self {
            Scale::Linear if self.is_short(lo, hi) => {
                let half = if hi == 0.0 { 1.0 } else { (0.1 * hi.abs()).max(LEAST_SPAN) };
                ((lo - half).max(f64::MIN), (hi + half).min(f64::MAX))
            }
            Scale::Linear => padded_linear(lo, hi),
            Scale::Log if self.is_short(lo, hi) => (lo - 0.5, hi + 0.5),
            Scale::Log => (lo - 0.04 * (hi - lo), hi + 0.04 * (hi - lo)),
        }
    }
}

/// A quarter of `hi - lo`, which itself may be infinite.
fn quarter_span(lo: f64, hi: f64) -> f64 {
    0.25 * hi - 0.25 * lo
}

/// Room above and below the data; a range that nearly starts (or ends) at zero does so exactly.
fn padded_linear(lo: f64, hi: f64) -> (f64, f64) {
    let pad = 4.0 * (0.04 * quarter_span(lo, hi));
    let lower = if lo >= 0.0 && lo < 0.2 * hi { 0.0 } else { (lo - pad).max(f64::MIN) };
    let upper = if hi <= 0.0 && hi > 0.2 * lo { 0.0 } else { (hi + pad).min(f64::MAX) };
    (lower, upper)
}

/// The range an axis covers, in coordinates: on a log axis `lo` and `hi` are powers of ten. Never empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Domain {
    lo: f64,
    hi: f64,
    scale: Scale,
}

impl Domain {
    /// A linear range without padding, from `lo` to a larger `hi`.
    pub(crate) fn exact(lo: f64, hi: f64) -> Self {
        Self { lo, hi, scale: Scale::Linear }
    }

    /// The place of `value` on the axis, 0 at its start and 1 at its end (values outside lie beyond); `None` if it has none.
    pub(crate) fn unit(&self, value: f64) -> Option<f64> {
        self.scale.coordinate(value).map(|at| self.unit_at(at))
    }

    /// The place of a coordinate, such as that of a tick.
    pub(crate) fn unit_at(&self, coordinate: f64) -> f64 {
        (quarter_span(self.lo, coordinate) / quarter_span(self.lo, self.hi)).clamp(-FAR, FAR)
    }

    /// Like `unit`, with values below the start of a log axis (zero and negative ones too) at its start.
    pub(crate) fn unit_or_start(&self, value: f64) -> Option<f64> {
        let below = self.scale == Scale::Log && value.is_finite() && value <= 0.0;
        if below { Some(0.0) } else { self.unit(value) }
    }

    /// Ticks at those of `values` that lie in the range.
    fn ticks_at(&self, values: &[f64]) -> Ticks {
        let coordinate = |value: f64| self.scale.coordinate(value).filter(|at| (self.lo..=self.hi).contains(at));
        let seen: Vec<f64> = values.iter().copied().filter(|&value| coordinate(value).is_some()).collect();
        let Ticks { major, minor, factor } = ticks::exactly(&seen);
        let placed = major.into_iter().filter_map(|tick| Some(Tick { at: coordinate(tick.at)?, ..tick }));
        Ticks { major: placed.collect(), minor, factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_that_nearly_starts_at_zero_starts_there() {
        let domain = Axis::linear("").fit([1.0, 100.0]).unwrap();
        assert_eq!(domain.lo, 0.0);
        assert!(domain.hi > 100.0);
        let far = Axis::linear("").fit([90.0, 100.0]).unwrap();
        assert!(far.lo > 80.0);
    }

    #[test]
    fn values_without_a_place_are_ignored() {
        let values = [f64::NAN, -1.0, 0.0, 1e-3, 1e3, f64::INFINITY];
        let domain = Axis::log("").fit(values).unwrap();
        assert!(domain.lo > -4.0 && domain.hi < 4.0);
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
    fn an_axis_of_counts_has_ticks_at_whole_numbers() {
        for (lo, hi) in [(0.0, 2.0), (1.0, 2.0), (3.0, 3.0), (0.0, 500.0)] {
            let axis = Axis::counts("step");
            let ticks = axis.ticks_over(&axis.fit([lo, hi]).unwrap(), 6).major;
            assert!(!ticks.is_empty(), "{lo} to {hi}");
            assert!(ticks.iter().all(|tick| tick.at.fract() == 0.0 && !tick.label.contains('.')), "{ticks:?}");
        }
    }

    #[test]
    fn a_useless_range_is_ignored() {
        let fitted = Axis::log("").fit([1.0, 10.0]);
        assert_eq!(Axis::log("").range(0.0, 5.0).fit([1.0, 10.0]), fitted);
        assert_eq!(Axis::log("").range(5.0, 5.0).fit([1.0, 10.0]), fitted);
    }

    /// Finite numbers of every kind: random bits, and the awkward ones.
    fn finite() -> impl Strategy<Value = f64> {
        let awkward =
            [0.0, -0.0, 1.0, 5e-324, -5e-324, f64::MIN_POSITIVE, 1e-300, 1e300, 1e305, 1e308, f64::MAX, f64::MIN];
        prop_oneof![
            3 => any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()),
            1 => prop::sample::select(awkward.to_vec()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_finite_range_has_few_ticks_on_the_axis(
            values in prop::collection::vec(finite(), 1..4),
            include in finite(),
            (from, to) in (finite(), finite()),
            ulps in 0u64..4,
            room in 0usize..20,
        ) {
            let neighbour = f64::from_bits(values[0].to_bits() + ulps);
            let with_neighbour = values.iter().copied().chain([neighbour]);
            for plain in [Axis::linear("a"), Axis::counts("a"), Axis::log("a")] {
                for axis in [plain.clone(), plain.clone().include(include), plain.range(from, to)] {
                    let fitted = [axis.fit(with_neighbour.clone()), axis.fit_tightly(with_neighbour.clone())];
                    for domain in fitted.into_iter().flatten() {
                        let ticks = axis.ticks_over(&domain, room);
                        prop_assert!(ticks.major.len() <= room.max(4) + room / 3 + 4 && ticks.minor.len() <= 10 * room.max(8) + 10, "{ticks:?}");
                        prop_assert!(ticks.major.iter().all(|tick| tick.label.chars().count() <= 24), "{ticks:?}");
                        let places = ticks.major.iter().map(|tick| tick.at).chain(ticks.minor.iter().copied());
                        for unit in places.map(|at| domain.unit_at(at)) {
                            prop_assert!((-1e-3..=1.001).contains(&unit), "{unit}: {ticks:?} over {domain:?}");
                        }
                        prop_assert!(with_neighbour.clone().filter_map(|v| domain.unit(v)).all(f64::is_finite));
                    }
                }
            }
        }

        #[test]
        fn what_is_fitted_lies_on_the_axis(values in prop::collection::vec(finite(), 1..5)) {
            for axis in [Axis::linear(""), Axis::log("")] {
                if let Some(domain) = axis.fit(values.iter().copied()) {
                    let units = values.iter().filter_map(|&value| domain.unit(value));
                    prop_assert!(units.into_iter().all(|unit| (-1e-9..=1.0 + 1e-9).contains(&unit)), "{domain:?}");
                }
            }
        }
    }
}
