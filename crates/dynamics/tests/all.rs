//! The integration tests of this crate in one binary, a module per subject: linked once.

mod authors_draw;
mod completion;
mod compression;
mod decomposition;
mod determinism;
mod fixed;
mod fixtures;
mod gradients;
mod kernel_choice;
mod kernels;
mod problem;
mod scale;
mod sensing;
mod theorem;
mod training;
mod wide;
