//! Times and ratios as people read them.

/// Seconds to three digits in a unit that suits.
pub fn seconds(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    let decimals = match value {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$} {unit}")
}

/// A ratio to two or three digits.
pub fn times(ratio: f64) -> String {
    let decimals = usize::from(ratio < 100.0);
    format!("{ratio:.decimals$} ×")
}

/// The distinct names, in the order they first come.
pub fn distinct<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([0.0519, 3.17e-4, 1.76e-6, 1.5].map(seconds), ["51.9 ms", "317 µs", "1.76 µs", "1.50 s"]);
        assert_eq!([2.04, 17.0, 1250.4].map(times), ["2.0 ×", "17.0 ×", "1250 ×"]);
    }

    #[test]
    fn names_keep_their_order() {
        assert_eq!(distinct(["b", "a", "b"]), ["b", "a"]);
    }
}
