//! How numbers are written for readers.

use std::fmt::Display;

/// `base` with `exponent` as a superscript: `power("d", "1.2")` is d¹·², `power("10", -3)` is 10⁻³. What has no
/// superscript stays as it is.
pub fn power(base: &str, exponent: impl Display) -> String {
    let raised = exponent.to_string().chars().map(superscript).collect::<String>();
    format!("{base}{raised}")
}

fn superscript(sign: char) -> char {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    match sign {
        '-' | '−' => '⁻',
        '+' => '⁺',
        '.' => '·',
        _ => sign.to_digit(10).map_or(sign, |digit| DIGITS[digit as usize]),
    }
}

/// `value` to `digits` significant digits, in powers of ten from 10⁵ on and below 10⁻³: 0.0123, 3.8×10⁻⁶.
pub fn significant(value: f64, digits: usize) -> String {
    let digits = digits.clamp(1, 17);
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let written = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent @ -3..=4) => number(value, (digits as i32 - 1 - exponent).max(0) as usize),
        _ => format!("{}×{}", mantissa.replace('-', "−"), power("10", exponent)),
    }
}

/// `value` as short as a reader may want it: whole numbers whole, others to four digits.
pub(crate) fn concise(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e7 { number(value, 0) } else { significant(value, 4) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_reading() {
        assert_eq!(number(-1234567.0, 0), "−1\u{2009}234\u{2009}567");
        assert_eq!(number(1234.5, 1), "1234.5");
        assert_eq!(number(-0.0001, 2), "0.00");
    }

    #[test]
    fn exponents_are_raised() {
        assert_eq!(power("10", -13), "10⁻¹³");
        assert_eq!(power("10", 204), "10²⁰⁴");
        assert_eq!(power("d", format_args!("{:.1}", 1.2)), "d¹·²");
        assert_eq!(power("n", "k"), "nk");
    }

    #[test]
    fn significant_digits_are_kept_and_no_others() {
        assert_eq!(significant(0.012345, 3), "0.0123");
        assert_eq!(significant(-3.81e-6, 2), "−3.8×10⁻⁶");
        assert_eq!(significant(99_999.0, 3), "1.00×10⁵");
        assert_eq!(significant(12_345.0, 3), "12\u{2009}345");
        assert_eq!(significant(5e-324, 1), "5×10⁻³²⁴");
        assert_eq!(significant(f64::MAX, 2), "1.8×10³⁰⁸");
        assert_eq!((significant(0.0, 3), significant(f64::NAN, 3)), ("0".into(), "NaN".into()));
    }
}
