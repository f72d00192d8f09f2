//! What an adapter is: a parametrization of `ΔW`, the form in which the encoder applies it, and the way back.
//!
//! # Adding a method
//!
//! One file beside this one (with its `mod` line here), say `fourier.rs`, holding
//! - its settings, a struct `Fourier` that TOML is read into (`#[serde(deny_unknown_fields)]`), which says in its
//!   [`Recipe`](crate::method::Recipe) what values are allowed and how an adapter is drawn;
//! - its adapter, an [`Adapter`]: or, if `ΔW` is a product of matrices, a list of factors for `product::Product`;
//!
//! and one line in the registry in `method.rs`: `"fourier", "Fourier LoRA" => Fourier,`. The settings' key, the
//! optimizer, checkpoints and the export to PEFT then know it; `tests/adapters.rs` checks its gradient once it is added
//! to the list of methods there.

mod adalora;
mod budget;
mod compressed;
mod deep;
mod error;
mod lora;
mod parameter;
mod product;
mod rows;
mod scaled;
mod set;
mod sine;
mod width;
mod zero;

pub use adalora::Adalora;
pub use budget::{Budget, Phases};
pub use compressed::{Compressed, FirstGradient, compressed_bases};
pub use deep::{DeepLora, merged_is_cheaper};
pub use error::{AdapterError, Invalid};
pub use lora::{Lora, ZeroFactor};
pub use parameter::{Group, Parameter};
pub use rows::RowBlock;
pub use scaled::ScaledLora;
pub use set::Adapters;
pub use sine::SineLora;
pub use width::Width;

pub(crate) use product::{matmul, rounded, widened};

use dynamics::dense;
use faer::{Mat, MatRef, Par};

use crate::Real;

/// `ΔW` (m × n, as `W_0`) as the encoder applies it; views of any strides.
#[derive(Clone, Copy, Debug)]
pub enum Applied<'a, T: Real> {
    /// `ΔW = left · right` with an m × k and a k × n factor: applied factor by factor, never multiplied out.
    Factored {
        /// m × k.
        left: MatRef<'a, T>,
        /// k × n.
        right: MatRef<'a, T>,
    },
    /// `ΔW` itself: the encoder adds it to a copy of `W_0`.
    Merged(MatRef<'a, T>),
}

/// Which of the two forms an adapter has; it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// [`Applied::Factored`] with this k.
    Factored {
        /// Inner width k.
        rank: usize,
    },
    /// [`Applied::Merged`].
    Merged,
    /// [`Applied::Factored`] with this k, on an embedding: the gradient of `left` is kept by rows.
    FactoredRows {
        /// Inner width k.
        rank: usize,
    },
    /// [`Applied::Merged`] on an embedding: the gradient is kept by rows.
    MergedRows,
}

/// The gradient of the loss with respect to what was applied, in the same form and shapes.
#[derive(Clone, Debug)]
pub enum AppliedGradient<T: Real> {
    /// With respect to both factors.
    Factored {
        /// m × k.
        left: Mat<T>,
        /// k × n.
        right: Mat<T>,
    },
    /// With respect to `ΔW`, m × n.
    Merged(Mat<T>),
    /// With respect to both factors on an embedding, where of `left` only the rows of tokens in the batch are not 0.
    FactoredRows {
        /// m × k.
        left: RowBlock<T>,
        /// k × n.
        right: Mat<T>,
    },
    /// With respect to `ΔW` of an embedding, m × n.
    MergedRows(RowBlock<T>),
}

impl<T: Real> AppliedGradient<T> {
    /// Zero, for an adapter of this form on an m × n weight.
    pub fn zeros(form: Form, (m, n): (usize, usize)) -> Self {
        match form {
            Form::Factored { rank } => Self::Factored { left: dense::zeros(m, rank), right: dense::zeros(rank, n) },
            Form::Merged => Self::Merged(dense::zeros(m, n)),
            Form::FactoredRows { rank } => {
                Self::FactoredRows { left: RowBlock::zeros(m, rank), right: dense::zeros(rank, n) }
            }
            Form::MergedRows => Self::MergedRows(RowBlock::zeros(m, n)),
        }
    }
}

/// A parametrization of `ΔW`.
pub trait Adapter<T: Real>: Send + Sync {
    /// (m, n) of `ΔW`.
    fn shape(&self) -> (usize, usize);

    /// The form it is applied in.
    fn form(&self) -> Form;

    /// `ΔW` as of the last [`refresh`](Self::refresh).
    fn applied(&self) -> Applied<'_, T>;

    /// Brings the applied form up to date with the parameters. Must be called after the parameters were changed.
    fn refresh(&mut self, par: Par);

    /// Carries the gradient of the applied form on to the parameters' gradients (replacing them), the penalty's included.
    ///
    /// # Panics
    /// If the gradient is of another form or shape.
    fn pull_back(&mut self, gradient: &AppliedGradient<T>, par: Par);

    /// What the method adds to the loss; mostly nothing.
    fn penalty(&self) -> T {
        T::of(0.0)
    }

    /// The trained matrices, in a fixed order.
    fn parameters(&self) -> &[Parameter<T>];

    /// The trained matrices, to be stepped.
    fn parameters_mut(&mut self) -> &mut [Parameter<T>];
}
