//! Tables: rows of serde structs to CSV bytes and back.

use std::path::PathBuf;

use serde::{Serialize, de::DeserializeOwned};

use crate::LabError;

/// A CSV file to be written: one row per observation, column names from the row struct's fields.
///
/// Floats are written in the shortest form that reads back as the same number (`0.1`, `1e-13`, `NaN`, `inf`); `None`
/// is an empty cell.
#[derive(Debug, Clone)]
pub struct Table {
    stem: String,
    bytes: Vec<u8>,
}

impl Table {
    /// A table written as `STEM.csv`; the stem is the experiment's name, for its main table.
    pub fn new<R: Serialize>(stem: impl Into<String>, rows: impl IntoIterator<Item = R>) -> Result<Self, LabError> {
        let stem = stem.into();
        match encode(rows) {
            Ok(bytes) => Ok(Self { stem, bytes }),
            Err(source) => Err(LabError::MakeTable { stem, source }),
        }
    }

    /// A table written as `NAME.SUFFIX.csv`: `timing`, `reference`, …
    pub fn companion<R: Serialize>(
        name: &str,
        suffix: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Self, LabError> {
        Self::new(format!("{name}.{suffix}"), rows)
    }

    /// A table whose columns are named even if it has no rows; `header` must be the rows' fields.
    pub(crate) fn with_header<R: Serialize>(
        stem: impl Into<String>,
        header: &[&str],
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Self, LabError> {
        let mut table = Self::new(stem, rows)?;
        if table.bytes.is_empty() {
            table.bytes = format!("{}\n", header.join(",")).into_bytes();
        }
        Ok(table)
    }

    /// File name without `.csv`.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn encode<R: Serialize>(rows: impl IntoIterator<Item = R>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// The tables of one experiment and profile, as they are on disk.
#[derive(Debug, Clone)]
pub struct Results {
    directory: PathBuf,
    command: String,
}

impl Results {
    /// The tables in `directory`; `command` is what a user types to make them, for the error when one is missing.
    pub fn new(directory: impl Into<PathBuf>, command: impl Into<String>) -> Self {
        Self { directory: directory.into(), command: command.into() }
    }

    /// All rows of `STEM.csv`: `completion`, `completion.timing`. Columns are matched to fields by name.
    pub fn read<R: DeserializeOwned>(&self, stem: &str) -> anyhow::Result<Vec<R>> {
        let (path, bytes) = self.bytes(stem)?;
        let rows: Result<Vec<R>, csv::Error> = csv::Reader::from_reader(bytes.as_slice()).deserialize().collect();
        rows.map_err(|source| LabError::ReadTable { path, source }.into())
    }

    /// Makes sure that `STEM.csv` is there and has a row below its header.
    pub(crate) fn require_rows(&self, stem: &str) -> Result<(), LabError> {
        let (path, bytes) = self.bytes(stem)?;
        match csv::Reader::from_reader(bytes.as_slice()).into_byte_records().next() {
            Some(_) => Ok(()),
            None => Err(LabError::EmptyTable { path, command: self.command.clone() }),
        }
    }

    /// Whether `STEM.csv` is there.
    pub fn has(&self, stem: &str) -> bool {
        self.path(stem).is_file()
    }

    /// Path and content of `STEM.csv`.
    fn bytes(&self, stem: &str) -> Result<(PathBuf, Vec<u8>), LabError> {
        let path = self.path(stem);
        match std::fs::read(&path) {
            Ok(bytes) => Ok((path, bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(LabError::MissingTable { path, command: self.command.clone() })
            }
            Err(source) => Err(LabError::Read { path, source }),
        }
    }

    fn path(&self, stem: &str) -> PathBuf {
        self.directory.join(format!("{stem}.csv"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        width: usize,
        loss: f64,
        seconds: Option<f64>,
        method: String,
    }

    fn row(loss: f64, seconds: Option<f64>) -> Row {
        Row { width: 10, loss, seconds, method: "compressed, γ = 0".into() }
    }

    #[test]
    fn floats_are_written_shortest() {
        let rows = [row(1e-13, None), row(0.1, Some(2.0)), row(f64::INFINITY, None), row(-1.5e300, None)];
        let table = Table::new("t", rows).unwrap();
        let text = String::from_utf8(table.bytes().to_vec()).unwrap();
        let loss: Vec<&str> = text.lines().map(|line| line.split(',').nth(1).unwrap()).collect();
        assert_eq!(loss, ["loss", "1e-13", "0.1", "inf", "-1.5e300"]);
        assert!(text.contains("10,0.1,2.0,\"compressed, γ = 0\"\n"), "{text}");
    }

    #[test]
    fn rows_survive_the_round_trip() {
        let directory = tempfile::tempdir().unwrap();
        let rows = [row(1.0 / 3.0, None), row(f64::MIN_POSITIVE, Some(0.1 + 0.2))];
        let table = Table::companion("completion", "timing", &rows).unwrap();
        assert_eq!(table.stem(), "completion.timing");
        std::fs::write(directory.path().join("completion.timing.csv"), table.bytes()).unwrap();
        let results = Results::new(directory.path(), "make it");
        assert!(results.has("completion.timing"));
        assert_eq!(results.read::<Row>("completion.timing").unwrap(), rows);
    }

    #[test]
    fn a_missing_table_says_what_to_type() {
        let error = Results::new("nowhere", "completion --profile quick").read::<Row>("completion").unwrap_err();
        let text = error.to_string();
        assert_eq!(text, "nowhere/completion.csv: no such file; make it with: completion --profile quick");
        assert_eq!(error.downcast::<LabError>().unwrap().exit_code(), 2);
    }

    #[test]
    fn a_table_without_rows_is_refused_where_rows_are_needed() {
        let directory = tempfile::tempdir().unwrap();
        let results = Results::new(directory.path(), "make it");
        for (text, good) in [("", false), ("width,loss\n", false), ("width,loss", false), ("width,loss\n1,2\n", true)] {
            std::fs::write(directory.path().join("x.csv"), text).unwrap();
            assert_eq!(results.require_rows("x").is_ok(), good, "{text:?}");
        }
    }

    #[test]
    fn a_wrong_column_names_the_file_and_line() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("x.csv"), "width,loss,seconds,method\n1,fast,,a\n").unwrap();
        let error = Results::new(directory.path(), "").read::<Row>("x").unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("x.csv as a table") && error.contains("line: 2"), "{error}");
    }

    #[test]
    fn nested_rows_are_refused() {
        #[derive(Serialize)]
        struct Nested {
            row: Row,
        }
        let error = Table::new("t", [Nested { row: row(0.0, None) }]).unwrap_err().to_string();
        assert!(error.contains("cannot make the table t"), "{error}");
    }
}
