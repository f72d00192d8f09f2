//! One experiment from its settings to its files.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::progress::Style;
use crate::provenance::{self, Machine, Meta, Run};
use crate::settings::{self, Override, Resolved, SettingsError};
use crate::store::Store;
use crate::{Claim, Drawing, Experiment, Finished, LabError, Results, Table, files, panics, runner};

/// What the experiments of one process have in common.
#[derive(Debug)]
pub(crate) struct Session {
    /// `results/PROFILE`.
    pub(crate) results: PathBuf,
    /// `figures/PROFILE`.
    pub(crate) figures: PathBuf,
    pub(crate) threads: usize,
    pub(crate) fresh: bool,
    pub(crate) plot_only: bool,
    pub(crate) style: Style,
    pub(crate) machine: Machine,
}

impl Session {
    /// Makes sure that everything can be written that will be, before hours of work.
    pub(crate) fn check_outputs(&self) -> Result<(), LabError> {
        if !self.plot_only {
            files::ensure_writable(&self.results)?;
        }
        files::ensure_writable(&self.figures)
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
        Self { experiment, run, files: Vec::new(), claims: Vec::new(), errors: Vec::new() }
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
        tracing::debug!("wrote {}", path.display());
        self.files.push(path);
        Ok(())
    }
}

/// An experiment whose settings are known to be good.
pub(crate) trait Ready {
    /// Runs it. Errors are in the report, and on stderr as they happen.
    fn run(&self, session: &Session) -> Report;
}

/// Loads the settings of `E`.
pub(crate) fn prepare<E: Experiment>(
    path: &Path,
    profile: &str,
    overrides: &[Override],
) -> Result<Box<dyn Ready>, SettingsError> {
    let resolved = settings::load(path, profile, overrides)?;
    Ok(Box::new(Prepared::<E> { resolved }))
}

struct Prepared<E: Experiment> {
    resolved: Resolved<E::Settings>,
}

impl<E: Experiment> Ready for Prepared<E> {
    fn run(&self, session: &Session) -> Report {
        let started = Instant::now();
        let mut report = Report::new(E::NAME);
        let ran = if session.plot_only { Ok(()) } else { self.make_tables(session, &mut report) };
        match ran {
            Ok(()) => self.read_tables(session, &mut report),
            Err(error) => report.errors.push(error),
        }
        report.run.wall_seconds = started.elapsed().as_secs_f64();
        report
    }
}

impl<E: Experiment> Prepared<E> {
    /// The half that runs trials and writes tables and their provenance.
    fn make_tables(&self, session: &Session, report: &mut Report) -> Result<(), LabError> {
        let (started, clock) = (provenance::now(), Instant::now());
        let store = Store::open(&session.results, E::NAME)?;
        files::remove_partial(&session.results, &format!("{}.", E::NAME));
        let settings = &self.resolved.settings;
        let plan = guarded::<E, _, _>("making the plan", || Ok::<_, LabError>(E::plan(settings)))?;
        let ran = runner::run::<E>(plan, &store, session.threads, session.fresh, session.style)?;
        summarize(&ran, &mut report.run);
        report.run.wall_seconds = clock.elapsed().as_secs_f64();
        if ran.finished.is_empty() && !ran.failed.is_empty() {
            return Err(LabError::NothingFinished { experiment: E::NAME });
        }
        for table in self.tables(&ran.finished)? {
            let path = session.results.join(format!("{}.csv", table.stem()));
            report.write(path, table.bytes())?;
        }
        self.write_meta(session, started, report)
    }

    fn tables(&self, finished: &[Finished<E::Trial, E::Outcome>]) -> Result<Vec<Table>, LabError> {
        guarded::<E, _, _>("making the tables", || E::tables(&self.resolved.settings, finished))
    }

    fn write_meta(&self, session: &Session, started: String, report: &mut Report) -> Result<(), LabError> {
        let meta = Meta {
            experiment: E::NAME,
            profile: &self.resolved.profile,
            config: self.resolved.path.display().to_string(),
            overrides: &self.resolved.overrides,
            started,
            run: report.run.clone(),
            machine: &session.machine,
            settings: &self.resolved.settings,
            crates: provenance::crates(),
        };
        let text = guarded::<E, _, _>("writing the provenance", || toml::to_string(&meta))?;
        report.write(session.results.join(format!("{}.meta.toml", E::NAME)), text.as_bytes())
    }

    /// The half that reads tables: claims and drawings. One failing does not keep the other from being made.
    fn read_tables(&self, session: &Session, report: &mut Report) {
        let command = format!("cargo run --release --bin {} -- --profile {}", E::NAME, self.resolved.profile);
        let results = Results::new(&session.results, command);
        for step in [Self::judge, Self::draw] {
            if let Err(error) = step(self, session, &results, report) {
                report.errors.push(error);
            }
        }
    }

    fn judge(&self, session: &Session, results: &Results, report: &mut Report) -> Result<(), LabError> {
        let claims = guarded::<E, _, _>("judging the claims", || E::claims(&self.resolved.settings, results))?;
        for Claim { claim, paper, measured, verdict } in &claims {
            tracing::debug!("{}: {verdict}: {claim} (paper: {paper}; measured: {measured})", E::NAME);
        }
        let table = Table::companion(E::NAME, "claims", &claims)?;
        report.claims = claims;
        report.write(session.results.join(format!("{}.csv", table.stem())), table.bytes())
    }

    fn draw(&self, session: &Session, results: &Results, report: &mut Report) -> Result<(), LabError> {
        let drawings = guarded::<E, _, _>("drawing", || E::draw(&self.resolved.settings, results))?;
        for Drawing { name, png, svg } in drawings {
            report.write(session.figures.join(format!("{name}.png")), &png)?;
            report.write(session.figures.join(format!("{name}.svg")), svg.as_bytes())?;
        }
        Ok(())
    }
}

/// Runs a step of the experiment's own code; its errors and panics say which step of which experiment failed.
fn guarded<E: Experiment, R, F: Into<anyhow::Error>>(
    step: &'static str,
    work: impl FnOnce() -> Result<R, F>,
) -> Result<R, LabError> {
    let failed = |source| LabError::Step { experiment: E::NAME, step, source };
    panics::catching(work).map_err(failed)?.map_err(|error| failed(error.into()))
}

fn summarize<T, O>(ran: &runner::Ran<T, O>, run: &mut Run) {
    run.trials_reused = ran.finished.iter().filter(|finished| finished.reused).count();
    run.trials_run = ran.finished.len() - run.trials_reused;
    run.trials_failed = ran.failed.len();
    run.trial_seconds = ran.finished.iter().map(|finished| finished.seconds).sum();
    run.failures = ran.failed.iter().map(|(label, error)| format!("{label}: {}", runner::describe(error))).collect();
}
