//! Entries to train, to validate and to test.

use dynamics::completion::Entry;
use rand::Rng;
use rand::seq::SliceRandom;
use thiserror::Error;

/// Entries to train, to validate and to test.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// What a method fits.
    pub training: Vec<Entry>,
    /// What decides when it stops, and which of its settings are taken.
    pub validation: Vec<Entry>,
    /// What it is judged by.
    pub test: Vec<Entry>,
}

/// A part of a split would be empty.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("{entries} entries are too few: {} of them to validate and {} to test leave a part empty", .fractions[0], .fractions[1])]
pub struct TooFew {
    /// How many there are.
    pub entries: usize,
    /// The fractions asked for.
    pub fractions: [f64; 2],
}

impl Split {
    /// Draws which entries validate and which test, uniformly.
    ///
    /// # Errors
    /// If a part would be empty.
    pub fn draw(mut entries: Vec<Entry>, validation: f64, test: f64, rng: &mut impl Rng) -> Result<Self, TooFew> {
        let count = entries.len();
        let [validating, testing] = [validation, test].map(|fraction| (fraction * count as f64).round() as usize);
        if validating == 0 || testing == 0 || validating + testing >= count {
            return Err(TooFew { entries: count, fractions: [validation, test] });
        }
        entries.shuffle(rng);
        let test = entries.split_off(count - testing);
        let validation = entries.split_off(count - testing - validating);
        Ok(Self { training: entries, validation, test })
    }
}
