//! Trial store: outcomes of finished trials, found again by everything that determines them.
//!
//! An entry is one file, `results/PROFILE/.store/NAME/XX/HASH.trial`:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `LABTRIAL` |
//! | 32 | BLAKE3 of the key and the payload |
//! | rest | payload: the trial's seconds and its outcome, postcard |
//!
//! `HASH` is the key: BLAKE3 of the experiment's name and version and the trial as JSON (field names included, so that
//! two fields that trade places are not mistaken for each other). `XX` is how it begins, so that no directory has too many
//! files. An entry appears by a rename, so a killed run leaves whole entries only; a damaged one is reported, and its
//! trial runs again. Beside it are
//!
//! - `HASH.lease`, while a process runs the trial: see `lease.rs`;
//! - `HASH.scratch`, a directory in which a trial may keep what it needs to go on after a kill, until it is finished;
//! - `HASH.failed`, why it failed when it last did;
//! - `HASH.stale`, if the outcome here or in the pack was set aside by `--fresh`, until there is another.
//!
//! Several processes, on several machines that share the directory, may work on one store. Entries can be packed into one
//! file, `results/PROFILE/NAME.trials`, to be committed: what has no entry of its own is looked for there.

mod entry;
mod failure;
mod lease;
mod pack;
mod probe;

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

pub(crate) use self::failure::Failure;
pub(crate) use self::lease::{Lease, Terms, release_all};
use self::pack::Pack;
use crate::{Experiment, LabError, TrialError, files, process, stopping};

/// Raise it, and the number in [`CONTEXT`], when the layout of an entry or the making of a key changes: entries of other
/// formats are not found.
const FORMAT: u32 = 1;
const CONTEXT: &str = "lab trial store, format 1";

/// Bytes of the largest entry that is packed: more is too much to be committed.
const LARGEST_PACKED: usize = 1 << 20;

/// Seconds without a sign of life after which a process has lost its trial, unless something else is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A trial that took less is sooner run again than its outcome flushed to disk.
const CHEAP_SECONDS: f64 = 0.5;

/// The stored trials of one experiment and profile.
#[derive(Debug)]
pub struct Store {
    /// `results/PROFILE/.store/NAME`.
    directory: PathBuf,
    pack_path: PathBuf,
    pack: OnceLock<Pack>,
    /// Warnings given, each once though several trials may share an entry.
    warned: Mutex<HashSet<String>>,
    /// Between two signs of life of this process.
    beat: Duration,
    seen: lease::Seen,
    flat: OnceLock<bool>,
    /// Whether trials are run by this process.
    runs: bool,
}

/// Who runs a trial.
pub(crate) enum Turn {
    /// This process runs it, and tells the others so until this is dropped.
    Mine(Option<Lease>),
    /// Another process runs it.
    Elsewhere,
}

/// How a trial stands.
#[derive(Debug)]
pub(crate) enum Standing {
    Finished,
    /// By whom, if its lease can be read.
    Running(Option<Terms>),
    Failed(Failure),
    Waiting,
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
    /// Number of those that the plan lacks: they were packed before.
    pub others: usize,
    /// Number of different trials in the plan, if that is known.
    pub planned: Option<usize>,
    /// Number of stored trials that were left out of it because the plan lacks them.
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
    /// Opens (creating it if need be) the store of `experiment` below `results`, the directory of a profile, to run trials.
    /// A process that gives no sign of life for `patience` loses its trial to another.
    ///
    /// # Errors
    /// [`LabError::Write`] if it cannot be written; [`LabError::FileSystem`] if it lies where it cannot be safe.
    pub fn open(results: &Path, experiment: &'static str, patience: Duration) -> Result<Self, LabError> {
        let mut store = Self::look(results, experiment);
        store.beat = patience / lease::BEATS;
        files::ensure_writable(&store.directory)?;
        probe::check(&store.directory)?;
        store.runs = true;
        stopping::experiment_started(experiment, &store.directory);
        Ok(store)
    }

    /// Removes what killed processes of this machine left, and leases of finished trials that dead processes of other machines
    /// did not release. It looks at all files.
    pub fn clean(&self) {
        files::remove_partial(&self.directory, "");
        for (_, directory) in files::list(&self.directory).unwrap_or_default() {
            files::remove_partial(&directory, "");
            for (name, path) in files::list(&directory).unwrap_or_default() {
                if name.ends_with(".lease") && (self.is_finished(&path) || lease::is_of_the_dead(&path)) {
                    let _ = fs::remove_file(&path);
                }
            }
        }
    }

    /// Whether there is a whole outcome, not set aside, of the trial that has this file: nobody need run it.
    fn is_finished(&self, file: &Path) -> bool {
        let entry = file.with_extension("trial");
        let key = entry.file_name().and_then(|name| key_of_entry(name.to_str()?));
        key.is_some_and(|key| {
            !self.is_set_aside(key) && self.read(key).is_ok_and(|bytes| entry::check(key, &bytes).is_ok())
        })
    }

    /// The store, to read entries and pack them. Creates nothing but a lock where one is asked for.
    pub fn look(results: &Path, experiment: &str) -> Self {
        Self {
            directory: results.join(".store").join(experiment),
            pack_path: results.join(format!("{experiment}.trials")),
            pack: OnceLock::new(),
            warned: Mutex::default(),
            beat: PATIENCE / lease::BEATS,
            seen: lease::Seen::default(),
            flat: OnceLock::new(),
            runs: false,
        }
    }

    /// Waits until no other process writes tables and drawings of this experiment; none can while the file is open.
    ///
    /// # Errors
    /// [`LabError::Write`] if the lock's file cannot be made.
    pub fn lock_tables(&self) -> Result<File, LabError> {
        files::ensure_writable(&self.directory)?;
        let path = self.directory.join("lock");
        // To open a FIFO in its place would wait for a reader.
        let free = match files::refuse_special(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        };
        let opened = free.and_then(|()| File::options().write(true).create(true).truncate(false).open(&path));
        let lock = opened.map_err(|source| LabError::Write { path: path.clone(), source })?;
        let locked = match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                tracing::info!(
                    "waiting for another process that writes tables of the same experiment ({})",
                    path.display()
                );
                lock.lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        if let Err(error) = locked {
            tracing::warn!("no lock on {}: {error}; let only one process write tables at a time", path.display());
        }
        Ok(lock)
    }

    /// The outcome stored under `key`, if there is one, undamaged and not set aside: an entry of its own, else a packed one. A
    /// damaged one is reported as a warning.
    pub fn load<O: DeserializeOwned>(&self, key: Key) -> Option<Stored<O>> {
        if self.is_set_aside(key) {
            return None;
        }
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
        let (path, bytes) = (self.path(key), entry::encode(key, seconds, outcome)?);
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .map_err(|source| LabError::Write { path: path.clone(), source })?;
        match seconds < CHEAP_SECONDS {
            true => files::write_unflushed(&path, &bytes)?,
            false => files::write(&path, &bytes)?,
        }
        for extension in ["stale", "failed"] {
            let _ = fs::remove_file(self.file(key, extension));
        }
        stopping::trial_stored();
        Ok(())
    }

    /// Sets the outcome under `key` aside, stored or packed: it does not count until another replaces it, so that a run which is
    /// stopped half-way is not completed with what it was to replace. The same for why it failed; and for what it keeps to go on
    /// from, unless a process runs it now.
    ///
    /// # Errors
    /// [`LabError::Write`] if that cannot be noted.
    pub(crate) fn set_aside(&self, key: Key) -> Result<(), LabError> {
        if self.read(key).is_ok() || self.packed().get(key).is_some() {
            let (path, text) = (self.file(key, "stale"), "set aside by --fresh until there is another outcome\n");
            path.parent()
                .map_or(Ok(()), fs::create_dir_all)
                .map_err(|source| LabError::Write { path: path.clone(), source })?;
            files::write_unflushed(&path, text.as_bytes())?;
        }
        let _ = fs::remove_file(self.file(key, "failed"));
        if !matches!(self.standing(key), Standing::Running(_)) {
            files::remove_directory(&self.scratch(key));
        }
        Ok(())
    }

    fn is_set_aside(&self, key: Key) -> bool {
        self.file(key, "stale").exists()
    }

    /// Claims the trial under `key`. Its outcome may have been stored by another process just before.
    pub(crate) fn claim(&self, key: Key) -> Turn {
        let path = self.file(key, "lease");
        let claim = || lease::claim(&path, self.beat, &self.seen);
        let claimed = match claim() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| claim())
            }
            claimed => claimed,
        };
        match claimed {
            Ok(lease::Turn::Mine(lease)) => Turn::Mine(Some(lease)),
            Ok(lease::Turn::Elsewhere(terms)) => {
                terms.iter().for_each(|terms| process::warn_of_other_code(&terms.process));
                Turn::Elsewhere
            }
            Err(error) => {
                let path = path.display();
                self.warn(format!("cannot make {path} ({error}): another process may run the same trials again"));
                Turn::Mine(None)
            }
        }
    }

    /// Keeps why the trial under `key` failed.
    pub(crate) fn fail(&self, key: Key, error: &TrialError) {
        let text = toml::to_string(&Failure::of(error)).map_err(anyhow::Error::from);
        let written = text.and_then(|text| Ok(files::write(&self.file(key, "failed"), text.as_bytes())?));
        if let Err(error) = written {
            self.warn(format!("--status will not know why a trial failed: {error:#}"));
        }
    }

    /// Why the trial under `key` failed when it last did, if it was not finished since.
    pub(crate) fn failure(&self, key: Key) -> Option<Failure> {
        toml::from_str(&files::read_to_string(&self.file(key, "failed")).ok()?).ok()
    }

    /// How the trial under `key` stands, whose outcome is not stored.
    pub(crate) fn standing(&self, key: Key) -> Standing {
        let path = self.file(key, "lease");
        match fs::read(&path) {
            Ok(bytes) if !lease::is_of_the_dead(&path) => return Standing::Running(Terms::parse(&bytes)),
            _ => {}
        }
        self.failure(key).map_or(Standing::Waiting, Standing::Failed)
    }

    /// Whether there is a file of packed trials.
    pub fn has_pack(&self) -> bool {
        self.pack_path.exists()
    }

    /// Packs the whole entries that are stored now, but for those set aside, and those that were packed before: those of `planned`,
    /// or all if the plan is not known, but none above a mebibyte. Where an entry is in both, the stored one is taken. A file is
    /// written only if there is something to be packed; of several processes one at a time does it.
    ///
    /// # Errors
    /// [`LabError::Read`] if the earlier pack or the directory cannot be read, [`LabError::ForeignPack`] if that file has no trial
    /// of this format, [`LabError::Write`] if the new one cannot be written; the earlier one is there still.
    pub fn pack(&self, planned: Option<&HashSet<Key>>) -> Result<Packed, LabError> {
        let unread = |path: &Path, source| LabError::Read { path: path.to_owned(), source };
        let _alone = self.lock_pack();
        let old = Pack::read(&self.pack_path).map_err(|error| unread(&self.pack_path, error));
        let (mut pack, complaint) = old?;
        if let Some(complaint) = complaint {
            let is_empty = fs::metadata(&self.pack_path).is_ok_and(|file| file.len() == 0);
            if pack.len() == 0 && !is_empty {
                return Err(LabError::ForeignPack { complaint });
            }
            self.warn(complaint);
        }
        let before: HashSet<Key> = pack.keys().collect();
        for key in self.stored().map_err(|error| unread(&self.directory, error))? {
            match self.read(key) {
                _ if self.is_set_aside(key) => {}
                Ok(bytes) if entry::check(key, &bytes).is_ok() => pack.insert(key, bytes),
                _ => self.warn(format!("the stored trial {} is damaged; it is not packed", self.path(key).display())),
            }
        }
        let all = pack.len();
        if let Some(planned) = planned {
            // A run with other settings costs nothing of what was packed before.
            pack.retain(|key| planned.contains(&key) || before.contains(&key));
        }
        let wanted = pack.len();
        pack.drop_larger_than(LARGEST_PACKED);
        let bytes = pack.bytes();
        let others = planned.map_or(0, |planned| pack.keys().filter(|key| !planned.contains(key)).count());
        let (trials, path) = (pack.len(), self.pack_path.clone());
        let changed = trials > 0 && files::read(&path).ok().as_ref() != Some(&bytes);
        if changed {
            files::write(&path, &bytes)?;
        }
        Ok(Packed {
            path,
            bytes: bytes.len(),
            trials,
            others,
            planned: planned.map(HashSet::len),
            left_out: all - wanted,
            too_large: wanted - trials,
            changed,
        })
    }

    /// Waits until no other process packs; none does while the file is open. Without entries there is nothing to wait for.
    fn lock_pack(&self) -> Option<File> {
        let lock = File::create(self.directory.join("pack.lock")).ok()?;
        lock.lock().ok()?;
        Some(lock)
    }

    /// Where the trial under `key` may keep what it needs to go on after a kill. Not made here.
    pub(crate) fn scratch(&self, key: Key) -> PathBuf {
        self.file(key, "scratch")
    }

    /// The time between two looks at what other processes do.
    pub(crate) fn beat(&self) -> Duration {
        self.beat
    }

    fn path(&self, key: Key) -> PathBuf {
        self.file(key, "trial")
    }

    fn file(&self, key: Key, extension: &str) -> PathBuf {
        let hash = key.0.to_hex();
        self.directory.join(&hash[..2]).join(format!("{hash}.{extension}"))
    }

    /// The bytes of an entry of its own.
    fn read(&self, key: Key) -> io::Result<Vec<u8>> {
        match files::read(&self.path(key)) {
            // Where earlier versions had all of them.
            Err(error) if error.kind() == ErrorKind::NotFound && *self.flat.get_or_init(|| self.is_flat()) => {
                files::read(&self.directory.join(format!("{}.trial", key.0.to_hex())))
            }
            read => read,
        }
    }

    /// Whether an earlier version has left entries beside the directories of two letters.
    fn is_flat(&self) -> bool {
        files::list(&self.directory).unwrap_or_default().iter().any(|(name, _)| key_of_entry(name).is_some())
    }

    /// The keys that have an entry of their own.
    fn stored(&self) -> io::Result<HashSet<Key>> {
        let mut keys = HashSet::new();
        for (name, path) in files::list(&self.directory)? {
            keys.extend(key_of_entry(&name));
            if name.len() == 2 {
                keys.extend(files::list(&path)?.iter().filter_map(|(name, _)| key_of_entry(name)));
            }
        }
        Ok(keys)
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
        if self.runs {
            stopping::experiment_ended();
        }
    }
}

fn key_of_entry(name: &str) -> Option<Key> {
    blake3::Hash::from_hex(name.strip_suffix(".trial")?).ok().map(Key)
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
        let store = Store::open(directory.path(), "toy", PATIENCE).unwrap();
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
            let store = Store::open(directory.path(), "toy", PATIENCE).unwrap();
            assert_eq!(store.load::<Vec<f64>>(key_of("a")), Some(Stored { seconds: 2.5, outcome: outcome() }));
            fs::write(&path, "").unwrap();
        }
        // A plan without it does not cost what was packed.
        let store = Store::open(directory.path(), "toy", PATIENCE).unwrap();
        let packed = store.pack(Some(&HashSet::from([key_of("c")]))).unwrap();
        assert_eq!((packed.trials, packed.others, packed.changed), (1, 1, false));
        drop(store);
        // What is stored later replaces what was packed, and what was not is packed only if there is no plan.
        let store = Store::open(directory.path(), "toy", PATIENCE).unwrap();
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
        store.save(key_of("b"), 1.0, &outcome()).unwrap();
        fs::copy(path, store.path(key_of("b"))).unwrap();
        assert_eq!(store.load::<Vec<f64>>(key_of("b")), None);
    }

    #[test]
    fn an_outcome_of_another_type_is_not_decoded() {
        let (_directory, store, _) = filled();
        assert_eq!(store.load::<(String, String)>(key_of("a")), None);
    }

    #[test]
    fn what_dead_processes_left_is_removed_and_what_others_write_is_not() {
        let (_directory, store, path) = filled();
        let name = |unique: &str| path.with_file_name(format!(".x.trial.partial-{unique}"));
        let [dead, living, elsewhere] =
            [format!("{}-4294967295", process::this().machine), process::unique(), "another-7".into()]
                .map(|n| name(&n));
        let all = [&dead, &living, &elsewhere];
        all.iter().for_each(|path| fs::write(path, b"half").unwrap());
        let lock = store.lock_tables().unwrap();
        store.clean();
        assert_eq!(all.map(|path| path.exists()), [false, true, true]);
        assert!(File::open(store.directory.join("lock")).unwrap().try_lock().is_err());
        drop(lock);
        drop(store.lock_tables().unwrap());
    }

    #[test]
    fn entries_where_earlier_versions_had_them_are_found() {
        let (directory, store, path) = filled();
        fs::rename(&path, store.directory.join(path.file_name().unwrap())).unwrap();
        let store = Store::look(directory.path(), "toy");
        assert!(store.load::<Vec<f64>>(key_of("a")).is_some());
        assert_eq!(Store::look(directory.path(), "toy").pack(None).unwrap().trials, 1);
    }

    #[test]
    fn what_is_set_aside_does_not_count_until_it_is_replaced() {
        let (directory, store, path) = filled();
        let ([a, b], diverged) = (["a", "b"].map(key_of), TrialError::Diverged { iteration: 3, loss: 1.0 });
        store.pack(None).unwrap();
        store.fail(b, &diverged);
        fs::create_dir_all(store.scratch(a)).unwrap();
        [a, b].iter().for_each(|key| store.set_aside(*key).unwrap());
        assert!(!store.scratch(a).exists() && store.failure(b).is_none());
        // Neither what is stored nor what is packed, for no process; and it is not packed again.
        for stored in [true, false] {
            assert_eq!(Store::look(directory.path(), "toy").load::<Vec<f64>>(a), None, "{stored}");
            assert!(!store.pack(None).unwrap().changed);
            let _ = fs::remove_file(&path);
        }
        store.save(a, 3.5, &outcome()).unwrap();
        assert_eq!(store.load::<Vec<f64>>(a).unwrap().seconds, 3.5);
        assert!(store.pack(None).unwrap().changed);
    }

    #[test]
    fn what_a_process_runs_anew_stays_its_own() {
        let (_directory, store, path) = filled();
        let key = key_of("a");
        store.set_aside(key).unwrap();
        let Turn::Mine(lease) = store.claim(key) else { panic!("nobody else runs it") };
        fs::create_dir_all(store.scratch(key)).unwrap();
        store.clean();
        store.set_aside(key).unwrap();
        assert!(path.with_extension("lease").exists() && store.scratch(key).exists());
        // Another process did not release what it has finished.
        store.save(key, 1.0, &outcome()).unwrap();
        store.clean();
        assert!(!path.with_extension("lease").exists());
        drop(lease);
    }

    #[test]
    fn a_failure_is_kept_until_the_trial_is_finished() {
        let (_directory, store, _) = filled();
        let key = key_of("b");
        assert!(matches!(store.standing(key), Standing::Waiting));
        let Turn::Mine(lease) = store.claim(key) else { panic!("nobody else runs it") };
        assert!(matches!(store.standing(key), Standing::Running(Some(_))));
        store.fail(key, &TrialError::Diverged { iteration: 3, loss: 1.0 / 3.0 });
        drop(lease);
        let Standing::Failed(failure) = store.standing(key) else { panic!("it failed") };
        assert!(failure.is_lasting());
        assert!(matches!(failure.error(), TrialError::Diverged { iteration: 3, loss } if loss == 1.0 / 3.0));
        store.fail(key, &TrialError::Failed(anyhow::anyhow!("inner").context("outer")));
        let failure = store.failure(key).unwrap();
        assert!(!failure.is_lasting() && failure.error().to_string().starts_with("outer: inner (process "));
        store.save(key, 1.0, &outcome()).unwrap();
        assert!(store.failure(key).is_none());
    }
}
