//! Where an axis has ticks and what is written beside them. Whatever the range, their number is bounded.

use crate::notation::{number, power};

/// A labelled tick.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    /// A value, or on a logarithmic axis its power of ten.
    pub at: f64,
    pub label: String,
}

/// All ticks of an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ticks {
    pub major: Vec<Tick>,
    /// Unlabelled ticks, as `Tick::at`.
    pub minor: Vec<f64>,
    /// Labels are values divided by ten to this power, which the axis label then names.
    pub factor: Option<i32>,
}

/// Fewer labels than this leave an axis hard to read.
const FEW: usize = 4;

/// Ticks at multiples of 1, 2 or 5 × 10ⁿ within `[lo, hi]`: no more than `at_most` (at least 2), or a third more where
/// that many would leave only a few. `lo` and `hi` must differ by more than rounding.
pub(crate) fn linear(lo: f64, hi: f64, at_most: usize) -> Ticks {
    let at_most = at_most.max(2);
    let steps = multiples_within(lo, hi, at_most);
    let steps = if steps.count() < FEW {
        let finer = multiples_within(lo, hi, at_most + at_most / 3);
        if finer.count() > steps.count() { finer } else { steps }
    } else {
        steps
    };
    let values: Vec<f64> = (0..steps.count()).map(|k| steps.value(k)).filter(|value| value.is_finite()).collect();
    // Zero alone says nothing about the size of its neighbours.
    let factor = if values == [0.0] { common_factor(&[lo, hi]) } else { common_factor(&values) };
    let decimals = (factor.unwrap_or(0) - steps.exponent).max(0) as usize;
    let major = values.into_iter().map(|at| Tick { at, label: label(at, factor, decimals) }).collect();
    Ticks { major, minor: Vec::new(), factor }
}

/// Like [`linear`], at whole numbers only; none if there is none within `[lo, hi]`.
pub(crate) fn whole(lo: f64, hi: f64, at_most: usize) -> Ticks {
    let ticks = linear(lo, hi, at_most);
    if ticks.major.iter().all(|tick| tick.at.fract() == 0.0) {
        return ticks;
    }
    // The steps are below one, so there are fewer whole numbers than ticks.
    let values: Vec<f64> = ticks.major.into_iter().map(|tick| tick.at).filter(|at| at.fract() == 0.0).collect();
    exactly(&values)
}

/// The multiples `first` to `last` of `mantissa × 10^exponent`.
struct Steps {
    mantissa: f64,
    exponent: i32,
    first: f64,
    last: f64,
}

impl Steps {
    fn count(&self) -> usize {
        (self.last - self.first + 1.0).max(0.0) as usize
    }

    fn value(&self, index: usize) -> f64 {
        scaled((self.first + index as f64) * self.mantissa, self.exponent)
    }
}

/// The finest steps with no more than `at_most` multiples within `[lo, hi]`.
fn multiples_within(lo: f64, hi: f64, at_most: usize) -> Steps {
    // Divided first: the difference of the largest numbers is infinite.
    let coarsest = (hi / at_most as f64 - lo / at_most as f64).log10().floor() as i32;
    let candidates = (coarsest - 1..).flat_map(|exponent| [1.0, 2.0, 5.0].map(|mantissa| (mantissa, exponent)));
    let counted = candidates.map(|(mantissa, exponent)| {
        let step = scaled(mantissa, exponent);
        // A tick that misses the end of the range by rounding alone still belongs to it.
        let (first, last) = ((lo / step - 1e-9).ceil(), (hi / step + 1e-9).floor());
        Steps { mantissa, exponent, first, last }
    });
    let mut fitting = counted.skip_while(|steps| steps.count() > at_most);
    fitting.next().unwrap_or(Steps { mantissa: 1.0, exponent: coarsest, first: 0.0, last: -1.0 })
}

/// Ticks at exactly `values`, labelled with as many decimals as they need (at most four digits).
pub(crate) fn exactly(values: &[f64]) -> Ticks {
    let factor = common_factor(values);
    let shrunk = |value: f64| scaled(value, -factor.unwrap_or(0));
    let exact = |decimals: &usize| {
        values.iter().all(|&v| (shrunk(v) - shrunk(v).round_to(*decimals)).abs() <= 1e-9 * shrunk(v).abs())
    };
    let decimals = (0..4).find(exact).unwrap_or(4);
    let major = values.iter().map(|&at| Tick { at, label: label(at, factor, decimals) }).collect();
    Ticks { major, minor: Vec::new(), factor }
}

trait RoundTo {
    fn round_to(self, decimals: usize) -> f64;
}

impl RoundTo for f64 {
    fn round_to(self, decimals: usize) -> f64 {
        scaled(scaled(self, decimals as i32).round(), -(decimals as i32))
    }
}

/// `mantissa × 10^exponent`, divided rather than multiplied for negative exponents: 3 / 10 is 0.3, 3 × 0.1 is not.
fn scaled(mantissa: f64, exponent: i32) -> f64 {
    if exponent.abs() > 300 {
        // The power itself may leave f64 where the product does not.
        return scaled(scaled(mantissa, exponent / 2), exponent - exponent / 2);
    }
    let power = 10f64.powi(exponent.abs());
    if exponent < 0 { mantissa / power } else { mantissa * power }
}

fn label(value: f64, factor: Option<i32>, decimals: usize) -> String {
    number(scaled(value, -factor.unwrap_or(0)), decimals)
}

/// The power of ten to be taken out of very small or very large tick values.
fn common_factor(values: &[f64]) -> Option<i32> {
    let largest = values.iter().fold(0f64, |most, value| most.max(value.abs()));
    if largest == 0.0 {
        return None;
    }
    let exponent = (largest.log10() + 4e-13).floor() as i32;
    match exponent {
        ..-2 => Some(exponent),
        6.. => Some(exponent - exponent.rem_euclid(3)),
        _ => None,
    }
}

fn power_of_ten(exponent: i32) -> String {
    power("10", exponent)
}

/// Ticks of a logarithmic axis from 10^`lo` to 10^`hi`, about `at_most` labelled ones, placed at their powers of ten.
pub(crate) fn logarithmic(lo: f64, hi: f64, at_most: usize) -> Ticks {
    let at_most = at_most.max(2);
    let first = (lo - 1e-9).ceil() as i32;
    let last = (hi + 1e-9).floor() as i32;
    let decades = last - first + 1;
    if decades < 2 {
        return within_decades(lo, hi, at_most);
    }
    let stride = strides().find(|stride| multiples(first, last, *stride).count() <= at_most).unwrap_or(1000);
    let plain = first >= 0 && last <= 3;
    let decade_label = |exponent: i32| {
        if plain { number(10f64.powi(exponent), 0) } else { power_of_ten(exponent) }
    };
    let major = multiples(first, last, stride)
        .map(|exponent| Tick { at: f64::from(exponent), label: decade_label(exponent) })
        .collect();
    let minor = if stride > 1 {
        let between = multiples(first, last, (stride / 10).max(1));
        between.filter(|exponent| exponent.rem_euclid(stride) != 0).map(f64::from).collect()
    } else if decades <= 8 {
        mantissas(lo, hi, &[2, 3, 4, 5, 6, 7, 8, 9]).map(place).collect()
    } else {
        Vec::new()
    };
    Ticks { major, minor, factor: None }
}

fn strides() -> impl Iterator<Item = i32> {
    [1, 2, 3, 4, 5].into_iter().chain((1..100).map(|tens| 10 * tens))
}

fn multiples(first: i32, last: i32, stride: i32) -> impl Iterator<Item = i32> {
    (first..=last).filter(move |exponent| exponent.rem_euclid(stride) == 0)
}

/// Where mantissa × 10ⁿ lies on a logarithmic axis.
fn place((mantissa, exponent): (i32, i32)) -> f64 {
    f64::from(exponent) + f64::from(mantissa).log10()
}

/// Values mantissa × 10ⁿ from 10^`lo` to 10^`hi`, as (mantissa, n), ascending.
fn mantissas(lo: f64, hi: f64, allowed: &[i32]) -> impl Iterator<Item = (i32, i32)> {
    let exponents = lo.floor() as i32..=hi.floor() as i32;
    exponents
        .flat_map(move |exponent| allowed.iter().map(move |&mantissa| (mantissa, exponent)))
        .filter(move |&value| (lo - 4e-10..=hi + 4e-10).contains(&place(value)))
}

/// Ticks of a logarithmic axis too short for two powers of ten.
fn within_decades(lo: f64, hi: f64, at_most: usize) -> Ticks {
    const CHOICES: [&[i32]; 4] = [&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[1, 2, 3, 5, 7], &[1, 2, 5], &[1, 3]];
    let fitting =
        CHOICES.into_iter().find(|allowed| (3..=at_most.max(3)).contains(&mantissas(lo, hi, allowed).count()));
    let Some(allowed) = fitting else {
        return between_mantissas(lo, hi, at_most);
    };
    let chosen: Vec<(i32, i32)> = mantissas(lo, hi, allowed).collect();
    let minor = mantissas(lo, hi, CHOICES[0]).filter(|value| !chosen.contains(value)).map(place).collect();
    let major = if chosen.iter().all(|(_, exponent)| (-2..=5).contains(exponent)) {
        let values: Vec<f64> =
            chosen.iter().map(|&(mantissa, exponent)| scaled(f64::from(mantissa), exponent)).collect();
        let labelled = exactly(&values).major.into_iter().zip(&chosen);
        labelled.map(|(tick, &value)| Tick { at: place(value), ..tick }).collect()
    } else {
        chosen.iter().map(|&value| Tick { at: place(value), label: scientific(value) }).collect()
    };
    Ticks { major, minor, factor: None }
}

fn scientific((mantissa, exponent): (i32, i32)) -> String {
    match mantissa {
        1 => power_of_ten(exponent),
        _ => format!("{mantissa}×{}", power_of_ten(exponent)),
    }
}

/// Ticks of a logarithmic axis too short for three mantissas of one digit: evenly spaced values.
fn between_mantissas(lo: f64, hi: f64, at_most: usize) -> Ticks {
    // A power of ten that the labels would not show is taken out first, so that the values stay within f64.
    let taken = match lo.floor() as i32 {
        -2..=5 => 0,
        exponent => exponent,
    };
    let value = |exponent: f64| 10f64.powf(exponent - f64::from(taken));
    let Ticks { major, factor, .. } = linear(value(lo), value(hi), at_most);
    let major = major.into_iter().map(|tick| Tick { at: tick.at.log10() + f64::from(taken), ..tick }).collect();
    let factor = factor.map(|factor| factor + taken).or((taken != 0).then_some(taken));
    Ticks { major, minor: Vec::new(), factor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(ticks: &Ticks) -> Vec<&str> {
        ticks.major.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn linear_labels_have_just_the_decimals_they_need() {
        assert_eq!(labels(&linear(0.0, 1.0, 6)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&linear(-0.03, 0.03, 8)), ["−0.03", "−0.02", "−0.01", "0.00", "0.01", "0.02", "0.03"]);
        assert_eq!(
            labels(&linear(0.0, 45_000.0, 5)),
            ["0", "10\u{2009}000", "20\u{2009}000", "30\u{2009}000", "40\u{2009}000"]
        );
    }

    #[test]
    fn small_and_large_values_share_a_factor() {
        let small = linear(0.0, 1.2e-3, 7);
        assert_eq!((labels(&small)[1], small.factor), ("0.2", Some(-3)));
        let large = linear(0.0, 2.5e7, 6);
        assert_eq!((labels(&large)[1], large.factor), ("5", Some(6)));
    }

    #[test]
    fn three_labels_become_more_where_nearly_as_many_fit() {
        assert_eq!(linear(-0.0305, 0.0312, 6).major.len(), 7);
    }

    #[test]
    fn log_labels_are_powers_of_ten() {
        let ticks = logarithmic(3e-5f64.log10(), 2e-1f64.log10(), 8);
        assert_eq!(labels(&ticks), ["10⁻⁴", "10⁻³", "10⁻²", "10⁻¹"]);
        let minor = |value: f64| ticks.minor.iter().any(|at| (at - value.log10()).abs() < 1e-9);
        assert!(minor(2e-4) && minor(4e-5) && !minor(3e-1));
    }

    #[test]
    fn many_decades_are_labelled_at_equal_strides() {
        let ticks = logarithmic(-40.0, 0.0, 6);
        assert_eq!(labels(&ticks), ["10⁻⁴⁰", "10⁻³⁰", "10⁻²⁰", "10⁻¹⁰", "10⁰"]);
        assert_eq!(ticks.minor.len(), 36);
    }

    #[test]
    fn short_log_axes_still_have_labels() {
        let over = |lo: f64, hi: f64| logarithmic(lo.log10(), hi.log10(), 8);
        assert_eq!(labels(&over(1.5, 4.2)), ["2", "3", "4"]);
        assert_eq!(labels(&over(1.8e-4, 5.5e-4)), ["2×10⁻⁴", "3×10⁻⁴", "4×10⁻⁴", "5×10⁻⁴"]);
        assert!(over(1.01, 1.02).major.len() >= 3);
        assert_eq!(labels(&over(1.0, 1000.0)), ["1", "10", "100", "1000"]);
    }

    #[test]
    fn logarithmic_ticks_reach_beyond_the_smallest_and_largest_numbers() {
        assert_eq!(labels(&logarithmic(-324.4, -322.6, 8)), ["10⁻³²⁴", "10⁻³²³"]);
        assert_eq!(
            labels(&logarithmic(-323.9, -323.2, 8)),
            ["2×10⁻³²⁴", "3×10⁻³²⁴", "4×10⁻³²⁴", "5×10⁻³²⁴", "6×10⁻³²⁴"]
        );
        let narrow = logarithmic(307.99, 308.0, 8);
        assert!(narrow.major.len() >= 3 && narrow.factor == Some(307), "{narrow:?}");
        let widest = logarithmic(-324.0, 308.3, 8);
        assert!(widest.major.len() >= 6 && widest.minor.len() <= 80, "{widest:?}");
    }

    #[test]
    fn given_ticks_are_taken_as_they_are() {
        assert_eq!(labels(&exactly(&[5.0, 8.0, 11.0])), ["5", "8", "11"]);
        assert_eq!(labels(&exactly(&[0.25, 0.5])), ["0.25", "0.50"]);
        assert_eq!(labels(&exactly(&[])), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn linear_ticks_lie_in_range_evenly_and_differ(centre in -1e6..1e6f64, log_spread in -4.0..6.0f64, at_most in 2usize..12) {
            let half = 10f64.powf(log_spread);
            let (lo, hi) = (centre - half, centre + half);
            let ticks = linear(lo, hi, at_most);
            // Rounding of the ticks themselves, too: they may be small steps around a large value.
            let slack = 1e-6 * half + 1e-15 * centre.abs();
            prop_assert!(ticks.major.len() <= at_most + at_most / 3);
            prop_assert!(at_most < 4 || ticks.major.len() >= 2, "{:?}", ticks);
            prop_assert!(ticks.major.iter().all(|tick| tick.at >= lo - slack && tick.at <= hi + slack));
            for pair in ticks.major.windows(2) {
                prop_assert!(pair[0].at < pair[1].at && pair[0].label != pair[1].label);
            }
            for triple in ticks.major.windows(3) {
                prop_assert!((triple[2].at - 2.0 * triple[1].at + triple[0].at).abs() < slack);
            }
        }

        #[test]
        fn log_ticks_lie_in_range_and_differ(start in -30.0..10.0f64, decades in 0.05..40.0f64, at_most in 3usize..12) {
            let (lo, hi) = (start, start + decades);
            let ticks = logarithmic(lo, hi, at_most);
            prop_assert!(ticks.major.len() >= 2 && ticks.major.len() <= at_most.max(4) + 4, "{:?}", ticks);
            let inside = |at: f64| at >= lo - 1e-6 && at <= hi + 1e-6;
            prop_assert!(ticks.major.iter().map(|tick| tick.at).chain(ticks.minor.iter().copied()).all(inside));
            for pair in ticks.major.windows(2) {
                prop_assert!(pair[0].at < pair[1].at && pair[0].label != pair[1].label);
            }
        }
    }
}
