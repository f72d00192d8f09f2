//! Rules about curves: a quantity y of several trials against x, as findings about a statement.

use lab::statistics::Estimate;
use lab::{Evidence, Finding, Side};

use crate::summary::{averaged, grouped, quotients, range, short};

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

/// The mean of y is the same at every x, up to `factor` between the largest and the smallest.
pub fn level(id: &'static str, factor: f64, points: &[(f64, f64)]) -> Finding {
    let curve = averaged(points.iter().copied()).mean;
    match range(&curve).filter(|_| curve.len() > 1) {
        None => Finding::untested(id, "fewer than two points"),
        Some((least, most)) => {
            let measured = format!("{} to {}", short(least), short(most));
            Finding::new(id, measured, Evidence::Exact { holds: most <= factor * least, n: points.len() })
        }
    }
}

/// Every y is at most `most`: of each trial, not on average.
pub fn at_most(id: &'static str, most: f64, points: &[(f64, f64)]) -> Finding {
    let Some((least, largest)) = range(points) else {
        return Finding::untested(id, "no run to judge by");
    };
    let holding = points.iter().filter(|point| point.1 <= most).count();
    let measured = format!("{} to {}", short(least), short(largest));
    Finding::new(id, measured, Evidence::EveryTrial { holding, n: points.len() })
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
            Finding::new(id, measured, Evidence::Exact { holds, n: points.len() })
        }
    }
}

#[cfg(test)]
mod tests {
    use lab::Verdict::{self, Differs, Holds, Inconclusive, NotTested};

    use super::*;

    const RISING: [(f64, f64); 5] = [(1.0, 2.0), (1.0, 2.1), (2.0, 5.0), (4.0, 9.0), (4.0, 9.1)];

    fn verdict(finding: Finding) -> Verdict {
        let statement = "[[claim]]\nid = \"a\"\nexperiment = \"x\"\nstatement = \"\"\nsource = \"\"\n";
        let statements = lab::claim::statements(statement).unwrap();
        lab::claim::judge(&statements, vec![finding]).unwrap()[0].verdict
    }

    #[test]
    fn changes_are_judged_by_their_interval() {
        assert_eq!(verdict(changes("a", Side::Above, &RISING)), Holds);
        assert_eq!(verdict(changes("a", Side::Below, &RISING)), Differs);
        assert_eq!(verdict(changes("a", Side::Above, &RISING[1..4])), Inconclusive);
        assert_eq!(verdict(changes("a", Side::Above, &RISING[..2])), NotTested);
        assert_eq!(verdict(changes("a", Side::Above, &[])), NotTested);
    }

    #[test]
    fn ranges() {
        assert_eq!(verdict(level("a", 4.5, &RISING)), Holds);
        assert_eq!(verdict(level("a", 4.3, &RISING)), Differs);
        assert_eq!(verdict(at_most("a", 9.1, &RISING)), Holds);
        assert_eq!(verdict(at_most("a", 9.0, &RISING)), Differs);
        assert_eq!(verdict(at_most("a", 1.0, &[])), NotTested);
    }

    #[test]
    fn reported_values() {
        let reported = [(0.0, 0.0), (1.0, 4.1), (2.0, 5.0)];
        assert_eq!(verdict(as_reported("a", 2.0, &RISING, &reported)), Holds);
        assert_eq!(verdict(as_reported("a", 1.9, &RISING, &reported)), Differs);
        assert_eq!(verdict(as_reported("a", 2.0, &RISING, &[])), NotTested);
    }
}
