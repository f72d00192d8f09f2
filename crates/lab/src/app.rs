//! The binaries' `main`: one experiment, or all of them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::{All, Common, DEFAULT_RESULTS, Single, most_threads};
use crate::session::{self, Ready, Report, Session};
use crate::settings::{Override, SettingsError};
use crate::{Experiment, LabError, logging, provenance::Machine, summary};

/// Loads an experiment's settings: file, profile, overrides.
type Prepare = fn(&Path, &str, &[Override]) -> Result<Box<dyn Ready>, SettingsError>;

/// An experiment of `reproduce-all`, its types erased; made by [`entry`].
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    name: &'static str,
    about: &'static str,
    prepare: Prepare,
    redraw: fn() -> Box<dyn Ready>,
}

/// `E` as an entry of the list given to [`main_all`].
pub fn entry<E: Experiment>() -> Entry {
    Entry { name: E::NAME, about: E::ABOUT, prepare: session::prepare::<E>, redraw: session::redraw::<E> }
}

/// `main` of the binary of one figure. Exit code 0: done; 1: something failed, a trial perhaps; 2: bad input.
pub fn main<E: Experiment>() -> ExitCode {
    let long = format!("{}\n\n{}", E::ABOUT, E::LONG_ABOUT);
    let command = Single::command().name(E::NAME).about(E::ABOUT).long_about(long);
    let options = Single::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    exit(run_single(entry::<E>(), &options))
}

/// `main` of `reproduce-all`. Exit codes as of [`main`].
pub fn main_all(list: &[Entry]) -> ExitCode {
    let about = "Runs every experiment: settings to trials to tables to figures";
    let long = format!("{about}.\n\nExperiments:\n{}", listing(list));
    let command = All::command().name("reproduce-all").about(about).long_about(long);
    let options = All::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    exit(run_all(list, &options))
}

/// Prints what ended the program before its end, if anything did, and gives its exit code: for every binary's `main`.
pub fn exit(result: Result<u8, LabError>) -> ExitCode {
    let code = result.unwrap_or_else(|error| {
        let code = error.exit_code();
        // If stderr is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "error: {}", summary::chain(&error));
        code
    });
    ExitCode::from(code)
}

fn run_single(entry: Entry, options: &Single) -> Result<u8, LabError> {
    let default = Path::new("experiments").join(format!("{}.toml", entry.name));
    let path = options.config.as_deref().unwrap_or(&default);
    options.common.check_plot_only()?;
    let ready = match options.common.plot_only {
        true => (entry.redraw)(),
        false => (entry.prepare)(path, &options.common.profile, &options.common.overrides()?)?,
    };
    let session = start(&options.common)?;
    let report = perform(ready.as_ref(), &session);
    if !options.common.quiet {
        print(&summary::of_one(&report));
    }
    Ok(report.exit_code())
}

fn run_all(list: &[Entry], options: &All) -> Result<u8, LabError> {
    if options.list {
        print(&listing(list));
        return Ok(0);
    }
    let selected = select(list, &options.only, &options.skip)?;
    options.common.check_plot_only()?;
    // All settings are read before anything runs: a mistake in the last must not be found after hours.
    let jobs = match options.common.plot_only {
        true => selected.iter().map(|entry| (entry.redraw)()).collect(),
        false => prepare_all(&selected, options)?,
    };
    let session = start(&options.common)?;
    let reports: Vec<Report> = jobs.iter().map(|ready| perform(ready.as_ref(), &session)).collect();
    if !options.common.quiet {
        print(&summary::of_all(&reports, &session));
    }
    Ok(reports.iter().map(Report::exit_code).find(|code| *code != 0).unwrap_or(0))
}

fn listing(list: &[Entry]) -> String {
    let width = list.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    list.iter().fold(String::new(), |mut text, Entry { name, about, .. }| {
        let _ = writeln!(text, "  {name:width$}  {about}");
        text
    })
}

fn select<'a>(list: &'a [Entry], only: &[String], skip: &[String]) -> Result<Vec<&'a Entry>, LabError> {
    let known = || list.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    for (option, names) in [("--only", only), ("--skip", skip)] {
        if let Some(name) = names.iter().find(|name| list.iter().all(|entry| entry.name != **name)) {
            return Err(LabError::UnknownExperiment { option, name: name.clone(), known: known() });
        }
    }
    let has = |names: &[String], entry: &Entry| names.iter().any(|name| name == entry.name);
    let wanted = |entry: &&Entry| (only.is_empty() || has(only, entry)) && !has(skip, entry);
    let selected: Vec<&Entry> = list.iter().filter(wanted).collect();
    if selected.is_empty() { Err(LabError::NothingSelected { known: known() }) } else { Ok(selected) }
}

/// Loads the settings of all selected experiments, each with the overrides whose keys it has.
fn prepare_all(selected: &[&Entry], options: &All) -> Result<Vec<Box<dyn Ready>>, LabError> {
    let overrides = options.common.overrides()?;
    let profile = &options.common.profile;
    let mut used = vec![false; overrides.len()];
    let mut nearest = vec![None; overrides.len()];
    let mut jobs = Vec::with_capacity(selected.len());
    for entry in selected {
        let path = options.experiments.join(format!("{}.toml", entry.name));
        let mut mine = Vec::new();
        for (index, given) in overrides.iter().enumerate() {
            let alone = (entry.prepare)(&path, profile, std::slice::from_ref(given));
            match alone.err().and_then(|error| error.unknown_override()) {
                Some(like) => nearest[index] = nearest[index].take().or(like),
                None => {
                    used[index] = true;
                    mine.push(given.clone());
                }
            }
        }
        jobs.push((entry.prepare)(&path, profile, &mine)?);
    }
    match used.iter().position(|used| !used) {
        Some(index) => {
            let Override { option, key, .. } = overrides[index].clone();
            Err(LabError::UnusedOverride { option, key, nearest: nearest[index].take() })
        }
        None => Ok(jobs),
    }
}

/// Starts logging and threads, and checks that the outputs can be written.
fn start(options: &Common) -> Result<Session, LabError> {
    let style = logging::start(options.quiet, options.verbose);
    let threads = options.thread_count();
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(|error| LabError::Threads {
        threads,
        most: most_threads(),
        reason: error.to_string(),
    })?;
    let session = Session {
        options: repeated(options),
        results: options.results.join(&options.profile),
        figures: options.figures.join(&options.profile),
        data_dir: options.data_dir.clone(),
        threads,
        fresh: options.fresh,
        plot_only: options.plot_only,
        style,
        machine: Machine::survey(threads),
    };
    session.check_outputs()?;
    Ok(session)
}

/// The options that another run must have to make the tables this one looks for.
fn repeated(options: &Common) -> String {
    let results = options.results.to_string_lossy();
    match &*results {
        DEFAULT_RESULTS => format!("--profile {}", options.profile),
        plain if !plain.contains(char::is_whitespace) => format!("--profile {} --results {plain}", options.profile),
        other => format!("--profile {} --results {other:?}", options.profile),
    }
}

/// Runs one experiment and says on stderr what went wrong.
fn perform(ready: &dyn Ready, session: &Session) -> Report {
    let report = ready.run(session);
    for error in &report.errors {
        tracing::error!("{}", summary::chain(error));
    }
    report
}

/// Prints to stdout; if it is closed there is nobody to tell.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
