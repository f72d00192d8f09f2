//! The integration tests of this crate in one binary, a module per subject: linked once.

mod baselines;
mod complete;
mod example;
mod fixture;
mod table;
