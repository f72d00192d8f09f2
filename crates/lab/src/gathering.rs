//! What an experiment gathers before its trials: where the user's data is, and how downloads show their progress.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::progress::{BARS, Style};

/// Between two lines of the log about one download.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What [`crate::Experiment::gather`] is given.
#[derive(Debug)]
pub struct Gathering<'a> {
    /// Directory of data sets that the user has (`--data-dir`).
    pub data_dir: Option<&'a Path>,
    style: Style,
    recorded: RefCell<BTreeMap<String, String>>,
}

impl<'a> Gathering<'a> {
    pub(crate) fn new(data_dir: Option<&'a Path>, style: Style) -> Self {
        Self { data_dir, style, recorded: RefCell::default() }
    }

    /// A gathering that shows nothing: for tests.
    pub fn silent(data_dir: Option<&'a Path>) -> Self {
        Self::new(data_dir, Style::Silent)
    }

    /// Says what the user should know about what was found.
    pub fn warn(&self, text: &str) {
        tracing::warn!("{text}");
    }

    /// Records what was found, by a hash of its content, for the provenance of the results.
    pub fn record(&self, name: impl Into<String>, hash: impl Into<String>) {
        self.recorded.borrow_mut().insert(name.into(), hash.into());
    }

    /// What was recorded.
    pub(crate) fn into_recorded(self) -> BTreeMap<String, String> {
        self.recorded.into_inner()
    }

    /// Shows the progress of one download or other transfer of bytes.
    pub fn transfer(&self, name: impl Into<String>) -> Transfer {
        let bar = (self.style == Style::Bars).then(|| {
            let bar = BARS.add(ProgressBar::new(1));
            let template = "{prefix:.bold} {bar:30} {bytes}/{total_bytes}, {binary_bytes_per_sec}, {eta} left";
            // The template is a constant, so one that does not parse is shown as the default bar.
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("━━─"));
            bar
        });
        let next = AtomicU64::new(HEARTBEAT.as_millis() as u64);
        Transfer { name: name.into(), bar, lines: self.style == Style::Lines, started: Instant::now(), next }
    }
}

/// Progress of one transfer: a bar on a terminal, now and then a line of the log otherwise.
#[derive(Debug)]
pub struct Transfer {
    name: String,
    bar: Option<ProgressBar>,
    lines: bool,
    started: Instant,
    /// Milliseconds after `started` before which the log gets no line.
    next: AtomicU64,
}

impl Transfer {
    /// Reports that `done` bytes are there, of `total` if that is known.
    pub fn progress(&self, done: u64, total: Option<u64>) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(self.name.clone());
            bar.set_length(total.unwrap_or(done));
            bar.set_position(done);
        }
        let millis = self.started.elapsed().as_millis() as u64;
        if self.lines && millis >= self.next.load(Ordering::Relaxed) {
            self.next.store(millis + HEARTBEAT.as_millis() as u64, Ordering::Relaxed);
            let of = total.map(|total| format!(" of {}", HumanBytes(total))).unwrap_or_default();
            tracing::info!("{}: {}{of}", self.name, HumanBytes(done));
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            BARS.remove(bar);
        }
    }
}

/// Input that the user can correct (a data file, an unknown task): ends the program with code 2, where other failures
/// end it with 1.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct BadInput(pub anyhow::Error);

/// Data that no source has and the user has not brought. It ends the program of an experiment as [`BadInput`] does;
/// `reproduce-all` leaves the experiment out, unless it was asked for by its name.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct NotBrought(pub anyhow::Error);
