//! Depth-width sweep (Fig. 1): how well, and how fast, deep factorizations of any width complete a low-rank target.

use lab::{
    Check, Claim, Drawing, Experiment, Finished, Invalid, Kernels, LabError, Planned, Results, Table, TrialContext,
    TrialError,
};
use serde::{Deserialize, Serialize};

use crate::matrix::{
    self, MatrixOutcome, MatrixTrial, Network, ProblemSettings, Recovery, ScheduleSettings, Start, check_list,
    check_trials,
};
use crate::reference::reference_table;

/// `experiments/depth-width-sweep.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    widths: Vec<usize>,
    init_scale: f64,
    problem: ProblemSettings,
    depths: Vec<DepthSettings>,
    schedule: ScheduleSettings,
}

/// `[[depths]]`: a depth with its step size.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DepthSettings {
    depth: usize,
    step_size: f64,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_trials(self.trials)?;
        check_list("widths", &self.widths, |width| width >= 1, "an integer from 1")?;
        Invalid::unless(self.init_scale > 0.0, "init_scale", self.init_scale, "a number above 0")?;
        self.problem.check("problem")?;
        Invalid::unless(!self.depths.is_empty(), "depths", "[]", "at least one table")?;
        for (i, DepthSettings { depth, step_size }) in self.depths.iter().enumerate() {
            Invalid::unless(*depth >= 2, format!("depths.{i}.depth"), depth, "an integer from 2")?;
            Invalid::unless(*step_size > 0.0, format!("depths.{i}.step_size"), step_size, "a number above 0")?;
        }
        self.schedule.check("schedule")
    }
}

/// One run: a row of `depth-width-sweep.csv`.
#[derive(Serialize, Deserialize)]
struct Row {
    depth: usize,
    width: usize,
    trial: usize,
    iterations: u64,
    converged: bool,
    training_loss: f64,
    recovery_error: f64,
}

/// The experiment.
pub struct DepthWidthSweep;

impl Experiment for DepthWidthSweep {
    type Settings = Settings;
    type Trial = MatrixTrial;
    type Outcome = MatrixOutcome;

    const NAME: &'static str = "depth-width-sweep";
    const ABOUT: &'static str = "Recovery error and iterations by width, for two depths (Fig. 1)";
    const LONG_ABOUT: &'static str = "Completes a low-rank matrix from a part of its entries with deep factorizations \
        of depth 2 and 3 and of widths from the target's rank to its size (Fig. 1 of the paper). Shows the recovery \
        error at the end, which depth 3 keeps at zero for every width while depth 2 overfits the more the wider it is, \
        and the number of iterations, which falls with the width.";

    fn plan(settings: &Settings) -> Vec<Planned<MatrixTrial>> {
        let mut planned = Vec::new();
        for DepthSettings { depth, step_size } in &settings.depths {
            for &width in &settings.widths {
                for trial in 0..settings.trials {
                    planned.push(settings.planned(*depth, *step_size, width, trial));
                }
            }
        }
        planned
    }

    fn run(trial: &MatrixTrial, context: &TrialContext) -> Result<MatrixOutcome, TrialError> {
        matrix::run(trial, context)
    }

    fn tables(_: &Settings, finished: &[Finished<MatrixTrial, MatrixOutcome>]) -> Result<Vec<Table>, LabError> {
        let rows = finished.iter().filter_map(|f| match f.trial.network {
            Network::Deep { depth, width, .. } => Some(Row {
                depth,
                width,
                trial: f.trial.start.initialization,
                iterations: f.outcome.final_iteration(),
                converged: f.outcome.converged,
                training_loss: f.outcome.final_loss(),
                recovery_error: f.outcome.final_recovery_error,
            }),
            _ => None,
        });
        Ok(vec![Table::new(Self::NAME, rows)?, reference_table(Self::NAME)?])
    }

    fn draw(_settings: &Settings, _results: &Results) -> anyhow::Result<Vec<Drawing>> {
        Ok(Vec::new())
    }

    fn claims(_settings: &Settings, _results: &Results) -> anyhow::Result<Vec<Claim>> {
        Ok(Vec::new())
    }
}

impl Settings {
    /// Trials differ in their initial factors only.
    fn planned(&self, depth: usize, step_size: f64, width: usize, trial: usize) -> Planned<MatrixTrial> {
        Planned {
            label: format!("depth {depth}, width {width}, trial {trial}"),
            trial: MatrixTrial {
                start: Start { experiment: DepthWidthSweep::NAME, seed: self.seed, instance: 0, initialization: trial },
                problem: self.problem.clone(),
                network: Network::Deep { depth, width, init_scale: self.init_scale },
                step_size,
                schedule: self.schedule.clone(),
                recovery: Recovery::AtEnd,
                snapshots: 0,
            },
            kernels: Kernels::Sequential,
            cost: width as f64,
        }
    }
}
