//! Lines that are left out of a split.

use std::fmt;
use std::path::PathBuf;

/// So many line numbers are named.
const NAMED: usize = 5;

/// The malformed lines of a file: those that do not have its number of columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Its split: `train` or `dev`.
    pub split: &'static str,
    /// Columns a line should have.
    pub columns: usize,
    /// Number of such lines.
    pub count: usize,
    /// The numbers of the first ones, counted from 1.
    pub first: Vec<usize>,
}

impl Skipped {
    /// None so far.
    pub(super) fn new(path: PathBuf, split: &'static str, columns: usize) -> Self {
        Self { path, split, columns, count: 0, first: Vec::new() }
    }

    /// One more.
    pub(super) fn add(&mut self, line: usize) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(line);
        }
    }
}

/// `FILE: 2 lines do not have 6 tab-separated columns (lines 17, 20)`.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, columns, count, first, .. } = self;
        let numbers: Vec<String> = first.iter().map(usize::to_string).collect();
        let (numbers, more) = (numbers.join(", "), if *count > first.len() { ", …" } else { "" });
        match count {
            1 => write!(f, "{}: 1 line does not have {columns} tab-separated columns (line {numbers})", path.display()),
            _ => write!(
                f,
                "{}: {count} lines do not have {columns} tab-separated columns (lines {numbers}{more})",
                path.display()
            ),
        }
    }
}

/// What was left out of a split before its metric was to be measured on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Lines that are not of the file's form.
    pub malformed: usize,
    /// Examples with more than `limit` tokens.
    pub too_long: usize,
    /// The most tokens an example may have.
    pub limit: usize,
}
