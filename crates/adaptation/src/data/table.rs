//! Tab-separated files as data sets come in: one example a line, no quoting; every complaint names file and line.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use sources::excerpt;

use super::DataError;

/// A file's lines, split at tabs. A quotation mark is a character like any other.
pub(super) struct Table {
    path: PathBuf,
    text: String,
}

/// One line of a table.
pub(super) struct Line<'a> {
    path: &'a Path,
    /// Counted from 1.
    number: usize,
    fields: Vec<&'a str>,
}

impl Table {
    /// Reads a file of UTF-8. Lines end with `\n` or `\r\n`, the last one perhaps with neither; a file whose lines end with
    /// `\r` alone is refused, for as one long line it could pass for one example.
    pub(super) fn read(path: &Path) -> Result<Self, DataError> {
        let bytes = fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        refuse_pointer(&bytes, path)?;
        let bare = |pair: &&[u8]| pair[0] == b'\r' && pair[1] != b'\n';
        let (returns, lines) = (bytes.windows(2).filter(bare).count(), bytes.iter().filter(|b| **b == b'\n').count());
        if returns > lines {
            return Err(DataError::CarriageReturns { path: path.to_owned() });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            DataError::NotUtf8 { path: path.to_owned(), line }
        })?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// The lines, without their ends, a byte order mark, or an empty last line.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let text = self.text.strip_prefix('\u{feff}').unwrap_or(&self.text);
        let text = text.strip_suffix('\n').unwrap_or(text);
        let lines = (!text.is_empty()).then(|| text.split('\n')).into_iter().flatten();
        lines.enumerate().map(|(index, line)| {
            let line = line.strip_suffix('\r').unwrap_or(line);
            Line { path: &self.path, number: index + 1, fields: line.split('\t').collect() }
        })
    }
}

impl<'a> Line<'a> {
    /// Its number of columns.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Its number in the file, counted from 1.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn fields(&self) -> &[&'a str] {
        &self.fields
    }

    /// Refuses a line with another number of columns.
    pub(super) fn check_columns(&self, allowed: RangeInclusive<usize>) -> Result<(), DataError> {
        if allowed.contains(&self.len()) {
            return Ok(());
        }
        Err(DataError::Columns { path: self.path.to_owned(), line: self.number, found: self.len(), allowed })
    }

    /// The text of a column, which must exist.
    pub(super) fn text(&self, column: usize) -> String {
        self.fields[column].to_owned()
    }

    /// The number in a column.
    pub(super) fn score(&self, column: usize, allowed: &RangeInclusive<f32>) -> Result<f32, DataError> {
        let value = self.fields[column];
        let (path, line, text) = (self.path.to_owned(), self.number, excerpt(value));
        match value.trim().parse::<f32>() {
            Err(_) => Err(DataError::NotANumber { path, line, value: text }),
            Ok(score) => in_range(score, allowed, &path, line),
        }
    }

    /// The index of a column's text among the names of the classes.
    pub(super) fn class(&self, column: usize, names: &[&str]) -> Result<usize, DataError> {
        let value = self.fields[column];
        names.iter().position(|name| *name == value).ok_or_else(|| DataError::UnknownClass {
            path: self.path.to_owned(),
            line: self.number,
            value: excerpt(value),
            allowed: names.join(", "),
        })
    }
}

/// The score, if it is allowed (NaN never is).
pub(super) fn in_range(score: f32, allowed: &RangeInclusive<f32>, path: &Path, line: usize) -> Result<f32, DataError> {
    if allowed.contains(&score) {
        return Ok(score);
    }
    let (low, high) = (*allowed.start(), *allowed.end());
    Err(DataError::OutOfRange { path: path.to_owned(), line, value: score, low, high })
}

/// Refuses the pointer that stands for a file which Git LFS has not fetched.
pub(super) fn refuse_pointer(content: &[u8], path: &Path) -> Result<(), DataError> {
    if content.starts_with(b"version https://git-lfs.github.com/") {
        return Err(DataError::Pointer { path: path.to_owned() });
    }
    Ok(())
}

/// Refuses an identifier that an earlier line has, also one of an earlier file of the same split.
#[derive(Default)]
pub(super) struct Identifiers {
    /// Where each was seen: the index of the file and the line.
    seen: HashMap<String, (usize, usize)>,
    files: Vec<PathBuf>,
}

impl Identifiers {
    pub(super) fn insert(&mut self, id: String, path: &Path, line: usize) -> Result<(), DataError> {
        if self.files.last().is_none_or(|last| last != path) {
            self.files.push(path.to_owned());
        }
        match self.seen.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert((self.files.len() - 1, line));
                Ok(())
            }
            Entry::Occupied(entry) => {
                let (file, first) = *entry.get();
                let first_path = self.files[file].clone();
                Err(DataError::DuplicateId { path: path.to_owned(), line, id: excerpt(entry.key()), first, first_path })
            }
        }
    }

    /// As [`insert`](Self::insert), of a line's columns joined.
    pub(super) fn insert_line(&mut self, line: &Line, columns: &[usize]) -> Result<(), DataError> {
        let id: Vec<&str> = columns.iter().map(|column| line.fields[*column]).collect();
        self.insert(id.join(" "), line.path, line.number)
    }
}
