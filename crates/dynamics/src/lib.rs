//! The numerical core: deep linear factorizations and how gradient descent moves them.
//!
//! A deep factorization learns a low-rank target `Φ` through the end-to-end product `W_L ⋯ W_1` of its factors. This crate
//! holds, in the order data meets them: seeded random matrices ([`random`]), the [`problem`] (target, observed entries or
//! measurements, objective), the deep and the compressed [`factorization`], the construction of the latter ([`compression`]), the
//! invariant [`subspace`] behind it, first-order [`optimizer`]s, the [`training`] loop, and the
//! [`trajectory`] of the end-to-end product. Which [`kernel`] computes a loss and its gradients is decided in one
//! place; the kernels are in [`sparse`] (over the observed entries), [`dense`] and [`fixed`].
//!
//! A matrix of which nothing is known but some entries: [`Objective::of_entries`] and [`Completion`]; but some linear
//! [`Measurements`]: [`Objective::of_measurements`].
//!
//! At any size, without a d × d matrix: [`Target::gaussian_factors`], [`Observed::uniform_sparse`], the leading singular
//! triplets of the observed entries ([`truncated`]), [`compression::sampled`], and [`HeldOut`] for the recovery error.
//!
//! Everything is `f64` and column-major, and every result has the same bits whatever the number of threads.
//!
//! A rank-2 matrix completed from half of its entries, by a deep factorization and by its compressed network:
//!
//! ```
//! use dynamics::compression::compress;
//! use dynamics::{DeepFactorization, Factorization, Initialization, Optimizer, Schedule, random, train};
//! use dynamics::{LossForm, Objective, Observed, Target};
//! use faer::Par;
//!
//! # fn main() -> Result<(), dynamics::DynamicsError> {
//! let mut rng = random::stream(1, &["example"]);
//! let target = Target::gaussian(60, 60, 2, &mut rng)?;
//! let observed = Observed::uniform(60, 60, 0.5, &mut rng)?;
//! let objective = Objective::new(target, observed, LossForm::Mean)?;
//!
//! // Three factors, 60 wide, each 0.1 × orthogonal; the compressed one is 4 wide, its bases move with γ = 0.01.
//! let mut original = DeepFactorization::draw((60, 60), 3, 60, Initialization::Orthogonal, 0.1, &mut rng)?;
//! let mut compressed = compress(&mut original, &objective, 2, 0.01, Par::Seq)?;
//!
//! let schedule = Schedule { max_iterations: 5000, tolerance: 1e-7, record_every: 50 };
//! let optimizer = Optimizer::gradient_descent(30.0)?;
//! train(&mut original, &objective, &mut optimizer.clone(), schedule, &mut (), Par::Seq)?;
//! train(&mut compressed, &objective, &mut optimizer.clone(), schedule, &mut (), Par::Seq)?;
//!
//! // Both have found the entries they were not shown.
//! for (p, q) in [original.halves(), compressed.halves()] {
//!     assert!(objective.relative_error(p, q, Par::Seq) < 0.01);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The paper: C. Yaras, P. Wang, L. Balzano, Q. Qu, "Compressible Dynamics in Deep Overparameterized Low-Rank Learning &
//! Adaptation", ICML 2024 (arXiv 2406.04112).

#![warn(clippy::undocumented_unsafe_blocks, clippy::too_many_arguments)]

mod chain;
pub mod completion;
pub mod compression;
pub mod decomposition;
pub mod dense;
mod error;
pub mod factorization;
pub mod fixed;
pub mod held_out;
pub mod kernel;
mod measured;
pub mod optimizer;
pub mod problem;
pub mod random;
pub mod sparse;
pub mod subspace;
pub mod training;
pub mod trajectory;
pub mod truncated;
pub mod units;

pub use completion::{Completed, Completion};
pub use error::DynamicsError;
pub use factorization::{CompressedFactorization, DeepFactorization, Factorization};
pub use fixed::FixedFactorization;
pub use held_out::{Estimate, HeldOut};
pub use optimizer::{Method, Optimizer};
pub use problem::{LossForm, Measurements, Objective, Observed, Target};
pub use random::Initialization;
pub use training::{Observer, Outcome, Record, Schedule, Stop, train};

/// The example in README.md, tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
