//! The integration tests of this crate in one binary, a module per subject: linked once.

mod committed;
mod data;
mod encoders;
mod extremes;
mod fuzz;
mod settings;
mod smoke;
