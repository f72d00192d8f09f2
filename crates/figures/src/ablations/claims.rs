//! What the paper says of fixed bases and of depth, judged trial by trial.

use lab::Finding;
use lab::statistics::median;

use super::plan::{COMPRESSED, DEPTH, DISCREPANT_STEP, ORIGINAL, independent};
use super::{Row, Settings};
use crate::statements::{NOT_RECOVERED, NOT_TRAINED, Outcome, RECOVERED, every_trial};
use crate::summary::short;

const STALLS: &str = "ablations/fixed-bases-stall";
const OVERFITS: &str = "ablations/depth-2-overfits";
const RECOVERS: &str = "ablations/deeper-originals-recover";
const COMPRESSED_RECOVERS: &str = "ablations/compressed-recovers";
const ANY_LAW: &str = "ablations/independent-entries-recover";
const AS_FAST: &str = "ablations/as-many-iterations";

/// How far apart, relatively, numbers of iterations are the same.
const SAME: std::ops::RangeInclusive<f64> = 0.8..=1.25;

pub(super) fn findings(settings: &Settings, rows: &[Row]) -> Vec<Finding> {
    if *settings.problem.size < 100 {
        let all = [STALLS, OVERFITS, RECOVERS, COMPRESSED_RECOVERS, AS_FAST, ANY_LAW];
        return all.map(|id| Finding::untested(id, "a problem of less than 100 rows")).into();
    }
    let trials = *settings.trials;
    let mut findings = vec![fixed_bases_stall(rows, *settings.base.discrepant_step, trials), overfits(rows, trials)];
    let depths: Vec<usize> = settings.vary.depths.iter().map(|depth| *depth.depth).collect();
    let deeper = depths.iter().filter(|depth| **depth > 2);
    findings.extend(deeper.map(|&depth| recovers(RECOVERS, rows, (ORIGINAL, depth), trials)));
    findings.extend(depths.iter().map(|&depth| recovers(COMPRESSED_RECOVERS, rows, (COMPRESSED, depth), trials)));
    findings.extend(depths.iter().map(|&depth| as_fast(rows, depth, trials)));
    for law in &settings.vary.laws {
        let deeper = depths.iter().filter(|depth| **depth > 2);
        findings.extend(deeper.map(|&depth| {
            let finding = recovers(ANY_LAW, rows, (independent(*law), depth), trials);
            let case = format!("{}, {}", finding.case, independent(*law));
            finding.case(case)
        }));
    }
    findings
}

/// The runs of one network at one value of one factor.
fn at<'a>(rows: &'a [Row], factor: &str, value: f64, network: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row.factor == factor && row.value == value && row.network == network).collect()
}

/// The run of one trial.
fn of<'a>(runs: &[&'a Row], trial: usize) -> Option<&'a Row> {
    runs.iter().copied().find(|row| row.trial == trial)
}

/// Whether a run learned. The table has no first training loss, so half of it is no measure here: the run met the tolerance,
/// or recovers the target.
fn trained(row: &Row) -> bool {
    row.converged || row.recovery_error < RECOVERED
}

/// What the runs of all trials say by a rule about one of them.
fn each(runs: &[&Row], trials: usize, holds: impl Fn(&Row) -> bool) -> Vec<Outcome> {
    let judged = |trial| match of(runs, trial) {
        None => Outcome::Failed,
        Some(run) if !trained(run) => Outcome::LeftOut(NOT_TRAINED),
        Some(run) => Outcome::of(holds(run)),
    };
    (0..trials).map(judged).collect()
}

/// In every trial the recovery error with γ = 0 ends a thousand times above that with the base's γ, which learns.
fn fixed_bases_stall(rows: &[Row], step: f64, trials: usize) -> Finding {
    let [fixed, moving] = [0.0, step].map(|step| at(rows, DISCREPANT_STEP, step, COMPRESSED));
    let middle = |rows: &[&Row]| median(rows.iter().map(|row| row.recovery_error).collect());
    let (true, Some(a), Some(b)) = (step > 0.0, middle(&fixed), middle(&moving)) else {
        return Finding::untested(STALLS, "γ = 0 or the base's γ is not among the values");
    };
    let judged = |trial| match (of(&fixed, trial), of(&moving, trial)) {
        (_, Some(moving)) if !trained(moving) => Outcome::LeftOut(NOT_TRAINED),
        (Some(fixed), Some(moving)) => Outcome::of(fixed.recovery_error > 1e3 * moving.recovery_error),
        _ => Outcome::Failed,
    };
    let measured = format!("{} with γ = 0, {} with γ = {step}, medians", short(a), short(b));
    every_trial(STALLS, measured, &(0..trials).map(judged).collect::<Vec<_>>())
}

/// Every original of depth 2 meets the tolerance and does not recover the target.
fn overfits(rows: &[Row], trials: usize) -> Finding {
    let runs = at(rows, DEPTH, 2.0, ORIGINAL);
    every_trial(OVERFITS, errors(&runs), &each(&runs, trials, |row| row.recovery_error >= RECOVERED))
}

/// Every run of one network at one depth recovers the target.
fn recovers(id: &'static str, rows: &[Row], (network, depth): (&str, usize), trials: usize) -> Finding {
    let runs = at(rows, DEPTH, depth as f64, network);
    let outcomes = each(&runs, trials, |row| row.recovery_error < RECOVERED);
    let holding = outcomes.iter().filter(|outcome| **outcome == Outcome::Holds).count();
    let measured = format!("{holding} of {trials} recover: {}", errors(&runs));
    every_trial(id, measured, &outcomes).case(format!("L = {depth}"))
}

/// In every trial whose original recovers the target, the compressed network meets the tolerance in as many iterations.
/// Where the original ends elsewhere, the two do not go the same way.
fn as_fast(rows: &[Row], depth: usize, trials: usize) -> Finding {
    let [original, compressed] = [ORIGINAL, COMPRESSED].map(|network| at(rows, DEPTH, depth as f64, network));
    let mut ratios = Vec::new();
    let judged = |trial| {
        let recovered = of(&original, trial).filter(|row| row.converged && row.recovery_error < RECOVERED);
        let Some(original) = recovered else {
            return Outcome::LeftOut(NOT_RECOVERED);
        };
        let Some(compressed) = of(&compressed, trial) else {
            return Outcome::Failed;
        };
        let ratio = compressed.iterations as f64 / original.iterations as f64;
        ratios.push(format!("{ratio:.2}"));
        Outcome::of(compressed.converged && SAME.contains(&ratio))
    };
    let outcomes: Vec<Outcome> = (0..trials).map(judged).collect();
    every_trial(AS_FAST, format!("{} times as many", ratios.join(", ")), &outcomes).case(format!("L = {depth}"))
}

/// The recovery errors of some runs.
fn errors(runs: &[&Row]) -> String {
    let errors: Vec<String> = runs.iter().map(|row| format!("{:.1e}", row.recovery_error)).collect();
    format!("recovery errors {}", errors.join(", "))
}

#[cfg(test)]
mod tests;
