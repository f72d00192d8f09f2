//! Width without end: what an iteration, the set-up and the memory of the compressed network cost up to a million wide.

mod claims;
mod costs;
mod draw;
mod equivalence;
mod plan;
mod settings;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

pub use self::plan::{Outcome, Point, Run};
pub use self::settings::Settings;
use crate::drawing::drawing;

/// The most memory a million wide may take.
const MOST_MEMORY_MIB: f64 = 6.0 * 1024.0;

pub struct Scaling;

impl Experiment for Scaling {
    type Settings = Settings;
    type Inputs = ();
    type Point = Point;
    type Trial = Run;

    const NAME: &'static str = "scaling";
    const ABOUT: &'static str = "Time and memory against width, up to a million; sampled against explicit construction";
    const LONG_ABOUT: &'static str = "Completes low-rank matrices of growing size, with as many observed entries in each \
        row, by the compressed network of a network that is never built (sampled construction), by the one made from the \
        original's factors, and by the original, each up to where it still fits. Shows seconds per iteration, set-up \
        seconds and peak memory against the size, held-out errors against iterations and seconds, and that both \
        constructions need the same number of iterations. Not in the paper.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        Ok(plan::plan(settings))
    }

    fn tables(_: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let (mut rows, mut costs, mut draws) = (Vec::new(), Vec::new(), Vec::new());
        for run in finished {
            match &run.outcome {
                Outcome::Scale(outcome) => {
                    rows.extend(costs::records(run.at, outcome));
                    costs.push(costs::cost(run.at, outcome));
                }
                Outcome::Equivalence(outcome) => {
                    draws.push(equivalence::equivalence_row(run.at.network, run.at.trial, outcome));
                }
            }
        }
        Ok(vec![
            Table::new(Self::NAME, rows)?,
            Table::companion(Self::NAME, "timing", costs)?,
            Table::companion(Self::NAME, "equivalence", draws)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let costs: Vec<costs::Cost> = results.read("scaling.timing")?;
        let draws: Vec<equivalence::EquivalenceRow> = results.read("scaling.equivalence")?;
        Ok(vec![drawing(
            Self::NAME,
            &draw::figure(settings, &results.read::<costs::Row>(Self::NAME)?, &costs, &draws),
        )?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        let costs: Vec<costs::Cost> = results.read("scaling.timing")?;
        let draws: Vec<equivalence::EquivalenceRow> = results.read("scaling.equivalence")?;
        Ok(claims::findings(settings, &results.read::<costs::Row>(Self::NAME)?, &costs, &draws))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::given::{refused, settings};

    #[test]
    fn every_profile_is_valid_and_stops_where_it_should() {
        for (profile, runs, largest) in [("paper", 52, 1_000_000), ("quick", 25, 100_000), ("smoke", 10, 1000)] {
            let settings: Settings = settings("scaling", profile);
            assert_eq!(Scaling::plan(&settings, &()).unwrap().len(), runs, "{profile}");
            assert_eq!(settings.largest(), largest, "{profile}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        for (set, key) in [
            ("sizes.1.size=1000", "sizes.1.size"),
            ("sizes.0.size=100", "problem.observed_per_row"),
            ("problem.target=gaussian", "problem.target"),
            ("problem.rank=0", "problem.rank"),
            ("network.step_size=0.0", "network.step_size"),
            ("network.rank_guess=501", "network.rank_guess"),
            ("held_out_entries=1", "held_out_entries"),
            ("sizes=[]", "sizes"),
            ("equivalence.draws=1", "equivalence.draws"),
            ("equivalence.problem.observed_fraction=1.0", "equivalence.problem.observed_fraction"),
        ] {
            assert_eq!(refused::<Settings>("scaling", &[set]).0, key, "{set}");
        }
    }
}
