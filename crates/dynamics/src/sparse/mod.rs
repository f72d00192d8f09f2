//! Kernels over the observed entries Ω: what a loss over Ω and its gradients cost when nothing else is computed.
//!
//! The end-to-end product is split once, `E = Pᵀ Q` with `P` (k × d_out) and `Q` (k × d_in), so that entry (i, j) is the
//! dot product of two contiguous columns. With the residual `r = E − Φ` on Ω, a step needs `r` itself,
//! `∂P[:, i] = Σ_j r_ij Q[:, j]` and `∂Q[:, j] = Σ_i r_ij P[:, i]`: three times |Ω| k multiply-adds.
//!
//! | module | what |
//! |---|---|
//! | `entries` | [`ObservedEntries`]: Ω by rows and by columns |
//! | `simd` | [`Simd`]: instruction sets, and the few vector operations that kernels are written in |
//! | `factor`, `parallel` | columns cut into chunks of registers; work cut into tasks |
//! | `tiled` | [`Tiled`]: loss and gradients with everything in the order of its use |
//! | `order`, `packed`, `block_kernels` | its entries tile by tile, its factors in whole vectors, its kernels |
//! | `in_place` | loss and gradients with everything where it is, for wide matrices |
//! | `sampling`, `product` | the product on Ω ([`sample_residual`]); dense times sparse ([`matmul`]) |
//!
//! Which of them computes an objective is decided in [`kernel`](crate::kernel). Functions take the instruction set, so that
//! tests can compare all of them; [`Simd::best`] is the one to use. Arguments come in the order `dst, lhs, rhs, alpha, simd, par`.
//!
//! Invariants: the number of tasks depends on the shape, the number of entries and k alone; a task has the lines of a gradient
//! that it adds to for itself meanwhile; sums are added in order. So the bits are the same for any number of threads. Different
//! instruction sets round differently.
//!
//! `docs/kernels.md` explains layout and kernels with a picture, where they are bound, and what was tried and rejected.

mod block_kernels;
mod entries;
mod factor;
mod in_place;
mod order;
mod packed;
pub(crate) mod parallel;
mod product;
mod sampling;
mod simd;
mod tiled;

pub use entries::{ObservedEntries, ObservedEntriesError, SparseRef};
pub use in_place::{can_recompute, recomputed_loss_and_gradients, stored_loss_and_gradients};
pub use product::matmul;
pub use sampling::sample_residual;
pub use simd::Simd;
pub use tiled::Tiled;

use faer::{MatMut, MatRef};

/// Where to evaluate a loss over Ω, and where its gradients go. With the residual `r = Pᵀ Q − Φ` on Ω:
/// `dp[:, i] = alpha Σ_j r_ij q[:, j]` and `dq[:, j] = alpha Σ_i r_ij p[:, i]`. All are column-major.
#[derive(Debug)]
pub struct Evaluation<'a> {
    /// `k × d_out`.
    pub p: MatRef<'a, f64>,
    /// `k × d_in`.
    pub q: MatRef<'a, f64>,
    /// `k × d_out`; `None` if it is not wanted, which costs nothing.
    pub dp: Option<MatMut<'a, f64>>,
    /// `k × d_in`; `None` if it is not wanted.
    pub dq: Option<MatMut<'a, f64>>,
    /// Multiplies both gradients, not the loss.
    pub alpha: f64,
}
