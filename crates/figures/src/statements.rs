//! Rules that several experiments share: about every trial, and about curves, a quantity y of several trials against x.

use std::collections::BTreeMap;

use lab::statistics::{Estimate, paired};
use lab::{Evidence, Finding, Side};

use crate::summary::{averaged, grouped, quotients, range, short};

/// A matrix run recovers the target if its recovery error ends below this: a hundredth of what Figure 1 shows as overfitting,
/// and far above the training loss at which runs stop.
pub const RECOVERED: f64 = 1e-5;

/// What one trial says of a statement about every trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds there.
    Holds,
    /// It does not.
    Differs,
    /// A run has no row. The statement cannot be said to hold in every trial.
    Failed,
    /// What the statement supposes is not so.
    LeftOut(LeftOut),
}

/// Why a trial is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// In words, if all are.
    pub all: &'static str,
    /// In words, after their number: "1 of 3 originals do not recover the target".
    pub some: &'static str,
}

/// The run did not learn.
pub const NOT_TRAINED: LeftOut = LeftOut { all: "no run was trained", some: "trials are not trained" };

/// The original went elsewhere.
pub const NOT_RECOVERED: LeftOut =
    LeftOut { all: "no original recovers the target", some: "originals do not recover the target" };

impl Outcome {
    /// Of a trial whose runs are there.
    pub fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Differs }
    }
}

/// A statement about every trial, given what all trials of the settings say. Those that failed are trials too; those left
/// out are counted in the note.
pub fn every_trial(id: &'static str, measured: impl Into<String>, outcomes: &[Outcome]) -> Finding {
    let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let (holding, failed) = (count(Outcome::Holds), count(Outcome::Failed));
    let judged = holding + count(Outcome::Differs);
    let mut reasons: Vec<LeftOut> = Vec::new();
    for outcome in outcomes {
        if let Outcome::LeftOut(why) = outcome
            && !reasons.contains(why)
        {
            reasons.push(*why);
        }
    }
    let finding = match (judged, failed, reasons.first()) {
        (0, 0, Some(why)) => Finding::untested(id, why.all),
        (0, ..) => Finding::untested(id, "no run to judge by"),
        _ => Finding::new(id, measured, Evidence::EveryTrial { holding, n: judged + failed }),
    };
    let left_out = reasons.iter().map(|why| (count(Outcome::LeftOut(*why)), why.some));
    let notes = left_out.chain((failed > 0).then_some((failed, "runs failed")));
    let notes: Vec<String> = notes.map(|(count, what)| format!("{count} of {} {what}", outcomes.len())).collect();
    finding.note(notes.join("; "))
}

/// The quantity changes from the smallest x to the largest: the mean of y there minus the mean of y here is on `side` of 0.
/// `points` are (x, y), one for every trial.
pub fn changes(id: &'static str, side: Side, points: &[(f64, f64)]) -> Finding {
    let groups = grouped(points.iter().copied());
    let (Some((first, here)), Some((last, there))) = (groups.first(), groups.last().filter(|_| groups.len() > 1))
    else {
        return Finding::untested(id, "fewer than two points");
    };
    let [(Some(here), first), (Some(there), last)] = [(Estimate::of(here), first), (Estimate::of(there), last)] else {
        return Finding::untested(id, "no run to judge by");
    };
    let measured = format!("from {} at {first} to {} at {last}", short(here.mean), short(there.mean));
    Finding::new(id, measured, Evidence::Direction { estimate: there.minus(&here), side, value: 0.0 })
}

/// The same of runs (trial, x, y) whose trials of one number share target and start: compared trial by trial.
pub fn changes_in_pairs(id: &'static str, side: Side, runs: &[(usize, f64, f64)]) -> Finding {
    let xs = || runs.iter().map(|run| run.1);
    let (first, last) = (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max));
    if first >= last {
        return Finding::untested(id, "fewer than two points");
    }
    let at = |x: f64| -> Vec<(usize, f64)> { runs.iter().filter(|run| run.1 == x).map(|run| (run.0, run.2)).collect() };
    let (here, there) = (at(first), at(last));
    let shared = |a: &[(usize, f64)], b: &[(usize, f64)]| -> Option<Estimate> {
        let both = a.iter().filter(|run| b.iter().any(|other| other.0 == run.0));
        Estimate::of(&both.map(|run| run.1).collect::<Vec<_>>())
    };
    match (shared(&here, &there), shared(&there, &here), Estimate::of(&paired(&there, &here))) {
        (Some(a), Some(b), Some(estimate)) => {
            let measured = format!("from {} at {first} to {} at {last}", short(a.mean), short(b.mean));
            Finding::new(id, measured, Evidence::Direction { estimate, side, value: 0.0 })
        }
        _ => Finding::untested(id, "no trial at both ends"),
    }
}

/// Evidence of a rule about the means of `groups`, judged by its tolerance; inconclusive where one trial is all there is of a
/// mean.
fn of_means<'a>(holds: bool, groups: impl IntoIterator<Item = &'a Vec<f64>>) -> Evidence {
    let mut n = 0;
    for values in groups {
        n += values.len();
        if let Some(estimate) = Estimate::of(values).filter(|estimate| estimate.error.is_none()) {
            // Without an error the margin decides nothing.
            return Evidence::Equivalence { estimate, low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
    }
    Evidence::Exact { holds, n }
}

/// At every x the mean of `a` is `least` to `most` times that of `b`, over the trials that both have. Runs are (trial, x, y).
pub fn times_as_much(
    id: &'static str,
    [least, most]: [f64; 2],
    a: &[(usize, f64, f64)],
    b: &[(usize, f64, f64)],
) -> Finding {
    let of = |runs: &[(usize, f64, f64)]| -> BTreeMap<(u64, usize), f64> {
        runs.iter().map(|&(trial, x, y)| ((x.to_bits(), trial), y)).collect()
    };
    let (a, b) = (of(a), of(b));
    let of_both = |runs: &BTreeMap<(u64, usize), f64>| -> Vec<(f64, f64)> {
        let both = runs.iter().filter(|(key, _)| a.contains_key(key) && b.contains_key(key));
        both.map(|(key, y)| (f64::from_bits(key.0), *y)).collect()
    };
    let (a, b) = (of_both(&a), of_both(&b));
    match range(&quotients(&averaged(a.iter().copied()).mean, &averaged(b).mean)) {
        None => Finding::untested(id, "no pair of runs met the tolerance"),
        Some((low, high)) => {
            let evidence = of_means(low >= least && high <= most, grouped(a).iter().map(|group| &group.1));
            Finding::new(id, format!("{low:.2} to {high:.2} times"), evidence)
        }
    }
}

/// The mean of y is the same at every x, up to `factor` between the largest and the smallest.
pub fn level(id: &'static str, factor: f64, points: &[(f64, f64)]) -> Finding {
    let curve = averaged(points.iter().copied()).mean;
    match range(&curve).filter(|_| curve.len() > 1) {
        None => Finding::untested(id, "fewer than two points"),
        Some((least, most)) => {
            let measured = format!("{} to {}", short(least), short(most));
            let groups = grouped(points.iter().copied());
            Finding::new(id, measured, of_means(most <= factor * least, groups.iter().map(|group| &group.1)))
        }
    }
}

/// Every y is at most `most`: of each of `runs` runs, not on average. Those without a point failed.
pub fn at_most(id: &'static str, most: f64, points: &[(f64, f64)], runs: usize) -> Finding {
    let Some((least, largest)) = range(points) else {
        return Finding::untested(id, "no run to judge by");
    };
    let mut outcomes: Vec<Outcome> = points.iter().map(|point| Outcome::of(point.1 <= most)).collect();
    outcomes.resize(runs.max(points.len()), Outcome::Failed);
    every_trial(id, format!("{} to {}", short(least), short(largest)), &outcomes)
}

/// The mean of y is within `factor` of the value read off the paper's figure, wherever that is not zero.
pub fn as_reported(id: &'static str, factor: f64, points: &[(f64, f64)], reported: &[(f64, f64)]) -> Finding {
    let positive: Vec<_> = reported.iter().copied().filter(|point| point.1 > 0.0).collect();
    let curve = averaged(points.iter().copied()).mean;
    match range(&quotients(&curve, &positive)) {
        None => Finding::untested(id, "no value to compare with"),
        Some((least, most)) => {
            let measured = format!("{least:.2} to {most:.2} times the reported values");
            let holds = factor * least >= 1.0 && most <= factor;
            let groups = grouped(points.iter().copied());
            let compared = groups.iter().filter(|group| positive.iter().any(|point| point.0 == group.0));
            Finding::new(id, measured, of_means(holds, compared.map(|group| &group.1)))
        }
    }
}

#[cfg(test)]
mod tests;
