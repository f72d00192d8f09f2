//! What `factorization` and `completion` share: several networks on one instance, the original first, and the tables,
//! curves and claims about how they compare.

use std::collections::{BTreeMap, BTreeSet};

use lab::{Claim, Finished, Kernels, LabError, Planned, Table, Verdict};

use super::{
    CurveRow, MatrixOutcome, MatrixTrial, Network, TimingRow, TrajectoryRow, curve_rows, timing_rows, trajectory_rows,
};
use crate::summary::{Averaged, averaged_in_logs, mean};

/// Keep the end-to-end products of all records.
pub const KEEP_ALL: usize = usize::MAX;

/// Size from which one original network is worth all threads.
const LARGE: usize = 500;

/// One network of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Its name in tables and legends.
    pub name: String,
    /// Its hue in the palette.
    pub hue: usize,
    /// How it is made.
    pub network: Network,
    /// Recorded training loss at which it stops.
    pub tolerance: f64,
}

impl Compared {
    /// Whether it is the original.
    pub fn is_original(&self) -> bool {
        matches!(self.network, Network::Deep { .. })
    }
}

/// All trials of all networks. An original of a large size runs alone on all threads, everything else side by side.
pub fn comparison_plan(
    networks: &[Compared],
    trials: usize,
    trial: impl Fn(usize, &Compared) -> MatrixTrial,
) -> Vec<Planned<MatrixTrial>> {
    let mut plan = Vec::new();
    for k in 0..trials {
        for network in networks {
            let trial = trial(k, network);
            let large = network.is_original() && trial.problem.size >= LARGE;
            plan.push(Planned {
                label: format!("{}, trial {k}", network.name),
                kernels: if large { Kernels::Parallel } else { Kernels::Sequential },
                cost: if network.is_original() { 100.0 } else { 1.0 },
                trial,
            });
        }
    }
    plan
}

/// The tables `NAME.csv` (curves), `NAME.timing.csv` and `NAME.trajectory.csv`; the trajectories are drawn in the
/// principal components of the last `records` products of the original, and missing where the original is.
pub fn comparison_tables(
    name: &str,
    networks: &[Compared],
    records: usize,
    finished: &[Finished<MatrixTrial, MatrixOutcome>],
) -> Result<Vec<Table>, LabError> {
    let named: Vec<_> = finished
        .iter()
        .filter_map(|run| Some((networks.iter().find(|n| n.network == run.trial.network)?, run)))
        .map(|(network, run)| (network, run.trial.start.instance, &run.outcome))
        .collect();
    let curves = named.iter().flat_map(|(n, trial, outcome)| curve_rows(&n.name, *trial, outcome));
    let clock = named.iter().flat_map(|(n, trial, outcome)| timing_rows(&n.name, *trial, outcome));
    let mut trajectories = Vec::new();
    for (_, trial, original) in named.iter().filter(|(n, ..)| n.is_original()) {
        let same: Vec<_> = named.iter().filter(|(_, t, _)| t == trial).map(|(n, _, o)| (n.name.as_str(), *o)).collect();
        trajectories.extend(trajectory_rows(*trial, records, original, &same)?);
    }
    Ok(vec![
        Table::new(name, curves)?,
        Table::companion(name, "timing", clock)?,
        Table::companion(name, "trajectory", trajectories)?,
    ])
}

/// The trajectory of one network in the first trial.
pub fn path(rows: &[TrajectoryRow], network: &str) -> Vec<[f64; 3]> {
    rows.iter()
        .filter(|row| row.network == network && row.trial == 0)
        .map(|row| [row.component_1, row.component_2, row.component_3])
        .collect()
}

/// Geometric mean and band of a recorded quantity over the trials, at the iterations that all trials of the network
/// recorded. Values that are missing or not positive are left out.
pub fn banded(rows: &[CurveRow], network: &str, value: impl Fn(&CurveRow) -> Option<f64>) -> Averaged {
    let points: Vec<_> = rows
        .iter()
        .filter(|row| row.network == network)
        .filter_map(|row| Some((row.trial, row.iteration, value(row).filter(|x| *x > 0.0)?)))
        .collect();
    let trials = points.iter().map(|(trial, ..)| trial).collect::<BTreeSet<_>>().len();
    let mut recorded = BTreeMap::<u64, usize>::new();
    for (_, iteration, _) in &points {
        *recorded.entry(*iteration).or_default() += 1;
    }
    let common = points.iter().filter(|(_, iteration, _)| recorded[iteration] == trials);
    averaged_in_logs(common.map(|&(_, iteration, value)| (iteration as f64, value)))
}

/// A recorded quantity of the first trial against the seconds spent up to there.
pub fn against_time(
    rows: &[CurveRow],
    clock: &[TimingRow],
    network: &str,
    value: impl Fn(&CurveRow) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let curve = rows.iter().filter(|row| row.network == network && row.trial == 0);
    let clock = clock.iter().filter(|row| row.network == network && row.trial == 0);
    curve.zip(clock).filter_map(|(row, clock)| Some((clock.seconds, value(row)?))).collect()
}

/// What a subtitle says about the trials behind curves made by [`banded`]; nothing about a single one.
pub fn over_trials(trials: usize) -> String {
    if trials > 1 {
        format!("; curves over iterations: geometric mean ± std of {trials} trials, as far as all of them ran")
    } else {
        String::new()
    }
}

/// Seconds that a network spent in iterations, mean over trials; `None` if it has no finished trial.
pub fn total_seconds(clock: &[TimingRow], network: &str) -> Option<f64> {
    let mut totals = BTreeMap::<usize, f64>::new();
    for row in clock.iter().filter(|row| row.network == network) {
        let total = totals.entry(row.trial).or_default();
        *total = total.max(row.seconds);
    }
    let totals: Vec<f64> = totals.into_values().collect();
    mean(&totals)
}

/// First recorded iteration at which a quantity is below `threshold`, mean over trials; `None` if one never gets there.
pub fn mean_iterations_below(
    rows: &[CurveRow],
    network: &str,
    threshold: f64,
    value: impl Fn(&CurveRow) -> Option<f64>,
) -> Option<f64> {
    let mut first = BTreeMap::<usize, Option<u64>>::new();
    for row in rows.iter().filter(|row| row.network == network) {
        let reached = first.entry(row.trial).or_default();
        if reached.is_none() && value(row).is_some_and(|x| x < threshold) {
            *reached = Some(row.iteration);
        }
    }
    let first: Option<Vec<f64>> = first.into_values().map(|t| t.map(|t| t as f64)).collect();
    mean(&first?)
}

/// The claim that `compressed` is at least `factor` times faster than `original`, judged at the paper's size only.
pub fn speed_claim(
    clock: &[TimingRow],
    [original, compressed]: [&str; 2],
    factor: f64,
    paper: &str,
    at_papers_size: bool,
) -> Claim {
    let ratio = total_seconds(clock, original).zip(total_seconds(clock, compressed));
    let (measured, holds) = match ratio {
        Some((slow, fast)) => {
            (format!("{:.0} times ({slow:.3} s and {fast:.3} s)", slow / fast), slow / fast >= factor)
        }
        None => ("a run is missing".to_owned(), false),
    };
    Claim {
        claim: format!("the compressed network ({compressed}) trains about {factor} times faster than the original"),
        paper: paper.to_owned(),
        measured,
        verdict: verdict(ratio.is_some() && at_papers_size, holds),
    }
}

/// The verdict on a statement that could be tested or not.
pub fn verdict(tested: bool, holds: bool) -> Verdict {
    match (tested, holds) {
        (false, _) => Verdict::NotTested,
        (true, true) => Verdict::Holds,
        (true, false) => Verdict::Differs,
    }
}
