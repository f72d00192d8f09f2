//! Tables: rows of serde structs to CSV bytes and back.

use std::io;
use std::path::PathBuf;

use serde::{Serialize, de::DeserializeOwned};

use crate::{LabError, columns, files};

/// A CSV file to be written: one row per observation, column names from the row struct's fields, also without rows.
///
/// Floats are written in the shortest form that reads back as the same number (`0.1`, `1e-13`, `NaN`, `inf`); `None`
/// is an empty cell.
#[derive(Debug, Clone)]
pub struct Table {
    stem: String,
    rows: usize,
    bytes: Vec<u8>,
}

impl Table {
    /// A table written as `STEM.csv`; the stem is the experiment's name, for its main table. Rows are structs that can be
    /// read back, which is where the names of the columns come from.
    ///
    /// # Errors
    /// [`LabError::MakeTable`] if a row is not a struct of plain fields.
    pub fn new<R: Serialize + DeserializeOwned>(
        stem: impl Into<String>,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Self, LabError> {
        let stem = stem.into();
        match encode(rows) {
            Ok((rows, bytes)) => Ok(Self { stem, rows, bytes }),
            Err(source) => Err(LabError::MakeTable { stem, source }),
        }
    }

    /// A table written as `NAME.SUFFIX.csv`: `timing`, `reference`, …
    pub fn companion<R: Serialize + DeserializeOwned>(
        name: &str,
        suffix: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Self, LabError> {
        Self::new(format!("{name}.{suffix}"), rows)
    }

    /// File name without `.csv`.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// File name.
    pub(crate) fn file(&self) -> String {
        format!("{}.csv", self.stem)
    }

    /// Number of rows below the header.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Number of rows and the file's bytes.
fn encode<R: Serialize + DeserializeOwned>(rows: impl IntoIterator<Item = R>) -> Result<(usize, Vec<u8>), csv::Error> {
    let header = header::<R>()?;
    let (mut writer, mut count) = (csv::Writer::from_writer(Vec::new()), 0);
    for row in rows {
        writer.serialize(row)?;
        count += 1;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    match count {
        0 => Ok((0, header)),
        _ if bytes.starts_with(&header) => Ok((count, bytes)),
        _ => Err(io::Error::other("its rows are written with other field names than they are read with").into()),
    }
}

/// The first line of a table of `R`.
fn header<R: DeserializeOwned>() -> Result<Vec<u8>, csv::Error> {
    let columns = columns::of::<R>().ok_or_else(|| io::Error::other("its rows are no structs"))?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns)?;
    Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
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
        rows.map_err(|error| self.unreadable(path, &bytes, &error).into())
    }

    /// That a table at `path` cannot be understood.
    pub(crate) fn unreadable(&self, path: PathBuf, bytes: &[u8], error: &csv::Error) -> LabError {
        LabError::ReadTable { path, fault: fault(bytes, error), command: self.command.clone() }
    }

    /// Makes sure that `STEM.csv` is there.
    pub(crate) fn require(&self, stem: &str) -> Result<(), LabError> {
        self.bytes(stem).map(|_| ())
    }

    /// Makes sure that `STEM.csv` has a row below its header.
    pub(crate) fn require_rows(&self, stem: &str) -> Result<(), LabError> {
        let (path, bytes) = self.bytes(stem)?;
        match count_rows(&bytes) {
            0 => Err(LabError::EmptyTable { path, what: "rows", command: self.command.clone() }),
            _ => Ok(()),
        }
    }

    /// What a user types to make the tables.
    pub(crate) fn command(&self) -> &str {
        &self.command
    }

    /// The path of `FILE`.
    pub(crate) fn file(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// Whether `STEM.csv` is there.
    pub fn has(&self, stem: &str) -> bool {
        self.path(stem).is_file()
    }

    /// Path and content of `STEM.csv`, which has at least a header.
    pub(crate) fn bytes(&self, stem: &str) -> Result<(PathBuf, Vec<u8>), LabError> {
        let path = self.path(stem);
        match files::read(&path) {
            Ok(bytes) if bytes.is_empty() => {
                Err(LabError::EmptyTable { path, what: "header", command: self.command.clone() })
            }
            Ok(bytes) => Ok((path, bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(LabError::MissingTable { path, command: self.command.clone() })
            }
            Err(source) => Err(LabError::Read { path, source }),
        }
    }

    fn path(&self, stem: &str) -> PathBuf {
        self.directory.join(format!("{stem}.csv"))
    }
}

/// What is wrong with a table, and where: line, column, cell.
fn fault(bytes: &[u8], error: &csv::Error) -> String {
    let csv::ErrorKind::Deserialize { pos: Some(position), err } = error.kind() else { return error.to_string() };
    let cell = || {
        let (field, row) = (usize::try_from(err.field()?).ok()?, usize::try_from(position.record()).ok()?);
        let mut reader = csv::Reader::from_reader(bytes);
        let column = reader.headers().ok()?.get(field)?.to_owned();
        let record = reader.records().nth(row.checked_sub(1)?)?.ok()?;
        Some(format!(", column {column}: {:?}", record.get(field)?))
    };
    format!("line {}{}: {}", position.line(), cell().unwrap_or_default(), err.kind())
}

/// Number of rows below the header, whatever is in them.
pub(crate) fn count_rows(bytes: &[u8]) -> usize {
    csv::ReaderBuilder::new().flexible(true).from_reader(bytes).into_byte_records().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        let table = Table::companion("completion", "timing", rows.clone()).unwrap();
        assert_eq!((table.stem(), table.rows()), ("completion.timing", 2));
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
    fn a_wrong_cell_is_named_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        for (table, place) in [
            (
                "width,loss,seconds,method\n1,2,,\"a\nb\"\n1,fast,,a\n",
                "line 4, column loss: \"fast\": invalid float literal",
            ),
            ("method,seconds,loss,width\na,,1,-2\n", "line 2, column width: \"-2\": "),
            ("width,seconds,method\n1,2,a\n", "line 2: missing field `loss`"),
            ("width,loss,seconds,method\n1,2,a\n", "found record with 3 fields, but the previous record has 4 fields"),
        ] {
            std::fs::write(directory.path().join("x.csv"), table).unwrap();
            let error = Results::new(directory.path(), "make it").read::<Row>("x").unwrap_err();
            let text = error.to_string();
            assert!(text.contains("x.csv is no table of this version, or damaged: "), "{text}");
            assert!(text.contains(place) && text.ends_with("; make it again with: make it"), "{text}");
            assert_eq!(error.downcast::<LabError>().unwrap().exit_code(), 2);
        }
    }

    #[test]
    fn a_table_without_rows_has_its_header() {
        let table = Table::new::<Row>("t", []).unwrap();
        assert_eq!((table.rows(), table.bytes()), (0, &b"width,loss,seconds,method\n"[..]));
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("t.csv"), table.bytes()).unwrap();
        let results = Results::new(directory.path(), "make it");
        assert_eq!(results.read::<Row>("t").unwrap(), []);
        std::fs::write(directory.path().join("t.csv"), "").unwrap();
        let error = results.read::<Row>("t").unwrap_err().to_string();
        assert!(error.ends_with("t.csv: the table has no header; make it again with: make it"), "{error}");
    }

    #[test]
    fn rows_that_are_no_plain_structs_are_refused() {
        #[derive(Serialize, Deserialize)]
        struct Nested {
            row: Row,
        }
        #[derive(Serialize, Deserialize)]
        struct Renamed {
            #[serde(rename(serialize = "out", deserialize = "in"))]
            value: f64,
        }
        let refused = [
            Table::new("t", [Nested { row: row(0.0, None) }]),
            Table::new("t", [Renamed { value: 0.0 }]),
            Table::new("t", [(1, 2)]),
            Table::new::<(u8, u8)>("t", []),
        ];
        for table in refused {
            let error = table.unwrap_err().to_string();
            assert!(error.contains("cannot make the table t"), "{error}");
        }
    }
}
