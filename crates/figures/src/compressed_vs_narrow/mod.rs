//! Compressed against narrow (Fig. 6): iterations and time that networks of the same small width need, by rank guess.

mod claims;
mod draw;
mod rows;
mod settings;

use std::fmt;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};

use self::rows::{Row, Timing};
pub use self::settings::{Kind, Settings};
use crate::drawing::drawing;
use crate::matrix::MatrixTrial;
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
        start, the compressed network of a wide one, and, not in the paper, one that starts from the top r̂ singular \
        vectors of the observed entries. Shows iterations and time to a given training loss against r̂.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        let mut plan = Vec::new();
        for rank_guess in settings.rank_guesses.iter().map(|guess| **guess) {
            for (kind, network) in settings.networks(rank_guess) {
                for trial in 0..settings.trials_of(kind) {
                    let start = settings.start(trial);
                    let Settings { problem, step_size, schedule, .. } = settings;
                    let run = MatrixTrial::to_the_end(start, problem.clone(), network, **step_size, schedule);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::InitializationSettings;
    use crate::matrix::given::{refused, settings};

    #[test]
    fn every_profile_is_valid() {
        for (profile, runs) in [("paper", 66), ("quick", 18), ("smoke", 12)] {
            assert_eq!(
                CompressedVsNarrow::plan(&settings("compressed-vs-narrow", profile), &()).unwrap().len(),
                runs,
                "{profile}"
            );
        }
    }

    #[test]
    fn bad_values_are_named() {
        for (set, key) in [
            ("rank_guesses.1=501", "rank_guesses.1"),
            ("rank_guesses=[]", "rank_guesses"),
            ("problem.size=0", "problem.size"),
            ("problem.size=900", "problem.size"),
            ("rank_guesses.2=12", "rank_guesses.2"),
            ("initialization=sampled", "initialization"),
            ("depth=2", "depth"),
        ] {
            assert_eq!(refused::<Settings>("compressed-vs-narrow", &[set]).0, key, "{set}");
        }
        assert!(!settings::<Settings>("compressed-vs-narrow", "quick").as_in_the_paper());
        let mut paper: Settings = settings("compressed-vs-narrow", "paper");
        assert!(paper.as_in_the_paper());
        paper.initialization = InitializationSettings::Sampled;
        assert!(!paper.as_in_the_paper());
    }
}
