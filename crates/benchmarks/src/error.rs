//! Why a measurement could not be made, told so that the reader knows what to type.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// An error of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Criterion has not measured these.
    #[error("no estimates of {} in {}; measure them with: {command}", ids.join(", "), directory.display())]
    MissingEstimates {
        /// What is missing.
        ids: Vec<String>,
        /// Where criterion writes.
        directory: PathBuf,
        /// What makes them.
        command: String,
    },
    /// A file of estimates is not what criterion writes.
    #[error("{} does not read as criterion's estimates", path.display())]
    Estimates {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A table is not what these binaries write.
    #[error("cannot read or make the table {}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: csv::Error,
    },
    /// A table lacks a row.
    #[error("{} has no row {row}; make it again with: {command}", path.display())]
    MissingRow {
        /// The file.
        path: PathBuf,
        /// What is missing.
        row: String,
        /// What makes the table.
        command: &'static str,
    },
    /// Python is not there.
    #[error("cannot run {python} (the peers need Python 3.11 or later, with the module venv)")]
    Python {
        /// What was called.
        python: String,
        /// Why.
        source: io::Error,
    },
    /// The peers' packages cannot be installed.
    #[error("{command} failed (installing the peers needs the network once):\n{output}")]
    Environment {
        /// What was run.
        command: String,
        /// The end of what it said.
        output: String,
    },
    /// A peer gave up, or answered something else than asked.
    #[error("the peer {peer} {what}")]
    Peer {
        /// Which one.
        peer: String,
        /// What happened.
        what: String,
    },
    /// A peer computes something else.
    #[error(
        "{id}: {peer} differs from us in {what} (loss, or gradient of that factor) by {difference:.1e}, more than {limit:.0e}"
    )]
    Disagreement {
        /// The case.
        id: &'static str,
        /// The peer.
        peer: String,
        /// The loss, or the factor whose gradient it is.
        what: String,
        /// Relative difference.
        difference: f64,
        /// How large it may be.
        limit: f64,
    },
    /// Tensors cannot be exchanged.
    #[error("cannot exchange tensors through {}", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
    /// A tensor is missing, or has another shape or type.
    #[error("{}: {what}", path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The README has no place for the table.
    #[error("{} has no line {marker:?}", path.display())]
    Marker {
        /// The file.
        path: PathBuf,
        /// What is looked for.
        marker: String,
    },
    /// There is no such case.
    #[error("there is no case {id:?}; there are {}", known.join(", "))]
    UnknownCase {
        /// What was asked for.
        id: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The numerical core refused a problem.
    #[error(transparent)]
    Dynamics(#[from] dynamics::DynamicsError),
    /// The pretrained encoder cannot be fetched.
    #[error(transparent)]
    Source(#[from] sources::SourceError),
    /// The pretrained encoder cannot be read.
    #[error(transparent)]
    Model(#[from] adaptation::ModelError),
    /// The adapters cannot be made.
    #[error(transparent)]
    Adapter(#[from] adaptation::AdapterError),
    /// The adapters cannot be handed to the peer.
    #[error(transparent)]
    Export(#[from] adaptation::peft::ExportError),
    /// Our training failed.
    #[error(transparent)]
    Training(#[from] adaptation::training::TrainingError),
    /// The chart cannot be drawn.
    #[error(transparent)]
    Chart(#[from] charts::ChartError),
}
