//! Statements about curves: a quantity y of several trials against x.

use std::collections::BTreeMap;

use lab::statistics::{Estimate, paired};
use lab::{Evidence, Finding, Side};

use super::{Outcome, every_trial};
use crate::summary::{averaged, grouped, quotients, range, short};

/// What one run contributes to a curve: the number of its trial, x and y.
pub type Run = (usize, f64, f64);

/// The points (x, y) of some runs.
pub fn points(runs: &[Run]) -> Vec<(f64, f64)> {
    runs.iter().map(|&(_, x, y)| (x, y)).collect()
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

/// The same where trials of one number share target and start: compared trial by trial.
pub fn changes_in_pairs(id: &'static str, side: Side, runs: &[Run]) -> Finding {
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

/// A curve of quotients that are to be 1 up to `factor`: each trial is as far off as its worst run is, and the mean of this over
/// the trials is judged by its interval, on the scale of logarithms. `measured` is followed by that mean in words; `reason` is
/// that of a finding without any run.
fn within(id: &'static str, factor: f64, quotients: &[Run], measured: String, reason: &'static str) -> Finding {
    let mut worst = BTreeMap::<usize, f64>::new();
    for &(trial, _, quotient) in quotients {
        let (off, worst) = (quotient.ln().abs(), worst.entry(trial).or_default());
        // NaN counts as the worst of all.
        *worst = if off.total_cmp(worst).is_gt() { off } else { *worst };
    }
    let Some(estimate) = Estimate::of(&worst.into_values().collect::<Vec<_>>()) else {
        return Finding::untested(id, reason);
    };
    let interval = estimate.interval().map(|(low, high)| format!(" ({:.2} to {:.2})", low.exp(), high.exp()));
    let mean = format!("{:.2}{}", estimate.mean.exp(), interval.unwrap_or_default());
    let evidence = Evidence::Equivalence { estimate, low: -factor.ln(), high: factor.ln() };
    Finding::new(id, format!("{measured}; where a trial is farthest off, by a factor of {mean}"), evidence)
}

/// At every x, `a` is `least` to `most` times `b`, trial by trial over the runs that both have.
pub fn times_as_much(id: &'static str, [least, most]: [f64; 2], a: &[Run], b: &[Run]) -> Finding {
    let middle = (least * most).sqrt();
    let partner = |run: &Run| b.iter().find(|other| (other.0, other.1) == (run.0, run.1));
    let quotients: Vec<Run> = a.iter().filter_map(|run| Some((run.0, run.1, run.2 / partner(run)?.2))).collect();
    let times = range(&averaged(points(&quotients)).mean);
    let measured = times.map_or(String::new(), |(low, high)| format!("{low:.2} to {high:.2} times"));
    let from_middle: Vec<Run> = quotients.iter().map(|&(trial, x, quotient)| (trial, x, quotient / middle)).collect();
    let finding = within(id, most / middle, &from_middle, measured, "no pair of runs met the tolerance");
    let measured = match finding.measured.as_str() {
        "" => String::new(),
        measured => format!("{measured} from {middle:.2}"),
    };
    Finding { measured, ..finding }
}

/// Every y is within `factor` of the value read off the paper's figure, wherever that is not zero.
pub fn as_reported(id: &'static str, factor: f64, runs: &[Run], reported: &[(f64, f64)]) -> Finding {
    let positive: Vec<_> = reported.iter().copied().filter(|point| point.1 > 0.0).collect();
    let reported = |x: f64| positive.iter().find(|point| point.0 == x).map(|point| point.1);
    let off: Vec<Run> = runs.iter().filter_map(|&(trial, x, y)| Some((trial, x, y / reported(x)?))).collect();
    let times = range(&quotients(&averaged(points(runs)).mean, &positive));
    let measured =
        times.map_or(String::new(), |(least, most)| format!("{least:.2} to {most:.2} times the reported values"));
    within(id, factor, &off, measured, "no value to compare with")
}

/// How far a value read off a figure may be from what was plotted, relative to the largest value there: that is what the axis is
/// scaled to.
const READING_ERROR: f64 = 0.03;

/// On the authors' own draws: at every x, the mean of y is the value read off the paper's figure, within the reading error.
pub fn as_read_off(id: &'static str, runs: &[Run], read: &[(f64, f64)]) -> Finding {
    let means = averaged(points(runs)).mean;
    let at = |x: f64| read.iter().find(|point| point.0 == x).map(|point| point.1);
    let off: Vec<(f64, f64)> = means.iter().filter_map(|&(x, y)| Some((x, (y - at(x)?).abs()))).collect();
    let largest = |curve: &[(f64, f64)]| curve.iter().map(|point| point.1).max_by(f64::total_cmp);
    let (Some(worst), Some(scale)) = (largest(&off), largest(read)) else {
        return Finding::untested(id, "no value to compare with");
    };
    let farthest = off.iter().find(|point| point.1.to_bits() == worst.to_bits()).map_or(f64::NAN, |point| point.0);
    let measured = format!("off by {:.1} % of the largest value at most, at {farthest}", 100.0 * worst / scale);
    let n = runs.iter().filter(|run| at(run.1).is_some()).count();
    Finding::new(id, measured, Evidence::Exact { holds: worst <= READING_ERROR * scale, n })
}

/// In every trial, y is the same at each of so many x, up to `factor` between the largest and the smallest. A run that is
/// missing is one that cannot be said to be the same.
pub fn level(id: &'static str, factor: f64, runs: &[Run], (trials, count): (usize, usize)) -> Finding {
    let of_trial = |trial: usize| runs.iter().filter(move |run| run.0 == trial).map(|run| (run.1, run.2));
    let spreads: Vec<Option<f64>> = (0..trials)
        .map(|trial| {
            let curve: Vec<(f64, f64)> = of_trial(trial).collect();
            range(&curve).filter(|_| curve.len() == count).map(|(least, most)| most / least)
        })
        .collect();
    let judged = |spread: &Option<f64>| spread.map_or(Outcome::Failed, |spread| Outcome::of(spread <= factor));
    match (range(&averaged(points(runs)).mean), spreads.iter().flatten().copied().reduce(f64::max)) {
        (Some((least, most)), Some(spread)) if count > 1 => {
            let (least, most) = (short(least), short(most));
            let measured = format!("{least} to {most} on average; in a trial at most {spread:.3} times the least");
            every_trial(id, measured, &spreads.iter().map(judged).collect::<Vec<_>>())
        }
        _ if count > 1 => Finding::untested(id, "no trial has all its runs"),
        _ => Finding::untested(id, "fewer than two points"),
    }
}
