//! Settings that check themselves: numbers and lists whose type says what is allowed.
//!
//! Each decodes from TOML with an error that says what is allowed; `lab` adds file, line, key and value. What several
//! values must satisfy together (a rank within the width) is for [`crate::Check`].

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};
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
    /// A number greater than 0 that is one in single precision too.
    PositiveSingle, f64,
    "a number greater than 0 (in single precision: from 1.2e-38 to 3.4e38)",
    |x| (1.2e-38..=3.4e38).contains(&x)
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
    /// A part of a whole that is not empty and leaves something.
    ProperFraction, f64, "a number in (0, 1)", |x| x > 0.0 && x < 1.0
);
checked!(
    /// A number below 1, 0 included: how much of what was is kept at each step, such as momentum.
    Momentum, f64, "a number in [0, 1)", |x| (0.0..1.0).contains(&x)
);
checked!(
    /// A training loss in units of that at the start.
    RelativeLoss, f64, "a number from 0 to below 1, the training loss at the start", |x| (0.0..1.0).contains(&x)
);
checked!(
    /// How many of something there are: trials, rows, examples.
    Count, usize, "a whole number from 1", |n| n >= 1
);
checked!(
    /// Rows and columns of a matrix, which are numbered in 32 bits.
    Size, usize, "a whole number from 1 to 4294967295", |n| (1..=u32::MAX as usize).contains(&n)
);
checked!(
    /// How many values an estimate is made from: with fewer than two it has no error.
    Sample, usize,
    "a whole number from 2 to 100000000: more would not change an estimate's first four digits",
    |n| (2..=100_000_000).contains(&n)
);
checked!(
    /// A number of iterations or training steps; the most take twelve days at a millisecond each.
    Steps, u64, "a whole number from 1 to 1000000000", |n| (1..=1_000_000_000).contains(&n)
);
checked!(
    /// Repetitions of one thing with other random numbers; with the most, the standard error of a mean is a hundredth of the
    /// deviation.
    Trials, usize, "a whole number from 1 to 10000", |n| (1..=10_000).contains(&n)
);
checked!(
    /// The number of factors of a deep factorization: of more, εᴸ is 0 or ∞ in floating point for all but the ε next to 1.
    Depth, usize, "a whole number from 2 to 10000", |n| (2..=10_000).contains(&n)
);

/// A whole number from 1 to `MOST`: how many of something there are, each of which takes time or memory.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct UpTo<const MOST: usize>(usize);

impl<const MOST: usize> UpTo<MOST> {
    /// The value.
    pub const fn get(self) -> usize {
        self.0
    }
}

impl<const MOST: usize> Deref for UpTo<MOST> {
    type Target = usize;

    fn deref(&self) -> &usize {
        &self.0
    }
}

impl<const MOST: usize> fmt::Display for UpTo<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MOST: usize> Serialize for UpTo<MOST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, const MOST: usize> Deserialize<'de> for UpTo<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded<const MOST: usize>;
        impl<const MOST: usize> Bounded<MOST> {
            fn check<E: de::Error>(self, value: Option<usize>) -> Result<UpTo<MOST>, E> {
                let allowed = value.filter(|value| (1..=MOST).contains(value)).map(UpTo);
                allowed.ok_or_else(|| E::custom(format!("a whole number from 1 to {MOST}")))
            }
        }
        impl<const MOST: usize> Visitor<'_> for Bounded<MOST> {
            type Value = UpTo<MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from 1 to {MOST}")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<UpTo<MOST>, E> {
                self.check(value.try_into().ok())
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<UpTo<MOST>, E> {
                self.check(value.try_into().ok())
            }
        }
        deserializer.deserialize_any(Bounded)
    }
}

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

/// Most elements of a list.
const MOST_VALUES: usize = 1_000;

/// Refuses a list that does not end.
fn not_endless<E: de::Error>(length: usize) -> Result<(), E> {
    if length <= MOST_VALUES { Ok(()) } else { Err(E::custom(format!("a list of at most {MOST_VALUES} values"))) }
}

/// A list that is one of the settings.
macro_rules! list {
    ($name:ident) => {
        impl<T> Deref for $name<T> {
            type Target = [T];

            fn deref(&self) -> &[T] {
                &self.0
            }
        }

        impl<'a, T> IntoIterator for &'a $name<T> {
            type Item = &'a T;
            type IntoIter = std::slice::Iter<'a, T>;

            fn into_iter(self) -> Self::IntoIter {
                self.0.iter()
            }
        }

        impl<T: Serialize> Serialize for $name<T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }
    };
}

/// A list of 1 to 1000 values, each once: what an experiment goes through.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct<T>(Vec<T>);

list!(Distinct);

impl<T: PartialEq> Distinct<T> {
    /// What is allowed.
    pub const ALLOWED: &'static str = "a list with at least one value, each value once";

    /// The list, if it is allowed.
    pub fn new(values: Vec<T>) -> Option<Self> {
        let once = |(i, value): (usize, &T)| !values[..i].contains(value);
        let some = (1..=MOST_VALUES).contains(&values.len());
        (some && values.iter().enumerate().all(once)).then_some(Self(values))
    }
}

impl<'de, T: Deserialize<'de> + PartialEq> Deserialize<'de> for Distinct<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Values(PhantomData))
    }
}

/// Reads a list, such that an error is about the element that is in it twice.
struct Values<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + PartialEq> Visitor<'de> for Values<T> {
    type Value = Distinct<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Distinct::<T>::ALLOWED)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Distinct<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(Another(&values))? {
            not_endless(values.len() + 1)?;
            values.push(value);
        }
        if values.is_empty() { Err(de::Error::custom(Distinct::<T>::ALLOWED)) } else { Ok(Distinct(values)) }
    }
}

/// An element that none of those before it equals.
struct Another<'a, T>(&'a [T]);

impl<'de, T: Deserialize<'de> + PartialEq> DeserializeSeed<'de> for Another<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        let value = T::deserialize(deserializer)?;
        if self.0.contains(&value) { Err(de::Error::custom("each value once")) } else { Ok(value) }
    }
}

/// A list of 1 to 1000 tables.
#[derive(Clone, Debug, PartialEq)]
pub struct NotEmpty<T>(Vec<T>);

list!(NotEmpty);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for NotEmpty<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tables = Vec::deserialize(deserializer)?;
        not_endless(tables.len())?;
        if tables.is_empty() { Err(de::Error::custom("a list with at least one table")) } else { Ok(Self(tables)) }
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
        for value in ["1.2e-38", "3.4e38", "1"] {
            assert!(!refused::<PositiveSingle>(value) && value.parse::<f32>().unwrap().is_normal(), "{value}");
        }
        for value in ["1e-39", "1e39", "0", "-1", "nan"] {
            assert!(refused::<PositiveSingle>(value), "{value}");
        }
        assert!(!refused::<NotNegative>("0") && refused::<NotNegative>("-1e-9"));
        assert!(refused::<ProperFraction>("1") && refused::<ProperFraction>("0"));
        assert!(!refused::<Fraction>("1") && refused::<Fraction>("1.1") && refused::<Fraction>("0"));
        assert!(!refused::<Count>("1") && refused::<Count>("0") && refused::<Count>("-1") && refused::<Count>("1.0"));
        assert!(!refused::<Steps>("1") && refused::<Steps>("0") && refused::<Steps>("1000000001"));
        assert!(!refused::<Depth>("2") && refused::<Depth>("1") && refused::<Depth>("10001"));
        assert!(!refused::<Momentum>("0") && refused::<Momentum>("1") && refused::<RelativeLoss>("1"));
        assert!(!refused::<Size>("4294967295") && refused::<Size>("4294967296") && refused::<Size>("0"));
        assert!(!refused::<UpTo<9>>("1") && !refused::<UpTo<9>>("9"));
        for value in ["0", "10", "-1", "1.0", "\"1\""] {
            assert!(refused::<UpTo<9>>(value), "{value}");
        }
        assert!(!refused::<Sample>("2") && refused::<Sample>("1") && refused::<Sample>("100000001"));
        assert!(!refused::<Trials>("10000") && refused::<Trials>("0") && refused::<Trials>("10001"));
    }

    #[test]
    fn lists() {
        assert!(!refused::<Distinct<Count>>("[1, 2]"));
        for value in ["[]", "[1, 1]", "[1, 0]", "1"] {
            assert!(refused::<Distinct<Count>>(value), "{value}");
        }
        let numbers = |most: usize| format!("{:?}", (1..=most).collect::<Vec<_>>());
        assert!(!refused::<Distinct<Count>>(&numbers(1000)) && refused::<Distinct<Count>>(&numbers(1001)));
        assert!(!refused::<NotEmpty<Count>>("[1, 1]") && refused::<NotEmpty<Count>>("[]"));
        assert!(refused::<NotEmpty<Count>>(&numbers(1001)));
    }

    #[test]
    fn what_is_written_is_the_number() {
        assert_eq!(serde_json::to_string(&(Positive::new(0.5), Distinct::new(vec![Count(3)]))).unwrap(), "[0.5,[3]]");
        assert_eq!(format!("{} {:e}", Positive(0.25), Positive(1e-4)), "0.25 1e-4");
    }
}
