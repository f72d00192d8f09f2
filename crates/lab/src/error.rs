//! Everything that can go wrong outside a trial, one sentence each, and the exit code it means.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;

use crate::echo::Echo;
use crate::settings::SettingsError;
use crate::{BadInput, NotBrought};

/// What ends a run.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The settings are not usable.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// `--only` or `--skip` names something that is not an experiment.
    #[error("{option} {}: there is no such experiment; known: {known}", Echo(name))]
    UnknownExperiment {
        /// `--only` or `--skip`.
        option: &'static str,
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// `--set` in `reproduce-all` names a key that no experiment has.
    #[error("{}: no selected experiment has the key {}{}", Echo(option), Echo(key), nearest.as_ref().map(|n| format!(" (did you mean {n}?)")).unwrap_or_default())]
    UnusedOverride {
        /// The option as it was typed.
        option: String,
        /// Its dotted key.
        key: String,
        /// A key most like it, of some experiment.
        nearest: Option<Box<str>>,
    },
    /// `--only` and `--skip` together leave no experiment.
    #[error("--only and --skip leave no experiment; known: {known}")]
    NothingSelected {
        /// The names there are.
        known: String,
    },
    /// A setting on the command line of `--plot-only`.
    #[error(
        "{}: --plot-only uses the settings stored with the tables (NAME.meta.toml); leave out --plot-only to run with others",
        Echo(option)
    )]
    PlotOnlyOverride {
        /// The option as it was typed.
        option: String,
    },
    /// The system does not give as many threads as asked for.
    #[error("cannot start {threads} threads: {reason}; pass a smaller --threads (allowed: 1 to {most})")]
    Threads {
        /// Number asked for.
        threads: usize,
        /// Most that may be asked for.
        most: usize,
        /// What the system said.
        reason: String,
    },
    /// A table to draw from is not there.
    #[error("{path}: no such file; make it with: {command}")]
    MissingTable {
        /// The file looked for.
        path: PathBuf,
        /// What to type.
        command: String,
    },
    /// A table to draw from has no rows, or not even a header.
    #[error("{path}: the table has no {what}; make it again with: {command}")]
    EmptyTable {
        /// The table.
        path: PathBuf,
        /// `rows` or `header`.
        what: &'static str,
        /// What to type.
        command: String,
    },
    /// There are tables, but not the file that their run writes last.
    #[error("{path}: no such file: the run that wrote the tables beside it did not finish; make them with: {command}")]
    Unfinished {
        /// `NAME.meta.toml`.
        path: PathBuf,
        /// What to type.
        command: String,
    },
    /// Tables are not those that their run wrote.
    #[error(
        "{}; if you edited it, pass --accept-edited to draw it all the same, else make it again with: {command}",
        differences.join("; ")
    )]
    TableDiffers {
        /// Each table and how it differs.
        differences: Vec<String>,
        /// What to type.
        command: String,
    },
    /// The hashes of the tables are not to be understood.
    #[error(
        "{path}: its section [tables] is damaged: each file has rows (a whole number) and blake3 (a text); make the tables again with: {command}"
    )]
    ReadSeal {
        /// `NAME.meta.toml`.
        path: PathBuf,
        /// What to type.
        command: String,
    },
    /// The file of packed trials is no such file, of another format, or has no whole trial.
    #[error("{complaint}, and not replaced: move it away, or get the right one back (git checkout, git lfs pull)")]
    ForeignPack {
        /// Its path, and what it is.
        complaint: String,
    },
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A table could not be understood.
    #[error("{path} is no table of this version, or damaged: {fault}; make it again with: {command}")]
    ReadTable {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        fault: String,
        /// What to type.
        command: String,
    },
    /// `--report` of a profile without results.
    #[error("{directory}: there are no results of this profile; profiles with results: {}", if others.is_empty() { "none" } else { others })]
    NoResults {
        /// `results/PROFILE`.
        directory: PathBuf,
        /// Profiles that have some.
        others: String,
    },
    /// A file or directory could not be written. Nothing half-written is left behind.
    #[error("cannot write {path}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What was to be printed could not be.
    #[error("cannot write to standard output")]
    Print {
        /// What the system said.
        source: std::io::Error,
    },
    /// Rows that are no table (nested, or of unequal length).
    #[error("cannot make the table {stem}")]
    MakeTable {
        /// File stem of the table.
        stem: String,
        /// What is wrong.
        source: csv::Error,
    },
    /// The store lies on a file system on which it is not safe.
    #[error(
        "{directory}: its file system {fault}; finished trials would not be safe there: choose --results on another one"
    )]
    FileSystem {
        /// The store.
        directory: PathBuf,
        /// What a probe saw.
        fault: &'static str,
    },
    /// A share of the trials was to be run, and their outcomes cannot be stored.
    #[error(
        "{experiment}: finished trials cannot be stored, so this process runs no more of them; make room and run the same command again, it does what is missing"
    )]
    NotStored {
        /// The experiment.
        experiment: &'static str,
        /// The first that could not be stored.
        source: Box<LabError>,
    },
    /// The plan gives two trials one label.
    #[error("the plan of {experiment} has two trials labelled \"{label}\"")]
    DuplicateLabel {
        /// The experiment.
        experiment: &'static str,
        /// The label.
        label: String,
    },
    /// A trial, or those that run side by side, would need more memory than the process may use.
    #[error(
        "{experiment}: {who} about {needed} of memory (mostly because of {keys}), and this process may use {limit}; {remedy}, or pass --force to try"
    )]
    Memory {
        /// The experiment.
        experiment: &'static str,
        /// Which trials, and the verb.
        who: Box<str>,
        /// What they need, in units for people.
        needed: Box<str>,
        /// The settings to blame.
        keys: Box<str>,
        /// What there is, in units for people, and what sets it.
        limit: Box<str>,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Every trial failed.
    #[error("{experiment}: no trial finished, so there is nothing to tabulate or draw")]
    NothingFinished {
        /// The experiment.
        experiment: &'static str,
    },
    /// A step of the experiment's own failed.
    #[error("{experiment}: {step}")]
    Step {
        /// The experiment.
        experiment: &'static str,
        /// What was being done.
        step: &'static str,
        /// Why it failed.
        source: anyhow::Error,
    },
    /// What has no case of its own: its causes say it.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl LabError {
    /// The error and its causes on one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }

    /// 2 for input the user can correct, 1 for a failure.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_)
            | Self::UnknownExperiment { .. }
            | Self::UnusedOverride { .. }
            | Self::NothingSelected { .. }
            | Self::PlotOnlyOverride { .. }
            | Self::Threads { .. }
            | Self::Memory { .. }
            | Self::FileSystem { .. }
            | Self::MissingTable { .. }
            | Self::EmptyTable { .. }
            | Self::ReadTable { .. }
            | Self::NoResults { .. }
            | Self::Unfinished { .. }
            | Self::TableDiffers { .. }
            | Self::ReadSeal { .. }
            | Self::ForeignPack { .. } => 2,
            Self::Step { source, .. } | Self::Other(source) => match source.downcast_ref::<LabError>() {
                Some(error) => error.exit_code(),
                None => 1 + u8::from(source.is::<BadInput>() || source.is::<NotBrought>()),
            },
            _ => 1,
        }
    }

    /// The error without the step in which it was found.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Step { source, .. } => format!("{source:#}"),
            other => other.chain(),
        }
    }

    /// Whether all that is wrong is that the user has not brought some data.
    pub(crate) fn is_not_brought(&self) -> bool {
        matches!(self, Self::Step { source, .. } if source.is::<NotBrought>())
    }
}
