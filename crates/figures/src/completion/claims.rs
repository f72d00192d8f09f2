//! What Figure 5 says, and whether the tables bear it out.

use lab::Finding;

use super::settings::{ORIGINAL, Settings, compressed};
use crate::matrix::{CurveRow, Stall, TimingRow, iterations_below, speed_finding};
use crate::statements::{NOT_RECOVERED, Outcome, every_trial};

const RECOVERS: &str = "completion/recovers-alike";
const FASTER: &str = "completion/faster";
const STALLS: &str = "completion/fixed-bases-stall";

/// A network stalls at more than so many times the recovery error of another.
const STALLED: f64 = 1e3;

pub(super) fn findings(settings: &Settings, curves: &[CurveRow], clock: &[TimingRow]) -> anyhow::Result<Vec<Finding>> {
    let Some(step) = settings.discrepant_steps.iter().map(|step| **step).find(|step| *step > 0.0) else {
        let reason = "discrepant_steps has no γ above 0";
        return Ok([RECOVERS, FASTER, STALLS].map(|id| Finding::untested(id, reason)).into());
    };
    if *settings.rank_guess < *settings.problem.rank {
        let reason = "rank_guess is below the rank";
        return Ok([RECOVERS, FASTER, STALLS].map(|id| Finding::untested(id, reason)).into());
    }
    let (moving, threshold) = (compressed(step), *settings.original_tolerance);
    let (names, trials) = ([ORIGINAL, moving.as_str()], *settings.trials);
    let faster = match settings.at_papers_size() {
        true => speed_finding(FASTER, (curves, clock), names, 7.0, trials),
        false => Finding::untested(FASTER, "a smaller size than the paper's"),
    };
    let fixed = compressed(0.0);
    let stall = Stall { original: ORIGINAL, moving: &moving, fixed: &fixed, recovered: threshold, factor: STALLED };
    let stalls = match settings.discrepant_steps.iter().any(|step| **step == 0.0) {
        true => stall.finding(STALLS, curves, trials),
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

#[cfg(test)]
mod tests {
    use lab::Evidence;

    use super::*;

    fn row(network: &str, error: f64) -> CurveRow {
        let network = network.to_owned();
        CurveRow { network, trial: 0, iteration: 10, training_loss: error, recovery_error: Some(error) }
    }

    /// Three trials: the compressed network of the second and the original of the third have no run.
    #[test]
    fn a_run_that_is_missing_is_a_trial_in_which_it_does_not_hold() {
        let second = CurveRow { trial: 1, ..row(ORIGINAL, 1e-12) };
        let rows = [row(ORIGINAL, 1e-12), row("moving", 1e-12), second];
        let found = recovers_alike(&rows, [ORIGINAL, "moving"], 1e-9, 3);
        assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 2 });
        assert_eq!(found.note, "1 of 3 originals do not recover the target; 1 of 3 runs failed");
    }
}
