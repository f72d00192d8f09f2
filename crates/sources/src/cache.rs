//! The cache directory: one entry (a directory of files) per source, put in place whole by a rename.
//!
//! Layout: `KEY/` the files of an entry and `SHA256SUMS`, their digests (readable by `sha256sum -c`); `KEY.partial/` an
//! entry being made; `KEY.lock` held by the process that makes it. The key contains a hash of the declaration, so a
//! changed declaration is another entry.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::error::io_error;
use super::{Files, Sha256, SourceError, expand_home};

pub(super) const SUMS: &str = "SHA256SUMS";

/// Longer than the longest pause that hf-hub makes between two attempts (10 s).
const PATIENCE: Duration = Duration::from_secs(60);

/// Where downloads come from.
#[derive(Clone)]
pub struct Remote {
    /// Address of the Hugging Face hub.
    pub endpoint: String,
    /// The token shown to it.
    pub token: Option<String>,
    /// Whether it must not be asked at all.
    pub offline: bool,
    /// How long it may send nothing before it is given up.
    pub patience: Duration,
    /// The Python that runs pip.
    pub python: PathBuf,
}

impl Remote {
    /// As the usual environment variables say: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`. A silent hub is given up after
    /// a minute.
    pub fn from_env() -> Self {
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let is_yes = |value: String| ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str());
        Self {
            endpoint: get("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned()),
            // One that was read from a file still has the end of the line.
            token: get("HF_TOKEN").map(|token| token.trim().to_owned()),
            offline: get("HF_HUB_OFFLINE").is_some_and(is_yes),
            patience: PATIENCE,
            python: PathBuf::from(if cfg!(windows) { "python" } else { "python3" }),
        }
    }
}

/// A cache directory, and where to get what it lacks.
///
/// What is never taken from the cache, a [`Directory`](crate::Directory), needs none: that there is no place for it is only
/// an error for what would be kept there.
#[derive(Clone)]
pub struct Cache {
    /// `None` if neither the user nor the system names one.
    directory: Option<PathBuf>,
    pub(super) remote: Remote,
}

impl Cache {
    /// The cache in `directory`, which is made when first needed.
    pub fn new(directory: impl Into<PathBuf>, remote: Remote) -> Self {
        Self { directory: Some(directory.into()), remote }
    }

    /// The cache at `COMPRESSIBLE_DYNAMICS_CACHE`, or else in the system's directory for caches.
    pub fn from_env() -> Self {
        let given = std::env::var_os("COMPRESSIBLE_DYNAMICS_CACHE").filter(|value| !value.is_empty());
        let of_system = || dirs::cache_dir().map(|directory| directory.join("compressible-dynamics"));
        Self { directory: given.map(PathBuf::from).or_else(of_system), remote: Remote::from_env() }
    }

    /// The directory.
    pub fn directory(&self) -> Result<PathBuf, SourceError> {
        expand_home(self.directory.as_deref().ok_or(SourceError::NoCacheDirectory)?)
    }

    /// The files of entry `key`. If they are absent or damaged, `fill(work, files)` puts them into the directory
    /// `files`; it may keep what it likes in `work`, which survives a failure until the next attempt.
    pub(super) fn entry(
        &self,
        key: &str,
        fill: impl FnOnce(&Path, &Path) -> Result<(), SourceError>,
    ) -> Result<Files, SourceError> {
        let cache = self.directory()?;
        let directory = cache.join(key);
        if is_intact(&directory)? {
            return Ok(Files { directory });
        }
        fs::create_dir_all(&cache).map_err(io_error("create", &cache))?;
        let _lock = lock(&cache.join(format!("{key}.lock")))?;
        // Another process may have filled the entry while this one waited.
        if is_intact(&directory)? {
            return Ok(Files { directory });
        }
        let work = cache.join(format!("{key}.partial"));
        let files = work.join("files");
        fs::create_dir_all(&files).map_err(io_error("create", &files))?;
        fill(&work, &files)?;
        write_sums(&files)?;
        // A damaged entry, only now that there is another.
        remove(&directory)?;
        fs::rename(&files, &directory).map_err(io_error("create", &directory))?;
        remove(&work)?;
        Ok(Files { directory })
    }
}

/// The key of a declaration: a name for people, and a hash of all that it says.
pub(super) fn key(name: &str, declaration: &impl Serialize) -> String {
    let declaration = serde_json::to_vec(declaration).expect("strings are JSON");
    format!("{name}-{:.16}", blake3::hash(&declaration).to_hex())
}

/// Removes a directory and all that is in it, if it is there.
pub(super) fn remove(directory: &Path) -> Result<(), SourceError> {
    if !directory.exists() {
        return Ok(());
    }
    fs::remove_dir_all(directory).map_err(io_error("remove", directory))
}

/// The lock on `path`, waited for; released when the file is dropped (or its process dies).
fn lock(path: &Path) -> Result<File, SourceError> {
    let file = File::create(path).map_err(io_error("create", path))?;
    file.lock().map_err(io_error("lock", path))?;
    Ok(file)
}

/// Whether all files listed in the entry's sums are there with the content they were written with. A file that the system does
/// not let this process read is an error: it may be as good as ever.
fn is_intact(entry: &Path) -> Result<bool, SourceError> {
    let path = entry.join(SUMS);
    let Some(sums) = found(fs::read_to_string(&path), &path)? else { return Ok(false) };
    for line in sums.lines() {
        let Some((digest, name)) = line.split_once("  ") else { return Ok(false) };
        let path = entry.join(name);
        if found(Sha256::of_file(&path), &path)?.is_none_or(|found| found.to_string() != digest) {
            return Ok(false);
        }
    }
    Ok(!sums.is_empty())
}

/// What was read of a file; `None` if that is not there, or is no such file.
fn found<T>(read: io::Result<T>, path: &Path) -> Result<Option<T>, SourceError> {
    use ErrorKind::{InvalidData, IsADirectory, NotADirectory, NotFound};
    match read {
        Err(error) if matches!(error.kind(), NotFound | NotADirectory | IsADirectory | InvalidData) => Ok(None),
        read => read.map(Some).map_err(io_error("read", path)),
    }
}

fn write_sums(directory: &Path) -> Result<(), SourceError> {
    let path = directory.join(SUMS);
    // Left by an attempt that was killed after it.
    found(fs::remove_file(&path), &path)?;
    let mut names = Vec::new();
    list(directory, directory, &mut names)?;
    names.sort();
    let mut sums = String::new();
    for name in names {
        let path = directory.join(&name);
        let digest = Sha256::of_file(&path).map_err(io_error("read", &path))?;
        writeln!(sums, "{digest}  {name}").expect("a string takes everything");
    }
    fs::write(&path, sums).map_err(io_error("write", &path))
}

/// The names of all files below `directory`, relative to `root` and with slashes.
fn list(root: &Path, directory: &Path, names: &mut Vec<String>) -> Result<(), SourceError> {
    for entry in fs::read_dir(directory).map_err(io_error("read", directory))? {
        let path = entry.map_err(io_error("read", directory))?.path();
        if path.is_dir() {
            list(root, &path, names)?;
        } else if let Ok(name) = path.strip_prefix(root) {
            names.push(name.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Directory, Source, silent};

    /// As for a user without home: only what would be kept needs a place.
    #[test]
    fn a_directory_needs_no_cache() {
        let cache = Cache { directory: None, remote: Remote::from_env() };
        let directory = std::env::temp_dir();
        let here = Source::Path(Directory { directory: directory.clone(), files: BTreeMap::new() });
        assert_eq!(here.fetch(&cache, &silent).unwrap().directory(), directory);
        let error = Source::named("movie-sentiment").unwrap().fetch(&cache, &silent).unwrap_err();
        assert!(matches!(error, SourceError::NoCacheDirectory), "{error}");
    }

    /// Killed between writing the sums and moving the files to their place, the next attempt finds the sums among them.
    #[test]
    fn sums_of_an_attempt_before_are_not_among_the_files() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "b").unwrap();
        write_sums(directory.path()).unwrap();
        let first = fs::read_to_string(directory.path().join(SUMS)).unwrap();
        write_sums(directory.path()).unwrap();
        assert_eq!(fs::read_to_string(directory.path().join(SUMS)).unwrap(), first);
        assert!(is_intact(directory.path()).unwrap());
    }
}
