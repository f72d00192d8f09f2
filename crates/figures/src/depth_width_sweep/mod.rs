//! Depth-width sweep (Fig. 1): how well, and how fast, deep factorizations of any width complete a low-rank target.

mod claims;
mod settings;

use std::fmt;

use charts::{Axis, Figure, Legend, Lines, Series};
use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};
use serde::{Deserialize, Serialize};

use self::settings::DepthSettings;
pub use self::settings::Settings;
use crate::drawing::drawing;
use crate::label::number;
use crate::matrix::{MatrixTrial, Network, Recovery, Start};
use crate::palette;
use crate::reference::{read_reference, reference_points, reference_table};
use crate::summary::{Averaged, averaged};

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

/// The experiment.
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
        for &DepthSettings { depth, step_size } in &settings.depths {
            for &width in &settings.widths {
                for trial in 0..settings.trials {
                    // Trials differ in their initial factors only.
                    let start =
                        Start { experiment: Self::NAME, seed: settings.seed, instance: 0, initialization: trial };
                    let run = MatrixTrial {
                        start,
                        problem: settings.problem.clone(),
                        network: Network::Deep { depth, width, init_scale: settings.init_scale },
                        step_size,
                        schedule: settings.schedule.clone(),
                        recovery: Recovery::AtEnd,
                        snapshots: 0,
                    };
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
        let panel = |title: &str, y: &str| {
            Lines::new(title).x(Axis::linear("width")).y(Axis::linear(y).include(0.0)).legend(Legend::Below)
        };
        let mut errors = panel("Recovery error", "recovery error");
        let mut iterations = panel("Iterations to tolerance", "iterations");
        for DepthSettings { depth, step_size } in &settings.depths {
            let hue = palette::depth(*depth);
            let label = format!("depth {depth}, η = {}", number(*step_size));
            let series = |curve: Averaged| Series::new(&label, curve.mean).band(curve.band).hue(hue).markers();
            let paper = |quantity: &str| {
                let points = reference_points(&reference, &format!("depth {depth}"), quantity);
                (settings.as_in_the_paper() && !points.is_empty())
                    .then(|| Series::new(format!("depth {depth}, paper"), points).hue(hue).paper())
            };
            errors = errors.series(series(averaged(recovery_errors(&rows, *depth)))).many(paper("recovery_error"));
            let curve = averaged(iterations_to_tolerance(&rows, *depth));
            // Depth 2 is slow for reasons of its own where it overfits; the paper shows the deepest network only.
            if settings.depths.iter().all(|other| other.depth <= *depth) {
                iterations = iterations.series(series(curve)).many(paper("iterations"));
                if rows.iter().any(|row| row.depth == *depth && !row.converged) {
                    let limit = settings.schedule.max_iterations as f64;
                    iterations = iterations.reference(limit, "limit: runs that end there are left out");
                }
            }
        }
        let figure = Figure::new("Completion by deep factorizations of any width")
            .subtitle(settings.subtitle())
            .panel(errors)
            .panel(iterations);
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        let reference = read_reference(results, Self::NAME)?;
        Ok(claims::findings(settings, &results.read::<Row>(Self::NAME)?, &reference))
    }
}

/// (width, recovery error) of the runs at one depth.
fn recovery_errors(rows: &[Row], depth: usize) -> Vec<(f64, f64)> {
    rows.iter().filter(|row| row.depth == depth).map(|row| (row.width as f64, row.recovery_error)).collect()
}

/// (width, iterations) of the runs at one depth that met the tolerance.
fn iterations_to_tolerance(rows: &[Row], depth: usize) -> Vec<(f64, f64)> {
    let met = rows.iter().filter(|row| row.depth == depth && row.converged);
    met.map(|row| (row.width as f64, row.iterations as f64)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lab::Check;

    use super::*;

    fn settings(profile: &str) -> Settings {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/depth-width-sweep.toml");
        lab::settings::load::<Settings>(&path, profile, &[]).unwrap().settings
    }

    #[test]
    fn every_profile_is_valid() {
        for (profile, runs) in [("paper", 100), ("quick", 30), ("smoke", 12)] {
            assert_eq!(DepthWidthSweep::plan(&settings(profile), &()).unwrap().len(), runs, "{profile}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        let mut settings = settings("paper");
        assert!(settings.as_in_the_paper());
        settings.depths[1].step_size = 0.0;
        assert_eq!(settings.check().unwrap_err().key, "depths.1.step_size");
        settings.widths[3] = 0;
        assert_eq!(settings.check().unwrap_err().key, "widths.3");
    }
}
