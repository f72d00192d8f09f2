//! Parquet files as the hub stores data sets.

use std::fs::File;
use std::path::Path;

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::SerializedFileReader;
use ::parquet::record::reader::RowIter;
use ::parquet::record::{Field, Row};

use super::glue::{Columns, Layout};
use super::table::{Identifiers, in_range};
use super::{DataError, Example, Label, stsb};

/// Reads the examples of a file. "Lines" of complaints are its rows, counted from 1.
pub(super) fn read(path: &Path, layout: &Layout) -> Result<Vec<Example>, DataError> {
    let bad = |source| DataError::Parquet { path: path.to_owned(), source };
    let file = File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    let reader = SerializedFileReader::new(file).map_err(bad)?;
    let mut ids = Identifiers::default();
    let mut examples = Vec::new();
    for (index, row) in RowIter::from_file_into(Box::new(reader)).enumerate() {
        let (line, row) = (index + 1, row.map_err(bad)?);
        let row = Fields { path, line, row: &row };
        if let Some(column) = layout.parquet.id {
            ids.insert(row.field(column)?.to_string(), path, line)?;
        }
        examples.push(row.example(&layout.parquet, layout.classes)?);
    }
    Ok(examples)
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
            DataError::NoColumn { path: self.path.to_owned(), column, found: found().collect::<Vec<_>>().join(", ") }
        })
    }

    fn text(&self, column: &'static str) -> Result<String, DataError> {
        match self.field(column)? {
            Field::Str(text) => Ok(text.clone()),
            other => Err(self.bad_type(column, "text", other)),
        }
    }

    fn score(&self, column: &'static str) -> Result<f32, DataError> {
        let score = match self.field(column)? {
            Field::Float(score) => *score,
            Field::Double(score) => *score as f32,
            other => return Err(self.bad_type(column, "a number", other)),
        };
        in_range(score, &stsb::SIMILARITIES, self.path, self.line)
    }

    fn class(&self, column: &'static str, names: &[&str]) -> Result<usize, DataError> {
        let value = match self.field(column)? {
            Field::Long(value) => *value,
            Field::Int(value) => i64::from(*value),
            other => return Err(self.bad_type(column, "an integer", other)),
        };
        usize::try_from(value).ok().filter(|class| *class < names.len()).ok_or_else(|| DataError::UnknownClass {
            path: self.path.to_owned(),
            line: self.line,
            value: value.to_string(),
            allowed: (0..names.len()).map(|class| class.to_string()).collect::<Vec<_>>().join(", "),
        })
    }

    fn bad_type(&self, column: &str, expected: &str, found: &Field) -> DataError {
        let message = format!("row {}: column {column} holds {found}, expected {expected}", self.line);
        DataError::Parquet { path: self.path.to_owned(), source: ParquetError::General(message) }
    }
}
