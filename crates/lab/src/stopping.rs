//! That the program is about to end: who has to know of it, what it waits for, and what is kept.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For checkpoints. Shorter than the half minute that batch systems commonly leave between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(25);

static STOPPING: AtomicBool = AtomicBool::new(false);
/// Number of trials whose checkpoints the end waits for.
static AWAITED: AtomicUsize = AtomicUsize::new(0);

/// Whether the program is about to end.
pub(crate) fn is_stopping() -> bool {
    STOPPING.load(Ordering::SeqCst)
}

/// Does not return if the program is about to end: what comes next is not to be begun.
pub(crate) fn stay_if_stopping() {
    while is_stopping() {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A trial promises to write a checkpoint soon after the program is to end.
pub(crate) fn await_checkpoint() {
    AWAITED.fetch_add(1, Ordering::SeqCst);
}

/// It has done so, or ended.
pub(crate) fn checkpoint_written() {
    AWAITED.fetch_sub(1, Ordering::SeqCst);
}

/// The experiment whose store is open.
struct Running {
    experiment: &'static str,
    store: PathBuf,
    /// Trials stored by this process.
    stored: usize,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

fn running() -> MutexGuard<'static, Option<Running>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn experiment_started(experiment: &'static str, store: &Path) {
    *running() = Some(Running { experiment, store: store.to_owned(), stored: 0 });
}

pub(crate) fn trial_stored() {
    if let Some(running) = &mut *running() {
        running.stored += 1;
    }
}

pub(crate) fn experiment_ended() {
    *running() = None;
}

/// From now on the program is about to end; returns when the checkpoints that were promised are written, or after a while.
#[cfg(unix)]
pub(crate) fn begin(signal: &str) {
    STOPPING.store(true, Ordering::SeqCst);
    let (begin, mut said) = (Instant::now(), false);
    while AWAITED.load(Ordering::SeqCst) > 0 && begin.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(2));
        if !said && begin.elapsed() > Duration::from_secs(1) {
            tracing::info!("{signal}: trials write checkpoints; a second one ends the program at once");
            said = true;
        }
    }
}

/// What is kept of the experiment that was running, in words.
#[cfg(unix)]
pub(crate) fn what_is_kept() -> String {
    match &*running() {
        Some(Running { experiment, store, stored }) => format!(
            "{experiment}: {stored} trial{} of this run stored in {}; the same command without --fresh goes on from there, \
             and from the checkpoints of trials that make some",
            if *stored == 1 { "" } else { "s" },
            store.display()
        ),
        None => "no experiment was running".into(),
    }
}
