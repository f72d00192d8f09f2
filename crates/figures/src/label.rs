//! Numbers in the names of networks and trials.

/// `value` in plain notation, or with an exponent where that would be long: 0.01, 5000, 1e300.
pub fn number(value: f64) -> String {
    let is_short = value == 0.0 || !value.is_finite() || (1e-9..1e12).contains(&value.abs());
    if is_short { value.to_string() } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn no_number_is_long() {
        for (value, expected) in
            [(0.0, "0"), (0.01, "0.01"), (1e-6, "0.000001"), (5e3, "5000"), (1e300, "1e300"), (-5e-324, "-5e-324")]
        {
            assert_eq!(number(value), expected);
        }
        assert!(number(-f64::MAX).len() < 30 && number(0.1 + 0.2).len() < 30);
    }
}
