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
    if settings.problem.size < 100 {
        let all = [STALLS, OVERFITS, RECOVERS, COMPRESSED_RECOVERS, AS_FAST];
        return all.map(|id| Finding::untested(id, "a problem of less than 100 rows")).into();
    }
    let mut findings = vec![fixed_bases_stall(rows, settings.base.discrepant_step), overfits(rows)];
    let depths: Vec<usize> = settings.vary.depths.iter().map(|depth| depth.depth).collect();
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
mod tests {
    use super::*;

    fn row(network: &str, trial: usize, iterations: u64, recovery_error: f64) -> Row {
        let (factor, network) = (DEPTH.to_owned(), network.to_owned());
        Row { factor, value: 4.0, network, trial, iterations, converged: true, training_loss: 1e-11, recovery_error }
    }

    /// A geometric mean of these three, 4e-6, would say that they recover.
    #[test]
    fn one_run_that_does_not_recover_is_not_averaged_away() {
        let rows = [row(ORIGINAL, 0, 100, 1e-8), row(ORIGINAL, 1, 100, 0.4), row(ORIGINAL, 2, 100, 1e-8)];
        let finding = recovers(RECOVERS, &rows, ORIGINAL, 4);
        assert_eq!((finding.evidence, finding.case.as_str()), (Evidence::EveryTrial { holding: 2, n: 3 }, "L = 4"));
        assert!(finding.measured.starts_with("2 of 3 recover"), "{}", finding.measured);
    }

    #[test]
    fn iterations_are_compared_where_the_original_recovers() {
        let originals = [row(ORIGINAL, 0, 100, 1e-8), row(ORIGINAL, 1, 100, 0.4), row(ORIGINAL, 2, 100, 1e-8)];
        let with = |iterations: [u64; 3]| {
            let twins = (0..3).map(|trial| row(COMPRESSED, trial, iterations[trial], 1e-8));
            as_fast(
                &originals
                    .iter()
                    .map(|r| row(ORIGINAL, r.trial, 100, r.recovery_error))
                    .chain(twins)
                    .collect::<Vec<_>>(),
                4,
            )
        };
        assert_eq!(with([120, 900, 85]).evidence, Evidence::EveryTrial { holding: 2, n: 2 });
        assert_eq!(with([130, 100, 85]).evidence, Evidence::EveryTrial { holding: 1, n: 2 });
        assert_eq!(with([130, 100, 85]).note, "1 of 3 originals do not recover the target");
        assert!(matches!(as_fast(&originals[1..2], 4).evidence, Evidence::None { .. }));
    }

    #[test]
    fn depth_2_overfits_only_if_it_fits() {
        let at_2 = |row: Row, converged| Row { value: 2.0, converged, ..row };
        let of = |rows: &[Row]| overfits(rows).evidence;
        let one = |converged, error| of(&[at_2(row(ORIGINAL, 0, 100, error), converged)]);
        assert_eq!(one(true, 1e-3), Evidence::EveryTrial { holding: 1, n: 1 });
        assert_eq!(one(false, 1e-3), Evidence::EveryTrial { holding: 0, n: 1 });
        assert_eq!(one(true, 1e-8), Evidence::EveryTrial { holding: 0, n: 1 });
        assert_eq!(of(&[]), Evidence::EveryTrial { holding: 0, n: 0 });
    }

    #[test]
    fn a_stall_is_a_matter_of_every_trial() {
        let with = |value, trial, error| Row {
            factor: DISCREPANT_STEP.to_owned(),
            value,
            ..row(COMPRESSED, trial, 100, error)
        };
        let rows = [with(0.0, 0, 1e-2), with(0.0, 1, 1e-6), with(0.1, 0, 1e-8), with(0.1, 1, 1e-8)];
        assert_eq!(fixed_bases_stall(&rows, 0.1).evidence, Evidence::EveryTrial { holding: 1, n: 2 });
        assert!(matches!(fixed_bases_stall(&rows, 0.5).evidence, Evidence::None { .. }));
        assert!(matches!(fixed_bases_stall(&rows, 0.0).evidence, Evidence::None { .. }));
    }
}
