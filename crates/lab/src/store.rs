//! Trial store: outcomes of finished trials, found again by everything that determines them.
//!
//! An entry is one file, `results/PROFILE/.store/NAME/HASH.trial`:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `LABTRIAL` |
//! | 32 | BLAKE3 of the key and the payload |
//! | rest | payload: the trial's seconds and its outcome, postcard |
//!
//! `HASH` is the key: BLAKE3 of the experiment's name and version and the trial as JSON (field names included, so that
//! two fields that trade places are not mistaken for each other). An entry appears by a rename, so a killed run leaves
//! whole entries only; a damaged one is reported, and its trial runs again. Beside it, in the directory `HASH.scratch`, a
//! trial may keep what it needs to go on after a kill; it is removed when the outcome is stored.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Experiment, LabError, files, signals};

/// Raise it when the layout of an entry or the making of a key changes: entries of other formats are not found.
const CONTEXT: &str = "lab trial store, format 1";
const MAGIC: &[u8; 8] = b"LABTRIAL";
const HEADER: usize = MAGIC.len() + blake3::OUT_LEN;

/// The stored trials of one experiment and profile, locked against other processes while it lives.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// Entries that were reported as unusable, each once though several trials may share it.
    unusable: Mutex<HashSet<Key>>,
    _lock: File,
}

/// Where a trial's outcome is kept: a hash of everything that determines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(blake3::Hash);

/// A stored outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<O> {
    /// Wall-clock seconds the trial took.
    pub seconds: f64,
    /// What it yielded.
    pub outcome: O,
}

impl<O: Serialize + DeserializeOwned> Stored<O> {
    /// The same, as it would be found in the store.
    pub(crate) fn copy(&self) -> Result<Self, LabError> {
        let copy = postcard::to_stdvec(&self.outcome).and_then(|bytes| postcard::from_bytes(&bytes));
        Ok(Self { seconds: self.seconds, outcome: copy.map_err(anyhow::Error::from)? })
    }
}

/// The key of a trial of experiment `E`.
///
/// # Errors
/// If the trial cannot be serialized, which is a mistake in its type.
pub fn key<E: Experiment>(trial: &E::Trial) -> Result<Key, LabError> {
    let step = "making the key of a trial";
    let json = serde_json::to_vec(trial).map_err(|error| LabError::Step {
        experiment: E::NAME,
        step,
        source: error.into(),
    })?;
    Ok(Key::of(E::NAME, E::VERSION, &json))
}

impl Key {
    fn of(experiment: &str, version: u32, trial: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&(experiment.len() as u64).to_le_bytes());
        hasher.update(experiment.as_bytes());
        hasher.update(&version.to_le_bytes());
        hasher.update(trial);
        Self(hasher.finalize())
    }
}

impl Store {
    /// Opens (creating it if need be) the store of `experiment` below `results`, the directory of a profile, and
    /// removes what killed runs left there.
    ///
    /// # Errors
    /// [`LabError::Busy`] if another process has it open; [`LabError::Write`] if it cannot be written.
    pub fn open(results: &Path, experiment: &'static str) -> Result<Self, LabError> {
        let directory = results.join(".store").join(experiment);
        files::ensure_writable(&directory)?;
        let path = directory.join("lock");
        // To open a FIFO in its place would wait for a reader.
        let free = match files::refuse_special(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        };
        let lock = free.and_then(|()| File::create(&path)).map_err(|source| LabError::Write { path, source })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LabError::Busy { experiment, directory: results.to_owned() });
            }
            Err(TryLockError::Error(error)) => {
                tracing::warn!(
                    "no lock on {}: {error}; do not run this experiment twice at the same time",
                    directory.display()
                );
            }
        }
        files::remove_partial(&directory, "");
        signals::experiment_started(experiment, &directory);
        Ok(Self { directory, unusable: Mutex::default(), _lock: lock })
    }

    /// The outcome stored under `key`, if there is one and it is undamaged. A damaged one is reported as a warning.
    pub fn load<O: DeserializeOwned>(&self, key: Key) -> Option<Stored<O>> {
        let path = self.path(key);
        let damage = match files::read(&path) {
            Ok(bytes) => match decode(key, &bytes) {
                Ok((seconds, outcome)) => return Some(Stored { seconds, outcome }),
                Err(damage) => format!("is damaged ({damage})"),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => format!("cannot be read ({error})"),
        };
        if self.unusable.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
            tracing::warn!("the stored trial {} {damage}; running it again", path.display());
        }
        None
    }

    /// Stores an outcome under `key`, replacing what is there.
    ///
    /// # Errors
    /// [`LabError::Write`] if the file cannot be written; [`LabError::Other`] if the outcome cannot be serialized.
    pub fn save<O: Serialize>(&self, key: Key, seconds: f64, outcome: &O) -> Result<(), LabError> {
        let payload = postcard::to_stdvec(&(seconds, outcome)).map_err(anyhow::Error::from)?;
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(checksum(key, &payload).as_bytes());
        bytes.extend_from_slice(&payload);
        files::write(&self.path(key), &bytes)?;
        signals::trial_stored();
        Ok(())
    }

    /// Where the trial under `key` may keep what it needs to go on after a kill. Not made here.
    pub(crate) fn scratch(&self, key: Key) -> PathBuf {
        self.directory.join(format!("{}.scratch", key.0.to_hex()))
    }

    fn path(&self, key: Key) -> PathBuf {
        self.directory.join(format!("{}.trial", key.0.to_hex()))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        signals::experiment_ended();
    }
}

fn checksum(key: Key, payload: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(key.0.as_bytes()).update(payload).finalize()
}

fn decode<O: DeserializeOwned>(key: Key, bytes: &[u8]) -> Result<(f64, O), &'static str> {
    if bytes.len() < HEADER {
        return Err("it is cut short");
    }
    let (header, payload) = bytes.split_at(HEADER);
    let (magic, sum) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err("it is not a stored trial");
    }
    if sum != checksum(key, payload).as_bytes() {
        return Err("its checksum does not match");
    }
    postcard::from_bytes(payload).map_err(|_| "another version of the program wrote it")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn key_of(text: &str) -> Key {
        Key(blake3::hash(text.as_bytes()))
    }

    fn outcome() -> Vec<f64> {
        vec![1.0 / 3.0, f64::NEG_INFINITY, 1e-300]
    }

    /// A store holding [`outcome`] under "a", and the path of its entry.
    fn filled() -> (tempfile::TempDir, Store, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), "toy").unwrap();
        store.save(key_of("a"), 2.5, &outcome()).unwrap();
        let path = store.path(key_of("a"));
        (directory, store, path)
    }

    #[test]
    fn a_key_depends_on_experiment_version_and_trial() {
        let key = Key::of("toy", 1, b"{}");
        assert_eq!(key, Key::of("toy", 1, b"{}"));
        for other in [Key::of("tox", 1, b"{}"), Key::of("toy", 2, b"{}"), Key::of("toy", 1, b"{ }")] {
            assert_ne!(key, other);
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (_directory, store, _) = filled();
        let stored = store.load::<Vec<f64>>(key_of("a")).unwrap();
        assert_eq!(stored, Stored { seconds: 2.5, outcome: outcome() });
        assert_eq!(store.load::<Vec<f64>>(key_of("b")), None);
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let (_directory, store, path) = filled();
        let good = fs::read(&path).unwrap();
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(store.load::<Vec<f64>>(key_of("a")), None, "flipped byte {position}");
            fs::write(&path, &good[..position]).unwrap();
            assert_eq!(store.load::<Vec<f64>>(key_of("a")), None, "cut at {position}");
        }
    }

    #[test]
    fn an_entry_under_another_name_is_not_believed() {
        let (_directory, store, path) = filled();
        fs::copy(path, store.path(key_of("b"))).unwrap();
        assert_eq!(store.load::<Vec<f64>>(key_of("b")), None);
    }

    #[test]
    fn an_outcome_of_another_type_is_not_decoded() {
        let (_directory, store, _) = filled();
        assert_eq!(store.load::<(String, String)>(key_of("a")), None);
    }

    #[test]
    fn a_second_process_is_refused_and_leftovers_are_removed() {
        let (directory, store, path) = filled();
        let leftover = path.with_file_name(".x.trial.partial-77");
        fs::write(&leftover, b"half").unwrap();
        let error = Store::open(directory.path(), "toy").unwrap_err();
        assert!(matches!(error, LabError::Busy { .. }), "{error}");
        assert!(leftover.exists(), "the lock protects the files of the run that holds it");
        drop(store);
        let store = Store::open(directory.path(), "toy").unwrap();
        assert!(!leftover.exists());
        assert!(store.load::<Vec<f64>>(key_of("a")).is_some());
    }
}
