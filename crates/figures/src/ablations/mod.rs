//! Ablations: what the discrepant step, the observed fraction, the init scale and the depth do to the original network
//! and to its compressed network. Not in the paper.

mod claims;
mod draw;
mod plan;
mod settings;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};
use serde::{Deserialize, Serialize};

pub use self::plan::Point;
pub use self::settings::Settings;
use crate::drawing::drawing;
use crate::matrix::MatrixTrial;

/// One run at one value of one factor: a row of `ablations.csv`. A run at the base occurs once for each factor.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) factor: String,
    pub(super) value: f64,
    pub(super) network: String,
    pub(super) trial: usize,
    pub(super) iterations: u64,
    pub(super) converged: bool,
    pub(super) training_loss: f64,
    pub(super) recovery_error: f64,
}

pub struct Ablations;

impl Experiment for Ablations {
    type Settings = Settings;
    type Inputs = ();
    type Point = Point;
    type Trial = MatrixTrial;

    const NAME: &'static str = "ablations";
    const ABOUT: &'static str = "Discrepant step, observed fraction, init scale and depth, one at a time";
    const LONG_ABOUT: &'static str = "Completes a low-rank matrix with a deep factorization of full width and with its \
        compressed network, and varies one factor at a time: the discrepant step γ, the observed fraction p, the init \
        scale ε, the depth L, and, of the original, how its entries are drawn. Shows the recovery error and the iterations \
        to a given training loss. Not in the paper.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        Ok(plan::plan(settings))
    }

    fn tables(_: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows = finished.iter().map(|run| Row {
            factor: run.at.factor.to_owned(),
            value: run.at.value,
            network: run.at.network.to_owned(),
            trial: run.at.trial,
            iterations: run.outcome.final_iteration(),
            converged: run.outcome.converged,
            training_loss: run.outcome.final_loss(),
            recovery_error: run.outcome.final_recovery_error,
        });
        Ok(vec![Table::new(Self::NAME, rows)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &results.read(Self::NAME)?))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read(Self::NAME)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::given::{refused, settings};

    /// The base occurs among the values of every factor, and the original does not depend on γ: the machinery runs equal
    /// trials once.
    #[test]
    fn equal_cases_are_run_once() {
        for (profile, cases, runs) in [("paper", 144, 111), ("quick", 84, 64), ("smoke", 48, 32)] {
            let plan = Ablations::plan(&settings("ablations", profile), &()).unwrap();
            assert_eq!(plan.len(), cases, "{profile}");
            let mut different: Vec<&MatrixTrial> = Vec::new();
            for planned in &plan {
                if !different.contains(&&planned.trial) {
                    different.push(&planned.trial);
                }
            }
            assert_eq!(different.len(), runs, "{profile}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        for (set, key) in [
            ("vary.depths.2.depth=2", "vary.depths.2.depth"),
            ("vary.depths.1.depth=1", "vary.depths.1.depth"),
            ("vary.discrepant_steps.2=-1.0", "vary.discrepant_steps.2"),
            ("vary.init_scales=[0.1, 0.2, 0.1]", "vary.init_scales.2"),
            ("base.rank_guess=51", "base.rank_guess"),
        ] {
            assert_eq!(refused::<Settings>("ablations", &[set]).0, key, "{set}");
        }
        assert_eq!(refused::<Settings>("ablations", &["vary.depths.2.depth=2"]).1, "each depth once");
    }
}
