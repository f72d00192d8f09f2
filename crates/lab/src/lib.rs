//! Experiment machinery: settings, trials, result store, progress, provenance, claims.
//!
//! An [`Experiment`] turns its settings (`experiments/NAME.toml`) into trials, the outcomes of the trials into tables
//! (CSV), and the tables into drawings (PNG, SVG) and claims. Everything around that is here, and the same for all:
//! command line, profiles, running trials side by side, reusing finished ones, progress, files and their provenance.
//!
//! A figure's binary is one line, `lab::main(lab::entry::<Completion>())`; `reproduce-all` calls [`main_all`].
//! A whole experiment, as small as one can be, is `examples/toy/mod.rs`.
//!
//! Invariants the modules rely on:
//! - a trial's outcome is determined by its trial value alone, so [`store`] may hand out an earlier one;
//! - drawings and claims read only CSV, so they can be redone without running anything;
//! - outcomes arrive in plan order, so tables do not depend on the number of threads.

mod app;
mod check;
pub mod checked;
pub mod claim;
mod cli;
mod columns;
mod echo;
mod error;
mod experiment;
pub mod files;
mod gathering;
mod logging;
mod memory;
mod panics;
mod prepared;
mod process;
mod progress;
mod provenance;
pub mod report;
mod runner;
mod seal;
mod session;
pub mod settings;
mod shard;
mod signals;
pub mod statistics;
mod stopping;
pub mod store;
mod summary;
mod table;

pub use app::{Entry, entry, exit, main, main_all};
pub use check::{Check, Invalid};
pub use claim::{Claim, Evidence, Finding, Side, Verdict};
pub use error::LabError;
pub use experiment::{Drawing, Experiment, Finished, FinishedOf, Kernels, Plan, Planned, Trial, TrialError};
pub use gathering::{BadInput, Gathering, NotBrought, Transfer};
pub use memory::{Memory, give_back_memory};
pub use progress::TrialContext;
pub use provenance::{Machine, now};
pub use table::{Results, Table};
