//! The integration tests of this crate in one binary, a module per subject: linked once.

mod bleu;
mod e2e;
mod fixture;
mod meteor;
mod rouge;
mod slots;
mod words;
