//! The E2E NLG data: texts on restaurants, each beside the meaning representation that it says (J. Novikova, O. Dušek and
//! V. Rieser, "The E2E dataset: new challenges for end-to-end generation", SIGDIAL 2017; licence CC BY-SA 4.0).
//!
//! Read are the CSVs of the original release, or those of the [cleaned](Version::Cleaned) one: two columns, `mr` and `ref` (others
//! are passed over), in the form of RFC 4180, whatever ends the lines.
//!
//! A row is a meaning representation and one text; a meaning representation with several texts has several rows.
//!
//! ```
//! use texts::e2e::Meaning;
//!
//! let meaning: Meaning = "name[Alimentum], area[city centre], familyFriendly[no]".parse()?;
//! assert!(meaning.values("area").eq(["city centre"]));
//! # Ok::<(), texts::e2e::MeaningError>(())
//! ```

mod error;
mod meaning;
mod split;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use error::E2eError;
pub use meaning::{Meaning, MeaningError, Slot};
pub use split::{Group, Row, Split};

/// Which of the two sets of rows. Scores on one are not comparable with scores on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Version {
    /// The original release.
    Original,
    /// O. Dušek, D. M. Howcroft and V. Rieser, "Semantic noise matters for neural natural language generation", INLG 2019: meaning
    /// representations that say what the texts say. The one of `GEM/e2e_nlg`, on which the paper reports.
    Cleaned,
}

impl Version {
    /// Its name in settings and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Cleaned => "cleaned",
        }
    }

    /// The names that the files of train, dev and test may have. The first one that is there is taken.
    fn files(self) -> [&'static [&'static str]; 3] {
        match self {
            Self::Original => [&["trainset.csv", "trainset-subset.csv"], &["devset.csv"], &["testset_w_refs.csv"]],
            Self::Cleaned => [&["train-fixed.no-ol.csv"], &["devel-fixed.no-ol.csv"], &["test-fixed.csv"]],
        }
    }
}

/// The three splits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// What a model learns from.
    pub train: Split,
    /// What is looked at while it is made.
    pub dev: Split,
    /// What is reported; it need not be there.
    pub test: Option<Split>,
}

impl Data {
    /// Reads the files of a directory, whatever the letter case of their names:
    ///
    /// | split | original | cleaned |
    /// |---|---|---|
    /// | train | `trainset.csv`, or else `trainset-subset.csv` | `train-fixed.no-ol.csv` |
    /// | dev | `devset.csv` | `devel-fixed.no-ol.csv` |
    /// | test | `testset_w_refs.csv`, if it is there | `test-fixed.csv`, if it is there |
    ///
    /// [`Split::file`] says which one was taken.
    ///
    /// # Errors
    /// If a file is missing, cannot be read, or has a malformed line; the message names file and line.
    pub fn read(directory: &Path, version: Version) -> Result<Self, E2eError> {
        let [train, dev, test] = version.files();
        let (train, dev) = (Split::find(directory, train)?, Split::find(directory, dev)?);
        let test = match Split::find(directory, test) {
            Ok(test) => Some(test),
            Err(E2eError::Absent { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { train, dev, test })
    }
}
