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

/// Ticks at multiples of 1, 2 or 5 × 10ⁿ within `[lo, hi]`, no more than `at_most` (at least 2).
pub(crate) fn linear(lo: f64, hi: f64, at_most: usize) -> Ticks {
    let at_most = at_most.max(2);
    let mut exponent = ((hi - lo) / at_most as f64).log10().floor() as i32 - 1;
    let (step, first, last) = loop {
        let fit = [1.0, 2.0, 5.0].into_iter().find_map(|mantissa| {
            let step = scaled(mantissa, exponent);
            // A tick that misses the end of the range by rounding alone still belongs to it.
            let (first, last) = ((lo / step - 1e-9).ceil(), (hi / step + 1e-9).floor());
            (last - first < at_most as f64).then_some((mantissa, first, last))
        });
        if let Some(fit) = fit {
            break fit;
        }
        exponent += 1;
    };
    let count = (last - first).max(0.0) as usize;
    let values: Vec<f64> = (0..=count).map(|k| scaled((first + k as f64) * step, exponent)).collect();
    let factor = common_factor(&values);
    let decimals = (factor.unwrap_or(0) - exponent).max(0) as usize;
    let major = values.into_iter().map(|at| Tick { at, label: label(at, factor, decimals) }).collect();
    Ticks { major, minor: Vec::new(), factor }
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
    let stride =
        strides().find(|stride| multiples(first, last, *stride).count() as i32 <= at_most).unwrap_or(1);
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
        mantissas(lo, hi, &[2, 3, 4, 5, 6, 7, 8, 9])
            .map(|(mantissa, exponent)| scaled(mantissa, exponent))
            .collect()
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
    exponents
        .flat_map(move |exponent| allowed.iter().map(move |&mantissa| (f64::from(mantissa), exponent)))
        .filter(move |&(mantissa, exponent)| {
            let value = scaled(mantissa, exponent);
            value >= lo * (1.0 - 1e-9) && value <= hi * (1.0 + 1e-9)
        })
}

/// Ticks of a logarithmic axis too short for two powers of ten.
fn within_decades(lo: f64, hi: f64, at_most: usize) -> Ticks {
    const CHOICES: [&[i32]; 4] = [&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[1, 2, 3, 5, 7], &[1, 2, 5], &[1, 3]];
    let fitting = CHOICES
        .into_iter()
        .find(|allowed| (3..=at_most.max(3)).contains(&mantissas(lo, hi, allowed).count()));
    let Some(allowed) = fitting else {
        return linear(lo, hi, at_most);
    };
    let values: Vec<f64> =
        mantissas(lo, hi, allowed).map(|(mantissa, exponent)| scaled(mantissa, exponent)).collect();
    let minor = mantissas(lo, hi, CHOICES[0])
        .map(|(mantissa, exponent)| scaled(mantissa, exponent))
        .filter(|value| !values.contains(value))
        .collect();
    Ticks { minor, ..exactly(&values) }
}
