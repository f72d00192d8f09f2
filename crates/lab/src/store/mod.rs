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
//!
//! Entries can be packed into one file, `results/PROFILE/NAME.trials`, to be committed: what has no entry of its own is
//! looked for there.

mod entry;
mod pack;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Experiment, LabError, files, signals};

use self::pack::Pack;

/// Raise it, and the number in [`CONTEXT`], when the layout of an entry or the making of a key changes: entries of other
/// formats are not found.
const FORMAT: u32 = 1;
const CONTEXT: &str = "lab trial store, format 1";

/// Bytes of the largest entry that is packed: more is too much to be committed.
const LARGEST_PACKED: usize = 1 << 20;

/// The stored trials of one experiment and profile, locked against other processes while it lives.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    pack_path: PathBuf,
    pack: OnceLock<Pack>,
    /// Warnings given, each once though several trials may share an entry.
    warned: Mutex<HashSet<String>>,
    /// `None` if nothing is to be run.
    lock: Option<File>,
}

/// What became of packing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// Number of trials in it.
    pub trials: usize,
    /// Number of different trials in the plan, if that is known.
    pub planned: Option<usize>,
    /// Number of stored or packed trials that were left out of it because the plan lacks them.
    pub left_out: usize,
    /// Number of trials of the plan that were left out because their outcomes have more than a mebibyte.
    pub too_large: usize,
    /// Whether it changed.
    pub changed: bool,
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
        let mut store = Self::look(results, experiment);
        let directory = &store.directory;
        files::ensure_writable(directory)?;
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
        files::remove_partial(directory, "");
        signals::experiment_started(experiment, directory);
        store.lock = Some(lock);
        Ok(store)
    }

    /// The same, to read entries and pack them while another process may be running the experiment. Creates nothing.
    pub fn look(results: &Path, experiment: &str) -> Self {
        Self {
            directory: results.join(".store").join(experiment),
            pack_path: results.join(format!("{experiment}.trials")),
            pack: OnceLock::new(),
            warned: Mutex::default(),
            lock: None,
        }
    }

    /// The outcome stored under `key`, if there is one and it is undamaged: an entry of its own, else a packed one. A
    /// damaged one is reported as a warning.
    pub fn load<O: DeserializeOwned>(&self, key: Key) -> Option<Stored<O>> {
        let path = self.path(key);
        let damage = match self.read(key).map(|bytes| entry::decode(key, &bytes)) {
            Ok(Ok(stored)) => return Some(stored),
            Ok(Err(damage)) => Some(format!("is damaged ({damage})")),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => Some(format!("cannot be read ({error})")),
        };
        let packed = self.packed().get(key).map(|bytes| entry::decode(key, bytes));
        if let Some(damage) = damage {
            let instead = match &packed {
                Some(Ok(_)) => format!("using that in {}", self.pack_path.display()),
                _ => "running it again".to_owned(),
            };
            self.warn(format!("the stored trial {} {damage}; {instead}", path.display()));
        }
        match packed? {
            Ok(stored) => Some(stored),
            Err(damage) => {
                self.warn(format!(
                    "a trial in {} cannot be used ({damage}); running it again",
                    self.pack_path.display()
                ));
                None
            }
        }
    }

    /// Stores an outcome under `key`, replacing what is there.
    ///
    /// # Errors
    /// [`LabError::Write`] if the file cannot be written; [`LabError::Other`] if the outcome cannot be serialized.
    pub fn save<O: Serialize>(&self, key: Key, seconds: f64, outcome: &O) -> Result<(), LabError> {
        files::write(&self.path(key), &entry::encode(key, seconds, outcome)?)?;
        signals::trial_stored();
        Ok(())
    }

    /// Whether there is a file of packed trials.
    pub fn has_pack(&self) -> bool {
        self.pack_path.exists()
    }

    /// Packs the whole entries that are stored now, and those that were packed before: those of `planned`, or all if the
    /// plan is not known, but none above a mebibyte. Where an entry is in both, the stored one is taken. Needs no lock. A file is written only if
    /// there is something to be packed.
    ///
    /// # Errors
    /// [`LabError::Read`] if the earlier pack or the directory cannot be read, [`LabError::Write`] if the new one cannot
    /// be written; the earlier one is there still.
    pub fn pack(&self, planned: Option<&HashSet<Key>>) -> Result<Packed, LabError> {
        let unread = |path: &Path, source| LabError::Read { path: path.to_owned(), source };
        let old = Pack::read(&self.pack_path).map_err(|error| unread(&self.pack_path, error));
        let (mut pack, complaint) = old?;
        complaint.into_iter().for_each(|complaint| self.warn(complaint));
        for key in self.stored().map_err(|error| unread(&self.directory, error))? {
            match self.read(key) {
                Ok(bytes) if entry::check(key, &bytes).is_ok() => pack.insert(key, bytes),
                _ => self.warn(format!("the stored trial {} is damaged; it is not packed", self.path(key).display())),
            }
        }
        let all = pack.len();
        if let Some(planned) = planned {
            pack.retain(|key| planned.contains(&key));
        }
        let wanted = pack.len();
        pack.drop_larger_than(LARGEST_PACKED);
        let bytes = pack.bytes();
        let (trials, path) = (pack.len(), self.pack_path.clone());
        let changed = trials > 0 && files::read(&path).ok().as_ref() != Some(&bytes);
        if changed {
            files::write(&path, &bytes)?;
        }
        Ok(Packed {
            path,
            bytes: bytes.len(),
            trials,
            planned: planned.map(HashSet::len),
            left_out: all - wanted,
            too_large: wanted - trials,
            changed,
        })
    }

    /// Where the trial under `key` may keep what it needs to go on after a kill. Not made here.
    pub(crate) fn scratch(&self, key: Key) -> PathBuf {
        self.directory.join(format!("{}.scratch", key.0.to_hex()))
    }

    fn path(&self, key: Key) -> PathBuf {
        self.directory.join(format!("{}.trial", key.0.to_hex()))
    }

    /// The bytes of an entry of its own.
    fn read(&self, key: Key) -> io::Result<Vec<u8>> {
        files::read(&self.path(key))
    }

    /// The keys that have an entry of their own.
    fn stored(&self) -> io::Result<Vec<Key>> {
        let key = |name: OsString| {
            let hash = blake3::Hash::from_hex(name.to_str()?.strip_suffix(".trial")?);
            hash.ok().map(Key)
        };
        match fs::read_dir(&self.directory) {
            Ok(entries) => entries.filter_map(|entry| entry.map(|entry| key(entry.file_name())).transpose()).collect(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The packed entries, read when they are first asked for.
    fn packed(&self) -> &Pack {
        self.pack.get_or_init(|| match Pack::read(&self.pack_path) {
            Ok((pack, complaint)) => {
                complaint.into_iter().for_each(|complaint| self.warn(complaint));
                pack
            }
            Err(error) => {
                self.warn(format!("{} cannot be read ({error}); it is ignored", self.pack_path.display()));
                Pack::default()
            }
        })
    }

    /// Warns, unless this was said before.
    fn warn(&self, text: String) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if !warned.contains(&text) {
            tracing::warn!("{text}");
            warned.insert(text);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.lock.is_some() {
            signals::experiment_ended();
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn the_format_of_keys_is_that_of_packs() {
        assert!(CONTEXT.ends_with(&format!(" format {FORMAT}")));
    }

    #[test]
    fn packed_trials_are_found_where_there_is_no_whole_entry() {
        let (directory, store, path) = filled();
        store.save(key_of("b"), 1.0, &outcome()).unwrap();
        let planned = HashSet::from([key_of("a"), key_of("c")]);
        let packed = store.pack(Some(&planned)).unwrap();
        assert_eq!((packed.trials, packed.left_out, packed.changed), (1, 1, true));
        assert_eq!(fs::metadata(&packed.path).unwrap().len(), packed.bytes as u64);
        assert!(!store.pack(Some(&planned)).unwrap().changed);
        drop(store);
        for damage in [None, Some("LABTRIAL")] {
            fs::remove_file(&path).unwrap();
            damage.into_iter().for_each(|text| fs::write(&path, text).unwrap());
            let store = Store::open(directory.path(), "toy").unwrap();
            assert_eq!(store.load::<Vec<f64>>(key_of("a")), Some(Stored { seconds: 2.5, outcome: outcome() }));
            fs::write(&path, "").unwrap();
        }
        // What is stored later replaces what was packed, and what is not planned stays only if there is no plan.
        let store = Store::open(directory.path(), "toy").unwrap();
        store.save(key_of("a"), 3.5, &outcome()).unwrap();
        assert_eq!(store.pack(None).unwrap().trials, 2);
        fs::remove_file(&path).unwrap();
        assert_eq!(Store::look(directory.path(), "toy").load::<Vec<f64>>(key_of("a")).unwrap().seconds, 3.5);
    }

    #[test]
    fn what_is_too_large_to_be_committed_is_not_packed() {
        let (_directory, store, _) = filled();
        store.save(key_of("b"), 1.0, &vec![0.5; LARGEST_PACKED / 8]).unwrap();
        let packed = store.pack(None).unwrap();
        assert_eq!((packed.trials, packed.too_large, packed.left_out), (1, 1, 0));
        assert!(packed.bytes < 1000);
    }

    #[test]
    fn a_pack_that_cannot_be_read_is_not_replaced_and_nothing_is_no_pack() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::look(directory.path(), "toy");
        assert_eq!(store.pack(None).unwrap().trials, 0);
        assert!(!store.has_pack());
        fs::create_dir(directory.path().join("toy.trials")).unwrap();
        assert!(matches!(store.pack(None), Err(LabError::Read { .. })));
        assert_eq!(store.load::<Vec<f64>>(key_of("a")), None);
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
