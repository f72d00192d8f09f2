//! The inner width of a deep product.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Invalid;

/// What is allowed as a width, in words.
const ALLOWED: &str = "an integer from 1, or \"full\"";

/// Inner width of a product: `"full"` in TOML and JSON, or an integer from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// min(m, n) of each matrix: all of its rank.
    Full,
    /// This, for all matrices.
    Narrow(usize),
}

impl Width {
    /// The width on an m × n matrix.
    pub fn of(self, (m, n): (usize, usize)) -> usize {
        match self {
            Self::Full => m.min(n),
            Self::Narrow(width) => width,
        }
    }

    /// Whether it is allowed.
    ///
    /// # Errors
    /// A width of 0, under this key.
    pub fn check(self, key: &str) -> Result<(), Invalid> {
        Invalid::unless(self != Self::Narrow(0), key, self, ALLOWED)
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.pad("full"),
            Self::Narrow(width) => width.fmt(f),
        }
    }
}

impl Serialize for Width {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Full => serializer.serialize_str("full"),
            Self::Narrow(width) => serializer.serialize_u64(*width as u64),
        }
    }
}

impl<'de> Deserialize<'de> for Width {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfWidth;
        impl Visitor<'_> for OfWidth {
            type Value = Width;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(ALLOWED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Width, E> {
                if text == "full" { Ok(Width::Full) } else { Err(E::invalid_value(Unexpected::Str(text), &self)) }
            }

            fn visit_i64<E: Error>(self, width: i64) -> Result<Width, E> {
                let narrow = usize::try_from(width).ok().filter(|&width| width > 0).map(Width::Narrow);
                narrow.ok_or_else(|| E::invalid_value(Unexpected::Signed(width), &self))
            }

            fn visit_u64<E: Error>(self, width: u64) -> Result<Width, E> {
                let narrow = usize::try_from(width).ok().filter(|&width| width > 0).map(Width::Narrow);
                narrow.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(width), &self))
            }
        }
        deserializer.deserialize_any(OfWidth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_read_and_written() {
        for (json, width) in [("\"full\"", Width::Full), ("8", Width::Narrow(8))] {
            assert_eq!(serde_json::from_str::<Width>(json).unwrap(), width);
            assert_eq!(serde_json::to_string(&width).unwrap(), json);
        }
        for json in ["0", "-1", "\"wide\"", "1.5", "[8]"] {
            let error = serde_json::from_str::<Width>(json).unwrap_err().to_string();
            assert!(error.contains("expected an integer from 1, or \"full\""), "{error}");
        }
        assert_eq!((Width::Full.of((9, 5)), Width::Narrow(3).of((9, 5))), (5, 3));
        assert!(Width::Full.check("rank").is_ok() && Width::Narrow(0).check("rank").is_err());
    }
}
