//! What Figure 5 says, and whether the tables bear it out.

use std::collections::BTreeMap;

use lab::{Evidence, Finding};

use super::settings::{ORIGINAL, Settings, compressed};
use crate::matrix::{CurveRow, TimingRow, iterations_below, last_values, speed_finding};

const RECOVERS: &str = "completion/recovers-alike";
const FASTER: &str = "completion/faster";
const STALLS: &str = "completion/fixed-bases-stall";

pub(super) fn findings(settings: &Settings, curves: &[CurveRow], clock: &[TimingRow]) -> anyhow::Result<Vec<Finding>> {
    let Some(step) = settings.discrepant_steps.iter().map(|step| **step).find(|step| *step > 0.0) else {
        let reason = "discrepant_steps has no γ above 0";
        return Ok([RECOVERS, FASTER, STALLS].map(|id| Finding::untested(id, reason)).into());
    };
    let (moving, threshold) = (compressed(step), *settings.original_tolerance);
    let names = [ORIGINAL, moving.as_str()];
    let faster = match settings.at_papers_size() {
        true => speed_finding(FASTER, clock, names, 7.0),
        false => Finding::untested(FASTER, "a smaller size than the paper's"),
    };
    let stalls = match settings.discrepant_steps.iter().any(|step| **step == 0.0) {
        true => fixed_bases_stall(curves, &compressed(0.0), names, threshold),
        false => Finding::untested(STALLS, "discrepant_steps has no 0"),
    };
    Ok(vec![recovers_alike(curves, names, threshold), faster, stalls])
}

/// In every trial whose original recovers the target, the compressed network does, in numbers of iterations within 5 % of
/// each other. If no original does, there is nothing to follow.
fn recovers_alike(curves: &[CurveRow], [original, compressed]: [&str; 2], threshold: f64) -> Finding {
    let below = |name| iterations_below(curves, name, threshold, |row| row.recovery_error);
    let (original, compressed) = (below(original), below(compressed));
    let pairs: Vec<(u64, Option<u64>)> = original
        .iter()
        .filter_map(|(trial, reached)| Some(((*reached)?, compressed.get(trial).copied().flatten())))
        .collect();
    let alike = |(a, b): &(u64, Option<u64>)| b.is_some_and(|b| (b as f64 / *a as f64 - 1.0).abs() <= 0.05);
    let text = |(a, b): &(u64, Option<u64>)| format!("{a} and {}", b.map_or("never".to_owned(), |b| b.to_string()));
    if pairs.is_empty() {
        return Finding::untested(RECOVERS, "the original does not recover the target");
    }
    let iterations = pairs.iter().map(text).collect::<Vec<_>>().join(", ");
    let measured = format!("below {threshold:e} after {iterations} iterations");
    let finding = Finding::new(
        RECOVERS,
        measured,
        Evidence::EveryTrial { holding: pairs.iter().filter(|pair| alike(pair)).count(), n: pairs.len() },
    );
    match original.len() - pairs.len() {
        0 => finding,
        lost => finding.note(format!("{lost} of {} originals do not recover the target", original.len())),
    }
}

/// In every trial whose original recovers the target, the fixed network ends at a recovery error more than a thousand times
/// that of the moving one.
fn fixed_bases_stall(curves: &[CurveRow], fixed: &str, [original, moving]: [&str; 2], threshold: f64) -> Finding {
    let recovered = iterations_below(curves, original, threshold, |row| row.recovery_error);
    let last = |name: &str| last_values(curves, name, |row| row.recovery_error);
    let (fixed, moving): (BTreeMap<_, f64>, BTreeMap<_, f64>) = (last(fixed), last(moving));
    let pairs: Vec<(f64, f64)> = recovered
        .iter()
        .filter(|(_, reached)| reached.is_some())
        .filter_map(|(trial, _)| Some((*fixed.get(trial)?, *moving.get(trial)?)))
        .collect();
    let Some((stalled, moved)) = pairs.first() else {
        return Finding::untested(STALLS, "the original does not recover the target");
    };
    let measured = format!("{stalled:.2e} with γ = 0, {moved:.2e} with γ > 0, at the end");
    let holding = pairs.iter().filter(|(stalled, moved)| *stalled > 1e3 * moved).count();
    Finding::new(STALLS, measured, Evidence::EveryTrial { holding, n: pairs.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_says_nothing_where_the_original_does_not_recover_either() {
        let row = |network: &str, error| CurveRow {
            network: network.into(),
            trial: 0,
            iteration: 10,
            training_loss: error,
            recovery_error: Some(error),
        };
        let evidence = |original, moving, fixed| {
            let curves = [row(ORIGINAL, original), row("moving", moving), row("fixed", fixed)];
            fixed_bases_stall(&curves, "fixed", [ORIGINAL, "moving"], 1e-9).evidence
        };
        assert_eq!(evidence(1e-12, 1e-12, 1e-4), Evidence::EveryTrial { holding: 1, n: 1 });
        assert_eq!(evidence(1e-12, 1e-12, 1e-12), Evidence::EveryTrial { holding: 0, n: 1 });
        assert_eq!(evidence(1e-12, 1e-3, 1e-4), Evidence::EveryTrial { holding: 0, n: 1 });
        assert!(matches!(evidence(1e-3, 1e-3, 1e-4), Evidence::None { .. }));
    }
}
