//! Curves made from the tables of a comparison: what is drawn, and when a quantity falls below a threshold.

use std::collections::{BTreeMap, BTreeSet};

use crate::matrix::{CurveRow, TimingRow, TrajectoryRow};
use crate::summary::{Averaged, LEAST_BAND, averaged_in_logs};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_go_as_far_as_all_trials_and_have_a_band_from_three_on() {
        let row = |trial: usize, iteration: u64| CurveRow {
            network: "original".to_owned(),
            trial,
            iteration,
            training_loss: 10f64.powi(trial as i32),
            recovery_error: None,
        };
        let of = |trials: usize| {
            let rows = (0..trials).flat_map(|trial| (0..=1 + trial as u64).map(move |t| row(trial, t)));
            banded(&rows.collect::<Vec<_>>(), "original", |row| Some(row.training_loss))
        };
        let (two, three) = (of(2), of(3));
        assert_eq!((two.mean.len(), two.band.len()), (2, 0));
        assert_eq!((three.mean.len(), three.band.len()), (2, 2));
        assert!((three.mean[1].1 - 10.0).abs() < 1e-9 && three.band[1].1 < 10.0 && three.band[1].2 > 10.0);
    }
}
