//! Signals: one that ends the program lets trials write their checkpoints, and says what is kept.

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

/// Lets SIGINT and SIGTERM end the program with a line and code 130 or 143 (a second one at once), and lets a write beyond
/// a limit on file size fail as any other instead of ending the program (SIGXFSZ).
#[cfg(unix)]
pub(crate) fn catch() -> std::io::Result<()> {
    use std::sync::{Arc, atomic::AtomicBool};

    use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::flag;
    use signal_hook::iterator::Signals;

    flag::register(SIGXFSZ, Arc::default())?;
    let stopping = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset and sets it.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stopping))?;
        flag::register(signal, Arc::clone(&stopping))?;
    }
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            stop(if signal == SIGINT { "SIGINT" } else { "SIGTERM" }, 128 + signal);
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map(|_| ())
}

/// Elsewhere a signal ends the program without a line; files are whole all the same.
#[cfg(not(unix))]
pub(crate) fn catch() -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn wait_for_checkpoints(signal: &str) {
    let (begin, mut said) = (Instant::now(), false);
    while AWAITED.load(Ordering::SeqCst) > 0 && begin.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(2));
        if !said && begin.elapsed() > Duration::from_secs(1) {
            tracing::info!("{signal}: trials write checkpoints; a second one ends the program at once");
            said = true;
        }
    }
}

/// Ends the program, though not between the tables of one run.
#[cfg(unix)]
fn stop(signal: &str, code: i32) {
    use std::io::Write;

    STOPPING.store(true, Ordering::SeqCst);
    wait_for_checkpoints(signal);
    crate::store::release_all();
    let _whole = crate::files::REPLACING.lock().unwrap_or_else(PoisonError::into_inner);
    let line = match &*running() {
        Some(Running { experiment, store, stored }) => format!(
            "{experiment}: {stored} trial{} of this run stored in {}, beside those of earlier runs; \
             the same command without --fresh goes on from there",
            if *stored == 1 { "" } else { "s" },
            store.display()
        ),
        None => "no experiment was running".into(),
    };
    // If stderr is closed there is nobody to tell.
    let _ = crate::progress::BARS.clear();
    let _ = writeln!(std::io::stderr(), "stopped by {signal}: {line}");
    std::process::exit(code);
}
