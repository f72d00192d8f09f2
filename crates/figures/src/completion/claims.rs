//! What Figure 5 says, and whether the tables bear it out.

use lab::Finding;

use super::settings::{ORIGINAL, Settings, compressed};
use crate::matrix::{CurveRow, TimingRow, first_and_range, iterations_below, last_values, speed_finding};
use crate::statements::{NOT_RECOVERED, Outcome, every_trial};

const RECOVERS: &str = "completion/recovers-alike";
const FASTER: &str = "completion/faster";
const STALLS: &str = "completion/fixed-bases-stall";

pub(super) fn findings(settings: &Settings, curves: &[CurveRow], clock: &[TimingRow]) -> anyhow::Result<Vec<Finding>> {
    let Some(step) = settings.discrepant_steps.iter().map(|step| **step).find(|step| *step > 0.0) else {
        let reason = "discrepant_steps has no γ above 0";
        return Ok([RECOVERS, FASTER, STALLS].map(|id| Finding::untested(id, reason)).into());
    };
    let (moving, threshold) = (compressed(step), *settings.original_tolerance);
    let (names, trials) = ([ORIGINAL, moving.as_str()], *settings.trials);
    let faster = match settings.at_papers_size() {
        true => speed_finding(FASTER, (curves, clock), names, 7.0, trials),
        false => Finding::untested(FASTER, "a smaller size than the paper's"),
    };
    let stalls = match settings.discrepant_steps.iter().any(|step| **step == 0.0) {
        true => fixed_bases_stall(curves, &compressed(0.0), names, threshold, trials),
        false => Finding::untested(STALLS, "discrepant_steps has no 0"),
    };
    Ok(vec![recovers_alike(curves, names, threshold, trials), faster, stalls])
}

/// In every trial whose original recovers the target, the compressed network does, in numbers of iterations within 5 % of
/// each other. If no original does, there is nothing to follow.
fn recovers_alike(curves: &[CurveRow], [original, compressed]: [&str; 2], threshold: f64, trials: usize) -> Finding {
    let below = |name| iterations_below(curves, name, threshold, |row| row.recovery_error);
    let (original, compressed) = (below(original), below(compressed));
    let mut iterations = Vec::new();
    let judged = |trial| {
        let Some(a) = original.get(&trial).copied().flatten() else {
            return Outcome::LeftOut(NOT_RECOVERED);
        };
        let Some(b) = compressed.get(&trial) else {
            return Outcome::Failed;
        };
        iterations.push(format!("{a} and {}", b.map_or("never".to_owned(), |b| b.to_string())));
        Outcome::of(b.is_some_and(|b| (b as f64 / a as f64 - 1.0).abs() <= 0.05))
    };
    let outcomes: Vec<Outcome> = (0..trials).map(judged).collect();
    let measured = format!("below {threshold:e} after {} iterations", iterations.join(", "));
    every_trial(RECOVERS, measured, &outcomes)
}

/// In every trial whose original recovers the target, the fixed network ends at a recovery error more than a thousand times
/// that of the moving one.
fn fixed_bases_stall(
    curves: &[CurveRow],
    fixed: &str,
    [original, moving]: [&str; 2],
    threshold: f64,
    trials: usize,
) -> Finding {
    let recovered = iterations_below(curves, original, threshold, |row| row.recovery_error);
    let last = |name: &str| last_values(curves, name, |row| row.recovery_error);
    let (fixed, moving) = (last(fixed), last(moving));
    let mut pairs = Vec::new();
    let judged = |trial| {
        if recovered.get(&trial).copied().flatten().is_none() {
            return Outcome::LeftOut(NOT_RECOVERED);
        }
        let (Some(stalled), Some(moved)) = (fixed.get(&trial), moving.get(&trial)) else {
            return Outcome::Failed;
        };
        pairs.push((*stalled, *moved));
        Outcome::of(*stalled > 1e3 * moved)
    };
    let outcomes: Vec<Outcome> = (0..trials).map(judged).collect();
    let text = |(stalled, moved): &(f64, f64)| format!("{stalled:.2e} with γ = 0, {moved:.2e} with γ > 0, at the end");
    every_trial(STALLS, first_and_range(&pairs, text, |(stalled, moved)| stalled / moved), &outcomes)
}

#[cfg(test)]
mod tests {
    use lab::Evidence;

    use super::*;

    fn row(network: &str, error: f64) -> CurveRow {
        let network = network.to_owned();
        CurveRow { network, trial: 0, iteration: 10, training_loss: error, recovery_error: Some(error) }
    }

    #[test]
    fn a_stall_says_nothing_where_the_original_does_not_recover_either() {
        let evidence = |original, moving, fixed| {
            let curves = [row(ORIGINAL, original), row("moving", moving), row("fixed", fixed)];
            fixed_bases_stall(&curves, "fixed", [ORIGINAL, "moving"], 1e-9, 1).evidence
        };
        assert_eq!(evidence(1e-12, 1e-12, 1e-4), Evidence::EveryTrial { holding: 1, n: 1 });
        assert_eq!(evidence(1e-12, 1e-12, 1e-12), Evidence::EveryTrial { holding: 0, n: 1 });
        assert_eq!(evidence(1e-12, 1e-3, 1e-4), Evidence::EveryTrial { holding: 0, n: 1 });
        assert!(matches!(evidence(1e-3, 1e-3, 1e-4), Evidence::None { .. }));
    }

    /// Three trials: the compressed network of the second and the original of the third have no run.
    #[test]
    fn a_run_that_is_missing_is_a_trial_in_which_it_does_not_hold() {
        let second = CurveRow { trial: 1, ..row(ORIGINAL, 1e-12) };
        let rows = [row(ORIGINAL, 1e-12), row("moving", 1e-12), row("fixed", 1e-4), second];
        let names = [ORIGINAL, "moving"];
        for found in [recovers_alike(&rows, names, 1e-9, 3), fixed_bases_stall(&rows, "fixed", names, 1e-9, 3)] {
            assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 2 });
            assert_eq!(found.note, "1 of 3 originals do not recover the target; 1 of 3 runs failed");
        }
    }
}
