//! What Kwon et al. say about sensing, and what this repository adds, and whether the tables bear it out.

use std::collections::BTreeMap;

use lab::Finding;

use super::settings::{FIXED, ORIGINAL, SPECTRAL, Settings};
use crate::matrix::{CurveRow, Stall, TimingRow, first_and_range, iterations_below};
use crate::statements::{NOT_RECOVERED, Outcome, every_trial};

const RECOVERS: &str = "sensing/recovers-alike";
const ITERATIONS: &str = "sensing/spectral-fewer-iterations";
const SECONDS: &str = "sensing/spectral-fewer-seconds";
const STALLS: &str = "sensing/fixed-bases-stall";

/// Relative error below which the target counts as recovered.
const RECOVERED: f64 = 1e-3;

pub(super) fn findings(settings: &Settings, curves: &[CurveRow], clock: &[TimingRow]) -> Vec<Finding> {
    if *settings.rank_guess < *settings.problem.rank {
        let reason = "rank_guess is below the rank";
        return [RECOVERS, ITERATIONS, SECONDS, STALLS].map(|id| Finding::untested(id, reason)).into();
    }
    let (moving, trials) = (settings.moving(), *settings.trials);
    let seconds = match settings.at_papers_size() {
        true => fewer(SECONDS, "s", trials, |name| seconds_below(curves, clock, name)),
        false => Finding::untested(SECONDS, "a smaller size than Kwon et al.'s"),
    };
    vec![
        recovers_alike(curves, [&moving, SPECTRAL], trials),
        fewer(ITERATIONS, "iterations", trials, |name| {
            let below = below(curves, name).into_iter();
            below.map(|(trial, iteration)| (trial, iteration.map(|iteration| iteration as f64))).collect()
        }),
        seconds,
        stall(&moving).finding(STALLS, curves, trials),
    ]
}

/// What counts as a stall of the compressed network with fixed bases beside the one with moving bases.
fn stall(moving: &str) -> Stall<'_> {
    Stall { original: ORIGINAL, moving, fixed: FIXED, recovered: RECOVERED, factor: 100.0 }
}

/// The first iteration at which the target is recovered, for every trial of a network.
fn below(curves: &[CurveRow], network: &str) -> BTreeMap<usize, Option<u64>> {
    iterations_below(curves, network, RECOVERED, |row| row.recovery_error)
}

/// The seconds up to there, set-up included.
fn seconds_below(curves: &[CurveRow], clock: &[TimingRow], network: &str) -> BTreeMap<usize, Option<f64>> {
    let at = |trial, iteration| {
        let mut rows = clock.iter().filter(|row| row.network == network && row.trial == trial);
        rows.find(|row| row.iteration == iteration).map(|row| row.seconds + row.setup_seconds)
    };
    below(curves, network).into_iter().map(|(trial, first)| (trial, first.and_then(|t| at(trial, t)))).collect()
}

/// In every trial whose original recovers the target, both compressed networks do.
fn recovers_alike(curves: &[CurveRow], compressed: [&str; 2], trials: usize) -> Finding {
    let original = below(curves, ORIGINAL);
    let compressed = compressed.map(|name| below(curves, name));
    let mut reached = Vec::new();
    let text = |first: Option<u64>| first.map_or("never".to_owned(), |iteration| iteration.to_string());
    let judged = |trial| {
        let Some(first) = original.get(&trial).copied().flatten() else {
            return Outcome::LeftOut(NOT_RECOVERED);
        };
        let [Some(moving), Some(spectral)] = compressed.each_ref().map(|runs| runs.get(&trial).copied()) else {
            return Outcome::Failed;
        };
        reached.push(format!("{first}, {} and {}", text(moving), text(spectral)));
        Outcome::of(moving.is_some() && spectral.is_some())
    };
    let outcomes: Vec<Outcome> = (0..trials).map(judged).collect();
    let measured = format!("original, compressed and spectral below {RECOVERED} at iteration {}", reached.join("; "));
    every_trial(RECOVERS, measured, &outcomes)
}

/// In every trial whose original recovers the target, the spectral network does so with less of what `spent` says.
fn fewer(id: &'static str, unit: &str, trials: usize, spent: impl Fn(&str) -> BTreeMap<usize, Option<f64>>) -> Finding {
    let (original, spectral) = (spent(ORIGINAL), spent(SPECTRAL));
    let mut pairs = Vec::new();
    let judged = |trial| {
        let Some(slow) = original.get(&trial).copied().flatten() else {
            return Outcome::LeftOut(NOT_RECOVERED);
        };
        let Some(fast) = spectral.get(&trial) else {
            return Outcome::Failed;
        };
        let Some(fast) = *fast else {
            return Outcome::Differs;
        };
        pairs.push((slow, fast));
        Outcome::of(fast < slow)
    };
    let outcomes: Vec<Outcome> = (0..trials).map(judged).collect();
    let text = |&(slow, fast): &(f64, f64)| {
        format!("{:.2} times as many ({slow:.0} and {fast:.0} {unit} to a relative error of {RECOVERED})", slow / fast)
    };
    every_trial(id, first_and_range(&pairs, text, |(slow, fast)| slow / fast), &outcomes)
}

#[cfg(test)]
mod tests;
