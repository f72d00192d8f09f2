//! Depth-width sweep (Fig. 1): how well, and how fast, deep factorizations of any width complete a low-rank target.

mod claims;
mod draw;
mod settings;

use std::fmt;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};
use serde::{Deserialize, Serialize};

pub use self::settings::Settings;
use crate::drawing::drawing;
use crate::matrix::{MatrixTrial, Network, Start};
use crate::reference::{read_reference, reference_table};
use crate::statements::Run;

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    depth: usize,
    width: usize,
    trial: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "depth {}, width {}, trial {}", self.depth, self.width, self.trial)
    }
}

/// One run: a row of `depth-width-sweep.csv`.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) depth: usize,
    pub(super) width: usize,
    pub(super) trial: usize,
    pub(super) iterations: u64,
    pub(super) converged: bool,
    pub(super) training_loss: f64,
    pub(super) recovery_error: f64,
}

pub struct DepthWidthSweep;

impl Experiment for DepthWidthSweep {
    type Settings = Settings;
    type Inputs = ();
    type Point = Point;
    type Trial = MatrixTrial;

    const NAME: &'static str = "depth-width-sweep";
    const ABOUT: &'static str = "Recovery error and iterations by width, for two depths (Fig. 1)";
    const LONG_ABOUT: &'static str = "Completes a low-rank matrix from a part of its entries with deep factorizations \
        of depth 2 and 3 and of widths from the target's rank to its size (Fig. 1 of the paper). Shows the recovery \
        error at the end, which depth 3 keeps at zero for every width while depth 2 overfits the more the wider it is, \
        and the number of iterations, which falls with the width.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        let mut plan = Vec::new();
        for (depth, step_size) in settings.depths.iter().map(|case| (*case.depth, *case.step_size)) {
            for width in settings.widths.iter().map(|width| **width) {
                for trial in 0..*settings.trials {
                    // Trials differ in their initial factors only.
                    let start =
                        Start { experiment: Self::NAME, seed: settings.seed, instance: 0, initialization: trial };
                    let Settings { problem, init_scale, schedule, .. } = settings;
                    let network = Network::Deep { depth, width, init_scale: **init_scale };
                    let run = MatrixTrial::to_the_end(start, problem.clone(), network, step_size, schedule);
                    let at = Point { depth, width, trial };
                    plan.push(Planned { at, trial: run, kernels: Kernels::Sequential, cost: width as f64 });
                }
            }
        }
        Ok(plan)
    }

    fn tables(_: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows = finished.iter().map(|run| Row {
            depth: run.at.depth,
            width: run.at.width,
            trial: run.at.trial,
            iterations: run.outcome.final_iteration(),
            converged: run.outcome.converged,
            training_loss: run.outcome.final_loss(),
            recovery_error: run.outcome.final_recovery_error,
        });
        Ok(vec![Table::new(Self::NAME, rows)?, reference_table(Self::NAME)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let reference = read_reference(results, Self::NAME)?;
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &rows, &reference))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        let reference = read_reference(results, Self::NAME)?;
        Ok(claims::findings(settings, &results.read::<Row>(Self::NAME)?, &reference))
    }
}

/// Recovery error against width of the runs at one depth.
fn recovery_errors(rows: &[Row], depth: usize) -> Vec<Run> {
    rows.iter().filter(|row| row.depth == depth).map(|row| (row.trial, row.width as f64, row.recovery_error)).collect()
}

/// Iterations against width of the runs at one depth that met the tolerance.
fn iterations_to_tolerance(rows: &[Row], depth: usize) -> Vec<Run> {
    let met = rows.iter().filter(|row| row.depth == depth && row.converged);
    met.map(|row| (row.trial, row.width as f64, row.iterations as f64)).collect()
}

#[cfg(test)]
mod tests;
