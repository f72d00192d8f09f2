//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser};

use crate::settings::{DEFAULT_PROFILE, Override, SettingsError};

/// Options of a figure's binary.
#[derive(Debug, Parser)]
pub(crate) struct Single {
    /// Settings file [default: experiments/NAME.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options of `reproduce-all`.
#[derive(Debug, Parser)]
pub(crate) struct All {
    /// Run only these experiments
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Run all experiments but these
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(crate) skip: Vec<String>,
    /// List the experiments and run nothing
    #[arg(long)]
    pub(crate) list: bool,
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
    #[arg(long, default_value = DEFAULT_PROFILE)]
    pub(crate) profile: String,
    /// Override a setting; repeatable, dotted keys, TOML values: --set problem.rank=5 --set widths=[10,20]
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Short for --set seed=N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) seed: Option<i64>,
    /// Short for --set trials=N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) trials: Option<i64>,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Where tables go: DIR/PROFILE/NAME.csv
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) results: PathBuf,
    /// Where pictures go: DIR/PROFILE/NAME.png and .svg
    #[arg(long, value_name = "DIR", default_value = "figures")]
    pub(crate) figures: PathBuf,
    /// Run every trial again, ignoring stored ones
    #[arg(long, conflicts_with = "plot_only")]
    pub(crate) fresh: bool,
    /// Run nothing; redraw and recheck the claims from the tables that are there
    #[arg(long)]
    pub(crate) plot_only: bool,
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

    /// Number of threads to use.
    pub(crate) fn thread_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(cores, usize::from)
    }
}
