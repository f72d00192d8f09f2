//! What Figure 4 says, and whether the tables bear it out.

use lab::{Evidence, Finding, Results};

use super::settings::{COMPRESSED, ORIGINAL, Settings};
use crate::matrix::{CurveRow, TimingRow, TrajectoryRow, last_values, speed_finding};

const COINCIDE: &str = "factorization/trajectories-coincide";
const FALL: &str = "factorization/losses-fall";
const FASTER: &str = "factorization/faster";

pub(super) fn findings(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
    let curves: Vec<CurveRow> = results.read("factorization")?;
    let clock: Vec<TimingRow> = results.read("factorization.timing")?;
    let trajectory: Vec<TrajectoryRow> = results.read("factorization.trajectory")?;
    let mut findings = vec![trajectories_coincide(&trajectory)];
    if *settings.problem.size >= 1000 {
        findings.push(losses_fall(&curves));
        findings.push(speed_finding(FASTER, &clock, [ORIGINAL, COMPRESSED], 10.0));
    } else {
        findings.extend([FALL, FASTER].map(|id| Finding::untested(id, "a smaller size than the paper's")));
    }
    Ok(findings)
}

/// In every trial the end-to-end products differ by less than 1e-6 of the trajectory's extent at every record.
fn trajectories_coincide(trajectory: &[TrajectoryRow]) -> Finding {
    let trials = trajectory.iter().map(|row| row.trial + 1).max().unwrap_or(0);
    let size = |row: &TrajectoryRow| row.component_1.hypot(row.component_2).hypot(row.component_3);
    let of = |trial: usize| {
        let rows = || trajectory.iter().filter(move |row| row.network == COMPRESSED && row.trial == trial);
        let distance = rows().filter_map(|row| row.distance_to_original).fold(0.0, f64::max);
        (distance, rows().map(size).fold(0.0, f64::max))
    };
    let runs: Vec<(f64, f64)> = (0..trials).map(of).filter(|(_, extent)| *extent > 0.0).collect();
    let Some((distance, extent)) = runs.iter().copied().reduce(|a, b| if a.0 / a.1 >= b.0 / b.1 { a } else { b })
    else {
        return Finding::untested(COINCIDE, "no trajectory of both networks");
    };
    let measured = format!("distance at most {distance:.1e}, on a path of extent {extent:.0}");
    let holding = runs.iter().filter(|(distance, extent)| *distance < 1e-6 * extent).count();
    Finding::new(COINCIDE, measured, Evidence::EveryTrial { holding, n: runs.len() })
}

/// In every trial both networks end below a training loss of 1e-20.
fn losses_fall(curves: &[CurveRow]) -> Finding {
    let [original, compressed] =
        [ORIGINAL, COMPRESSED].map(|name| last_values(curves, name, |row| Some(row.training_loss)));
    let pairs: Vec<(f64, f64)> =
        original.iter().filter_map(|(trial, loss)| Some((*loss, *compressed.get(trial)?))).collect();
    let measured = pairs.iter().map(|(a, b)| format!("{a:.1e} and {b:.1e}")).collect::<Vec<_>>().join(", ");
    let holding = pairs.iter().filter(|(a, b)| a.max(*b) < 1e-20).count();
    Finding::new(FALL, measured, Evidence::EveryTrial { holding, n: pairs.len() })
}
