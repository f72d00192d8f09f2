//! The STS benchmark as its authors give it out: `sts-train.csv`, `sts-dev.csv`, `sts-test.csv` (D. Cer et al., SemEval
//! 2017), in spite of the name separated by tabs and without quoting: genre, file, year, index, score from 0 to 5, two
//! sentences, and on some lines two columns of licence.

use std::ops::RangeInclusive;
use std::path::Path;

use super::table::{Identifiers, Table};
use super::{DataError, Dataset, Example, Label, Task, lookup};

/// What a similarity may be.
pub(super) const SIMILARITIES: RangeInclusive<f32> = 0.0..=5.0;

/// The first file's name: where it is, the others are too.
pub(super) const TRAIN_FILE: &str = "sts-train.csv";

/// Without and with licences.
const COLUMNS: RangeInclusive<usize> = 7..=9;

/// Reads the three files in `directory`.
pub(super) fn read(directory: &Path) -> Result<Dataset, DataError> {
    let file = |name| lookup::file(directory, name).unwrap_or_else(|| directory.join(name));
    let [train, dev, test] = [TRAIN_FILE, "sts-dev.csv", "sts-test.csv"].map(|name| read_file(&file(name)));
    let (train, dev, test) = (train?, dev?, test?);
    Dataset { task: Task::Stsb, train, dev, test, skipped: Vec::new() }.checked(directory, true)
}

fn read_file(path: &Path) -> Result<Vec<Example>, DataError> {
    let table = Table::read(path)?;
    let mut ids = Identifiers::default();
    let mut examples = Vec::new();
    for line in table.lines() {
        line.check_columns(COLUMNS)?;
        ids.insert_line(&line, &[0, 1, 2, 3])?;
        let label = Label::Score(line.score(4, &SIMILARITIES)?);
        examples.push(Example { first: line.text(5), second: Some(line.text(6)), label });
    }
    Ok(examples)
}
