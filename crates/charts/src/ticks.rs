//! Where an axis has ticks and what is written beside them.

/// A labelled tick.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub at: f64,
    pub label: String,
}

/// All ticks of an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ticks {
    pub major: Vec<Tick>,
    /// Positions of unlabelled ticks.
    pub minor: Vec<f64>,
    /// Labels are values divided by ten to this power, which the axis label then names.
    pub factor: Option<i32>,
}

/// Fewer labels than this leave an axis hard to read.
const FEW: usize = 4;

/// Ticks at multiples of 1, 2 or 5 × 10ⁿ within `[lo, hi]`: no more than `at_most` (at least 2), or a third more where
/// that many would leave only a few.
pub(crate) fn linear(lo: f64, hi: f64, at_most: usize) -> Ticks {
    let at_most = at_most.max(2);
    let steps = multiples_within(lo, hi, at_most);
    let steps = if steps.count() < FEW {
        let finer = multiples_within(lo, hi, at_most + at_most / 3);
        if finer.count() > steps.count() { finer } else { steps }
    } else {
        steps
    };
    let values: Vec<f64> = (0..steps.count()).map(|k| steps.value(k)).collect();
    let factor = common_factor(&values);
    let decimals = (factor.unwrap_or(0) - steps.exponent).max(0) as usize;
    let major = values.into_iter().map(|at| Tick { at, label: label(at, factor, decimals) }).collect();
    Ticks { major, minor: Vec::new(), factor }
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
    let coarsest = ((hi - lo) / at_most as f64).log10().floor() as i32;
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
    let exponent = (largest * (1.0 + 1e-12)).log10().floor() as i32;
    match exponent {
        ..-2 => Some(exponent),
        6.. => Some(exponent - exponent.rem_euclid(3)),
        _ => None,
    }
}

/// `value` in plain decimal notation, a true minus sign, digits from 10 000 on in groups of three.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let digits = format!("{:.*}", decimals, value.abs());
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut written = String::new();
    if value < 0.0 && digits.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        written.push('−');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && whole.len() >= 5 && (whole.len() - index).is_multiple_of(3) {
            written.push('\u{2009}');
        }
        written.push(digit);
    }
    if !fraction.is_empty() {
        written.push('.');
        written.push_str(fraction);
    }
    written
}

/// `10` with `exponent` as a superscript.
pub(crate) fn power_of_ten(exponent: i32) -> String {
    let mut written = String::from("10");
    for sign in exponent.to_string().chars() {
        written.push(match sign {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
        });
    }
    written
}

/// Ticks of a logarithmic axis over `[lo, hi]` (both positive), about `at_most` labelled ones.
pub(crate) fn logarithmic(lo: f64, hi: f64, at_most: usize) -> Ticks {
    let at_most = at_most.max(2) as i32;
    let first = (lo.log10() - 1e-9).ceil() as i32;
    let last = (hi.log10() + 1e-9).floor() as i32;
    let decades = last - first + 1;
    if decades < 2 {
        return within_decades(lo, hi, at_most as usize);
    }
    let stride = strides().find(|stride| multiples(first, last, *stride).count() as i32 <= at_most).unwrap_or(1);
    let plain = first >= 0 && last <= 3;
    let decade_label = |exponent: i32| {
        if plain { number(10f64.powi(exponent), 0) } else { power_of_ten(exponent) }
    };
    let major = multiples(first, last, stride)
        .map(|exponent| Tick { at: scaled(1.0, exponent), label: decade_label(exponent) })
        .collect();
    let minor = if stride > 1 {
        (first..=last)
            .filter(|exponent| exponent.rem_euclid(stride) != 0)
            .map(|exponent| scaled(1.0, exponent))
            .collect()
    } else if decades <= 8 {
        mantissas(lo, hi, &[2, 3, 4, 5, 6, 7, 8, 9]).map(|(mantissa, exponent)| scaled(mantissa, exponent)).collect()
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

/// Values mantissa × 10ⁿ within `[lo, hi]`, as (mantissa, n), ascending.
fn mantissas(lo: f64, hi: f64, allowed: &[i32]) -> impl Iterator<Item = (f64, i32)> {
    let exponents = lo.log10().floor() as i32..=hi.log10().floor() as i32;
    exponents.flat_map(move |exponent| allowed.iter().map(move |&mantissa| (f64::from(mantissa), exponent))).filter(
        move |&(mantissa, exponent)| {
            let value = scaled(mantissa, exponent);
            value >= lo * (1.0 - 1e-9) && value <= hi * (1.0 + 1e-9)
        },
    )
}

/// Ticks of a logarithmic axis too short for two powers of ten.
fn within_decades(lo: f64, hi: f64, at_most: usize) -> Ticks {
    const CHOICES: [&[i32]; 4] = [&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[1, 2, 3, 5, 7], &[1, 2, 5], &[1, 3]];
    let fitting =
        CHOICES.into_iter().find(|allowed| (3..=at_most.max(3)).contains(&mantissas(lo, hi, allowed).count()));
    let Some(allowed) = fitting else {
        return linear(lo, hi, at_most);
    };
    let chosen: Vec<(f64, i32)> = mantissas(lo, hi, allowed).collect();
    let values: Vec<f64> = chosen.iter().map(|&(mantissa, exponent)| scaled(mantissa, exponent)).collect();
    let minor = mantissas(lo, hi, CHOICES[0])
        .map(|(mantissa, exponent)| scaled(mantissa, exponent))
        .filter(|value| !values.contains(value))
        .collect();
    let plain = exactly(&values);
    if plain.factor.is_none() {
        return Ticks { minor, ..plain };
    }
    let scientific = |&(mantissa, exponent): &(f64, i32)| Tick {
        at: scaled(mantissa, exponent),
        label: match mantissa {
            1.0 => power_of_ten(exponent),
            _ => format!("{mantissa:.0}×{}", power_of_ten(exponent)),
        },
    };
    Ticks { major: chosen.iter().map(scientific).collect(), minor, factor: None }
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
        let ticks = logarithmic(3e-5, 2e-1, 8);
        assert_eq!(labels(&ticks), ["10⁻⁴", "10⁻³", "10⁻²", "10⁻¹"]);
        assert!(ticks.minor.contains(&2e-4) && ticks.minor.contains(&4e-5) && !ticks.minor.contains(&3e-1));
    }

    #[test]
    fn many_decades_are_labelled_at_equal_strides() {
        let ticks = logarithmic(1e-40, 1.0, 6);
        assert_eq!(labels(&ticks), ["10⁻⁴⁰", "10⁻³⁰", "10⁻²⁰", "10⁻¹⁰", "10⁰"]);
        assert_eq!(ticks.minor.len(), 36);
    }

    #[test]
    fn short_log_axes_still_have_labels() {
        assert_eq!(labels(&logarithmic(1.5, 4.2, 8)), ["2", "3", "4"]);
        assert_eq!(labels(&logarithmic(1.8e-4, 5.5e-4, 8)), ["2×10⁻⁴", "3×10⁻⁴", "4×10⁻⁴", "5×10⁻⁴"]);
        assert!(logarithmic(1.01, 1.02, 8).major.len() >= 3);
        assert_eq!(labels(&logarithmic(1.0, 1000.0, 8)), ["1", "10", "100", "1000"]);
    }

    #[test]
    fn given_ticks_are_taken_as_they_are() {
        assert_eq!(labels(&exactly(&[5.0, 8.0, 11.0])), ["5", "8", "11"]);
        assert_eq!(labels(&exactly(&[0.25, 0.5])), ["0.25", "0.50"]);
        assert_eq!(labels(&exactly(&[])), Vec::<&str>::new());
    }

    #[test]
    fn numbers_are_written_for_reading() {
        assert_eq!(number(-1234567.0, 0), "−1\u{2009}234\u{2009}567");
        assert_eq!(number(1234.5, 1), "1234.5");
        assert_eq!(number(-0.0001, 2), "0.00");
        assert_eq!(power_of_ten(-13), "10⁻¹³");
        assert_eq!(power_of_ten(204), "10²⁰⁴");
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
            let (lo, hi) = (10f64.powf(start), 10f64.powf(start + decades));
            let ticks = logarithmic(lo, hi, at_most);
            prop_assert!(ticks.major.len() >= 2 && ticks.major.len() <= at_most.max(4) + 4, "{:?}", ticks);
            let inside = |value: f64| value >= lo * (1.0 - 1e-6) && value <= hi * (1.0 + 1e-6);
            prop_assert!(ticks.major.iter().map(|tick| tick.at).chain(ticks.minor.iter().copied()).all(inside));
            for pair in ticks.major.windows(2) {
                prop_assert!(pair[0].at < pair[1].at && pair[0].label != pair[1].label);
            }
        }
    }
}
