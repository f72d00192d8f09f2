//! Compressed against narrow (Fig. 6): iterations and time that networks of the same small width need, by rank guess.

use lab::{
    Check, Claim, Drawing, Experiment, Finished, Invalid, Kernels, LabError, Planned, Results, Table, TrialContext,
    TrialError,
};
use serde::{Deserialize, Serialize};

use crate::matrix::{
    self, MatrixOutcome, MatrixTrial, Network, ProblemSettings, Recovery, ScheduleSettings, Start, check_list,
    check_rank_guess, check_trials,
};
use crate::reference::reference_table;

/// `experiments/compressed-vs-narrow.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    rank_guesses: Vec<usize>,
    depth: usize,
    init_scale: f64,
    step_size: f64,
    discrepant_step: f64,
    problem: ProblemSettings,
    schedule: ScheduleSettings,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_trials(self.trials)?;
        self.problem.check("problem")?;
        check_list("rank_guesses", &self.rank_guesses, |rank| rank >= 1, "an integer from 1")?;
        for (i, &rank) in self.rank_guesses.iter().enumerate() {
            check_rank_guess(&format!("rank_guesses.{i}"), rank, self.problem.size)?;
        }
        Invalid::unless(self.depth >= 2, "depth", self.depth, "an integer from 2")?;
        Invalid::unless(self.init_scale > 0.0, "init_scale", self.init_scale, "a number above 0")?;
        Invalid::unless(self.step_size > 0.0, "step_size", self.step_size, "a number above 0")?;
        Invalid::unless(self.discrepant_step >= 0.0, "discrepant_step", self.discrepant_step, "a number from 0")?;
        self.schedule.check("schedule")
    }
}

/// One run: a row of `compressed-vs-narrow.csv`.
#[derive(Serialize, Deserialize)]
struct Row {
    network: String,
    rank_guess: usize,
    trial: usize,
    iterations: u64,
    converged: bool,
    training_loss: f64,
    recovery_error: f64,
}

/// The clock of one run: a row of `compressed-vs-narrow.timing.csv`.
#[derive(Serialize, Deserialize)]
struct Timing {
    network: String,
    rank_guess: usize,
    trial: usize,
    seconds: f64,
    setup_seconds: f64,
}

/// The experiment.
pub struct CompressedVsNarrow;

impl Experiment for CompressedVsNarrow {
    type Settings = Settings;
    type Trial = MatrixTrial;
    type Outcome = MatrixOutcome;

    const NAME: &'static str = "compressed-vs-narrow";
    const ABOUT: &'static str = "Iterations and time to tolerance by rank guess: compressed, random narrow (Fig. 6)";
    const LONG_ABOUT: &'static str = "Completes a low-rank matrix from a part of its entries with three networks as \
        small as a guess r̂ of the target's rank allows (Fig. 6 of the paper): a narrow one of width 2r̂ from a random \
        start, the compressed twin of a wide one, and, not in the paper, one that starts from the top r̂ singular \
        vectors of the observed entries. Shows iterations and time to a given training loss against r̂.";

    fn plan(settings: &Settings) -> Vec<Planned<MatrixTrial>> {
        let mut planned = Vec::new();
        for &rank_guess in &settings.rank_guesses {
            for (name, network, cost) in settings.networks(rank_guess) {
                for trial in 0..settings.trials {
                    planned.push(Planned {
                        label: format!("{name}, rank guess {rank_guess}, trial {trial}"),
                        trial: settings.trial(network, trial),
                        kernels: Kernels::Sequential,
                        cost,
                    });
                }
            }
        }
        planned
    }

    fn run(trial: &MatrixTrial, context: &TrialContext) -> Result<MatrixOutcome, TrialError> {
        matrix::run(trial, context)
    }

    fn tables(_: &Settings, finished: &[Finished<MatrixTrial, MatrixOutcome>]) -> Result<Vec<Table>, LabError> {
        let rows = finished.iter().map(|f| {
            let (network, rank_guess) = name_and_rank_guess(f.trial.network);
            Row {
                network: network.to_owned(),
                rank_guess,
                trial: f.trial.start.instance,
                iterations: f.outcome.final_iteration(),
                converged: f.outcome.converged,
                training_loss: f.outcome.final_loss(),
                recovery_error: f.outcome.final_recovery_error,
            }
        });
        let clocks = finished.iter().map(|f| {
            let (network, rank_guess) = name_and_rank_guess(f.trial.network);
            Timing {
                network: network.to_owned(),
                rank_guess,
                trial: f.trial.start.instance,
                seconds: f.outcome.final_seconds(),
                setup_seconds: f.outcome.setup_seconds,
            }
        });
        Ok(vec![
            Table::new(Self::NAME, rows)?,
            Table::companion(Self::NAME, "timing", clocks)?,
            reference_table(Self::NAME)?,
        ])
    }

    fn draw(_settings: &Settings, _results: &Results) -> anyhow::Result<Vec<Drawing>> {
        Ok(Vec::new())
    }

    fn claims(_settings: &Settings, _results: &Results) -> anyhow::Result<Vec<Claim>> {
        Ok(Vec::new())
    }
}

const NARROW: &str = "random narrow";
const COMPRESSED: &str = "compressed";
const SPECTRAL: &str = "spectral";

/// What the tables call a network, and the rank guess it belongs to.
fn name_and_rank_guess(network: Network) -> (&'static str, usize) {
    match network {
        Network::Compressed { rank_guess, .. } => (COMPRESSED, rank_guess),
        Network::Spectral { rank_guess, .. } => (SPECTRAL, rank_guess),
        Network::Deep { width, .. } => (NARROW, width / 2),
        Network::CompressedExact { .. } => unreachable!("not in the plan"),
    }
}

impl Settings {
    /// The networks for one rank guess, with their relative duration.
    fn networks(&self, rank_guess: usize) -> [(&'static str, Network, f64); 3] {
        let Settings { depth, init_scale, discrepant_step, .. } = *self;
        let width = 2 * rank_guess;
        [
            (NARROW, Network::Deep { depth, width, init_scale }, 3.0 * width as f64),
            (COMPRESSED, Network::Compressed { depth, init_scale, rank_guess, discrepant_step }, width as f64),
            (SPECTRAL, Network::Spectral { depth, init_scale, rank_guess, discrepant_step }, rank_guess as f64),
        ]
    }

    /// Trials differ in everything random; networks of the same trial share target and observed entries.
    fn trial(&self, network: Network, trial: usize) -> MatrixTrial {
        MatrixTrial {
            start: Start { experiment: CompressedVsNarrow::NAME, seed: self.seed, instance: trial, initialization: 0 },
            problem: self.problem.clone(),
            network,
            step_size: self.step_size,
            schedule: self.schedule.clone(),
            recovery: Recovery::AtEnd,
            snapshots: 0,
        }
    }
}
