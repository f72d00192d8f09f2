//! Parquet files as the hub stores data sets.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::reader::RowIter;
use ::parquet::record::{Field, Row};

use sources::excerpt;

use super::layout::{Columns, Layout};
use super::table::{Identifiers, in_range, refuse_pointer};
use super::{DataError, Example, Label, stsb};

/// Reads the examples of a split that is stored in these files. "Lines" of complaints are a file's rows, counted from 1.
pub(super) fn read(paths: &[PathBuf], layout: &Layout) -> Result<Vec<Example>, DataError> {
    let mut ids = Identifiers::default();
    let mut examples = Vec::new();
    for path in paths {
        let bad = |source| DataError::Parquet { path: path.to_owned(), source };
        for (index, row) in RowIter::from_file_into(Box::new(open(path)?)).enumerate() {
            let (line, row) = (index + 1, row.map_err(bad)?);
            let row = Fields { path, line, row: &row };
            if let Some(column) = layout.parquet.id {
                ids.insert(row.field(column)?.to_string(), path, line)?;
            }
            examples.push(row.example(&layout.parquet, layout.classes)?);
        }
    }
    Ok(examples)
}

/// A reader of a file all of whose pages can be decompressed.
fn open(path: &Path) -> Result<SerializedFileReader<File>, DataError> {
    let mut file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let mut start = Vec::new();
    let reading = (&mut file).take(64).read_to_end(&mut start);
    reading.map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    refuse_pointer(&start, path)?;
    let reader = SerializedFileReader::new(file);
    let reader = reader.map_err(|source| DataError::Parquet { path: path.to_owned(), source })?;
    let groups = reader.metadata().row_groups().iter();
    match groups.flat_map(|group| group.columns()).find(|column| column.compression() == Compression::LZO) {
        Some(_) => Err(DataError::Codec { path: path.to_owned(), codec: "LZO" }),
        None => Ok(reader),
    }
}

/// A row, and where it is.
struct Fields<'a> {
    path: &'a Path,
    line: usize,
    row: &'a Row,
}

impl Fields<'_> {
    fn example(&self, columns: &Columns, classes: Option<&[&str]>) -> Result<Example, DataError> {
        let label = match classes {
            Some(names) => Label::Class(self.class(columns.label, names)?),
            None => Label::Score(self.score(columns.label)?),
        };
        let second = columns.second.map(|column| self.text(column)).transpose()?;
        Ok(Example { first: self.text(columns.first)?, second, label })
    }

    fn field(&self, column: &'static str) -> Result<&Field, DataError> {
        let found = || self.row.get_column_iter().map(|(name, _)| name.as_str());
        self.row.get_column_iter().find(|(name, _)| *name == column).map(|(_, field)| field).ok_or_else(|| {
            DataError::NoColumn {
                path: self.path.to_owned(),
                column,
                found: excerpt(&found().collect::<Vec<_>>().join(", ")),
            }
        })
    }

    fn text(&self, column: &'static str) -> Result<String, DataError> {
        match self.field(column)? {
            Field::Str(text) => Ok(text.clone()),
            other => Err(self.bad_type(column, "text", other)),
        }
    }

    fn score(&self, column: &'static str) -> Result<f32, DataError> {
        let field = self.field(column)?;
        let score = match field {
            Field::Float16(score) => score.to_f32(),
            Field::Float(score) => *score,
            Field::Double(score) => *score as f32,
            // Whole scores, which any width of integer holds.
            other => whole(other).ok_or_else(|| self.bad_type(column, "a number", other))? as f32,
        };
        in_range(score, &stsb::SIMILARITIES, self.path, self.line)
    }

    fn class(&self, column: &'static str, names: &[&str]) -> Result<usize, DataError> {
        let field = self.field(column)?;
        let value = whole(field).ok_or_else(|| self.bad_type(column, "a whole number", field))?;
        usize::try_from(value).ok().filter(|class| *class < names.len()).ok_or_else(|| DataError::UnknownClass {
            path: self.path.to_owned(),
            line: self.line,
            value: value.to_string(),
            allowed: allowed(names.len(), value),
        })
    }

    fn bad_type(&self, column: &str, expected: &str, found: &Field) -> DataError {
        let message =
            format!("row {}: column {column} holds {}, expected {expected}", self.line, excerpt(&found.to_string()));
        DataError::Parquet { path: self.path.to_owned(), source: ParquetError::General(message) }
    }
}

/// The classes, and what is meant by the label that is none.
fn allowed(classes: usize, value: i64) -> String {
    let numbers: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    let meaning = if value == -1 { " (-1 stands for \"no label\", as in the test splits)" } else { "" };
    format!("{}{meaning}", numbers.join(", "))
}

/// The value of an integer of any width, or of a float that has no fraction (labels that went through a table with gaps).
fn whole(field: &Field) -> Option<i64> {
    let of_float = |value: f64| (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i64);
    match *field {
        Field::Byte(value) => Some(value.into()),
        Field::Short(value) => Some(value.into()),
        Field::Int(value) => Some(value.into()),
        Field::Long(value) => Some(value),
        Field::UByte(value) => Some(value.into()),
        Field::UShort(value) => Some(value.into()),
        Field::UInt(value) => Some(value.into()),
        Field::ULong(value) => i64::try_from(value).ok(),
        Field::Float16(value) => of_float(value.into()),
        Field::Float(value) => of_float(value.into()),
        Field::Double(value) => of_float(value),
        _ => None,
    }
}
