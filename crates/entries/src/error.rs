//! What can be wrong with a file of entries.

use thiserror::Error;

/// What can be wrong with a file of entries. Every message names the file and, where there is one, the line.
#[derive(Debug, Error)]
pub enum EntriesError {
    /// The file cannot be read.
    #[error("{file} cannot be read")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is not of this format.
    #[error("{file}, line {line}: {what}")]
    Line {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: u64,
        /// What is wrong with it, and what is allowed.
        what: String,
    },
    /// The file as a whole is not of this format.
    #[error("{file}: {what}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it, and what is allowed.
        what: String,
    },
    /// A data set cannot be had.
    #[error(transparent)]
    Source(#[from] sources::SourceError),
}
