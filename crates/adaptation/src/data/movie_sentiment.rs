//! Sentences of film reviews with the mean of at least 20 people's ratings of their sentiment, from −4 to 4 (C. Hutto
//! and E. Gilbert, "VADER", ICWSM 2014; in the sdist of the package vaderSentiment, MIT licence).
//!
//! The file has three tab-separated columns without a header: identifier, mean rating, sentence. Ratings are taken as
//! they are.

use std::ops::RangeInclusive;
use std::path::Path;

use super::table::{Identifiers, Table};
use super::{DataError, Dataset, Example, Label, Task};

/// The file's name.
pub(super) const FILE: &str = "movieReviewSnippets_GroundTruth.txt";

/// What a mean rating may be.
pub(super) const RATINGS: RangeInclusive<f32> = -4.0..=4.0;

const TRAIN: usize = 8000;
const DEV: usize = 1500;

/// Reads and splits the file.
pub(super) fn read(path: &Path) -> Result<Dataset, DataError> {
    let table = Table::read(path)?;
    let mut ids = Identifiers::default();
    let mut examples = Vec::new();
    for line in table.lines() {
        line.check_columns(3..=3)?;
        ids.insert_line(&line, &[0])?;
        let label = Label::Score(line.score(1, &RATINGS)?);
        examples.push(Example { first: line.text(2), second: None, label });
    }
    let [train, dev, test] = split(examples);
    Dataset { task: Task::MovieSentiment, train, dev, test, skipped: Vec::new() }.checked(path, true)
}

/// The fixed split: sentences in the order of their BLAKE3 hashes, of which the first 8000 are for training, the next
/// 1500 the dev split, the rest the test split. Equal sentences stay together: a cut that would part them is moved behind
/// them, which in the file that is used is not needed.
fn split(mut examples: Vec<Example>) -> [Vec<Example>; 3] {
    examples.sort_by_cached_key(|example| *blake3::hash(example.first.as_bytes()).as_bytes());
    let cut = |at: usize| {
        let parted = |&at: &usize| at > 0 && at < examples.len() && examples[at - 1].first == examples[at].first;
        (at.min(examples.len())..).find(|at| !parted(at)).unwrap_or(at)
    };
    let (end_of_train, end_of_dev) = (cut(TRAIN), cut(TRAIN + DEV));
    let test = examples.split_off(end_of_dev);
    let dev = examples.split_off(end_of_train);
    [examples, dev, test]
}
