//! The command line.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};

use crate::LabError;
use crate::session::Work;
use crate::settings::{DEFAULT_PROFILE, Override, SettingsError};
use crate::shard::Shard;

/// Where tables go if nothing else is said.
pub(crate) const DEFAULT_RESULTS: &str = "results";
/// Where pictures go.
pub(crate) const DEFAULT_FIGURES: &str = "figures";

/// Options of a figure's binary.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Single {
    /// Settings file [default: experiments/NAME.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// List the settings with their values in every profile, and run nothing
    #[arg(long)]
    pub(crate) settings: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options of `reproduce-all`.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct All {
    /// Run only these experiments
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = trimmed)]
    pub(crate) only: Vec<String>,
    /// Run all experiments but these
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = trimmed)]
    pub(crate) skip: Vec<String>,
    /// List the experiments and run nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Run nothing; write the report of the profile from the tables and figures that are there
    #[arg(long, conflicts_with_all = ["only", "skip", "list", "plot_only", "fresh", "force", "pack", "shard", "status", "set", "seed", "trials", "data_dir"])]
    pub(crate) report: bool,
    /// Directory of the settings files, one NAME.toml per experiment
    #[arg(long, value_name = "DIR", default_value = "experiments")]
    pub(crate) experiments: PathBuf,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options of both.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Profile of the settings: paper (the paper's own), quick, smoke, or any other that the file has
    #[arg(long, default_value = DEFAULT_PROFILE, value_parser = profile)]
    pub(crate) profile: String,
    /// Override a setting; repeatable, dotted keys, TOML values: --set problem.rank=5 --set 'widths=[10, 20]'
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Short for --set seed=N, which counts if both are given
    #[arg(long, value_name = "N", value_parser = whole_number)]
    pub(crate) seed: Option<i64>,
    /// Short for --set trials=N, which counts if both are given
    #[arg(long, value_name = "N", value_parser = whole_number)]
    pub(crate) trials: Option<i64>,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Where tables go: DIR/PROFILE/NAME.csv
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RESULTS)]
    pub(crate) results: PathBuf,
    /// Where pictures go: DIR/PROFILE/NAME.png and .svg
    #[arg(long, value_name = "DIR", default_value = DEFAULT_FIGURES)]
    pub(crate) figures: PathBuf,
    /// Directory of data sets that are not downloaded (docs/models-and-data.md)
    #[arg(long, value_name = "DIR", value_parser = directory, conflicts_with = "plot_only")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Set stored and packed trials aside, and run all of them again
    #[arg(long, conflicts_with = "plot_only")]
    pub(crate) fresh: bool,
    /// Run trials even if they may need more memory than there is
    #[arg(long, conflicts_with = "plot_only")]
    pub(crate) force: bool,
    /// Run nothing; pack the trials finished so far into DIR/PROFILE/NAME.trials, to be committed (also while they are run)
    #[arg(long, conflicts_with_all = ["plot_only", "fresh", "force", "shard", "status"])]
    pub(crate) pack: bool,
    /// Run the I-th of N shares of the trials and write no tables; the same command without --shard then writes them
    #[arg(long, value_name = "I/N", conflicts_with = "plot_only")]
    pub(crate) shard: Option<Shard>,
    /// Wait for the other shards where a second stage is planned from the outcomes of the first
    #[arg(long, requires = "shard")]
    pub(crate) wait: bool,
    /// Run nothing; list the trials: finished, running (where, since when), waiting, failed
    #[arg(long, conflicts_with_all = ["plot_only", "fresh", "force", "shard"])]
    pub(crate) status: bool,
    /// Seconds without a sign of life after which another process takes over a trial (docs/cluster.md)
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = patience)]
    pub(crate) lease: Duration,
    /// Run nothing; redraw and recheck the claims from the tables that are there, with the settings they were made with
    #[arg(long)]
    pub(crate) plot_only: bool,
    /// Draw tables that are not as their run wrote them, because you edited them, say
    #[arg(long, requires = "plot_only")]
    pub(crate) accept_edited: bool,
    /// Show warnings and errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Show more: each trial, each file, each claim
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

impl Common {
    /// The overrides, weakest first: `--seed` and `--trials`, then `--set` in the order given.
    pub(crate) fn overrides(&self) -> Result<Vec<Override>, SettingsError> {
        let seed = self.seed.map(|value| Override::number("seed", value));
        let trials = self.trials.map(|value| Override::number("trials", value));
        let sets = self.set.iter().map(|text| Override::set(text));
        seed.into_iter().chain(trials).map(Ok).chain(sets).collect()
    }

    /// What is to be done with each experiment.
    pub(crate) fn work(&self) -> Work {
        match self.shard {
            Some(shard) => Work::Share { shard, wait: self.wait },
            None if self.status => Work::Status,
            None if self.pack => Work::Pack,
            None => Work::Everything,
        }
    }

    /// Where the tables of the profile are.
    pub(crate) fn results_directory(&self) -> PathBuf {
        self.results.join(&self.profile)
    }

    /// Where the pictures of the profile are.
    pub(crate) fn figures_directory(&self) -> PathBuf {
        self.figures.join(&self.profile)
    }

    /// Number of threads to use.
    pub(crate) fn thread_count(&self) -> usize {
        self.threads.unwrap_or_else(cores)
    }

    /// Refuses overrides together with `--plot-only`: the tables fix the settings.
    pub(crate) fn check_plot_only(&self) -> Result<(), LabError> {
        match self.overrides()?.into_iter().next() {
            Some(given) if self.plot_only => Err(LabError::PlotOnlyOverride { option: given.option }),
            _ => Ok(()),
        }
    }
}

/// Most threads that may be asked for.
pub(crate) fn most_threads() -> usize {
    (4 * cores()).max(256)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn threads(text: &str) -> Result<usize, String> {
    let most = most_threads();
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("allowed: a whole number from 1 to {most}"))
}

/// Time that may pass without a sign of life.
fn patience(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|seconds| (0.1..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "allowed: a number from 0.1 to 86400".into())
}

/// A number of the settings, which are TOML: 63 bits.
fn whole_number(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| format!("allowed: a whole number from 0 to {}", i64::MAX))
}

/// A directory that is there.
fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("there is no such directory".into()) }
}

/// A profile's name is part of paths.
fn profile(name: &str) -> Result<String, String> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
        return Err("a profile's name is a directory's: not empty, no path separator, no leading dot".into());
    }
    Ok(name.to_owned())
}

fn trimmed(text: &str) -> Result<String, Infallible> {
    Ok(text.trim().to_owned())
}
