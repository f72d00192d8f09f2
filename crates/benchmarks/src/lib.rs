//! An iteration here, and in what a user would pick instead, timed side by side.
//!
//! `bench-peers` runs this project, NumPy, SciPy, JAX and PyTorch on the same problems in turns, checks first that they
//! compute the same gradients, and keeps what it measured under `results/bench/runs/DATE-MACHINE/`. `bench-table` makes the
//! tables and charts of the documents from the runs that are kept, and nothing else.
//!
//! The [`case`]s are defined once. Gradient descent ([`matrix`], on a [`problem`]) and LoRA's training step ([`encoder`])
//! are measured alike: a peer is a Python process behind a pipe ([`worker`]) in an environment of its own
//! ([`environment`]), [`agreement`] compares gradients, [`samples`] takes the times, [`floor`] reckons the least time there
//! could be, from the machine's [`limits`]. A [`record`] is what is kept; [`tables`] and [`chart`] show it.

pub mod agreement;
pub mod case;
pub mod chart;
pub mod encoder;
pub mod environment;
pub mod floor;
pub mod limits;
pub mod matrix;
pub mod problem;
pub mod record;
pub mod samples;
pub mod tables;
pub mod tensors;
pub mod text;
pub mod worker;
