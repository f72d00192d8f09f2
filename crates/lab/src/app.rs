//! The binaries' `main`: one experiment, or all of them.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory, FromArgMatches};

use crate::cli::{All, Common, DEFAULT_FIGURES, DEFAULT_RESULTS, Single, most_threads};
use crate::session::{self, Ready, Report, Session, Work};
use crate::settings::{self, Override, SettingsError};
use crate::{
    Experiment, LabError, files, logging, prepared, provenance, provenance::Machine, report, signals, summary,
};

/// Loads an experiment's settings: file, profile, overrides.
type Prepare = fn(&Path, &str, &[Override]) -> Result<Box<dyn Ready>, SettingsError>;

/// An experiment, its types erased; made by [`entry`].
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) long_about: &'static str,
    prepare: Prepare,
    redraw: fn() -> Box<dyn Ready>,
}

impl Entry {
    /// The experiment's name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// `E` for [`main`] and the list given to [`main_all`].
pub fn entry<E: Experiment>() -> Entry {
    Entry {
        name: E::NAME,
        about: E::ABOUT,
        long_about: E::LONG_ABOUT,
        prepare: prepared::prepare::<E>,
        redraw: session::redraw::<E>,
    }
}

/// `main` of the binary of one figure. Exit code 0: done; 1: something failed, a trial perhaps; 2: bad input;
/// 130 and 143: ended by SIGINT or SIGTERM.
pub fn main(entry: Entry) -> ExitCode {
    let long = format!("{}\n\n{}", entry.about, entry.long_about);
    let command = Single::command().name(entry.name).about(entry.about).long_about(long);
    start_process(command, |options: Single| run_single(entry, &options))
}

/// `main` of `reproduce-all`. Exit codes as of [`main`].
pub fn main_all(list: &[Entry], statements: &str) -> ExitCode {
    let about = "Runs every experiment: settings to trials to tables to figures";
    let long = format!("{about}.\n\nExperiments:\n{}", listing(list));
    let command = All::command().name("reproduce-all").about(about).long_about(long);
    start_process(command, |options: All| run_all(list, statements, &options))
}

/// Does `work` with the options of the command line, or what those ask for instead: help, version.
fn start_process<O: FromArgMatches>(command: Command, work: impl FnOnce(O) -> Result<u8, LabError>) -> ExitCode {
    // Uncaught, signals end the program as they would any other.
    let _ = signals::catch();
    let parsed = command.try_get_matches().and_then(|matches| O::from_arg_matches(&matches));
    exit(parsed.map_or_else(|message| said(&message), work))
}

/// Prints what ended the program before its end, if anything did, and gives its exit code: for every binary's `main`.
pub fn exit(result: Result<u8, LabError>) -> ExitCode {
    let code = result.unwrap_or_else(|error| {
        let code = error.exit_code();
        // If stderr is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "error: {}", error.chain());
        code
    });
    ExitCode::from(code)
}

/// Prints what the command line's parser has to say: help and version on stdout, mistakes on stderr.
fn said(message: &clap::Error) -> Result<u8, LabError> {
    let written = message.print();
    if !message.use_stderr() {
        printed(written)?;
    }
    Ok(u8::try_from(message.exit_code()).unwrap_or(2))
}

fn run_single(entry: Entry, options: &Single) -> Result<u8, LabError> {
    let default = Path::new("experiments").join(format!("{}.toml", entry.name));
    let path = options.config.as_deref().unwrap_or(&default);
    if options.settings {
        return print(&settings::list(path)?.text()).map(|()| 0);
    }
    options.common.check_plot_only()?;
    let ready = match options.common.plot_only {
        true => (entry.redraw)(),
        false => (entry.prepare)(path, &options.common.profile, &options.common.overrides()?)?,
    };
    let session = start(&options.common)?;
    let report = told(ready.run(&session));
    conclude(std::slice::from_ref(&report), &options.common, || match session.work {
        Work::Everything => summary::of_one(&report),
        _ => report.said.clone(),
    })
}

fn run_all(list: &[Entry], statements: &str, options: &All) -> Result<u8, LabError> {
    if options.list {
        return print(&listing(list)).map(|()| 0);
    }
    if options.report {
        logging::start(options.common.quiet, options.common.verbose);
        let directory = options.common.results_directory();
        if !directory.is_dir() {
            let others = report::profiles(&options.common.results, list).join(", ");
            return Err(LabError::NoResults { directory, others });
        }
        let path = write_report(list, statements, options, &[])?;
        return print(&format!("{}\n", path.display())).map(|()| 0);
    }
    let selected = select(list, &options.only, &options.skip)?;
    options.common.check_plot_only()?;
    // All settings are read before anything runs: a mistake in the last must not be found after hours.
    let jobs = match options.common.plot_only {
        true => selected.iter().map(|entry| (entry.redraw)()).collect(),
        false => prepare_all(&selected, options)?,
    };
    let session = start(&options.common)?;
    let perform = |entry: &Entry, ready: &dyn Ready| {
        let report = ready.run(&session);
        told(if options.only.iter().any(|name| name == entry.name) { report } else { report.without_data() })
    };
    let reports: Vec<Report> =
        selected.iter().zip(&jobs).map(|(entry, ready)| perform(entry, ready.as_ref())).collect();
    if session.work != Work::Everything {
        return conclude(&reports, &options.common, || reports.iter().map(|report| report.said.as_str()).collect());
    }
    let failed = |report: &Report| report.errors.first().map(|error| (report.experiment, error.chain()));
    let failed: Vec<_> = reports.iter().filter_map(failed).collect();
    let report = write_report(list, statements, options, &failed);
    let line = report.as_ref().map_or_else(|_| String::new(), |path| format!("report: {}\n", path.display()));
    let code = conclude(&reports, &options.common, || format!("{}{line}", summary::of_all(&reports, &session)))?;
    match report {
        // To look at somebody else's results is no reason to fail.
        Err(LabError::Write { source, path }) if options.common.plot_only && files::is_read_only(&source) => {
            tracing::warn!("no report: {} may not be written", path.display());
            Ok(code)
        }
        Err(error) if code == 0 => Err(error),
        Err(error) => {
            tracing::error!("no report: {}", error.chain());
            Ok(code)
        }
        Ok(_) => Ok(code),
    }
}

/// Prints the closing table. The exit code is that of the first experiment that did not go well.
fn conclude(reports: &[Report], options: &Common, table: impl FnOnce() -> String) -> Result<u8, LabError> {
    let code = reports.iter().map(Report::exit_code).find(|code| *code != 0);
    let shown = if options.quiet { Ok(()) } else { print(&table()) };
    match (code, shown) {
        (None, shown) => shown.map(|()| 0),
        (Some(code), Ok(())) => Ok(code),
        (Some(code), Err(error)) => {
            tracing::error!("{}", error.chain());
            Ok(code)
        }
    }
}

/// Writes the report of the profile from what is on disk: also of experiments that this run did not touch.
fn write_report(
    list: &[Entry],
    statements: &str,
    options: &All,
    failed: &[(&str, String)],
) -> Result<PathBuf, LabError> {
    let common = &options.common;
    let places = report::Places {
        profile: &common.profile,
        results: &common.results_directory(),
        figures: &common.figures_directory(),
        experiments: &options.experiments,
    };
    report::write(list, statements, places, failed)
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
        results: options.results_directory(),
        figures: options.figures_directory(),
        data_dir: options.data_dir.clone(),
        threads,
        fresh: options.fresh,
        force: options.force,
        plot_only: options.plot_only,
        work: options.work(),
        patience: options.lease,
        accept_edited: options.accept_edited,
        style,
        machine: Machine::survey(threads),
    };
    session.check_outputs()?;
    if let (Some(reason), false) = (provenance::REVISION_UNKNOWN, session.plot_only || session.work != Work::Everything)
    {
        tracing::warn!("NAME.meta.toml will not say which revision of the code ran: {reason}");
    }
    Ok(session)
}

/// The options that another run must have to make the tables this one looks for, and to draw where this one does.
fn repeated(options: &Common) -> String {
    let places = [("--results", &options.results, DEFAULT_RESULTS), ("--figures", &options.figures, DEFAULT_FIGURES)];
    let mut repeated = format!("--profile {}", options.profile);
    for (option, place, default) in places {
        match &*place.to_string_lossy() {
            place if place == default => {}
            plain if !plain.contains(char::is_whitespace) => repeated += &format!(" {option} {plain}"),
            other => repeated += &format!(" {option} {other:?}"),
        }
    }
    repeated
}

/// Says on stderr what went wrong with an experiment, or why it was not run.
fn told(report: Report) -> Report {
    let named = |text: String| match text.contains(report.experiment) {
        true => text,
        false => format!("{}: {text}", report.experiment),
    };
    for error in &report.errors {
        tracing::error!("{}", named(error.chain()));
    }
    if let Some(why) = &report.left_out {
        tracing::warn!("left out: {}", named(why.clone()));
    }
    report
}

/// Prints to stdout.
fn print(text: &str) -> Result<(), LabError> {
    printed(io::stdout().write_all(text.as_bytes()))
}

/// What became of writing to stdout. A reader who closed the pipe has read enough.
fn printed(written: io::Result<()>) -> Result<(), LabError> {
    match written.and_then(|()| io::stdout().flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => Err(LabError::Print { source }),
        _ => Ok(()),
    }
}
