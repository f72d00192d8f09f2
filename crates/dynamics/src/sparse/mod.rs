//! Kernels over the observed entries.

mod entries;
mod factor;
mod gradient;
mod parallel;
mod sampling;
mod simd;
mod workspace;

pub use entries::{ObservedEntries, ObservedEntriesError};
pub use simd::Simd;
pub use workspace::Workspace;

use faer::{MatMut, MatRef, Par};

/// The same kernels with the instruction set given, to compare them.
///
/// # Panics
/// If this machine does not have it, or shapes do not match.
pub mod with_simd {
    pub use super::gradient::{gradient_left, gradient_right};
    pub use super::sampling::sample_residual;
}

/// Bytes of a factor that a tile of the kernels keeps at hand: between the first and the second cache of most machines.
const TILE_BYTES: usize = 64 << 10;

/// Samples the product on Ω and subtracts the targets: `residual = (Pᵀ Q − Φ)` on the observed entries, in CSR order.
///
/// `p` is k × d_out, `q` is k × d_in, both column-major. Returns `Σ residual²`.
///
/// # Panics
/// If shapes do not match.
pub fn sample_residual(
    entries: &ObservedEntries,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    targets: &[f64],
    residual: &mut [f64],
    par: Par,
) -> f64 {
    sampling::sample_residual(Simd::best(), entries, p, q, targets, residual, par)
}

/// Gradient of the left factor: `dp[:, i] = scale Σ_j residual_ij q[:, j]` over the observed entries of row `i`.
///
/// # Panics
/// If shapes do not match.
pub fn gradient_left(
    entries: &ObservedEntries,
    residual: &[f64],
    scale: f64,
    q: MatRef<'_, f64>,
    dp: MatMut<'_, f64>,
    par: Par,
) {
    gradient::gradient_left(Simd::best(), entries, residual, scale, q, dp, par);
}

/// Gradient of the right factor: `dq[:, j] = scale Σ_i residual_ij p[:, i]` over the observed entries of column `j`.
///
/// # Panics
/// If shapes do not match.
pub fn gradient_right(
    entries: &ObservedEntries,
    residual: &[f64],
    scale: f64,
    p: MatRef<'_, f64>,
    dq: MatMut<'_, f64>,
    par: Par,
) {
    gradient::gradient_right(Simd::best(), entries, residual, scale, p, dq, par);
}

/// The sum of squared residuals over Ω, and its half's gradients times `scale`, whatever the length of the columns.
///
/// With the residual `r = Pᵀ Q − Φ` on the observed entries, returns `Σ r²` and writes
/// `dp[:, i] = scale Σ_j r_ij q[:, j]` and `dq[:, j] = scale Σ_i r_ij p[:, i]`; a gradient that is `None` is skipped.
///
/// # Panics
/// If shapes do not match, or the workspace is for other entries or another `k`.
pub fn sampled_loss_and_gradients(
    entries: &ObservedEntries,
    targets: &[f64],
    scale: f64,
    p: MatRef<'_, f64>,
    q: MatRef<'_, f64>,
    dp: Option<MatMut<'_, f64>>,
    dq: Option<MatMut<'_, f64>>,
    workspace: &mut Workspace,
    par: Par,
) -> f64 {
    workspace::sampled_loss_and_gradients(entries, targets, scale, p, q, dp, dq, workspace, par)
}
