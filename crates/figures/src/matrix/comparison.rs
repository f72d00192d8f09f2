//! What `factorization` and `completion` share: several networks on one instance, the original first, and the tables,
//! curves and claims about how they compare.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use charts::Hue;
use lab::checked::NotNegative;
use lab::{Finding, Finished, Kernels, Planned, Table};

use super::{
    CurveRow, MatrixOutcome, MatrixTrial, Network, TimingRow, TrajectoryRow, curve_rows, timing_rows, trajectory_rows,
};
use crate::statements::{NOT_TRAINED, Outcome, every_trial};
use crate::summary::{Averaged, LEAST_BAND, averaged_in_logs, range, short};

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
    /// The network.
    pub network: Compared,
    /// Number of the trial, from 0.
    pub trial: usize,
}

impl fmt::Display for ComparedPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, trial {}", self.network.name, self.trial)
    }
}

/// All trials of all networks. An original of a large size runs alone on all threads, everything else side by side.
pub fn comparison_plan(
    networks: &[Compared],
    trials: usize,
    trial_of: impl Fn(&ComparedPoint) -> MatrixTrial,
) -> Vec<Planned<ComparedPoint, MatrixTrial>> {
    let mut plan = Vec::new();
    for trial in 0..trials {
        for network in networks {
            let at = ComparedPoint { network: network.clone(), trial };
            let trial = trial_of(&at);
            let large = network.is_original() && *trial.problem.size >= LARGE;
            let kernels = if large { Kernels::Parallel } else { Kernels::Sequential };
            let cost = if network.is_original() { 100.0 } else { 1.0 };
            plan.push(Planned { at, trial, kernels, cost });
        }
    }
    plan
}

/// The tables `NAME.csv` (curves), `NAME.timing.csv` and `NAME.trajectory.csv`; the trajectories are drawn in the
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
    ])
}

/// The trajectory of one network in the first trial.
pub fn path(rows: &[TrajectoryRow], network: &str) -> Vec<[f64; 3]> {
    rows.iter()
        .filter(|row| row.network == network && row.trial == 0)
        .map(|row| [row.component_1, row.component_2, row.component_3])
        .collect()
}

/// Geometric mean, and band of three trials or more, of a recorded quantity at the iterations that all trials of the network
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
    let averaged = averaged_in_logs(common.map(|&(_, iteration, value)| (iteration as f64, value)));
    if trials >= LEAST_BAND { averaged } else { Averaged { band: Vec::new(), ..averaged } }
}

/// A recorded quantity of the first trial against the seconds spent up to there, those of the set-up included.
pub fn against_time(
    rows: &[CurveRow],
    clock: &[TimingRow],
    network: &str,
    value: impl Fn(&CurveRow) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let curve = rows.iter().filter(|row| row.network == network && row.trial == 0);
    let clock = clock.iter().filter(|row| row.network == network && row.trial == 0);
    curve.zip(clock).filter_map(|(row, clock)| Some((clock.setup_seconds + clock.seconds, value(row)?))).collect()
}

/// What a subtitle says about the trials behind curves made by [`banded`].
pub fn over_trials(trials: usize) -> String {
    match trials {
        1 => "; 1 trial".to_owned(),
        2 => "; curves over iterations: geometric mean of 2 trials, as far as both of them ran".to_owned(),
        _ => format!(
            "; curves over iterations: geometric mean and 95 % interval of {trials} trials, as far as all of them ran"
        ),
    }
}

/// First recorded iteration at which a quantity is below `threshold`, for every trial of a network; `None` if it never is.
pub fn iterations_below(
    rows: &[CurveRow],
    network: &str,
    threshold: f64,
    value: impl Fn(&CurveRow) -> Option<f64>,
) -> BTreeMap<usize, Option<u64>> {
    let mut first = BTreeMap::<usize, Option<u64>>::new();
    for row in rows.iter().filter(|row| row.network == network) {
        let reached = first.entry(row.trial).or_default();
        if reached.is_none() && value(row).is_some_and(|x| x < threshold) {
            *reached = Some(row.iteration);
        }
    }
    first
}

/// The last value of a recorded quantity, for every trial of a network.
pub fn last_values(rows: &[CurveRow], network: &str, value: impl Fn(&CurveRow) -> Option<f64>) -> BTreeMap<usize, f64> {
    let of = rows.iter().filter(|row| row.network == network);
    of.filter_map(|row| Some((row.trial, value(row)?))).collect()
}

/// Whether a network learned, in every trial that it has records of: its training loss ended below half of its first. No claim
/// is made from a run that did not.
fn learned(rows: &[CurveRow], network: &str) -> BTreeMap<usize, bool> {
    let mut ends = BTreeMap::<usize, (f64, f64)>::new();
    for row in rows.iter().filter(|row| row.network == network) {
        ends.entry(row.trial).or_insert((row.training_loss, row.training_loss)).1 = row.training_loss;
    }
    ends.into_iter().map(|(trial, (first, last))| (trial, last < 0.5 * first)).collect()
}

/// What keeps a trial from being judged: a network that has no run in it, or did not learn.
pub fn unfit(curves: &[CurveRow], networks: [&str; 2], trial: usize) -> Option<Outcome> {
    let learned = networks.map(|network| learned(curves, network).get(&trial).copied());
    match learned {
        [Some(true), Some(true)] => None,
        [None, _] | [_, None] => Some(Outcome::Failed),
        _ => Some(Outcome::LeftOut(NOT_TRAINED)),
    }
}

/// The compressed network is at least `factor` times as fast as the original, set-up included, in every trial of `trials`.
pub fn speed_finding(
    id: &'static str,
    (curves, clock): (&[CurveRow], &[TimingRow]),
    networks @ [original, compressed]: [&str; 2],
    factor: f64,
    trials: usize,
) -> Finding {
    let (slow, fast) = (seconds(clock, original), seconds(clock, compressed));
    let with_setup =
        |((slow, slow_setup), (fast, fast_setup)): (Clock, Clock)| (slow + slow_setup) / (fast + fast_setup);
    let mut pairs = Vec::new();
    let judged = |trial| {
        if let Some(outcome) = unfit(curves, networks, trial) {
            return outcome;
        }
        let (Some(slow), Some(fast)) = (slow.get(&trial), fast.get(&trial)) else {
            return Outcome::Failed;
        };
        pairs.push((*slow, *fast));
        Outcome::of(with_setup((*slow, *fast)) >= factor)
    };
    let outcomes: Vec<Outcome> = (0..trials).map(judged).collect();
    let text = |&((slow, slow_setup), (fast, fast_setup)): &(Clock, Clock)| {
        format!(
            "{:.0} times with set-up ({:.1} s and {:.3} s), {:.0} times without ({slow:.1} s and {fast:.3} s)",
            with_setup(((slow, slow_setup), (fast, fast_setup))),
            slow + slow_setup,
            fast + fast_setup,
            slow / fast
        )
    };
    every_trial(id, first_and_range(&pairs, text, with_setup), &outcomes)
}

/// The first of some trials in words and, of more than one, how far a ratio of theirs ranges.
pub fn first_and_range<T: Copy>(trials: &[T], text: impl Fn(&T) -> String, ratio: impl Fn(T) -> f64) -> String {
    let ratios: Vec<(f64, f64)> = trials.iter().map(|trial| (0.0, ratio(*trial))).collect();
    match (trials, range(&ratios)) {
        ([one], _) => text(one),
        ([first, ..], Some((least, most))) => {
            format!("{} to {} times in {} trials; first: {}", short(least), short(most), trials.len(), text(first))
        }
        _ => String::new(),
    }
}

/// Seconds in iterations and of the set-up.
type Clock = (f64, f64);

/// The clock at the end, for every trial of a network.
fn seconds(clock: &[TimingRow], network: &str) -> BTreeMap<usize, Clock> {
    let rows = clock.iter().filter(|row| row.network == network);
    rows.map(|row| (row.trial, (row.seconds, row.setup_seconds))).collect()
}

#[cfg(test)]
mod tests;
