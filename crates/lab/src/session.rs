//! One experiment from its settings to its files.

use std::collections::{BTreeMap, HashSet};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::anyhow;

use crate::progress::Style;
use crate::provenance::{self, Machine, Meta, Run};
use crate::runner::Ran;
use crate::settings::{self, Override, Resolved, SettingsError};
use crate::store::{Key, Packed, Store};
use crate::{
    BadInput, Claim, Drawing, Experiment, FinishedOf, Gathering, Invalid, LabError, Plan, Results, Table, claim, files,
    panics, runner, seal, summary,
};

/// What the experiments of one process have in common.
#[derive(Debug)]
pub(crate) struct Session {
    /// `--profile` and, if it is not the usual one, `--results`, as typed.
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
    /// `--pack`: nothing is run, what is stored is packed.
    pub(crate) pack: bool,
    /// `--accept-edited`
    pub(crate) accept_edited: bool,
    pub(crate) style: Style,
    pub(crate) machine: Machine,
}

impl Session {
    /// Makes sure that everything can be written that will be, before hours of work.
    pub(crate) fn check_outputs(&self) -> Result<(), LabError> {
        if self.pack {
            return files::ensure_writable(&self.results);
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
    /// Of `--pack`.
    pub(crate) packed: Option<Packed>,
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
        Self { experiment, run, files: Vec::new(), claims: Vec::new(), errors: Vec::new(), packed: None }
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
    fn write_sealed(&mut self, session: &Session, tables: &[Table], meta: &str) -> Result<(), LabError> {
        let path = |table: &Table| session.results.join(table.file());
        let files: Vec<_> = tables.iter().map(|table| (path(table), table.bytes())).collect();
        let seal = session.meta(self.experiment);
        let claims = session.results.join(format!("{}.claims.csv", self.experiment));
        files::replace_sealed(&files, (&seal, meta.as_bytes()), &claims)?;
        files.into_iter().map(|(path, _)| path).chain([seal]).for_each(|path| self.wrote(path));
        Ok(())
    }

    fn wrote(&mut self, path: PathBuf) {
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
        reported(E::NAME, |report| {
            if session.pack {
                report.packed = Some(self.pack(session)?);
                return Ok(());
            }
            // Locks the experiment until its last file is written.
            let _store = self.make_tables(session, report)?;
            read_tables::<E>(&self.resolved.settings, session, report);
            Ok(())
        })
    }
}

struct Redraw<E>(PhantomData<E>);

impl<E: Experiment> Ready for Redraw<E> {
    fn run(&self, session: &Session) -> Report {
        reported(E::NAME, |report| {
            // Before the lock is taken, whose file would make a directory for a mistyped profile.
            let tables = session.tables(E::NAME);
            tables.require(E::NAME)?;
            let _store = match Store::open(&session.results, E::NAME) {
                // Where nobody may write there is nothing to lock.
                Err(LabError::Write { source, .. }) if files::is_read_only(&source) => None,
                opened => Some(opened?),
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
fn reported(experiment: &'static str, work: impl FnOnce(&mut Report) -> Result<(), LabError>) -> Report {
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

impl<E: Experiment> Prepared<E> {
    /// The half that runs trials and writes tables and their provenance.
    fn make_tables(&self, session: &Session, report: &mut Report) -> Result<Store, LabError> {
        let (started, clock) = (provenance::now(), Instant::now());
        let store = Store::open(&session.results, E::NAME)?;
        files::remove_partial(&session.results, &format!("{}.", E::NAME));
        let gathering = Gathering::new(session.data_dir.as_deref(), session.style);
        let inputs = self.gather(&gathering)?;
        let ran = self.run_stages(&inputs, session, &store)?;
        summarize(&ran, &mut report.run);
        report.run.wall_seconds = clock.elapsed().as_secs_f64();
        if ran.finished.is_empty() && !ran.failed.is_empty() {
            return Err(LabError::NothingFinished { experiment: E::NAME });
        }
        let tables = self.tables(&inputs, &ran.finished)?;
        let meta = self.meta(session, started, gathering.into_recorded(), &tables, report)?;
        report.write_sealed(session, &tables, &meta)?;
        if store.has_pack() {
            match store.pack(Some(&ran.keys)) {
                Ok(packed) if packed.changed => report.wrote(packed.path),
                Ok(_) => {}
                // Claims and drawings need it not.
                Err(error) => report.errors.push(error),
            }
        }
        Ok(store)
    }

    /// Packs what is stored of the plan, or all that is stored if no plan can be made here.
    fn pack(&self, session: &Session) -> Result<Packed, LabError> {
        let store = Store::look(&session.results, E::NAME);
        let planned = self.planned(session, &store).inspect_err(|error| {
            let reason = summary::chain(error);
            tracing::warn!("no plan, so all stored trials are packed, those of other settings too: {reason}");
        });
        store.pack(planned.ok().as_ref())
    }

    /// The keys of the plan, and of its second stage as it follows from what is stored.
    fn planned(&self, session: &Session, store: &Store) -> Result<HashSet<Key>, LabError> {
        let gathering = Gathering::new(session.data_dir.as_deref(), session.style);
        let inputs = self.gather(&gathering)?;
        let (finished, mut keys) = runner::stored::<E>(self.plan(&inputs)?, store)?;
        keys.extend(runner::stored::<E>(self.plan_next(&inputs, &finished)?, store)?.1);
        Ok(keys)
    }

    /// Runs the trials of the plan, then those that are planned from their outcomes.
    fn run_stages(&self, inputs: &E::Inputs, session: &Session, store: &Store) -> Result<Ran<E>, LabError> {
        let run = |plan| {
            let how = runner::How { threads: session.threads, fresh: session.fresh, force: session.force };
            runner::run::<E>(plan, inputs, store, how, session.style)
        };
        let mut ran = run(self.plan(inputs)?)?;
        let next = self.plan_next(inputs, &ran.finished)?;
        if !next.is_empty() {
            ran.refuse_repeated_points(&next)?;
            ran.append(run(next)?);
        }
        Ok(ran)
    }

    fn gather(&self, gathering: &Gathering) -> Result<E::Inputs, LabError> {
        guarded::<E, _, _>("gathering its inputs", || {
            E::gather(&self.resolved.settings, gathering).map_err(|error| self.located(error))
        })
    }

    fn plan(&self, inputs: &E::Inputs) -> Result<Plan<E>, LabError> {
        guarded::<E, _, _>("making the plan", || {
            E::plan(&self.resolved.settings, inputs).map_err(|error| self.located(error))
        })
    }

    fn plan_next(&self, inputs: &E::Inputs, finished: &[FinishedOf<E>]) -> Result<Plan<E>, LabError> {
        guarded::<E, _, _>("making the plan of the second stage", || {
            E::plan_next(&self.resolved.settings, inputs, finished).map_err(|error| self.located(error))
        })
    }

    fn tables(&self, inputs: &E::Inputs, finished: &[FinishedOf<E>]) -> Result<Vec<Table>, LabError> {
        guarded::<E, _, _>("making the tables", || E::tables(&self.resolved.settings, inputs, finished))
    }

    /// A setting that turned out not to fit what was gathered, with the file it comes from.
    fn located(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast::<Invalid>() {
            Ok(invalid) => BadInput(anyhow!("{}: {invalid}", self.resolved.path.display())).into(),
            Err(other) => other,
        }
    }

    /// The text of `NAME.meta.toml`.
    fn meta(
        &self,
        session: &Session,
        started: String,
        inputs: BTreeMap<String, String>,
        tables: &[Table],
        report: &Report,
    ) -> Result<String, LabError> {
        let meta = Meta {
            experiment: E::NAME,
            profile: &self.resolved.profile,
            config: self.resolved.path.display().to_string(),
            overrides: &self.resolved.overrides,
            started,
            run: report.run.clone(),
            tables: seal::of(tables),
            machine: &session.machine,
            inputs,
            settings: &self.resolved.settings,
            crates: provenance::crates(),
        };
        guarded::<E, _, _>("writing the provenance", || toml::to_string(&meta))
    }
}

/// The half that reads tables: claims and drawings. One failing does not keep the other from being made.
fn read_tables<E: Experiment>(settings: &E::Settings, session: &Session, report: &mut Report) {
    for step in [judge::<E>, draw::<E>] {
        if let Err(error) = step(settings, session, report) {
            report.errors.push(error);
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
fn guarded<E: Experiment, R, F: Into<anyhow::Error>>(
    step: &'static str,
    work: impl FnOnce() -> Result<R, F>,
) -> Result<R, LabError> {
    let failed = |source| LabError::Step { experiment: E::NAME, step, source };
    panics::catching(work).map_err(failed)?.map_err(|error| failed(error.into()))
}

fn summarize<E: Experiment>(ran: &Ran<E>, run: &mut Run) {
    run.trials_reused = ran.finished.iter().filter(|finished| finished.reused).count();
    run.trials_run = ran.finished.len() - run.trials_reused;
    run.trials_failed = ran.failed.len();
    run.trial_seconds = ran.seconds;
    run.failures = ran.failed.iter().map(|(label, error)| format!("{label}: {}", runner::describe(error))).collect();
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
        let text = crate::summary::chain(&report.errors[0]);
        assert!(text.starts_with("toy: running: panicked") && text.ends_with(": capacity overflow"), "{text}");
        assert_eq!((report.exit_code(), report.run.trials_run), (1, 3));
    }
}
