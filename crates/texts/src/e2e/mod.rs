//! The E2E NLG data: texts on restaurants, each beside the meaning representation that it says (J. Novikova, O. Dušek and
//! V. Rieser, "The E2E dataset: new challenges for end-to-end generation", SIGDIAL 2017; licence CC BY-SA 4.0).
//!
//! Read are the CSVs of the original release: two columns, `mr` and `ref`, in the form of RFC 4180, whatever ends the lines.
//! A row is a meaning representation and one text; a meaning representation with several texts has several rows.
//!
//! ```
//! use texts::e2e::Meaning;
//!
//! let meaning: Meaning = "name[Alimentum], area[city centre], familyFriendly[no]".parse()?;
//! assert_eq!(meaning.value("area"), Some("city centre"));
//! # Ok::<(), texts::e2e::MeaningError>(())
//! ```

mod error;
mod meaning;
mod split;

use std::path::Path;

pub use error::E2eError;
pub use meaning::{Meaning, MeaningError, Slot};
pub use split::{Group, Row, Split};

/// The three splits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// What a model learns from.
    pub train: Split,
    /// What is looked at while it is made.
    pub dev: Split,
    /// What is reported.
    pub test: Split,
}

/// The names that the file of each split may have. The first one that is there is taken.
const TRAIN: [&str; 2] = ["trainset.csv", "trainset-subset.csv"];
const DEV: [&str; 1] = ["devset.csv"];
const TEST: [&str; 1] = ["testset_w_refs.csv"];

impl Data {
    /// Reads the files of a directory, whatever the letter case of their names:
    ///
    /// | split | file |
    /// |---|---|
    /// | train | `trainset.csv`, or else `trainset-subset.csv` |
    /// | dev | `devset.csv` |
    /// | test | `testset_w_refs.csv` |
    ///
    /// [`Split::file`] says which one was taken.
    ///
    /// # Errors
    /// If a file is missing, cannot be read, or has a malformed line; the message names file and line.
    pub fn read(directory: &Path) -> Result<Self, E2eError> {
        Ok(Self {
            train: Split::find(directory, &TRAIN)?,
            dev: Split::find(directory, &DEV)?,
            test: Split::find(directory, &TEST)?,
        })
    }
}
