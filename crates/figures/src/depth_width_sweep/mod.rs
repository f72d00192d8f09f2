//! Depth-width sweep (Fig. 1): how well, and how fast, deep factorizations of any width complete a low-rank target.

mod claims;
mod draw;
mod plan;
mod settings;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};
use serde::{Deserialize, Serialize};

pub use self::plan::Point;
use self::plan::Whose;
pub use self::settings::Settings;
use crate::drawing::drawing;
use crate::matrix::MatrixTrial;
use crate::reference::{read_reference, reference_table};
use crate::statements::Run;

/// One run: a row of `depth-width-sweep.csv`, or, with the number of a target as that of a trial, of
/// `depth-width-sweep.targets.csv`.
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

/// The table of the runs on other targets.
const TARGETS: &str = "depth-width-sweep.targets";

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
        and the number of iterations, which falls with the width. Other targets show what of that is the target's.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        Ok(plan::plan(settings))
    }

    fn tables(_: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let row = |run: &FinishedOf<Self>, trial: usize| Row {
            depth: run.at.depth,
            width: run.at.width,
            trial,
            iterations: run.outcome.final_iteration(),
            converged: run.outcome.converged,
            training_loss: run.outcome.final_loss(),
            recovery_error: run.outcome.final_recovery_error,
        };
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for run in finished {
            match run.at.whose {
                Whose::Trial(trial) => rows.push(row(run, trial)),
                Whose::Target(target) => targets.push(row(run, target)),
            }
        }
        Ok(vec![
            Table::new(Self::NAME, rows)?,
            Table::companion(Self::NAME, "targets", targets)?,
            reference_table(Self::NAME)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let [rows, targets] = [results.read::<Row>(Self::NAME)?, results.read(TARGETS)?];
        let reference = read_reference(results, Self::NAME)?;
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &rows, &targets, &reference))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        let [rows, targets] = [results.read::<Row>(Self::NAME)?, results.read(TARGETS)?];
        let reference = read_reference(results, Self::NAME)?;
        Ok(claims::findings(settings, &rows, &targets, &reference))
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
