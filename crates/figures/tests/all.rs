//! The integration tests of this crate in one binary, a module per subject: linked once.

mod binaries;
mod committed;
mod data;
mod documents;
mod encoders;
mod extremes;
mod fuzz;
mod nlg;
mod ratings;
mod report;
mod settings;
mod smoke;
