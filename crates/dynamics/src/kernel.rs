//! Which kernel computes a loss and its gradients: the one place where that is decided.
//!
//! | what is observed, and columns of which length k | kernel | an iteration computes | its buffers |
//! |---|---|---|---|
//! | anything, bases that never move, `8 k³ ≤ \|Ω\|` or `k² ≤ m` | [quadratic](FixedFactorization) | one k² × k² product | none |
//! | m measurements | [`Kernel::Measured`] | one pass over them | the product, its gradient for every task |
//! | all entries, or more than half | [`Kernel::Dense`] | three dense products | the residual of all entries |
//! | few entries of a large matrix, short columns | [`Kernel::Recomputed`] | two passes over Ω, each with its residuals | targets by columns |
//! | the same, long columns | [`Kernel::InPlace`] | three passes over Ω | the residual of Ω |
//! | anything else | [`Kernel::Tiled`] | three passes over Ω, tile by tile | factors and entries in the order of their use |
//!
//! [`cheapest_form`] decides on the first line, [`Kernel::choose`] on the others. [`Workspace`] holds the buffers, and
//! [`Objective::loss_and_gradients`] calls the kernel they belong to. How the kernels work, and where the thresholds come
//! from, is in `docs/kernels.md`.

use crate::dense::{Padded, Transposing};
use crate::factorization::{CompressedFactorization, Factorization};
use crate::fixed::FixedFactorization;
use crate::measured::Measured;
use crate::problem::{Objective, Observed};
use crate::sparse::{ObservedEntries, Simd, Tiled, can_recompute};

/// Observed fraction above which three dense products on a masked residual tend to beat the sparse kernels.
///
/// Sparse time grows with the observed fraction, dense time does not. Where they meet was measured roughly, on a busy
/// machine (d = 1000): on two threads between 0.3 and 0.5 for k = 10, 40 and 100 and about 0.5 for k = 1000; on one
/// thread about 0.4 to 0.5 (k = 1000), 0.6 (k = 100), 0.7 (k = 40), and never for k = 10. One threshold in the middle
/// stands for all of them. (The sparse kernels have become up to twice as fast since.)
const DENSE_FRACTION: f64 = 0.5;
/// Length of the other side from which its factor is too far away for tiles to help, if lines are sparse besides.
const WIDE: usize = 1 << 11;
/// Most entries of a sparse line, as a share of the other side: one in this many.
const SPARSE: usize = 16;

/// How a loss over the observed entries and its gradients are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Dense products, with a residual that is zero where nothing is observed.
    Dense,
    /// Over the observed entries, with everything copied into the order of its use.
    Tiled,
    /// Over the observed entries, with factors and entries where they are.
    InPlace,
    /// The same for short columns, without a stored residual: it is computed along the rows and again along the columns.
    Recomputed,
    /// Over measurements, each read once.
    Measured,
}

impl Kernel {
    /// The kernel for columns of length `k` on this machine.
    pub fn choose(observed: &Observed, k: usize) -> Self {
        match observed {
            Observed::Measurements(_) => Self::Measured,
            _ if needs_every_entry(observed) => Self::Dense,
            Observed::Entries(entries) if is_wide(entries) => {
                if can_recompute(Simd::best(), k) {
                    Self::Recomputed
                } else {
                    Self::InPlace
                }
            }
            _ => Self::Tiled,
        }
    }
}

/// Whether the kernel reads every entry of the target, whatever the length of the columns.
pub(crate) fn needs_every_entry(observed: &Observed) -> bool {
    match observed {
        Observed::Full => true,
        Observed::Entries(entries) => entries.fraction() > DENSE_FRACTION,
        Observed::Measurements(_) => false,
    }
}

/// Whether one of the factors is so long, and the lines are so sparse, that tiles of it do not help.
fn is_wide(entries: &ObservedEntries) -> bool {
    let wide = |lines: usize, other: usize| other >= WIDE && entries.len() / lines.max(1) <= other / SPARSE;
    let (d_out, d_in) = (entries.d_out(), entries.d_in());
    wide(d_out, d_in) || wide(d_in, d_out)
}

/// The form of a compressed factorization in which an iteration on `objective` costs least: the quadratic one where its
/// bases are fixed, the core is small, and the entries determine it; else the factorization as it is.
pub fn cheapest_form(model: CompressedFactorization, objective: &Objective) -> Box<dyn Factorization> {
    if model.is_fixed()
        && quadratic_is_cheaper(model.inner_width(), objective.observed())
        && let Ok(fixed) = FixedFactorization::new(&model, objective)
    {
        return Box::new(fixed);
    }
    Box::new(model)
}

/// Whether one product with a `k² × k²` matrix, which past the caches is bound by memory, costs less than three passes of
/// `k` multiply-adds per entry. Over measurements it always does where they can determine a `k × k` core: they are many, and
/// each is larger than the core.
fn quadratic_is_cheaper(k: usize, observed: &Observed) -> bool {
    match observed {
        Observed::Full => true,
        Observed::Entries(entries) => 8 * k.pow(3) <= entries.len(),
        Observed::Measurements(measurements) => k * k <= measurements.len(),
    }
}

/// Buffers that evaluating an objective at one inner width needs; made once, reused in every iteration.
#[derive(Debug)]
pub struct Workspace(pub(crate) Buffers);

/// Those of each kernel.
#[derive(Debug)]
pub(crate) enum Buffers {
    /// The residual of all entries, and room for a transposed copy of it.
    Dense { residual: Padded, transposing: Transposing },
    /// Everything in the order of its use.
    Tiled(Box<Tiled>),
    /// The residual of the observed entries, by rows.
    InPlace { residual: Vec<f64> },
    /// The targets of the observed entries, by columns.
    Recomputed { by_column: Vec<f64> },
    /// The product, and its gradient for every task.
    Measured(Box<Measured>),
    /// For factorizations that evaluate the objective themselves.
    Nothing,
}

impl Workspace {
    /// Buffers for products of inner width `k`.
    pub(crate) fn new(objective: &Objective, k: usize) -> Self {
        let (observed, values) = (objective.observed(), objective.values());
        Self(match (Kernel::choose(observed, k), observed) {
            (Kernel::Tiled, Observed::Entries(entries)) => {
                Buffers::Tiled(Box::new(Tiled::new(entries, values, k, Simd::best())))
            }
            (Kernel::InPlace, _) => Buffers::InPlace { residual: vec![0.0; values.len()] },
            (Kernel::Recomputed, Observed::Entries(entries)) => {
                Buffers::Recomputed { by_column: entries.in_column_order(values) }
            }
            (_, Observed::Measurements(measurements)) => Buffers::Measured(Box::new(Measured::new(measurements))),
            (Kernel::Dense | Kernel::Measured, _) | (_, Observed::Full) => Buffers::Dense {
                residual: Padded::zeros(objective.d_out(), objective.d_in()),
                transposing: Transposing::default(),
            },
        })
    }

    /// None, for a factorization that evaluates the objective itself.
    pub(crate) fn nothing() -> Self {
        Self(Buffers::Nothing)
    }
}
