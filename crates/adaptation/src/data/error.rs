//! What can be wrong with a data set; everything in a file is named with its line.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use sources::SourceError;

use super::Task;
use super::skipped::{LeftOut, Skipped};

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
    #[error("{path}, line {line}: {found} tab-separated columns, expected {}", in_words(.allowed))]
    Columns {
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// Columns of the line.
        found: usize,
        /// Columns a line may have.
        allowed: RangeInclusive<usize>,
    },
    /// Too many lines with a wrong number of columns, in a file that may have some.
    #[error("{skipped}, beside {of} that do; at most one in a thousand may be left out")]
    Malformed {
        /// The file and the lines.
        skipped: Skipped,
        /// Number of good lines.
        of: usize,
    },
    /// The lines of a file end as on old Macs.
    #[error("{path}: its lines end with a carriage return alone; end them with a line feed (tr '\\r' '\\n')")]
    CarriageReturns {
        /// The file.
        path: PathBuf,
    },
    /// A file's content is elsewhere.
    #[error("{path}: a pointer of Git LFS, not the file itself; fetch that with: git lfs pull")]
    Pointer {
        /// The file.
        path: PathBuf,
    },
    /// The directory that should hold the data does not exist.
    #[error("{path}: there is no such directory of data")]
    NoDirectory {
        /// The directory.
        path: PathBuf,
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
    #[error("{path}, line {line}: the identifier {id:?} is that of line {first}{}", elsewhere(.first_path, .path))]
    DuplicateId {
        /// The file.
        path: PathBuf,
        /// The later line.
        line: usize,
        /// The identifier.
        id: String,
        /// The earlier line.
        first: usize,
        /// Its file.
        first_path: PathBuf,
    },
    /// A parquet file cannot be understood.
    #[error("cannot read {path} as parquet")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ::parquet::errors::ParquetError,
    },
    /// A parquet file is compressed with what cannot be undone here.
    #[error("{path}: compressed with {codec}; write it with compression snappy, gzip, brotli, lz4, zstd or none")]
    Codec {
        /// The file.
        path: PathBuf,
        /// The compression.
        codec: &'static str,
    },
    /// Not all parquet files of a split are there, or too many.
    #[error("{directory}: the parquet files of {split} {problem}")]
    Shards {
        /// Where they are.
        directory: PathBuf,
        /// The split, as in their names.
        split: String,
        /// What is wrong.
        problem: String,
    },
    /// A split has no text.
    #[error("{path}: every {which}sentence of the {split} split is empty")]
    NoText {
        /// Where the data is.
        path: PathBuf,
        /// `train`, `dev` or `test`.
        split: &'static str,
        /// Which sentence of a pair, or nothing.
        which: &'static str,
    },
    /// A split has too few examples for the task's metric.
    #[error("the {split} split of {task} has {}, but {} needs two with different labels at least{}",
        left_in_words(*.examples, .label), .task.metric().name(), why_left_out(.examples, .left_out))]
    TooSmall {
        /// The task.
        task: Task,
        /// `train` or `dev`.
        split: &'static str,
        /// Number of examples that are left.
        examples: usize,
        /// The label that all have, of several.
        label: Option<f32>,
        /// What is not left, and why.
        left_out: LeftOut,
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

/// `7` or `7 to 9`.
fn in_words(allowed: &RangeInclusive<usize>) -> String {
    let (least, most) = (allowed.start(), allowed.end());
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}

/// The file of the first of two equal identifiers, if it is another.
fn elsewhere(first: &Path, second: &Path) -> String {
    if first == second { String::new() } else { format!(" of {}", first.display()) }
}

fn left_in_words(examples: usize, label: &Option<f32>) -> String {
    match (examples, label) {
        (0, _) => "no examples".to_owned(),
        (1, _) => "one example".to_owned(),
        (_, Some(label)) => format!("{examples} examples, all with the label {label}"),
        (_, None) => format!("{examples} examples"),
    }
}

/// How many there were, and why they went.
fn why_left_out(left: &usize, left_out: &LeftOut) -> String {
    let LeftOut { malformed, too_long, limit } = left_out;
    let mut reasons = Vec::new();
    if *too_long > 0 {
        reasons.push(format!("{too_long} have more than {limit} tokens"));
    }
    if *malformed > 0 {
        reasons.push(format!("{malformed} are malformed lines"));
    }
    let there_were = left + malformed + too_long;
    if reasons.is_empty() { String::new() } else { format!("; of {there_were} there were, {}", reasons.join(", ")) }
}
