//! The integration tests of this crate in one binary, a module per subject: linked once.

mod fuzz;
mod committed;
mod settings;
mod smoke;
