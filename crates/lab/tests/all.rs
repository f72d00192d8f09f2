//! The real binaries, run as a user runs them: the integration tests of this crate in one binary, a module per subject.

mod command_line;
mod memory;
mod place;
mod processes;
mod provenance;
mod reproduce_all;
#[path = "../build/revision.rs"]
mod revision;
mod runs;
mod store;
mod tables;
mod workers;
