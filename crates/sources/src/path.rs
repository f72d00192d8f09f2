//! A source that is already there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::io_error;
use super::{Files, Sha256, SourceError};

/// Files in a local directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// The directory. `~/` at its start is the user's home.
    pub directory: PathBuf,
    /// Files that must be there with these digests. Others are taken as they are.
    #[serde(default)]
    pub files: BTreeMap<String, Sha256>,
}

impl Directory {
    pub(super) fn fetch(&self) -> Result<Files, SourceError> {
        let directory = expand_home(&self.directory)?;
        if !directory.is_dir() {
            return Err(SourceError::NoDirectory { directory });
        }
        let files = Files { directory };
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

/// The path with the user's home in place of `~` at its start, as a shell would have it.
///
/// # Errors
/// If it starts with `~name`, or if the system names no home.
pub fn expand_home(path: &Path) -> Result<PathBuf, SourceError> {
    let mut parts = path.components();
    let start = parts.next().map(|start| start.as_os_str().to_string_lossy());
    if !start.is_some_and(|start| start.starts_with('~')) || path.exists() {
        return Ok(path.to_owned());
    }
    match (path.starts_with("~"), dirs::home_dir()) {
        (true, Some(home)) => Ok(home.join(parts.as_path())),
        _ => Err(SourceError::NoHome { path: path.to_owned() }),
    }
}
