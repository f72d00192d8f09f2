//! A source that is already there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::io_error;
use super::{Files, Sha256, SourceError};

/// Files in a local directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// The directory.
    pub directory: PathBuf,
    /// Files that must be there with these digests. Others are taken as they are.
    #[serde(default)]
    pub files: BTreeMap<String, Sha256>,
}

impl Directory {
    pub(super) fn fetch(&self) -> Result<Files, SourceError> {
        let files = Files { directory: self.directory.clone() };
        for (name, expected) in &self.files {
            let path = files.path(name)?;
            let got = Sha256::of_file(&path).map_err(io_error("read", &path))?;
            if got != *expected {
                return Err(SourceError::WrongHash { file: path.display().to_string(), expected: *expected, got });
            }
        }
        Ok(files)
    }
}
