//! Files that are whole or absent: written under a temporary name, flushed to disk, renamed. Files that belong together
//! are replaced together, under a seal that is there only while all of them are.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::{LabError, process};

/// Part of every temporary file's name; the full name is `.NAME.EXT.partial-MACHINE-PROCESS-SERIAL`.
const PARTIAL: &str = ".partial-";

/// Held while [`replace_sealed`] replaces files, so that a signal does not end the program in between.
pub(crate) static REPLACING: Mutex<()> = Mutex::new(());

/// A file's new content, on disk under a temporary name that is removed if it is not put in place.
struct Partial<'a> {
    partial: PathBuf,
    path: &'a Path,
}

impl<'a> Partial<'a> {
    fn write(path: &'a Path, bytes: &[u8], flush: bool) -> Result<Self, LabError> {
        let new = Self { partial: partial_path(path), path };
        let written = File::create(&new.partial).and_then(|mut file| {
            file.write_all(bytes)?;
            if flush { file.sync_all() } else { Ok(()) }
        });
        written.map(|()| new).map_err(|source| LabError::Write { path: path.to_owned(), source })
    }

    fn put_in_place(self) -> Result<(), LabError> {
        fs::rename(&self.partial, self.path).map_err(|source| LabError::Write { path: self.path.to_owned(), source })
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        // In place, it is gone. If the removal fails otherwise, the next run's clean-up does it.
        let _ = fs::remove_file(&self.partial);
    }
}

/// Writes `bytes` to `path`, replacing what is there, or leaves everything as it was. Its directory must be there.
///
/// # Errors
/// If the file system refuses.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    Partial::write(path, bytes, true)?.put_in_place()
}

/// The same for what is cheap to make again and has a checksum: it is not flushed, so that a power failure may damage it.
pub(crate) fn write_unflushed(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    Partial::write(path, bytes, false)?.put_in_place()
}

/// Replaces `files` and then `seal`, all in one directory, so that the seal is never beside files of another generation:
/// everything is written first (a full disk leaves all as it was), then the old seal goes, the files are replaced, and
/// the new seal comes last. What is interrupted leaves no seal. With the old seal goes `derived`, which was made from the
/// old files.
pub(crate) fn replace_sealed(files: &[(PathBuf, &[u8])], seal: (&Path, &[u8]), derived: &Path) -> Result<(), LabError> {
    let partials: Result<Vec<_>, _> = files.iter().map(|(path, bytes)| Partial::write(path, bytes, true)).collect();
    let (partials, (path, bytes)) = (partials?, seal);
    let last = Partial::write(path, bytes, true)?;
    let _whole = REPLACING.lock().unwrap_or_else(PoisonError::into_inner);
    for old in [path, derived] {
        match fs::remove_file(old) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(LabError::Write { path: old.to_owned(), source });
            }
            _ => {}
        }
    }
    sync_directory_of(path);
    partials.into_iter().try_for_each(Partial::put_in_place)?;
    sync_directory_of(path);
    last.put_in_place()?;
    sync_directory_of(path);
    Ok(())
}

/// Makes renames and removals lasting in the order they were made, where the file system can.
fn sync_directory_of(path: &Path) {
    // Not all file systems can; the files themselves are on disk.
    let _ = path.parent().map(|directory| File::open(directory).and_then(|directory| directory.sync_all()));
}

/// Reads a file. What is none, a FIFO say, is an error and not waited for.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    refuse_special(path)?;
    fs::read(path)
}

/// Reads a text file, as [`read`] does.
pub(crate) fn read_to_string(path: &Path) -> io::Result<String> {
    refuse_special(path)?;
    String::from_utf8(fs::read(path)?).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        io::Error::new(io::ErrorKind::InvalidData, format!("its line {line} is not UTF-8"))
    })
}

/// An error if `path` is there and no regular file (or a link to one).
pub(crate) fn refuse_special(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    match kind.is_file() {
        true => Ok(()),
        false => Err(io::Error::other(format!("it is {}, not a file", special(kind)))),
    }
}

#[cfg(unix)]
fn special(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO (named pipe)",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

#[cfg(not(unix))]
fn special(kind: fs::FileType) -> &'static str {
    if kind.is_dir() { "a directory" } else { "something else" }
}

/// Whether a write failed because it is not allowed there.
pub(crate) fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// A name beside `path` that nobody else uses.
pub(crate) fn partial_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{PARTIAL}{}", process::unique()))
}

/// Names and paths of what is in a directory, if it is there.
pub(crate) fn list(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    match fs::read_dir(directory) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()))).collect()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Creates `directory` if need be and makes sure that files can be written in it, before hours of work.
pub(crate) fn ensure_writable(directory: &Path) -> Result<(), LabError> {
    let failed = |source| LabError::Write { path: directory.to_owned(), source };
    fs::create_dir_all(directory).map_err(failed)?;
    remove_partial(directory, "probe");
    let probe = partial_path(&directory.join("probe"));
    let written = fs::write(&probe, b"probe");
    let removed = fs::remove_file(&probe);
    written.and(removed).map_err(failed)
}

/// Removes a directory and all that is in it, if it is there.
pub(crate) fn remove_directory(directory: &Path) {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!("cannot remove {}: {error}", directory.display());
        }
        _ => {}
    }
}

/// Removes what processes of this machine that are no more left in `directory` of files whose names begin with `name`.
pub(crate) fn remove_partial(directory: &Path, name: &str) {
    let prefix = format!(".{name}");
    for (file, path) in list(directory).unwrap_or_default() {
        let Some((_, unique)) = file.split_once(PARTIAL).filter(|_| file.starts_with(&prefix)) else { continue };
        if process::is_dead_by_name(unique) {
            tracing::debug!("removing {}, left by a killed run", path.display());
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!("cannot remove {}: {error}", path.display());
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
    fn a_seal_is_there_only_while_all_its_files_are() {
        let directory = tempfile::tempdir().unwrap();
        let [a, b, seal, derived] =
            ["a.csv", "b.csv", "meta.toml", "claims.csv"].map(|name| directory.path().join(name));
        let replace = |text: &[u8]| replace_sealed(&[(a.clone(), text), (b.clone(), text)], (&seal, text), &derived);
        let content = || [&a, &b, &seal].map(|path| fs::read(path).ok());
        replace(b"old").unwrap();
        assert_eq!(content(), [(); 3].map(|()| Some(b"old".to_vec())));
        // The second file cannot be replaced: the first one is new by then.
        fs::remove_file(&b).unwrap();
        fs::create_dir(&b).unwrap();
        fs::write(&derived, "of the old files").unwrap();
        assert!(replace(b"new").unwrap_err().to_string().contains("b.csv"));
        assert_eq!(content(), [Some(b"new".to_vec()), None, None]);
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            2,
            "neither a temporary file nor what was derived is left"
        );
        fs::remove_dir(&b).unwrap();
        replace(b"third").unwrap();
        assert_eq!(content(), [(); 3].map(|()| Some(b"third".to_vec())));
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let error = read(directory.path()).unwrap_err().to_string();
        assert_eq!(error, "it is a directory, not a file");
        let missing = read_to_string(&directory.path().join("x")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn only_the_experiments_own_leftovers_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let dead = format!("partial-{}-4294967295", process::this().machine);
        let other = [format!(".other.csv.{dead}"), "toy.csv".into(), ".toy.csv.partial-another-1".into()];
        let mine = [format!(".toy.csv.{dead}"), format!(".toy.timing.csv.{dead}")];
        let exist = |names: &[String]| names.iter().map(|n| directory.path().join(n).exists()).collect::<Vec<_>>();
        for name in mine.iter().chain(&other) {
            fs::write(directory.path().join(name), b"").unwrap();
        }
        remove_partial(directory.path(), "toy");
        assert_eq!((exist(&mine), exist(&other)), (vec![false; 2], vec![true; 3]));
    }

    #[test]
    fn a_path_below_a_file_is_not_writable() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = ensure_writable(&file.path().join("results")).unwrap_err();
        assert!(error.to_string().starts_with("cannot write "), "{error}");
    }
}
