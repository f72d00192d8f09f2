//! A file of rows, and the rows that share a meaning representation.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};

use super::{E2eError, Meaning};

/// The rows of a file, in its order. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The file.
    pub file: PathBuf,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A meaning representation and a text that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The column `mr`.
    pub meaning: Meaning,
    /// The column `ref`.
    pub reference: String,
}

/// All texts of a meaning representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The meaning representation.
    pub meaning: Meaning,
    /// Its texts, in the order of the file.
    pub references: Vec<String>,
}

impl Split {
    /// Reads the first of the files that a directory has.
    pub(super) fn find(directory: &Path, names: &[&str]) -> Result<Self, E2eError> {
        let unreadable = |source| E2eError::Read { path: directory.to_owned(), source };
        let entries =
            fs::read_dir(directory).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        let mut files: Vec<PathBuf> = entries.iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        let named = |name: &str| {
            let is_it = |file: &&PathBuf| file.file_name().is_some_and(|other| other.eq_ignore_ascii_case(name));
            files.iter().find(is_it)
        };
        match names.iter().find_map(|name| named(name)) {
            Some(file) => Self::read(file),
            None => Err(E2eError::Absent { directory: directory.to_owned(), looked_for: names.join(" or ") }),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or a line is malformed; the message names file and line.
    pub fn read(file: &Path) -> Result<Self, E2eError> {
        let bytes = fs::read(file).map_err(|source| E2eError::Read { path: file.to_owned(), source })?;
        let rows = Rows::new(file, &bytes)?.collect::<Result<Vec<_>, _>>()?;
        if rows.is_empty() {
            return Err(E2eError::Empty { path: file.to_owned() });
        }
        Ok(Self { file: file.to_owned(), rows })
    }

    /// The rows of each meaning representation together, in the order in which these first appear. Two are the same if they
    /// have the same slots with the same values in the same order.
    pub fn groups(&self) -> Vec<Group> {
        let mut places: HashMap<&Meaning, usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for row in &self.rows {
            let place = *places.entry(&row.meaning).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Group { meaning: row.meaning.clone(), references: Vec::new() });
            }
            groups[place].references.push(row.reference.clone());
        }
        groups
    }
}

/// Reads rows one by one.
struct Rows<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    /// Where `mr` and `ref` are.
    columns: [usize; 2],
}

impl<'a> Rows<'a> {
    fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, E2eError> {
        let mut rows = Self { path, bytes, reader: ReaderBuilder::new().from_reader(bytes), columns: [0, 0] };
        let header = rows.reader.headers().cloned().map_err(|error| rows.wrong(&error))?;
        for (place, name) in rows.columns.iter_mut().zip(["mr", "ref"]) {
            let mut places = (0..header.len()).filter(|place| header[*place].trim() == name);
            let (Some(only), None) = (places.next(), places.next()) else {
                let found = header.iter().collect::<Vec<_>>().join(", ");
                return Err(E2eError::Column { path: path.to_owned(), column: name, found });
            };
            *place = only;
        }
        Ok(rows)
    }

    fn row(&self, record: &StringRecord) -> Result<Row, E2eError> {
        let start = record.position().map_or(0, csv::Position::byte) as usize;
        let raw = self.bytes.get(start..self.reader.position().byte() as usize).unwrap_or_default();
        if raw.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
            return Err(self.refuse(start, "a quotation mark is not closed; inside of a field it is written twice"));
        }
        let [meaning, reference] = self.columns.map(|column| record.get(column).unwrap_or_default());
        if reference.trim().is_empty() {
            return Err(self.refuse(start, "the text is empty"));
        }
        match meaning.parse() {
            Ok(meaning) => Ok(Row { meaning, reference: reference.to_owned() }),
            Err(source) => Err(E2eError::Meaning { path: self.path.to_owned(), line: self.line(start), source }),
        }
    }

    /// What the reader of CSV says, with the line.
    fn wrong(&self, error: &csv::Error) -> E2eError {
        let what = match error.kind() {
            csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("it has another number of columns ({len}) than the header ({expected_len})")
            }
            _ => error.to_string(),
        };
        self.refuse(error.position().map_or(0, csv::Position::byte) as usize, &what)
    }

    fn refuse(&self, start: usize, what: &str) -> E2eError {
        E2eError::Line { path: self.path.to_owned(), line: self.line(start), what: what.to_owned() }
    }

    /// The line of the first letter from a byte on. A row begins, for the reader of CSV, between the CR and LF before it.
    fn line(&self, start: usize) -> u64 {
        let ends = self.bytes.iter().skip(start).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        1 + self.bytes.iter().take(start + ends).filter(|byte| **byte == b'\n').count() as u64
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, E2eError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = StringRecord::new();
        match self.reader.read_record(&mut record) {
            Ok(false) => None,
            Ok(true) => Some(self.row(&record)),
            Err(error) => Some(Err(self.wrong(&error))),
        }
    }
}
