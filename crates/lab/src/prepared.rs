//! An experiment whose settings are known to be good, and what can be done with it: run it, or a share of it, look at it,
//! pack it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::provenance::{self, Meta, Run};
use crate::runner::{self, How, Ran, Survey};
use crate::session::{Ready, Report, Session, Work, guarded, read_tables, reported};
use crate::settings::{self, Override, Resolved, SettingsError};
use crate::shard::Shard;
use crate::store::Store;
use crate::{BadInput, Experiment, FinishedOf, Gathering, Invalid, LabError, Plan, Table, files, seal, summary};

/// Between two looks at whether the first stage is finished.
const WAIT: Duration = Duration::from_secs(2);

/// An experiment with its settings.
struct Prepared<E: Experiment> {
    resolved: Resolved<E::Settings>,
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

impl<E: Experiment> Ready for Prepared<E> {
    fn run(&self, session: &Session) -> Report {
        reported(E::NAME, |report| match session.work {
            Work::Everything => {
                // No other process writes tables of this experiment until its last file is written.
                let _lock = self.make_tables(session, report)?;
                read_tables::<E>(&self.resolved.settings, session, report);
                Ok(())
            }
            Work::Share { shard, wait } => self.run_share(session, shard, wait, report),
            Work::Status => self.tell(session, report),
            Work::Pack => self.pack(session, report),
        })
    }
}

/// What is known of both stages without running anything.
struct Outlook<E: Experiment> {
    first: Survey<E>,
    /// `None` as long as it waits for the first.
    second: Option<Survey<E>>,
}

impl<E: Experiment> Prepared<E> {
    /// The half that runs trials and writes tables and their provenance.
    fn make_tables(&self, session: &Session, report: &mut Report) -> Result<File, LabError> {
        let (started, clock) = (provenance::now(), Instant::now());
        let store = Store::open(&session.results, E::NAME, session.patience)?;
        store.clean();
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
        let lock = store.lock_tables()?;
        let meta = self.meta(session, started, gathering.into_recorded(), &tables, report)?;
        report.write_sealed(session, &tables, &meta)?;
        if store.has_pack() {
            match store.pack(Some(&ran.keys)) {
                Ok(packed) if packed.changed => report.wrote(packed.path),
                // It was warned of as the store was opened.
                Ok(_) | Err(LabError::ForeignPack { .. }) => {}
                // Claims and drawings need it not.
                Err(error) => report.errors.push(error),
            }
        }
        Ok(lock)
    }

    /// Runs the trials of the plan, then those that are planned from their outcomes.
    fn run_stages(&self, inputs: &E::Inputs, session: &Session, store: &Store) -> Result<Ran<E>, LabError> {
        let run = |plan| runner::run::<E>(plan, inputs, store, how(session, None));
        let mut ran = run(self.plan(inputs)?)?;
        let next = self.plan_next(inputs, &ran.finished)?;
        if !next.is_empty() {
            ran.refuse_repeated_points(&next)?;
            ran.append(run(next)?);
        }
        Ok(ran)
    }

    /// Runs the trials of a share, of the second stage too if all of the first is finished. Writes no tables.
    fn run_share(&self, session: &Session, shard: Shard, wait: bool, report: &mut Report) -> Result<(), LabError> {
        let store = Store::open(&session.results, E::NAME, session.patience)?;
        let inputs = self.gather(&Gathering::new(session.data_dir.as_deref(), session.style))?;
        let run = |plan| runner::run::<E>(plan, &inputs, &store, how(session, Some(shard)));
        let mut ran = run(self.plan(&inputs)?)?;
        let mut waiting = 0;
        if E::TWO_STAGES {
            let outlook = self.outlook(&inputs, &store, wait)?;
            waiting = outlook.first.open();
            if outlook.second.is_some() {
                ran.append(run(self.plan_next(&inputs, &outlook.first.finished)?)?);
            }
        }
        summarize(&ran, &mut report.run);
        report.said = summary::of_share(E::NAME, shard, &report.run, waiting);
        Ok(())
    }

    /// How both stages stand; on request, only when the second can be planned.
    fn outlook(&self, inputs: &E::Inputs, store: &Store, wait: bool) -> Result<Outlook<E>, LabError> {
        let mut said = false;
        loop {
            let first = runner::survey::<E>(self.plan(inputs)?, store)?;
            let open = first.open();
            if open > 0 && wait {
                if !said {
                    tracing::info!("{}: the second stage waits for {open} trials of the first", E::NAME);
                    said = true;
                }
                std::thread::sleep(WAIT);
                continue;
            }
            let second = match E::TWO_STAGES && open == 0 {
                true => Some(runner::survey::<E>(self.plan_next(inputs, &first.finished)?, store)?),
                false => None,
            };
            return Ok(Outlook { first, second });
        }
    }

    /// Says how the trials stand.
    fn tell(&self, session: &Session, report: &mut Report) -> Result<(), LabError> {
        let inputs = self.gather(&Gathering::new(session.data_dir.as_deref(), session.style))?;
        let store = Store::look(&session.results, E::NAME);
        let Outlook { first, second } = self.outlook(&inputs, &store, false)?;
        report.said = summary::of_standings(E::NAME, &first.standings);
        report.said += &match second {
            Some(second) if second.standings.is_empty() => String::new(),
            Some(second) => summary::of_standings(&format!("{}, second stage", E::NAME), &second.standings),
            None if E::TWO_STAGES => format!("{}, second stage: waits for the first\n", E::NAME),
            None => String::new(),
        };
        Ok(())
    }

    /// Packs what is stored of the plan, or all that is stored if the plan is not known here and now.
    fn pack(&self, session: &Session, report: &mut Report) -> Result<(), LabError> {
        let store = Store::look(&session.results, E::NAME);
        let outlook = self
            .gather(&Gathering::new(session.data_dir.as_deref(), session.style))
            .and_then(|inputs| self.outlook(&inputs, &store, false));
        let reason = match &outlook {
            Err(error) => Some(error.chain()),
            Ok(Outlook { second: None, .. }) if E::TWO_STAGES => {
                Some("the second stage is planned when the first is finished".to_owned())
            }
            Ok(_) => None,
        };
        if let Some(reason) = &reason {
            tracing::warn!("no whole plan, so all stored trials are packed, those of other settings too: {reason}");
        }
        let planned = outlook.ok().filter(|_| reason.is_none()).map(|Outlook { mut first, second }| {
            first.keys.extend(second.into_iter().flat_map(|second| second.keys));
            first.keys
        });
        report.said = summary::of_pack(E::NAME, &store.pack(planned.as_ref())?);
        Ok(())
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

    /// The second stage, if the experiment has one.
    fn plan_next(&self, inputs: &E::Inputs, finished: &[FinishedOf<E>]) -> Result<Plan<E>, LabError> {
        if !E::TWO_STAGES {
            return Ok(Vec::new());
        }
        guarded::<E, _, _>("making the plan of the second stage", || {
            E::plan_next(&self.resolved.settings, inputs, finished).map_err(|error| self.located(error))
        })
    }

    fn tables(&self, inputs: &E::Inputs, finished: &[FinishedOf<E>]) -> Result<Vec<Table>, LabError> {
        guarded::<E, _, _>("making the tables", || E::tables(&self.resolved.settings, inputs, finished))
    }

    /// A setting that turned out not to fit what was gathered, with the place it comes from.
    fn located(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast::<Invalid>() {
            Ok(invalid) => BadInput(self.resolved.refuse(invalid).into()).into(),
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

/// How a plan is run: threads, memory, what is run again.
fn how(session: &Session, shard: Option<Shard>) -> How {
    let Session { threads, fresh, force, style, .. } = *session;
    How { threads, fresh, force, shard, style }
}

fn summarize<E: Experiment>(ran: &Ran<E>, run: &mut Run) {
    run.trials_reused = ran.finished.iter().filter(|finished| finished.reused).count();
    run.trials_run = ran.finished.len() - run.trials_reused;
    run.trials_failed = ran.failed.len();
    run.trial_seconds = ran.seconds;
    run.failures = ran.failed.iter().map(|(label, error)| format!("{label}: {}", runner::describe(error))).collect();
}
