//! Why adapters cannot be imported.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use thiserror::Error;

use crate::ModelError;

/// Why adapters cannot be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// A file cannot be read or is damaged, or a key of the configuration asks for something that is not done here.
    #[error(transparent)]
    Files(#[from] ModelError),
    /// A pattern that is no regular expression, or takes too long to match.
    #[error("{path}: {key} has the pattern {pattern:?}, which {what}")]
    Pattern {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// The pattern, cut.
        pattern: String,
        /// What is wrong with it.
        what: String,
    },
    /// The configuration means no weight of the model.
    #[error(
        "{path}: target_modules is {found}, which means no weight of this model that can be adapted, such as {example}"
    )]
    NoTarget {
        /// Which file.
        path: PathBuf,
        /// The value, cut.
        found: String,
        /// Name of a module that is there.
        example: String,
    },
    /// Tensors that do not go with configuration and model.
    #[error(transparent)]
    Tensors(#[from] Mismatch),
    /// A tensor has an entry that is NaN or ±∞.
    #[error("{path}: tensor {name} has an entry that is {value}, allowed: finite numbers")]
    NotFinite {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// The first such entry.
        value: f32,
    },
    /// A frozen weight that PEFT wrote beside the adapter is not the model's.
    #[error(
        "{path}: tensor {name} is a frozen weight, and not that of this model; PEFT would put it in the model's place. Load the \
         model that the adapter was trained on, or save the adapter with save_embedding_layers=False"
    )]
    OtherWeight {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
    },
    /// One use of a tied weight is adapted, or both, each by its own factors.
    #[error(
        "{module} is a use of a tied weight, and PEFT adapts this use alone (ensure_weight_tying is not true, or the model is the \
         bare one). A decoder with a tied weight has one ΔW for both uses; import the adapter for Decoder::untied, where each has \
         its own"
    )]
    OneUse {
        /// The module.
        module: String,
    },
    /// Some uses of T5's embedding are adapted, others not.
    #[error(
        "{module} is a use of the embedding, and the adapter is not on {other}, which is another. Here T5 has one ΔW for all of \
         them, so that this adapter cannot be imported"
    )]
    SomeUses {
        /// A module that is adapted.
        module: String,
        /// The first that is not.
        other: String,
    },
    /// A module that is not adapted here.
    #[error("{path}: target_modules means {module}: {why}")]
    LeftOut {
        /// Which file.
        path: PathBuf,
        /// The module.
        module: &'static str,
        /// Why it is not.
        why: &'static str,
    },
    /// The two uses of a tied weight have different factors or scalings.
    #[error("{first} and {second} are two uses of a tied weight, and their {what} differ: this is no one ΔW for both")]
    TwoUses {
        /// A module.
        first: String,
        /// The other one.
        second: String,
        /// What differs.
        what: &'static str,
    },
}

/// Tensors that do not go with configuration and model: all of them. It reads as one line for each.
#[derive(Debug, Error)]
pub struct Mismatch {
    /// Which file.
    pub path: PathBuf,
    /// Those that must be there and are not, each with its shape.
    pub missing: Vec<(String, Vec<usize>)>,
    /// Those that have no place: nothing would be done with them.
    pub unexpected: Vec<(String, Vec<usize>)>,
    /// Those of another shape.
    pub misshapen: Vec<Misshapen>,
}

/// A tensor of another shape than configuration and model give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misshapen {
    /// Its name.
    pub name: String,
    /// Its shape in the file.
    pub found: Vec<usize>,
    /// Its shape by configuration and model.
    pub expected: Vec<usize>,
}

impl Mismatch {
    /// Whether every tensor goes with configuration and model.
    pub(super) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshapen.is_empty()
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { path, missing, unexpected, misshapen } = self;
        let counts = (missing.len(), unexpected.len(), misshapen.len());
        let path = path.display();
        write!(f, "{path} does not go with its configuration and this model: ")?;
        write!(f, "{} tensors missing, {} unexpected, {} misshapen", counts.0, counts.1, counts.2)?;
        missing.iter().try_for_each(|(name, shape)| write!(f, "\n  missing     {name} {shape:?}"))?;
        unexpected.iter().try_for_each(|(name, shape)| write!(f, "\n  unexpected  {name} {shape:?}"))?;
        misshapen.iter().try_for_each(|Misshapen { name, found, expected }| {
            write!(f, "\n  misshapen   {name} {found:?}, must be {expected:?}")
        })
    }
}
