//! Leases: which process runs a trial. Several processes, on one machine or on several that share their files, then do one
//! experiment together.
//!
//! A lease is a file beside the entry that is to come, `HASH.lease`, made only if it is not there (by a hard link, which
//! brings the content with it). It has the process, and
//! a number that the process raises every [beat](Terms::beat_seconds), as long as it lives. A lease is abandoned when its process
//! was on this machine and is no more, or when the number has not changed for [`BEATS`] beats *while this process
//! looked*: no clocks are compared. Then it is renamed out of the way, which only one of several can do.
//!
//! None of this is needed for correct results. If a stopped process wakes and goes on with a trial that another has taken
//! over, the trial runs twice, to the same outcome, of which the first is kept.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::process::{self, Process};
use crate::{files, provenance};

/// Beats without a change after which a lease is abandoned.
pub(crate) const BEATS: u32 = 6;
/// Of a lease that cannot be read: its process may have died while it wrote.
const UNREADABLE: Duration = Duration::from_secs(60);

/// What a lease says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Terms {
    #[serde(flatten)]
    pub(crate) process: Process,
    /// Tells leases of one process apart.
    serial: u64,
    /// When the trial was started, by the clock of that machine: for people.
    pub(crate) since: String,
    /// Seconds between two changes of the file.
    pub(crate) beat_seconds: f64,
    /// Last in the file, and always of the same length.
    #[serde(default)]
    beats: String,
}

impl Terms {
    fn new(beat: Duration) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        Self {
            process: process::this().clone(),
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            since: provenance::now(),
            beat_seconds: beat.as_secs_f64(),
            beats: String::new(),
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        toml::from_str(std::str::from_utf8(bytes).ok()?).ok()
    }

    /// Without a change for so long, the lease is abandoned.
    pub(crate) fn patience(&self) -> Duration {
        // From a file: any number.
        Duration::try_from_secs_f64(self.beat_seconds * f64::from(BEATS)).unwrap_or(UNREADABLE)
    }
}

/// Whose turn it is to run a trial.
pub(super) enum Turn {
    /// The trial is this process's to run, until this is dropped.
    Mine(Lease),
    /// Another process runs it; `None` if its lease cannot be read.
    Elsewhere(Option<Terms>),
}

/// The right to run a trial. Its file is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    path: PathBuf,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The lock is not held while files are waited for.
        let own = held().leases.remove(&self.path);
        if let Some(own) = own {
            own.release(&self.path);
        }
    }
}

/// What this process saw of the leases of others: their bytes, and since when they are the same.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<PathBuf, (Vec<u8>, Instant)>>);

/// Claims what `path` is the lease of.
pub(super) fn claim(path: &Path, beat: Duration, seen: &Seen) -> io::Result<Turn> {
    // Each time round, another process has just released or taken over the lease.
    for _ in 0..3 {
        match create(path, beat) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return created.map(Turn::Mine),
        }
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            read => read?,
        };
        let terms = Terms::parse(&bytes);
        if !seen.is_abandoned(path, &bytes, terms.as_ref()) {
            return Ok(Turn::Elsewhere(terms));
        }
        if let Some(terms) = &terms {
            tracing::info!("taking over a trial of {}, which gives no sign of life", terms.process);
        }
        take_away(path, &bytes)?;
    }
    Ok(Turn::Elsewhere(None))
}

impl Seen {
    fn is_abandoned(&self, path: &Path, bytes: &[u8], terms: Option<&Terms>) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if terms.is_some_and(|terms| process::is_dead(&terms.process)) {
            return true;
        }
        let now = Instant::now();
        let (last, since) = seen.entry(path.to_owned()).or_insert_with(|| (bytes.to_vec(), now));
        if last != bytes {
            (*last, *since) = (bytes.to_vec(), now);
        }
        now.duration_since(*since) > terms.map_or(UNREADABLE, Terms::patience)
    }
}

/// Whether `path` is a lease of a process that was on this machine and is no more.
pub(super) fn is_of_the_dead(path: &Path) -> bool {
    let terms = fs::read(path).ok().and_then(|bytes| Terms::parse(&bytes));
    terms.is_some_and(|terms| process::is_dead(&terms.process))
}

/// Makes the file, only if it is not there.
fn create(path: &Path, beat: Duration) -> io::Result<Lease> {
    let terms = toml::to_string(&Terms::new(beat)).map_err(io::Error::other)?;
    let head = terms.rsplit_once("beats = ").map_or("", |(head, _)| head).to_owned();
    put(path, format!("{head}{}", beats(0)).as_bytes())?;
    let next = Instant::now() + beat;
    hold(path, Held { head, beats: 0, beat, next });
    Ok(Lease { path: path.to_owned() })
}

/// Makes a file with this content in one step, only if it is not there.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let aside = files::partial_path(path);
    let linked = fs::write(&aside, content).and_then(|()| fs::hard_link(&aside, path));
    let _ = fs::remove_file(&aside);
    match linked {
        // No hard links here: then two steps, and a process that dies between them leaves an empty file.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            let written = file.write_all(content);
            written.inspect_err(|_| drop(fs::remove_file(path)))
        }
        linked => linked,
    }
}

fn beats(number: u64) -> String {
    format!("beats = \"{number:010}\"\n")
}

/// Removes an abandoned lease, and only that: what proves to be another's is put back.
fn take_away(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = files::partial_path(path);
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        renamed => renamed?,
    }
    if fs::read(&aside)? != bytes {
        // Another process was faster, and this is its own. If it made a third in the meantime, that one counts.
        let _ = fs::hard_link(&aside, path);
    }
    fs::remove_file(&aside)
}

/// A lease of this process.
#[derive(Debug, Clone)]
struct Held {
    /// All of the file before the beats.
    head: String,
    beats: u64,
    beat: Duration,
    next: Instant,
}

impl Held {
    /// One that is to be raised now, and again after a beat.
    fn due((path, held): (&PathBuf, &mut Self)) -> (PathBuf, Self) {
        held.beats += 1;
        held.next = Instant::now() + held.beat;
        (path.clone(), held.clone())
    }

    /// Raises the number in the file. Whether the lease is lost.
    fn is_lost(&self, path: &Path) -> bool {
        match self.raise(path) {
            Ok(true) => false,
            Ok(false) => {
                // Not if it was released a moment ago.
                let lost = path.exists();
                if lost {
                    tracing::warn!(
                        "{}: another process has taken over a trial of this one, which was stopped",
                        path.display()
                    );
                }
                lost
            }
            Err(error) => {
                tracing::warn!(
                    "cannot keep {} alive ({error}): another process may take over its trial",
                    path.display()
                );
                false
            }
        }
    }

    /// Writes the number into the file. `false` if that is another's, or gone.
    fn raise(&self, path: &Path) -> io::Result<bool> {
        let Some(mut file) = self.open(path)? else { return Ok(false) };
        file.seek(SeekFrom::Start(self.head.len() as u64))?;
        file.write_all(beats(self.beats).as_bytes())?;
        Ok(true)
    }

    /// The file, if it is still this process's.
    fn open(&self, path: &Path) -> io::Result<Option<File>> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(text.starts_with(self.head.as_bytes()).then_some(file))
    }

    fn release(&self, path: &Path) {
        match self.open(path) {
            Ok(None) => {}
            // If it cannot be removed, others wait until it is abandoned.
            _ => drop(fs::remove_file(path)),
        }
    }
}

/// All of this process.
struct AllHeld {
    leases: BTreeMap<PathBuf, Held>,
    /// Whether the thread that raises them waits until it is told of the next one.
    idle: bool,
}

static HELD: Mutex<AllHeld> = Mutex::new(AllHeld { leases: BTreeMap::new(), idle: false });
static CLAIMED: Condvar = Condvar::new();

fn held() -> MutexGuard<'static, AllHeld> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a lease alive, by a thread of its own for all of them.
fn hold(path: &Path, lease: Held) {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        if let Err(error) = std::thread::Builder::new().name("leases".into()).spawn(keep_beating) {
            tracing::warn!("cannot keep leases alive ({error}): another process may run the same trials again");
        }
    });
    let mut all = held();
    all.leases.insert(path.to_owned(), lease);
    // Else it wakes for another lease in time: to wake it for each short trial would cost more than the trial's file.
    if all.idle {
        CLAIMED.notify_one();
    }
}

/// Releases all leases of this process, which is about to end: others need not wait.
pub(crate) fn release_all() {
    let all = std::mem::take(&mut held().leases);
    for (path, held) in all {
        held.release(&path);
    }
}

fn keep_beating() {
    let mut all = held();
    loop {
        let now = Instant::now();
        match all.leases.values().map(|held| held.next).min() {
            None => {
                all.idle = true;
                all = CLAIMED.wait(all).unwrap_or_else(PoisonError::into_inner);
                all.idle = false;
            }
            Some(next) if next > now => {
                all = CLAIMED.wait_timeout(all, next - now).unwrap_or_else(PoisonError::into_inner).0;
            }
            Some(_) => {
                let due = all.leases.iter_mut().filter(|(_, held)| held.next <= now).map(Held::due);
                let due: Vec<(PathBuf, Held)> = due.collect();
                // Files may be slow, and claims must not wait for them.
                drop(all);
                let lost: Vec<_> = due.into_iter().filter(|(path, held)| held.is_lost(path)).collect();
                all = held();
                all.leases.retain(|path, _| lost.iter().all(|(other, _)| other != path));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_millis(50);

    /// A lease of a process on another machine that shares the files, with this many beats.
    fn other(beats: u64) -> String {
        let elsewhere = Process { host: "far".into(), machine: "another".into(), ..process::this().clone() };
        let terms = Terms { process: elsewhere, beats: format!("{beats:010}"), ..Terms::new(BEAT) };
        toml::to_string(&terms).unwrap()
    }

    fn is_mine(claimed: &io::Result<Turn>) -> bool {
        matches!(claimed, Ok(Turn::Mine(_)))
    }

    #[test]
    fn one_of_several_claims_is_granted_and_a_release_frees_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lease");
        let claims = std::thread::scope(|scope| {
            let one = || claim(&path, BEAT, &Seen::default()).unwrap();
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let (mine, others): (Vec<_>, Vec<_>) = claims.into_iter().partition(|claim| matches!(claim, Turn::Mine(_)));
        assert_eq!((mine.len(), others.len()), (1, 15));
        drop(mine);
        assert!(!path.exists());
        assert!(is_mine(&claim(&path, BEAT, &Seen::default())));
    }

    #[test]
    fn a_lease_is_kept_alive_by_its_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lease");
        // Long, for a machine that has much else to do.
        let beat = 4 * BEAT;
        let lease = claim(&path, beat, &Seen::default());
        assert!(is_mine(&lease));
        let before = fs::read(&path).unwrap();
        std::thread::sleep(3 * beat);
        let after = fs::read(&path).unwrap();
        assert!(before.len() == after.len() && before != after);
        let terms = Terms::parse(&after).unwrap();
        assert_eq!((&terms.process, terms.beat_seconds), (process::this(), 0.2));
        // It is seen to change for longer than patience lasts.
        let seen = Seen::default();
        let begin = Instant::now();
        while begin.elapsed() < 2 * terms.patience() {
            assert!(matches!(claim(&path, BEAT, &seen), Ok(Turn::Elsewhere(Some(_)))));
            std::thread::sleep(BEAT / 4);
        }
    }

    #[test]
    fn an_abandoned_lease_is_taken_over_by_what_was_seen_and_not_by_its_date() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lease");
        // A date in the past, and then another life sign: patience begins anew.
        fs::write(&path, other(0).replace("since = \"2", "since = \"1")).unwrap();
        let seen = Seen::default();
        assert!(!is_mine(&claim(&path, BEAT, &seen)));
        std::thread::sleep(3 * BEAT);
        fs::write(&path, other(1)).unwrap();
        let begin = Instant::now();
        while !is_mine(&claim(&path, BEAT, &seen)) {
            std::thread::sleep(BEAT / 4);
        }
        assert!(begin.elapsed() > BEATS * BEAT, "{:?}", begin.elapsed());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "released, and nothing is left aside");
    }

    #[test]
    fn a_lease_of_a_process_that_died_here_is_taken_over_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lease");
        let dead = Process { number: u32::MAX, started: "1".into(), ..process::this().clone() };
        let terms = Terms { process: dead, beats: "0000000000".into(), ..Terms::new(Duration::from_secs(10)) };
        fs::write(&path, toml::to_string(&terms).unwrap()).unwrap();
        assert!(is_mine(&claim(&path, BEAT, &Seen::default())));
    }

    #[test]
    fn a_process_that_was_stopped_leaves_the_lease_of_its_successor_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lease");
        let lease = claim(&path, BEAT, &Seen::default());
        assert!(is_mine(&lease));
        let successor = other(7);
        fs::write(&path, &successor).unwrap();
        std::thread::sleep(3 * BEAT);
        drop(lease);
        assert_eq!(fs::read_to_string(&path).unwrap(), successor);
        // Nor does one who comes late to an abandoned lease take away the new one.
        take_away(&path, other(6).as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), successor);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
