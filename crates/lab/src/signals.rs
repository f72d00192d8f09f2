//! Signals: one that ends the program lets trials write their checkpoints, and says what is kept.

#[cfg(unix)]
use std::sync::PoisonError;

#[cfg(unix)]
use crate::stopping;

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

/// Ends the program, though not between the tables of one run.
#[cfg(unix)]
fn stop(signal: &str, code: i32) {
    use std::io::Write;

    stopping::begin(signal);
    crate::store::release_all();
    let _whole = crate::files::REPLACING.lock().unwrap_or_else(PoisonError::into_inner);
    let line = stopping::what_is_kept();
    // If stderr is closed there is nobody to tell.
    let _ = crate::progress::BARS.clear();
    let _ = writeln!(std::io::stderr(), "stopped by {signal}: {line}");
    std::process::exit(code);
}
