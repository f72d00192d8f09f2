//! What the paper says of fixed bases and of depth, judged trial by trial.

use lab::{Evidence, Finding};

use super::plan::{COMPRESSED, DEPTH, DISCREPANT_STEP, ORIGINAL};
use super::{Row, Settings};
use crate::summary::{median, short};

const STALLS: &str = "ablations/fixed-bases-stall";
const OVERFITS: &str = "ablations/depth-2-overfits";
const RECOVERS: &str = "ablations/deeper-originals-recover";
const COMPRESSED_RECOVERS: &str = "ablations/compressed-recovers";
const AS_FAST: &str = "ablations/as-many-iterations";

/// A run recovers the target if its recovery error ends below this: a hundredth of what Figure 1 shows as overfitting, and
/// a thousand times the training loss at which most runs stop.
const RECOVERED: f64 = 1e-5;

/// How far apart, relatively, numbers of iterations are the same.
const SAME: std::ops::RangeInclusive<f64> = 0.8..=1.25;

pub(super) fn findings(settings: &Settings, rows: &[Row]) -> Vec<Finding> {
    if *settings.problem.size < 100 {
        let all = [STALLS, OVERFITS, RECOVERS, COMPRESSED_RECOVERS, AS_FAST];
        return all.map(|id| Finding::untested(id, "a problem of less than 100 rows")).into();
    }
    let mut findings = vec![fixed_bases_stall(rows, *settings.base.discrepant_step), overfits(rows)];
    let depths: Vec<usize> = settings.vary.depths.iter().map(|depth| *depth.depth).collect();
    findings.extend(depths.iter().filter(|depth| **depth > 2).map(|&depth| recovers(RECOVERS, rows, ORIGINAL, depth)));
    findings.extend(depths.iter().map(|&depth| recovers(COMPRESSED_RECOVERS, rows, COMPRESSED, depth)));
    findings.extend(depths.iter().map(|&depth| as_fast(rows, depth)));
    findings
}

/// The runs of one network at one value of one factor.
fn at<'a>(rows: &'a [Row], factor: &str, value: f64, network: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row.factor == factor && row.value == value && row.network == network).collect()
}

/// The runs of two samples that share a trial.
fn pairs<'a>(a: &[&'a Row], b: &[&'a Row]) -> Vec<(&'a Row, &'a Row)> {
    let partner = |row: &Row| b.iter().find(|other| other.trial == row.trial);
    a.iter().filter_map(|row| Some((*row, *partner(row)?))).collect()
}

/// In every trial the recovery error with γ = 0 ends a thousand times above that with the base's γ.
fn fixed_bases_stall(rows: &[Row], step: f64) -> Finding {
    let [fixed, moving] = [0.0, step].map(|step| at(rows, DISCREPANT_STEP, step, COMPRESSED));
    let pairs = pairs(&fixed, &moving);
    let middle = |rows: &[&Row]| median(rows.iter().map(|row| row.recovery_error).collect());
    let (false, true, Some(a), Some(b)) = (pairs.is_empty(), step > 0.0, middle(&fixed), middle(&moving)) else {
        return Finding::untested(STALLS, "γ = 0 or the base's γ is not among the values");
    };
    let holding = pairs.iter().filter(|(fixed, moving)| fixed.recovery_error > 1e3 * moving.recovery_error).count();
    let measured = format!("{} with γ = 0, {} with γ = {step}, medians", short(a), short(b));
    Finding::new(STALLS, measured, Evidence::EveryTrial { holding, n: pairs.len() })
}

/// Every original of depth 2 meets the tolerance and does not recover the target.
fn overfits(rows: &[Row]) -> Finding {
    let runs = at(rows, DEPTH, 2.0, ORIGINAL);
    let fits = |row: &&&Row| row.converged && row.recovery_error >= RECOVERED;
    let holding = runs.iter().filter(fits).count();
    Finding::new(OVERFITS, errors(&runs), Evidence::EveryTrial { holding, n: runs.len() })
}

/// Every run of one network at one depth recovers the target.
fn recovers(id: &'static str, rows: &[Row], network: &str, depth: usize) -> Finding {
    let runs = at(rows, DEPTH, depth as f64, network);
    let holding = runs.iter().filter(|row| row.recovery_error < RECOVERED).count();
    let measured = format!("{holding} of {} recover: {}", runs.len(), errors(&runs));
    Finding::new(id, measured, Evidence::EveryTrial { holding, n: runs.len() }).case(format!("L = {depth}"))
}

/// In every trial whose original recovers the target, the compressed network meets the tolerance in as many iterations.
/// Where the original ends elsewhere, the two do not go the same way.
fn as_fast(rows: &[Row], depth: usize) -> Finding {
    let [original, compressed] = [ORIGINAL, COMPRESSED].map(|network| at(rows, DEPTH, depth as f64, network));
    let recovered: Vec<&Row> =
        original.iter().copied().filter(|row| row.converged && row.recovery_error < RECOVERED).collect();
    let pairs = pairs(&recovered, &compressed);
    let lost = original.len() - recovered.len();
    let finding = if pairs.is_empty() {
        Finding::untested(AS_FAST, "no original recovers the target")
    } else {
        let ratio = |(original, compressed): &(&Row, &Row)| compressed.iterations as f64 / original.iterations as f64;
        let holding = pairs.iter().filter(|pair| pair.1.converged && SAME.contains(&ratio(pair))).count();
        let ratios: Vec<String> = pairs.iter().map(|pair| format!("{:.2}", ratio(pair))).collect();
        let measured = format!("{} times as many", ratios.join(", "));
        Finding::new(AS_FAST, measured, Evidence::EveryTrial { holding, n: pairs.len() })
    };
    let finding = finding.case(format!("L = {depth}"));
    match lost {
        0 => finding,
        _ => finding.note(format!("{lost} of {} originals do not recover the target", original.len())),
    }
}

/// The recovery errors of some runs.
fn errors(runs: &[&Row]) -> String {
    let errors: Vec<String> = runs.iter().map(|row| format!("{:.1e}", row.recovery_error)).collect();
    format!("recovery errors {}", errors.join(", "))
}

#[cfg(test)]
mod tests;
