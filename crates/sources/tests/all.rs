//! The integration tests of this crate in one binary, a module per subject: linked once.

mod hub;
mod joined;
mod server;
mod source;
