//! Why an adapter cannot be made.

use std::fmt::Display;

use dynamics::DynamicsError;
use thiserror::Error;

/// A setting whose value is not allowed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{key} = {value} is not allowed; allowed: {allowed}")]
pub struct Invalid {
    /// The key, relative to the settings it belongs to: `rank`, or `deep-lora.rank` from a [`crate::Method`].
    pub key: String,
    /// The value found.
    pub value: String,
    /// What is allowed, in words.
    pub allowed: String,
}

impl Invalid {
    /// `Err` unless the condition holds.
    ///
    /// # Errors
    /// The value that is not allowed.
    pub fn unless(holds: bool, key: &str, value: impl Display, allowed: &str) -> Result<(), Self> {
        if holds {
            return Ok(());
        }
        Err(Self { key: key.to_owned(), value: value.to_string(), allowed: allowed.to_owned() })
    }
}

/// Why an adapter cannot be made.
#[derive(Debug, Error)]
pub enum AdapterError {
    /// A setting out of range.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A rank that the adapted weight does not have.
    #[error("{site}: rank {rank} is not allowed on a {rows} × {columns} weight; allowed: from 1 to {most}", most = rows.min(columns))]
    Rank {
        /// The adapted weight.
        site: String,
        /// The rank asked for.
        rank: usize,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// A method that does not adapt embeddings, asked for on one.
    #[error(
        "{site}: {method} is not allowed on embeddings; allowed there: lora, deep-lora and compressed, or a selection without \
         embeddings"
    )]
    Embedding {
        /// The adapted weight.
        site: String,
        /// The method's name.
        method: &'static str,
    },
    /// A compressed adapter without the gradient it is made from.
    #[error("{site}: a compressed adapter is made from the gradient of the first batch, and none was given")]
    NoGradient {
        /// The adapted weight.
        site: String,
    },
    /// A gradient that says nothing.
    #[error(
        "{site}: cannot make a compressed adapter from a gradient of Frobenius norm {norm}: it must be above 0 and finite"
    )]
    Gradient {
        /// The adapted weight.
        site: String,
        /// The gradient's norm.
        norm: f64,
    },
    /// A decomposition that did not converge.
    #[error(transparent)]
    Decomposition(#[from] DynamicsError),
}
