//! Files that are whole or absent: written under a temporary name, flushed to disk, renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::LabError;

/// Part of every temporary file's name; the full name is `.NAME.EXT.partial-PROCESS`.
const PARTIAL: &str = ".partial-";

/// Writes `bytes` to `path`, replacing what is there, or leaves everything as it was. Its directory must be there.
///
/// # Errors
/// If the file system refuses.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    let partial = partial_path(path);
    let result = write_and_rename(&partial, path, bytes);
    if result.is_err() {
        // Already failing: if the removal fails too, the next run's clean-up does it.
        let _ = fs::remove_file(&partial);
    }
    result.map_err(|source| LabError::Write { path: path.to_owned(), source })
}

fn write_and_rename(partial: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(partial, path)
}

fn partial_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{PARTIAL}{}", std::process::id()))
}

/// Creates `directory` if need be and makes sure that files can be written in it, before hours of work.
pub(crate) fn ensure_writable(directory: &Path) -> Result<(), LabError> {
    let failed = |source| LabError::Write { path: directory.to_owned(), source };
    fs::create_dir_all(directory).map_err(failed)?;
    let probe = partial_path(&directory.join("probe"));
    let written = fs::write(&probe, b"probe");
    let removed = fs::remove_file(&probe);
    written.and(removed).map_err(failed)
}

/// Removes a directory and all that is in it, if it is there.
pub(crate) fn remove_directory(directory: &Path) {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("cannot remove {}: {error}", directory.display());
        }
        _ => {}
    }
}

/// Removes what killed runs left of the files of experiment `name` in `directory`. Call it only while holding the
/// experiment's lock, or a living process may lose its file.
pub(crate) fn remove_partial(directory: &Path, name: &str) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let prefix = format!(".{name}");
    for entry in entries.flatten() {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        if file.starts_with(&prefix) && file.contains(PARTIAL) {
            tracing::debug!("removing {}, left by a killed run", entry.path().display());
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!("cannot remove {}: {error}", entry.path().display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_the_file_and_leaves_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.csv");
        write(&path, b"old, and longer").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_names_the_file_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        // A directory of the same name: everything succeeds but the rename.
        let path = directory.path().join("a.csv");
        fs::create_dir(&path).unwrap();
        let error = write(&path, b"x").unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("a.csv"), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_the_experiments_own_leftovers_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let names = [".toy.csv.partial-1", ".toy.timing.csv.partial-2", ".other.csv.partial-3", "toy.csv"];
        for name in names {
            fs::write(directory.path().join(name), b"").unwrap();
        }
        remove_partial(directory.path(), "toy");
        let left: Vec<bool> = names.iter().map(|n| directory.path().join(n).exists()).collect();
        assert_eq!(left, [false, false, true, true]);
    }

    #[test]
    fn a_path_below_a_file_is_not_writable() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = ensure_writable(&file.path().join("results")).unwrap_err();
        assert!(error.to_string().starts_with("cannot write "), "{error}");
    }
}
