//! The networks of a comparison, their trials and their tables.

use std::fmt;

use charts::Hue;
use lab::checked::NotNegative;
use lab::{Finished, Kernels, Planned, Table};

use crate::matrix::{
    MatrixOutcome, MatrixTrial, Network, ProblemSettings, Recovery, ScheduleSettings, Start, curve_rows, timing_rows,
    trajectory_rows,
};
use crate::reference::reference_table;

/// Keep the end-to-end products of all records.
const KEEP_ALL: usize = usize::MAX;

/// Size from which one original network is worth all threads.
const LARGE: usize = 500;

/// One network of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Its name in tables and legends.
    pub name: String,
    pub hue: Hue,
    /// How it is made.
    pub network: Network,
    /// Recorded training loss at which it stops.
    pub tolerance: NotNegative,
}

impl Compared {
    /// Whether it is the original.
    pub fn is_original(&self) -> bool {
        matches!(self.network, Network::Deep { .. })
    }
}

/// One network in one trial.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedPoint {
    pub network: Compared,
    pub trial: usize,
}

impl fmt::Display for ComparedPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, trial {}", self.network.name, self.trial)
    }
}

/// What all trials of a comparison have in common.
pub struct Comparison<'a> {
    pub experiment: &'static str,
    pub seed: u64,
    /// Number of trials; each has its own target, observed entries and initial factors.
    pub trials: usize,
    pub step_size: f64,
    pub problem: &'a ProblemSettings,
    /// When to record and to stop; the tolerance is the network's.
    pub schedule: &'a ScheduleSettings,
    /// When the recovery error is measured.
    pub recovery: Recovery,
}

impl Comparison<'_> {
    /// All trials of all networks. An original of a large size runs alone on all threads, everything else side by side.
    pub fn plan(&self, networks: &[Compared]) -> Vec<Planned<ComparedPoint, MatrixTrial>> {
        let planned = |trial: usize, network: &Compared| {
            let original = network.is_original();
            let large = original && *self.problem.size >= LARGE;
            Planned {
                at: ComparedPoint { network: network.clone(), trial },
                trial: self.trial(trial, network),
                kernels: if large { Kernels::Parallel } else { Kernels::Sequential },
                cost: if original { 100.0 } else { 1.0 },
            }
        };
        (0..self.trials).flat_map(|trial| networks.iter().map(move |network| planned(trial, network))).collect()
    }

    fn trial(&self, trial: usize, network: &Compared) -> MatrixTrial {
        let Self { experiment, seed, step_size, recovery, .. } = *self;
        MatrixTrial {
            start: Start { experiment, seed, instance: trial, initialization: trial },
            problem: self.problem.clone(),
            network: network.network,
            step_size,
            schedule: self.schedule.with_tolerance(network.tolerance),
            recovery,
            snapshots: KEEP_ALL,
        }
    }
}

/// The tables `NAME.csv` (curves), `NAME.timing.csv`, `NAME.trajectory.csv` and `NAME.reference.csv`; the trajectories are drawn in the
/// principal components of the last `records` products of the original, and missing where the original is.
///
/// # Errors
/// If a table cannot be made.
pub fn comparison_tables(
    name: &str,
    records: usize,
    finished: &[Finished<ComparedPoint, MatrixOutcome>],
) -> anyhow::Result<Vec<Table>> {
    let curves = finished.iter().flat_map(|run| curve_rows(&run.at.network.name, run.at.trial, &run.outcome));
    let clock = finished.iter().flat_map(|run| timing_rows(&run.at.network.name, run.at.trial, &run.outcome));
    let mut trajectories = Vec::new();
    for original in finished.iter().filter(|run| run.at.network.is_original()) {
        let trial = original.at.trial;
        let same = finished.iter().filter(|run| run.at.trial == trial);
        let same: Vec<_> = same.map(|run| (run.at.network.name.as_str(), &run.outcome)).collect();
        trajectories.extend(trajectory_rows(trial, records, &original.outcome, &same)?);
    }
    Ok(vec![
        Table::new(name, curves)?,
        Table::companion(name, "timing", clock)?,
        Table::companion(name, "trajectory", trajectories)?,
        reference_table(name)?,
    ])
}
