//! One experiment from its settings to its files.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::progress::Style;
use crate::provenance::{Machine, Run};
use crate::settings;
use crate::shard::Shard;
use crate::store::Store;
use crate::{Claim, Drawing, Experiment, LabError, Results, Table, claim, files, panics, seal};

/// What is to be done with each experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Trials, tables, claims, drawings.
    Everything,
    /// Some of the trials: `--shard`, and `--wait`.
    Share {
        shard: Shard,
        /// Whether to wait until the second stage can be planned.
        wait: bool,
    },
    /// `--status`
    Status,
    /// `--pack`
    Pack,
}

/// What the experiments of one process have in common.
#[derive(Debug)]
pub(crate) struct Session {
    /// `--profile` and, if they are not the usual ones, `--results` and `--figures`, as typed.
    pub(crate) options: String,
    /// `results/PROFILE`.
    pub(crate) results: PathBuf,
    /// `figures/PROFILE`.
    pub(crate) figures: PathBuf,
    /// `--data-dir`.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) threads: usize,
    pub(crate) fresh: bool,
    /// `--force`: the memory that trials need is not compared with what there is.
    pub(crate) force: bool,
    pub(crate) plot_only: bool,
    pub(crate) work: Work,
    /// `--lease`: without a sign of life for so long, a process has lost its trial.
    pub(crate) patience: Duration,
    /// `--accept-edited`
    pub(crate) accept_edited: bool,
    pub(crate) style: Style,
    pub(crate) machine: Machine,
}

impl Session {
    /// Makes sure that everything can be written that will be, before hours of work.
    pub(crate) fn check_outputs(&self) -> Result<(), LabError> {
        match self.work {
            Work::Everything => {}
            Work::Status => return Ok(()),
            Work::Share { .. } | Work::Pack => return files::ensure_writable(&self.results),
        }
        if !self.plot_only {
            files::ensure_writable(&self.results)?;
        }
        files::ensure_writable(&self.figures)
    }

    /// What a user types to make the tables of `experiment`.
    fn command(&self, experiment: &str) -> String {
        format!("cargo run --release --bin {experiment} -- {}", self.options)
    }

    /// The tables of `experiment`.
    fn tables(&self, experiment: &str) -> Results {
        Results::new(&self.results, self.command(experiment))
    }

    /// Where the provenance of `experiment` is.
    fn meta(&self, experiment: &str) -> PathBuf {
        self.results.join(format!("{experiment}.meta.toml"))
    }
}

/// What became of one experiment.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) experiment: &'static str,
    pub(crate) run: Run,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) errors: Vec<LabError>,
    /// Why it was not run, where that is no mistake.
    pub(crate) left_out: Option<String>,
    /// What there is to say instead of the closing table.
    pub(crate) said: String,
}

impl Report {
    fn new(experiment: &'static str) -> Self {
        let run = Run {
            wall_seconds: 0.0,
            trials_run: 0,
            trials_reused: 0,
            trials_failed: 0,
            trial_seconds: 0.0,
            failures: Vec::new(),
        };
        let (files, claims, errors) = (Vec::new(), Vec::new(), Vec::new());
        Self { experiment, run, files, claims, errors, left_out: None, said: String::new() }
    }

    /// The same, where it is no mistake that the user has not brought the experiment's data.
    pub(crate) fn without_data(mut self) -> Self {
        if let [error] = &self.errors[..]
            && error.is_not_brought()
        {
            self.left_out = Some(error.chain());
            self.errors.clear();
        }
        self
    }

    /// 0 if everything went well, else that of the first error, or 1 for failed trials.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.errors.first() {
            Some(error) => error.exit_code(),
            None => u8::from(self.run.trials_failed > 0),
        }
    }

    fn write(&mut self, path: PathBuf, bytes: &[u8]) -> Result<(), LabError> {
        files::write(&path, bytes)?;
        self.wrote(path);
        Ok(())
    }

    /// Replaces the tables of an earlier run and their seal by those of this one. The claims of the earlier run go too.
    pub(crate) fn write_sealed(&mut self, session: &Session, tables: &[Table], meta: &str) -> Result<(), LabError> {
        let path = |table: &Table| session.results.join(table.file());
        let files: Vec<_> = tables.iter().map(|table| (path(table), table.bytes())).collect();
        let seal = session.meta(self.experiment);
        let claims = session.results.join(format!("{}.claims.csv", self.experiment));
        files::replace_sealed(&files, (&seal, meta.as_bytes()), &claims)?;
        files.into_iter().map(|(path, _)| path).chain([seal]).for_each(|path| self.wrote(path));
        Ok(())
    }

    pub(crate) fn wrote(&mut self, path: PathBuf) {
        tracing::debug!("wrote {}", path.display());
        self.files.push(path);
    }
}

/// An experiment whose settings are known to be good.
pub(crate) trait Ready {
    /// Runs it. Errors are in the report, and on stderr as they happen.
    fn run(&self, session: &Session) -> Report;
}

/// `E` to be drawn again from its tables, with the settings they were made with.
pub(crate) fn redraw<E: Experiment>() -> Box<dyn Ready> {
    Box::new(Redraw::<E>(PhantomData))
}

struct Redraw<E>(PhantomData<E>);

impl<E: Experiment> Ready for Redraw<E> {
    fn run(&self, session: &Session) -> Report {
        reported(E::NAME, |report| {
            // Before the lock is taken, whose file would make a directory for a mistyped profile.
            let tables = session.tables(E::NAME);
            tables.require(E::NAME)?;
            let _lock = match Store::look(&session.results, E::NAME).lock_tables() {
                // Where nobody may write there is nothing to lock.
                Err(LabError::Write { source, .. }) if files::is_read_only(&source) => None,
                locked => Some(locked?),
            };
            let path = session.meta(E::NAME);
            if !path.exists() {
                return Err(LabError::Unfinished { path, command: session.command(E::NAME) });
            }
            let settings: E::Settings = settings::load_stored(&path)?;
            if !seal::check(&path, &tables, session.accept_edited)? {
                tables.require_rows(E::NAME)?;
            }
            read_tables::<E>(&settings, session, report);
            Ok(())
        })
    }
}

/// The report of `work`, timed.
pub(crate) fn reported(experiment: &'static str, work: impl FnOnce(&mut Report) -> Result<(), LabError>) -> Report {
    let started = Instant::now();
    let mut report = Report::new(experiment);
    // Whatever happens in one experiment, the next one is run.
    let failed = |source| LabError::Step { experiment, step: "running", source };
    if let Err(error) = panics::catching(|| work(&mut report)).map_err(failed).flatten() {
        report.errors.push(error);
    }
    report.run.wall_seconds = started.elapsed().as_secs_f64();
    report
}

/// The half that reads tables: claims and drawings. One failing does not keep the other from being made.
pub(crate) fn read_tables<E: Experiment>(settings: &E::Settings, session: &Session, report: &mut Report) {
    for step in [judge::<E>, draw::<E>] {
        if let Err(error) = step(settings, session, report) {
            // Both read the same tables: what is wrong with one is said once.
            if report.errors.iter().all(|said| said.cause() != error.cause()) {
                report.errors.push(error);
            }
        }
    }
}

fn judge<E: Experiment>(settings: &E::Settings, session: &Session, report: &mut Report) -> Result<(), LabError> {
    let results = session.tables(E::NAME);
    let claims = guarded::<E, _, _>("judging the claims", || {
        let mut statements = claim::statements(E::CLAIMS)?;
        statements.retain(|statement| statement.experiment == E::NAME);
        claim::judge(&statements, E::claims(settings, &results)?)
    })?;
    for Claim { case, claim, paper, measured, verdict, .. } in &claims {
        tracing::debug!("{}: {verdict}: {claim} [{case}] (paper: {paper}; measured: {measured})", E::NAME);
    }
    let table = Claim::table(E::NAME, &claims)?;
    report.claims = claims;
    match report.write(session.results.join(table.file()), table.bytes()) {
        Err(LabError::Write { path, source }) if session.plot_only && files::is_read_only(&source) => {
            tracing::warn!("cannot write {} ({source}): the claims are only shown", path.display());
            Ok(())
        }
        written => written,
    }
}

fn draw<E: Experiment>(settings: &E::Settings, session: &Session, report: &mut Report) -> Result<(), LabError> {
    let results = session.tables(E::NAME);
    let drawings = guarded::<E, _, _>("drawing", || E::draw(settings, &results))?;
    for Drawing { name, png, svg } in drawings {
        report.write(session.figures.join(format!("{name}.png")), &png)?;
        report.write(session.figures.join(format!("{name}.svg")), svg.as_bytes())?;
    }
    Ok(())
}

/// Runs a step of the experiment's own code; its errors and panics say which step of which experiment failed.
pub(crate) fn guarded<E: Experiment, R, F: Into<anyhow::Error>>(
    step: &'static str,
    work: impl FnOnce() -> Result<R, F>,
) -> Result<R, LabError> {
    let failed = |source| LabError::Step { experiment: E::NAME, step, source };
    panics::catching(work).map_err(failed)?.map_err(|error| failed(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_its_experiment_alone_and_names_it() {
        let report = reported("toy", |report| {
            report.run.trials_run = 3;
            panic!("capacity overflow");
        });
        let text = report.errors[0].chain();
        assert!(text.starts_with("toy: running: panicked") && text.ends_with(": capacity overflow"), "{text}");
        assert_eq!((report.exit_code(), report.run.trials_run), (1, 3));
    }
}
