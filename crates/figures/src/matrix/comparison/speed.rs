//! How many times as fast one network is as another, in trials in which both learned.

use std::collections::BTreeMap;

use lab::Finding;

use crate::matrix::{CurveRow, TimingRow};
use crate::statements::{NOT_TRAINED, Outcome, every_trial};
use crate::summary::{range, short};

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
mod tests {
    use lab::Evidence;

    use super::*;

    fn of(network: &str, trial: usize, losses: [f64; 2]) -> [CurveRow; 2] {
        [0, 1].map(|k| CurveRow {
            network: network.to_owned(),
            trial,
            iteration: k as u64,
            training_loss: losses[k],
            recovery_error: None,
        })
    }

    /// Of three trials, the compressed network of the last has no run; then that of the second did not learn.
    #[test]
    fn a_speed_is_of_trained_runs_and_counts_failed_ones() {
        let clock = |network: &str, trial, seconds| {
            let network = network.to_owned();
            TimingRow { network, trial, iteration: 1, seconds, setup_seconds: 0.0 }
        };
        let finding = |second: f64| {
            let mut curves = (0..3).flat_map(|trial| of("a", trial, [1.0, 0.1])).collect::<Vec<_>>();
            curves.extend(of("b", 0, [1.0, 0.1]).into_iter().chain(of("b", 1, [1.0, second])));
            let mut clocks: Vec<_> = (0..3).map(|trial| clock("a", trial, 10.0)).collect();
            clocks.extend([clock("b", 0, 1.0), clock("b", 1, 2.0)]);
            speed_finding("x", (&curves, &clocks), ["a", "b"], 5.0, 3)
        };
        let found = finding(0.1);
        assert_eq!(found.evidence, Evidence::EveryTrial { holding: 2, n: 3 });
        assert_eq!(found.note, "1 of 3 runs failed");
        assert!(found.measured.starts_with("5.00 to 10.00 times in 2 trials; first: 10 times"), "{}", found.measured);
        let found = finding(0.9);
        assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 2 });
        assert_eq!(found.note, "1 of 3 trials are not trained; 1 of 3 runs failed");
        assert!(found.measured.starts_with("10 times with set-up"), "{}", found.measured);
    }
}
