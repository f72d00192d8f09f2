//! What can be wrong with the files of the E2E data.

use std::io;
use std::path::PathBuf;

use super::MeaningError;

/// What can be wrong with the files. What is wrong with a line names the line, counted from 1, at which its row begins.
#[derive(Debug, thiserror::Error)]
pub enum E2eError {
    /// None of the files that a split may be in is there.
    #[error("{directory}: there is no file {looked_for} (in any letter case)")]
    Absent {
        /// Where it was looked for.
        directory: PathBuf,
        /// The names that it may have.
        looked_for: String,
    },
    /// A directory or file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A column is missing, or there is more than one of its name.
    #[error("{path}: expected one column {column}; its columns are: {found}")]
    Column {
        /// The file.
        path: PathBuf,
        /// The column looked for.
        column: &'static str,
        /// The columns there are.
        found: String,
    },
    /// There is a header and nothing else.
    #[error("{path}: it has no rows")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A row is malformed.
    #[error("{path}, line {line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line at which the row begins.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// A meaning representation is malformed.
    #[error("{path}, line {line}: the meaning representation {source}")]
    Meaning {
        /// The file.
        path: PathBuf,
        /// The line at which the row begins.
        line: u64,
        /// What is wrong.
        source: MeaningError,
    },
}
