//! Compressed against narrow (Fig. 6): iterations and time that networks of the same small width need, by rank guess.

mod claims;
mod draw;
mod settings;

use std::fmt;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};
use serde::{Deserialize, Serialize};

pub use self::settings::{Kind, Settings};
use crate::drawing::drawing;
use crate::matrix::{MatrixTrial, Recovery, Start};
use crate::reference::{read_reference, reference_table};

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    kind: Kind,
    rank_guess: usize,
    trial: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, rank guess {}, trial {}", self.kind.name(), self.rank_guess, self.trial)
    }
}

/// One run: a row of `compressed-vs-narrow.csv`.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) network: String,
    pub(super) rank_guess: usize,
    pub(super) trial: usize,
    pub(super) iterations: u64,
    pub(super) converged: bool,
    pub(super) training_loss: f64,
    pub(super) recovery_error: f64,
}

/// The clock of one run: a row of `compressed-vs-narrow.timing.csv`, in the order of the main table.
#[derive(Serialize, Deserialize)]
pub(super) struct Timing {
    pub(super) network: String,
    pub(super) rank_guess: usize,
    pub(super) trial: usize,
    pub(super) seconds: f64,
    pub(super) setup_seconds: f64,
}

/// The experiment.
pub struct CompressedVsNarrow;

impl Experiment for CompressedVsNarrow {
    type Settings = Settings;
    type Inputs = ();
    type Point = Point;
    type Trial = MatrixTrial;

    const NAME: &'static str = "compressed-vs-narrow";
    const ABOUT: &'static str = "Iterations and time to tolerance by rank guess: compressed, random narrow (Fig. 6)";
    const LONG_ABOUT: &'static str = "Completes a low-rank matrix from a part of its entries with three networks as \
        small as a guess r̂ of the target's rank allows (Fig. 6 of the paper): a narrow one of width 2r̂ from a random \
        start, the compressed twin of a wide one, and, not in the paper, one that starts from the top r̂ singular \
        vectors of the observed entries. Shows iterations and time to a given training loss against r̂.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        let mut plan = Vec::new();
        for rank_guess in settings.rank_guesses.iter().map(|guess| **guess) {
            for (kind, network) in settings.networks(rank_guess) {
                for trial in 0..*settings.trials {
                    // Trials differ in everything random; networks of the same trial share target and observed entries.
                    let start =
                        Start { experiment: Self::NAME, seed: settings.seed, instance: trial, initialization: 0 };
                    let run = MatrixTrial {
                        start,
                        problem: settings.problem.clone(),
                        network,
                        step_size: *settings.step_size,
                        schedule: settings.schedule.clone(),
                        recovery: Recovery::AtEnd,
                        snapshots: 0,
                    };
                    let at = Point { kind, rank_guess, trial };
                    plan.push(Planned { at, trial: run, kernels: Kernels::Sequential, cost: kind.cost(rank_guess) });
                }
            }
        }
        Ok(plan)
    }

    fn tables(_: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows = finished.iter().map(|run| Row {
            network: run.at.kind.name().to_owned(),
            rank_guess: run.at.rank_guess,
            trial: run.at.trial,
            iterations: run.outcome.final_iteration(),
            converged: run.outcome.converged,
            training_loss: run.outcome.final_loss(),
            recovery_error: run.outcome.final_recovery_error,
        });
        let clocks = finished.iter().map(|run| Timing {
            network: run.at.kind.name().to_owned(),
            rank_guess: run.at.rank_guess,
            trial: run.at.trial,
            seconds: run.outcome.final_seconds(),
            setup_seconds: run.outcome.setup_seconds,
        });
        Ok(vec![
            Table::new(Self::NAME, rows)?,
            Table::companion(Self::NAME, "timing", clocks)?,
            reference_table(Self::NAME)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let clocks: Vec<Timing> = results.read("compressed-vs-narrow.timing")?;
        let reference = read_reference(results, Self::NAME)?;
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &rows, &clocks, &reference))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        let reference = read_reference(results, Self::NAME)?;
        let clocks: Vec<Timing> = results.read("compressed-vs-narrow.timing")?;
        Ok(claims::findings(settings, &results.read::<Row>(Self::NAME)?, &clocks, &reference))
    }
}

/// (r̂, iterations) of the runs of one network that met the tolerance.
fn iterations_of(rows: &[Row], kind: Kind) -> Vec<(f64, f64)> {
    let rows = rows.iter().filter(|row| row.network == kind.name() && row.converged);
    rows.map(|row| (row.rank_guess as f64, row.iterations as f64)).collect()
}

/// (r̂, seconds) of the runs of one network that met the tolerance, with the making of the initial factors.
fn seconds_of(rows: &[Row], clocks: &[Timing], kind: Kind) -> Vec<(f64, f64)> {
    let met = rows.iter().zip(clocks).filter(|(row, _)| row.network == kind.name() && row.converged);
    met.map(|(row, clock)| (row.rank_guess as f64, clock.seconds + clock.setup_seconds)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lab::Check;

    use super::*;

    fn settings(profile: &str) -> Settings {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/compressed-vs-narrow.toml");
        lab::settings::load::<Settings>(&path, profile, &[]).unwrap().settings
    }

    #[test]
    fn every_profile_is_valid() {
        for (profile, runs) in [("paper", 90), ("quick", 18), ("smoke", 12)] {
            assert_eq!(CompressedVsNarrow::plan(&settings(profile), &()).unwrap().len(), runs, "{profile}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        let mut settings = settings("quick");
        assert!(!settings.as_in_the_paper());
        settings.rank_guesses[1] = 151;
        assert_eq!(settings.check().unwrap_err().key, "rank_guesses.1");
        settings.problem.size = 0;
        assert_eq!(settings.check().unwrap_err().key, "problem.size");
    }
}
