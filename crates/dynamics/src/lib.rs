//! The numerical core: deep linear factorizations and how gradient descent moves them.
//!
//! A deep factorization learns a low-rank target `Φ` through the end-to-end product `W_L ⋯ W_1` of its factors. This crate
//! holds, in the order data meets them: seeded random matrices ([`random`]), the [`problem`] (target, observed entries,
//! objective), the deep and the compressed [`factorization`], the construction of the latter ([`compression`]), the
//! invariant [`subspace`] behind it, first-order [`optimizer`]s, the [`training`] loop, and the
//! [`trajectory`] of the end-to-end product. The kernels are in [`sparse`]
//! (over the observed entries) and [`dense`].
//!
//! Everything is `f64` and column-major, and every result has the same bits whatever the number of threads.
//!
//! The paper: C. Yaras, P. Wang, L. Balzano, Q. Qu, "Compressible Dynamics in Deep Overparameterized Low-Rank Learning &
//! Adaptation", ICML 2024 (arXiv 2406.04112).

mod chain;
pub mod compression;
pub mod decomposition;
pub mod dense;
mod error;
pub mod factorization;
pub mod fixed;
pub mod optimizer;
pub mod problem;
pub mod random;
pub mod sparse;
pub mod subspace;
pub mod training;
pub mod trajectory;

pub use error::DynamicsError;
pub use factorization::{CompressedFactorization, DeepFactorization, Factorization};
pub use fixed::FixedFactorization;
pub use optimizer::{Method, Optimizer};
pub use problem::{LossForm, Objective, Observed, Target};
pub use random::Initialization;
pub use training::{Observer, Outcome, Record, Schedule, Stop, train};
