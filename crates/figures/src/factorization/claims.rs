//! What Figure 4 says, and whether the tables bear it out.

use lab::{Finding, Results};

use super::settings::{COMPRESSED, ORIGINAL, Settings};
use crate::matrix::{CurveRow, TimingRow, TrajectoryRow, last_values, speed_finding, unfit};
use crate::statements::{LeftOut, Outcome, every_trial};

const COINCIDE: &str = "factorization/trajectories-coincide";
const FALL: &str = "factorization/losses-fall";
const FASTER: &str = "factorization/faster";

const NETWORKS: [&str; 2] = [ORIGINAL, COMPRESSED];

/// The two have no record in common.
const NOT_COMPARED: LeftOut = LeftOut { all: "no trajectory of both networks", some: "trials have nothing to compare" };

pub(super) fn findings(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
    let curves: Vec<CurveRow> = results.read("factorization")?;
    let clock: Vec<TimingRow> = results.read("factorization.timing")?;
    let trajectory: Vec<TrajectoryRow> = results.read("factorization.trajectory")?;
    let trials = *settings.trials;
    let mut findings = vec![trajectories_coincide(&curves, &trajectory, trials)];
    if *settings.problem.size >= 1000 {
        findings.push(losses_fall(&curves, trials));
        findings.push(speed_finding(FASTER, (&curves, &clock), NETWORKS, 10.0, trials));
    } else {
        findings.extend([FALL, FASTER].map(|id| Finding::untested(id, "a smaller size than the paper's")));
    }
    Ok(findings)
}

/// In every trial the end-to-end products differ by less than 1e-6 of the trajectory's extent at every record.
fn trajectories_coincide(curves: &[CurveRow], trajectory: &[TrajectoryRow], trials: usize) -> Finding {
    let mut runs = Vec::new();
    let judged = |trial| {
        if let Some(outcome) = unfit(curves, NETWORKS, trial) {
            return outcome;
        }
        let Some((distance, extent)) = apart(trajectory, trial) else {
            return Outcome::LeftOut(NOT_COMPARED);
        };
        runs.push((distance, extent));
        Outcome::of(distance < 1e-6 * extent)
    };
    let outcomes: Vec<Outcome> = (0..trials).map(judged).collect();
    let worst = runs.iter().max_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let text =
        |(distance, extent): &(f64, f64)| format!("distance at most {distance:.1e}, on a path of extent {extent:.0}");
    every_trial(COINCIDE, worst.map(text).unwrap_or_default(), &outcomes)
}

/// The largest distance of the compressed network's products to the original's in one trial, NaN if one is, and how far the
/// path extends; `None` where there is nothing to compare.
fn apart(trajectory: &[TrajectoryRow], trial: usize) -> Option<(f64, f64)> {
    let size = |row: &TrajectoryRow| row.component_1.hypot(row.component_2).hypot(row.component_3);
    let rows = || trajectory.iter().filter(move |row| row.network == COMPRESSED && row.trial == trial);
    let distance = rows().filter_map(|row| row.distance_to_original).max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    Some((distance, rows().map(size).fold(0.0, f64::max)))
}

/// In every trial both networks end below a training loss of 1e-20.
fn losses_fall(curves: &[CurveRow], trials: usize) -> Finding {
    let [original, compressed] = NETWORKS.map(|name| last_values(curves, name, |row| Some(row.training_loss)));
    let ends = |trial: usize| Some((*original.get(&trial)?, *compressed.get(&trial)?));
    let judged = |trial| {
        let low = || ends(trial).is_some_and(|(a, b)| a < 1e-20 && b < 1e-20);
        unfit(curves, NETWORKS, trial).unwrap_or_else(|| Outcome::of(low()))
    };
    let measured: Vec<String> = (0..trials).filter_map(ends).map(|(a, b)| format!("{a:.1e} and {b:.1e}")).collect();
    every_trial(FALL, measured.join(", "), &(0..trials).map(judged).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use lab::Evidence;

    use super::*;

    fn curves(compressed: &[usize], last: f64) -> Vec<CurveRow> {
        let run = |network: &str, trial| {
            [1.0, last].map(|training_loss| CurveRow {
                network: network.to_owned(),
                trial,
                iteration: 0,
                training_loss,
                recovery_error: None,
            })
        };
        let originals = (0..3).flat_map(|trial| run(ORIGINAL, trial));
        originals.chain(compressed.iter().flat_map(|trial| run(COMPRESSED, *trial))).collect()
    }

    #[test]
    fn losses_are_of_every_trial_that_learned() {
        let of = |compressed: &[usize], last| losses_fall(&curves(compressed, last), 3).evidence;
        assert_eq!(of(&[0, 1, 2], 1e-21), Evidence::EveryTrial { holding: 3, n: 3 });
        assert_eq!(of(&[0, 1], 1e-21), Evidence::EveryTrial { holding: 2, n: 3 });
        assert_eq!(of(&[0, 1, 2], 1e-3), Evidence::EveryTrial { holding: 0, n: 3 });
        assert!(matches!(of(&[0, 1, 2], 0.9), Evidence::None { .. }));
    }

    #[test]
    fn what_was_not_compared_does_not_coincide() {
        let of = |distances: &[Option<f64>]| {
            let row = |(trial, distance): (usize, &Option<f64>)| TrajectoryRow {
                network: COMPRESSED.to_owned(),
                trial,
                iteration: 0,
                component_1: 1.0,
                component_2: 0.0,
                component_3: 0.0,
                distance_to_original: *distance,
            };
            let rows: Vec<_> = distances.iter().enumerate().map(row).collect();
            trajectories_coincide(&curves(&[0, 1, 2], 0.1), &rows, 3)
        };
        assert_eq!(of(&[Some(1e-9); 3]).evidence, Evidence::EveryTrial { holding: 3, n: 3 });
        assert_eq!(of(&[Some(1e-9), Some(f64::NAN), Some(1e-3)]).evidence, Evidence::EveryTrial { holding: 1, n: 3 });
        let found = of(&[Some(1e-9), None, None]);
        assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 1 });
        assert_eq!(found.note, "2 of 3 trials have nothing to compare");
        assert!(matches!(of(&[None; 3]).evidence, Evidence::None { .. }));
    }
}
