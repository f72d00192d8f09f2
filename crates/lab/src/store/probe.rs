//! What the store needs of a file system: a name is made once, and a rename replaces a file in one step that shows at once.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{LabError, files};

/// Renames over a file that is read all the time.
const RENAMES: usize = 16;
const CONTENTS: [&[u8]; 2] = [b"first", b"second, and longer"];

/// Makes sure that the file system of `directory` can hold a store, for as far as one process can see.
///
/// # Errors
/// [`LabError::FileSystem`] if it does not do what it should; [`LabError::Write`] if it cannot be written at all.
pub(super) fn check(directory: &Path) -> Result<(), LabError> {
    let names = ["probe-a", "probe-b", "probe-c"].map(|name| files::partial_path(&directory.join(name)));
    let probed = probe(&names);
    for name in &names {
        let _ = fs::remove_file(name);
    }
    match probed {
        Ok(None) => Ok(()),
        Ok(Some(fault)) => Err(LabError::FileSystem { directory: directory.to_owned(), fault }),
        Err(source) => Err(LabError::Write { path: directory.to_owned(), source }),
    }
}

/// The first fault found.
fn probe([a, b, c]: &[PathBuf; 3]) -> io::Result<Option<&'static str>> {
    let create = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path).map(drop);
    create(a)?;
    match create(a) {
        Ok(()) => return Ok(Some("makes a file that is there already (no exclusive creation)")),
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    fs::write(a, CONTENTS[0])?;
    if let Some(fault) = fault_in_replacing(a, b)? {
        return Ok(Some(fault));
    }
    fs::rename(a, c)?;
    if a.exists() || !c.exists() {
        return Ok(Some("shows a file under its old name after a rename (stale metadata)"));
    }
    match create(a) {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(Some("refuses a name that a rename has freed (stale metadata)"))
        }
        Err(error) => Err(error),
    }
}

/// Renames files made at `new` over `place` while another thread reads there: it must find a whole one each time.
fn fault_in_replacing(place: &Path, new: &Path) -> io::Result<Option<&'static str>> {
    let done = AtomicBool::new(false);
    let is_whole = || fs::read(place).is_ok_and(|text| CONTENTS.contains(&text.as_slice()));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if !is_whole() {
                    return false;
                }
            }
            true
        });
        let replaced: io::Result<bool> = (1..=RENAMES).try_fold(true, |fresh, number| {
            let content = CONTENTS[number % 2];
            fs::write(new, content)?;
            fs::rename(new, place)?;
            Ok(fresh && fs::read(place).is_ok_and(|found| found == content))
        });
        done.store(true, Ordering::Relaxed);
        let whole = reader.join().unwrap_or(false);
        Ok(match replaced? {
            _ if !whole => {
                Some("shows neither the old nor the new file while one is renamed over the other (no atomic rename)")
            }
            false => Some("shows old content after a rename (stale metadata)"),
            true => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_file_system_passes_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        check(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(matches!(check(&directory.path().join("missing")), Err(LabError::Write { .. })));
    }
}
