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
// What only the tests of the sources ask of it is not used here.
#[allow(dead_code)]
#[path = "../../sources/tests/server.rs"]
mod server;
mod settings;
mod smoke;
