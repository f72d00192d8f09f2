//! Progress on stderr: bars on a terminal, log lines otherwise.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::stopping;

/// Between two heartbeats of a trial in the log.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Between two updates of a trial's bar.
const REDRAW: Duration = Duration::from_millis(100);

/// All bars of the process, so that log lines can be written above them.
pub(crate) static BARS: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Bars, on a terminal.
    Bars,
    /// Log lines.
    Lines,
    /// Not at all.
    Silent,
}

/// What a running trial is given: how many threads it may use, where to report progress, and where to keep what it needs to
/// go on after a kill.
#[derive(Debug)]
pub struct TrialContext {
    /// Threads its numerics may use: 1 for [`crate::Kernels::Sequential`], else all of the rayon pool.
    pub threads: usize,
    label: String,
    shown: Shown,
    scratch: Option<PathBuf>,
    started: Instant,
    /// Milliseconds it ran before it was killed.
    earlier: AtomicU64,
    /// Milliseconds after `started` before which nothing is shown.
    next: AtomicU64,
    /// Whether the end of the program waits for the trial's checkpoint.
    awaited: AtomicBool,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl TrialContext {
    /// A context that shows nothing: for tests and for numerics outside a run.
    pub fn silent(threads: usize) -> Self {
        Self::new(String::new(), threads, Shown::Nothing, Duration::ZERO)
    }

    fn new(label: String, threads: usize, shown: Shown, first: Duration) -> Self {
        let (earlier, next) = (AtomicU64::new(0), AtomicU64::new(first.as_millis() as u64));
        let (scratch, awaited) = (None, AtomicBool::new(false));
        Self { threads, label, shown, scratch, started: Instant::now(), earlier, next, awaited }
    }

    /// A directory for what the trial needs to go on after a kill; to be made by the trial, removed when its outcome is
    /// stored. `None` outside a run. What is found there was left by the same trial.
    pub fn scratch(&self) -> Option<&Path> {
        self.scratch.as_deref()
    }

    /// What the trial is called in messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The trial goes on where it was killed after running for so long: its seconds count from there.
    pub fn resume(&self, earlier: Duration) {
        self.earlier.store(earlier.as_millis() as u64, Ordering::Relaxed);
    }

    /// If the program is about to end (SIGINT, SIGTERM), runs `checkpoint` and does not return. To be called between steps,
    /// from the first one on: a program that ends waits a while for the checkpoints of trials that called it.
    pub fn when_stopping(&self, checkpoint: impl FnOnce()) {
        if self.scratch.is_none() {
            return;
        }
        if !self.awaited.swap(true, Ordering::Relaxed) {
            stopping::await_checkpoint();
        }
        if stopping::is_stopping() {
            checkpoint();
            if self.awaited.swap(false, Ordering::Relaxed) {
                stopping::checkpoint_written();
            }
            stopping::stay_if_stopping();
        }
    }

    /// Reports that `iteration` of at most `total` is done and the training loss is `loss`. Cheap enough for every
    /// iteration: mostly one look at the clock.
    pub fn progress(&self, iteration: u64, total: u64, loss: f64) {
        let interval = match &self.shown {
            Shown::Nothing => return,
            Shown::Bar(_) => REDRAW,
            Shown::Lines => HEARTBEAT,
        };
        let millis = self.started.elapsed().as_millis() as u64;
        if millis < self.next.load(Ordering::Relaxed) {
            return;
        }
        self.next.store(millis + interval.as_millis() as u64, Ordering::Relaxed);
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_length(total);
                bar.set_position(iteration);
                bar.set_message(format!("loss {loss:.1e}"));
            }
            Shown::Lines => {
                let elapsed = self.elapsed();
                let rate = iteration as f64 / elapsed.as_secs_f64();
                let left = time_left(elapsed, iteration, total);
                let label = &self.label;
                tracing::info!("{label}: iteration {iteration} of {total}, loss {loss:.1e}, {rate:.1} it/s, {left}");
            }
            Shown::Nothing => {}
        }
    }

    /// Wall-clock time the trial has been running, before a kill too.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed() + Duration::from_millis(self.earlier.load(Ordering::Relaxed))
    }
}

impl Drop for TrialContext {
    fn drop(&mut self) {
        if *self.awaited.get_mut() {
            stopping::checkpoint_written();
        }
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
            BARS.remove(bar);
        }
    }
}

/// Progress of one experiment: the overall bar and the trials' own.
#[derive(Debug)]
pub(crate) struct Progress {
    experiment: &'static str,
    style: Style,
    overall: Option<ProgressBar>,
    trials: usize,
    ended: AtomicU64,
}

/// Overall bars advance by cost; this many units are one experiment.
const UNITS: f64 = 10_000.0;

impl Progress {
    /// For `trials` trials still to be run.
    pub(crate) fn new(experiment: &'static str, trials: usize, style: Style) -> Self {
        let overall = (style == Style::Bars && trials > 0).then(|| {
            let bar = BARS.add(ProgressBar::new(UNITS as u64));
            bar.set_style(style_of("{prefix:.bold} {bar:30} {msg}, {elapsed} elapsed, {left}"));
            bar.set_prefix(experiment);
            bar.set_message(format!("0/{trials} trials"));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { experiment, style, overall, trials, ended: AtomicU64::new(0) }
    }

    /// A trial starts.
    pub(crate) fn start(&self, label: &str, threads: usize, scratch: PathBuf) -> TrialContext {
        let mut context = self.show(label, threads);
        context.scratch = Some(scratch);
        context
    }

    fn show(&self, label: &str, threads: usize) -> TrialContext {
        let full = format!("{}: {label}", self.experiment);
        match self.style {
            Style::Bars => {
                tracing::debug!("{full}: started");
                // Until the first report says how long it is; an empty length would be drawn as done.
                let bar = BARS.add(ProgressBar::new(1));
                bar.set_style(style_of("  {prefix} {bar:20} {pos}/{len}, {msg}, {rate}, {left}"));
                bar.set_prefix(label.to_owned());
                bar.set_message("starting");
                TrialContext::new(full, threads, Shown::Bar(bar), Duration::ZERO)
            }
            Style::Lines => {
                tracing::info!("{full}: started");
                TrialContext::new(full, threads, Shown::Lines, HEARTBEAT)
            }
            Style::Silent => TrialContext::new(full, threads, Shown::Nothing, Duration::ZERO),
        }
    }

    /// Another process ended a trial.
    pub(crate) fn ended_elsewhere(&self, label: &str, share: f64) {
        let ended = self.count(share);
        tracing::debug!("{}: {label}: ended in another process ({ended}/{})", self.experiment, self.trials);
    }

    fn count(&self, share: f64) -> u64 {
        let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(bar) = &self.overall {
            bar.inc((share * UNITS) as u64);
            bar.set_message(format!("{ended}/{} trials", self.trials));
        }
        ended
    }

    /// A trial ended; `share` is its part of the experiment's cost and `how` its end, if it finished.
    pub(crate) fn end(&self, label: &str, share: f64, seconds: f64, finished: bool) {
        let ended = self.count(share);
        let line = || format!("{}: {label}: finished in {seconds:.1} s ({ended}/{})", self.experiment, self.trials);
        match self.style {
            _ if !finished => {}
            Style::Lines => tracing::info!("{}", line()),
            Style::Bars => tracing::debug!("{}", line()),
            Style::Silent => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.overall {
            bar.finish_and_clear();
            BARS.remove(bar);
        }
    }
}

/// The templates are constants of this module, so one that does not parse is shown as the default bar.
fn style_of(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─")
        // Both keys write to memory, which cannot fail.
        .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            let rate = state.per_sec();
            let digits = if rate < 10.0 { 2 } else { 0 };
            let _ = write!(out, "{rate:.digits$} it/s");
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            let left = time_left(state.elapsed(), state.pos(), state.len().unwrap_or(0));
            let _ = out.write_str(&left);
        })
}

/// In words; trials may stop before their last iteration, so it is a bound.
fn time_left(elapsed: Duration, done: u64, total: u64) -> String {
    if done == 0 {
        return "time left unknown".into();
    }
    let seconds = elapsed.as_secs_f64() * total.saturating_sub(done) as f64 / done as f64;
    let left = humantime::format_duration(Duration::from_secs(seconds as u64));
    format!("at most {left} left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_are_throttled() {
        let bar = ProgressBar::hidden();
        let context = TrialContext::new("t".into(), 1, Shown::Bar(bar.clone()), Duration::ZERO);
        context.progress(1, 10, 1.2345e-5);
        context.progress(2, 10, 1.0);
        assert_eq!((bar.position(), bar.length()), (1, Some(10)));
        assert_eq!(bar.message(), "loss 1.2e-5");
        std::thread::sleep(REDRAW + Duration::from_millis(5));
        context.progress(3, 10, 1.0);
        assert_eq!(bar.position(), 3);
    }

    #[test]
    fn time_left_is_proportional() {
        let ten = Duration::from_secs(10);
        assert_eq!(time_left(ten, 1, 10), "at most 1m 30s left");
        assert_eq!(time_left(ten, 10, 10), "at most 0s left");
        assert_eq!(time_left(ten, 0, 10), "time left unknown");
    }
}
