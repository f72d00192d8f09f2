//! Settings that check themselves: numbers and lists whose type says what is allowed.
//!
//! Each decodes from TOML with an error that says what is allowed; `lab` adds file, line, key and value. What several
//! values must satisfy together (a rank within the width) is for [`crate::Check`].

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// A number of the settings that is of one kind.
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $allowed:literal, |$value:ident| $holds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
        pub struct $name($inner);

        impl $name {
            #[doc = concat!("What is allowed: ", $allowed, ".")]
            pub const ALLOWED: &'static str = $allowed;

            /// The value, if it is allowed.
            pub fn new($value: $inner) -> Option<Self> {
                ($holds).then_some(Self($value))
            }

            /// The value.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl Deref for $name {
            type Target = $inner;

            fn deref(&self) -> &$inner {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::LowerExp for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerExp::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = deserializer.deserialize_any(Number::<$inner> { allowed: $allowed, kind: PhantomData })?;
                Self::new(value).ok_or_else(|| de::Error::custom($allowed))
            }
        }
    };
}

checked!(
    /// A finite number greater than 0: a step size, a scale.
    Positive, f64, "a number greater than 0", |x| x > 0.0 && x.is_finite()
);
checked!(
    /// A finite number from 0: a factor that may switch something off.
    NotNegative, f64, "a number from 0", |x| x >= 0.0 && x.is_finite()
);
checked!(
    /// A part of a whole that is not empty.
    Fraction, f64, "a number in (0, 1]", |x| x > 0.0 && x <= 1.0
);
checked!(
    /// How many of something there are: trials, rows, examples.
    Count, usize, "a whole number from 1", |n| n >= 1
);
checked!(
    /// A number of iterations or training steps.
    Steps, u64,
    "a whole number from 1 to 1000000000: of a millisecond each, as many take twelve days",
    |n| (1..=1_000_000_000).contains(&n)
);
checked!(
    /// Repetitions of one thing with other random numbers.
    Trials, usize,
    "a whole number from 1 to 10000: the standard error of a mean is then a hundredth of the deviation already",
    |n| (1..=10_000).contains(&n)
);
checked!(
    /// The number of factors of a deep factorization: of more, εᴸ is 0 or ∞ in floating point for all but the ε next to 1.
    Depth, usize, "a whole number from 2 to 10000", |n| (2..=10_000).contains(&n)
);

/// Reads a number, whole or not, as TOML writes it.
struct Number<T> {
    allowed: &'static str,
    kind: PhantomData<T>,
}

impl Visitor<'_> for Number<f64> {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }
}

/// The visitor of a whole number.
macro_rules! whole {
    ($inner:ty) => {
        impl Visitor<'_> for Number<$inner> {
            type Value = $inner;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.allowed)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<$inner, E> {
                value.try_into().map_err(|_| E::custom(self.allowed))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<$inner, E> {
                value.try_into().map_err(|_| E::custom(self.allowed))
            }
        }
    };
}

whole!(usize);
whole!(u64);

/// A list with at least one value, each once: what an experiment goes through.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct<T>(Vec<T>);

impl<T: PartialEq> Distinct<T> {
    /// What is allowed.
    pub const ALLOWED: &'static str = "a list with at least one value, each value once";

    /// The list, if it is allowed.
    pub fn new(values: Vec<T>) -> Option<Self> {
        let once = |(i, value): (usize, &T)| !values[..i].contains(value);
        (!values.is_empty() && values.iter().enumerate().all(once)).then_some(Self(values))
    }
}

impl<T> Deref for Distinct<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a Distinct<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Serialize> Serialize for Distinct<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + PartialEq> Deserialize<'de> for Distinct<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).ok_or_else(|| de::Error::custom(Self::ALLOWED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: de::DeserializeOwned>(value: &str) -> bool {
        #[derive(serde::Deserialize)]
        struct Key<T> {
            #[allow(dead_code)]
            key: T,
        }
        toml::from_str::<Key<T>>(&format!("key = {value}")).is_err()
    }

    #[test]
    fn numbers() {
        assert!(!refused::<Positive>("5e-324") && !refused::<Positive>("3"));
        for value in ["0", "0.0", "-1", "inf", "nan", "\"1\""] {
            assert!(refused::<Positive>(value), "{value}");
        }
        assert!(!refused::<NotNegative>("0") && refused::<NotNegative>("-1e-9"));
        assert!(!refused::<Fraction>("1") && refused::<Fraction>("1.1") && refused::<Fraction>("0"));
        assert!(!refused::<Count>("1") && refused::<Count>("0") && refused::<Count>("-1") && refused::<Count>("1.0"));
        assert!(!refused::<Steps>("1") && refused::<Steps>("0") && refused::<Steps>("1000000001"));
        assert!(!refused::<Depth>("2") && refused::<Depth>("1") && refused::<Depth>("10001"));
        assert!(!refused::<Trials>("10000") && refused::<Trials>("0") && refused::<Trials>("10001"));
    }

    #[test]
    fn lists() {
        assert!(!refused::<Distinct<Count>>("[1, 2]"));
        for value in ["[]", "[1, 1]", "[1, 0]", "1"] {
            assert!(refused::<Distinct<Count>>(value), "{value}");
        }
    }

    #[test]
    fn what_is_written_is_the_number() {
        assert_eq!(serde_json::to_string(&(Positive::new(0.5), Distinct::new(vec![Count(3)]))).unwrap(), "[0.5,[3]]");
        assert_eq!(format!("{} {:e}", Positive(0.25), Positive(1e-4)), "0.25 1e-4");
    }
}
