//! What can be wrong with a data set; everything in a file is named with its line.

use std::io;
use std::path::PathBuf;

use super::Task;
use sources::SourceError;

/// Why there is no data set to work with.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The data of a task is nowhere to be had: its experiment cannot be run.
    #[error("the data of {task} is absent: {why}")]
    Absent {
        /// The task.
        task: Task,
        /// Where it was looked for.
        why: String,
    },
    /// The source is there, but not usable.
    #[error("cannot get the data of {task}")]
    Source {
        /// The task.
        task: Task,
        /// What is wrong.
        source: SourceError,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not UTF-8.
    #[error("{path}, line {line}: not UTF-8")]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
    },
    /// A line has too few or too many columns.
    #[error("{path}, line {line}: {found} tab-separated columns, expected {expected}")]
    Columns {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// Columns of the line.
        found: usize,
        /// Columns a line should have.
        expected: usize,
    },
    /// Too many lines with a wrong number of columns, in a file that may have some.
    #[error("{path}: {skipped} lines do not have {columns} tab-separated columns")]
    Skipped {
        /// The file.
        path: PathBuf,
        /// Number of such lines.
        skipped: usize,
        /// Columns a line should have.
        columns: usize,
    },
    /// Two columns have the same name.
    #[error("{path}: there is more than one column {column}")]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// A column is missing.
    #[error("{path}: there is no column {column}; it has: {found}")]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column looked for.
        column: &'static str,
        /// The columns there are.
        found: String,
    },
    /// A score is not a number.
    #[error("{path}, line {line}: the label {value:?} is not a number")]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// What is there.
        value: String,
    },
    /// A score is not allowed.
    #[error("{path}, line {line}: the label {value} is not between {low} and {high}")]
    OutOfRange {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// The score.
        value: f32,
        /// Least allowed.
        low: f32,
        /// Most allowed.
        high: f32,
    },
    /// A class is not one of the task's.
    #[error("{path}, line {line}: the label {value:?} is not one of: {allowed}")]
    UnknownClass {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// What is there.
        value: String,
        /// The names of the classes.
        allowed: String,
    },
    /// Two lines have the same identifier.
    #[error("{path}, line {line}: the identifier {id:?} is that of line {first}")]
    DuplicateId {
        /// The file.
        path: PathBuf,
        /// The later line.
        line: usize,
        /// The identifier.
        id: String,
        /// The earlier line.
        first: usize,
    },
    /// A parquet file cannot be understood.
    #[error("cannot read {path} as parquet")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ::parquet::errors::ParquetError,
    },
    /// A split has no example.
    #[error("{path}: the {split} split is empty")]
    EmptySplit {
        /// Where the data is.
        path: PathBuf,
        /// `train`, `dev` or `test`.
        split: &'static str,
    },
    /// More examples are to be drawn than there are.
    #[error("cannot draw {wanted} different examples: there are {available}")]
    TooFew {
        /// Number of examples there are.
        available: usize,
        /// Number wanted.
        wanted: usize,
    },
}
