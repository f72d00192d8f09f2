//! Measurements of an iteration: collected from criterion, and taken side by side with what a user would pick instead.
//!
//! Three binaries, each writing one kind of file: `bench-step` turns criterion's estimates into `results/bench/step.csv`;
//! `bench-peers` runs this project, NumPy, SciPy, JAX and PyTorch on the same problems in turns, checks first that they
//! compute the same gradients, and writes `peers.csv`, `machine.csv` and a chart; `bench-table` puts both into the README.
//!
//! A peer is a Python process behind a pipe ([`worker`]), in an environment of its own ([`environment`]). What is
//! measured are the matrix [`case`]s, which [`problem`] makes and hands out, and the training step of the [`encoder`];
//! [`turns`] takes the times.

pub mod case;
pub mod chart;
pub mod encoder;
pub mod environment;
mod error;
pub mod estimates;
pub mod files;
pub mod machine;
pub mod peers;
pub mod problem;
pub mod readme;
pub mod tensors;
pub mod turns;
pub mod worker;

pub use error::BenchError;
