//! Figure 4: factorization of a fully observed matrix, the original network against its exact compressed twin.

use lab::{
    Check, Claim, Drawing, Experiment, Finished, Invalid, LabError, Memory, Planned, Results, Table, TrialContext,
    TrialError,
};
use serde::{Deserialize, Serialize};

use crate::drawing::drawing;
use crate::matrix::*;
use crate::reference::reference_table;

const ORIGINAL: &str = "original";
const COMPRESSED: &str = "compressed, γ = 0";

/// `experiments/factorization.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    depth: usize,
    init_scale: f64,
    step_size: f64,
    trajectory_records: usize,
    problem: ProblemSettings,
    schedule: ScheduleSettings,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        self.problem.check("problem")?;
        self.schedule.check("schedule", &self.problem)?;
        check_runs(self.trials, &[2])?;
        check_depth("depth", self.depth)?;
        check_init_scale("init_scale", self.init_scale, self.depth)?;
        check_positive("step_size", self.step_size)?;
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        let full = observed_fraction == 1.0;
        Invalid::unless(full, "problem.observed_fraction", observed_fraction, "1, full observation")?;
        let ranks = format!("an integer from 1 to less than half the size ({size})");
        Invalid::unless(2 * rank < size, "problem.rank", rank, ranks)?;
        Invalid::unless(self.trajectory_records >= 1, "trajectory_records", self.trajectory_records, "1 or more")
    }
}

impl Settings {
    fn networks(&self) -> [Compared; 2] {
        let Settings { depth, init_scale, .. } = *self;
        let tolerance = self.schedule.tolerance;
        let original = Network::Deep { depth, width: self.problem.size, init_scale };
        let compressed = Network::CompressedExact { depth, init_scale };
        [
            Compared { name: ORIGINAL.to_owned(), hue: 0, network: original, tolerance },
            Compared { name: COMPRESSED.to_owned(), hue: 2, network: compressed, tolerance },
        ]
    }

    fn subtitle(&self) -> String {
        let ProblemSettings { size, rank, .. } = self.problem;
        format!(
            "d = {size}, r = {rank}, L = {}, all entries observed, ε = {}, η = {}{}",
            self.depth,
            self.init_scale,
            self.step_size,
            over_trials(self.trials)
        )
    }
}

/// The experiment.
pub struct Factorization;

impl Experiment for Factorization {
    type Settings = Settings;
    type Trial = MatrixTrial;
    type Outcome = MatrixOutcome;

    const NAME: &'static str = "factorization";
    const ABOUT: &'static str = "Full observation, original against compressed network (Fig. 4)";
    const LONG_ABOUT: &'static str = "Factorizes a fully observed low-rank matrix with a deep factorization of full \
        width (the original) and with its exact compressed twin, whose bases stay fixed (γ = 0). Shows their \
        end-to-end trajectories in three principal components, and the training loss against iterations and seconds. \
        Figure 4 of the paper.";

    fn plan(settings: &Settings) -> Vec<Planned<MatrixTrial>> {
        let Settings { seed, step_size, ref problem, ref schedule, .. } = *settings;
        let trial = |trial: usize, network: &Compared| MatrixTrial {
            start: Start { experiment: Self::NAME, seed, instance: trial, initialization: trial },
            problem: problem.clone(),
            network: network.network,
            step_size,
            schedule: schedule.with_tolerance(network.tolerance),
            recovery: Recovery::AtEnd,
            snapshots: KEEP_ALL,
        };
        comparison_plan(&settings.networks(), settings.trials, trial)
    }

    fn memory(trial: &MatrixTrial) -> Memory {
        trial.memory()
    }

    fn run(trial: &MatrixTrial, context: &TrialContext) -> Result<MatrixOutcome, TrialError> {
        run(trial, context)
    }

    fn tables(settings: &Settings, finished: &[Finished<MatrixTrial, MatrixOutcome>]) -> Result<Vec<Table>, LabError> {
        let mut tables = comparison_tables(Self::NAME, &settings.networks(), settings.trajectory_records, finished)?;
        tables.push(reference_table(Self::NAME)?);
        Ok(tables)
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let (networks, records) = (settings.networks(), settings.trajectory_records);
        let value = |row: &CurveRow| Some(row.training_loss);
        let panels = ComparisonPanels::new(results, Self::NAME, &networks, records, "Training loss", value)?;
        let figure = panels.figure("Factorization: the original network and its compressed twin", settings.subtitle());
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let curves: Vec<CurveRow> = results.read(Self::NAME)?;
        let clock: Vec<TimingRow> = results.read("factorization.timing")?;
        let trajectory: Vec<TrajectoryRow> = results.read("factorization.trajectory")?;
        let at_papers_size = settings.problem.size >= 1000;
        let names = [ORIGINAL, COMPRESSED];
        Ok(vec![
            trajectories_coincide(&trajectory),
            losses_fall(&curves, names, at_papers_size),
            speed_claim(&clock, names, 10.0, "45 s and 4.5 s on a GPU", at_papers_size),
        ])
    }
}

/// The end-to-end products differ by less than 1e-6 of the trajectory's extent at every record.
fn trajectories_coincide(trajectory: &[TrajectoryRow]) -> Claim {
    let rows = || trajectory.iter().filter(|row| row.network == COMPRESSED);
    let distance = rows().filter_map(|row| row.distance_to_original).fold(0.0, f64::max);
    let size = |row: &TrajectoryRow| row.component_1.hypot(row.component_2).hypot(row.component_3);
    let extent = rows().map(size).fold(0.0, f64::max);
    Claim {
        claim: "the trajectories of the original and of the compressed network coincide".to_owned(),
        paper: "coincide".to_owned(),
        measured: format!("distance at most {distance:.1e}, on a path of extent {extent:.0}"),
        verdict: verdict(extent > 0.0, distance < 1e-6 * extent),
    }
}

/// Both networks end below a training loss of 1e-20.
fn losses_fall(curves: &[CurveRow], names: [&str; 2], at_papers_size: bool) -> Claim {
    let last = names.map(|name| curves.iter().rfind(|row| row.network == name).map(|row| row.training_loss));
    let text = |loss: Option<f64>| loss.map_or("missing".to_owned(), |loss| format!("{loss:.1e}"));
    Claim {
        claim: "both networks reach a training loss below 1e-20".to_owned(),
        paper: "< 1e-20".to_owned(),
        measured: format!("{} and {}", text(last[0]), text(last[1])),
        verdict: verdict(at_papers_size, last.iter().all(|loss| loss.is_some_and(|loss| loss < 1e-20))),
    }
}
