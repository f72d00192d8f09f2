//! Rules that several experiments share: about every trial, and about curves.

mod curves;
mod trials;

pub use self::curves::{Run, as_read_off, as_reported, changes, changes_in_pairs, level, points, times_as_much};
pub use self::trials::{LeftOut, NOT_RECOVERED, NOT_TRAINED, Outcome, RECOVERED, at_most, every_trial};

#[cfg(test)]
mod tests;
