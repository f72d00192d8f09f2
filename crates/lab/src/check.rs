//! Semantic checks on settings: what the types alone cannot say (a rank within the width, a fraction in (0, 1]).

use std::fmt::Display;

use crate::echo::Echo;

/// Settings that can tell whether their values make sense together.
pub trait Check {
    /// The first value that is not allowed, if any. Called before anything runs.
    fn check(&self) -> Result<(), Invalid>;
}

/// A value that is not allowed. `lab` adds the file and line, or the `--set`, that it came from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} = {} is not allowed; allowed: {allowed}", Echo(key), Echo(value))]
pub struct Invalid {
    /// Dotted key, as a user would write it after `--set`; an element of a list by its index: `cases.0.rank`.
    pub key: String,
    /// The value found.
    pub value: String,
    /// What is allowed, in words: `from 1 to the width (30)`.
    pub allowed: String,
}

impl Invalid {
    /// `Invalid::new("rank", settings.rank, format!("from 1 to the width ({})", settings.width))`.
    pub fn new(key: impl Into<String>, value: impl Display, allowed: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.to_string(), allowed: allowed.into() }
    }

    /// `Err(Invalid::new(..))` unless `holds`: one line per condition in [`Check::check`].
    pub fn unless(
        holds: bool,
        key: impl Into<String>,
        value: impl Display,
        allowed: impl Into<String>,
    ) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::new(key, value, allowed)) }
    }
}
