//! Statements about whole curves, (x, y) in ascending x, as claims.

use lab::Claim;

use crate::matrix::verdict;
use crate::summary::{quotients, range, share_rising};

/// Share of pairs of points that must agree for a curve to count as rising or falling: trials are few.
const TREND: f64 = 0.9;

/// What a statement is about.
pub struct Statement<'a> {
    /// The statement.
    pub claim: &'a str,
    /// What the paper reports.
    pub paper: &'a str,
    /// Whether the settings are such that the statement is about them.
    pub tested: bool,
}

impl Statement<'_> {
    /// The curve rises: in nine of ten pairs of points, and from its first to its last at least `factor`-fold.
    pub fn rises(self, factor: f64, curve: &[(f64, f64)]) -> Claim {
        let rises = share_rising(curve).is_some_and(|share| share >= TREND);
        self.between_ends(curve, |first, last| rises && last >= factor * first)
    }

    /// The curve falls: in nine of ten pairs of points, and from its first to its last at least `factor`-fold.
    pub fn falls(self, factor: f64, curve: &[(f64, f64)]) -> Claim {
        let falls = share_rising(curve).is_some_and(|share| share <= 1.0 - TREND);
        self.between_ends(curve, |first, last| falls && factor * last <= first)
    }

    fn between_ends(self, curve: &[(f64, f64)], holds: impl Fn(f64, f64) -> bool) -> Claim {
        let ends = curve.first().zip(curve.last()).filter(|(first, last)| first.0 < last.0);
        let measured = ends.map(|(a, b)| format!("from {} at {} to {} at {}", short(a.1), a.0, short(b.1), b.0));
        self.judged(measured, ends.is_some_and(|(first, last)| holds(first.1, last.1)))
    }

    /// Every value of the curve is in the interval.
    pub fn between(self, low: f64, high: f64, curve: &[(f64, f64)]) -> Claim {
        let range = range(curve);
        let measured = range.map(|(least, most)| format!("{} to {}", short(least), short(most)));
        self.judged(measured, range.is_some_and(|(least, most)| low <= least && most <= high))
    }

    /// The largest value of the curve is at most `factor` times the smallest.
    pub fn level(self, factor: f64, curve: &[(f64, f64)]) -> Claim {
        let range = range(curve).filter(|_| curve.len() > 1);
        let measured = range.map(|(least, most)| format!("{} to {}", short(least), short(most)));
        self.judged(measured, range.is_some_and(|(least, most)| most <= factor * least))
    }

    /// The curve is within a factor of the one reported, wherever that is not zero.
    pub fn as_reported(self, factor: f64, curve: &[(f64, f64)], reported: &[(f64, f64)]) -> Claim {
        let positive: Vec<_> = reported.iter().copied().filter(|point| point.1 > 0.0).collect();
        let range = range(&quotients(curve, &positive)).filter(|_| self.tested);
        let measured = range.map(|(least, most)| format!("{least:.2} to {most:.2} times the reported values"));
        self.judged(measured, range.is_some_and(|(least, most)| factor * least >= 1.0 && most <= factor))
    }

    /// The verdict; without a measurement the statement is not tested.
    pub fn judged(self, measured: Option<String>, holds: bool) -> Claim {
        Claim {
            claim: self.claim.to_owned(),
            paper: self.paper.to_owned(),
            verdict: verdict(self.tested && measured.is_some(), holds),
            measured: measured.unwrap_or_else(|| "nothing to compare".to_owned()),
        }
    }
}

/// A number in three digits or so.
fn short(x: f64) -> String {
    match x.abs() {
        magnitude if magnitude >= 100.0 => format!("{x:.0}"),
        magnitude if magnitude >= 0.1 => format!("{x:.2}"),
        _ => format!("{x:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use lab::Verdict::{Differs, Holds, NotTested};

    use super::*;

    const RISING: [(f64, f64); 3] = [(1.0, 2.0), (2.0, 5.0), (4.0, 9.0)];
    const FALLING: [(f64, f64); 3] = [(1.0, 9.0), (2.0, 5.0), (4.0, 2.0)];

    fn statement() -> Statement<'static> {
        Statement { claim: "", paper: "", tested: true }
    }

    #[test]
    fn trends() {
        assert_eq!(statement().rises(4.0, &RISING).verdict, Holds);
        assert_eq!(statement().rises(5.0, &RISING).verdict, Differs);
        assert_eq!(statement().rises(1.0, &FALLING).verdict, Differs);
        assert_eq!(statement().falls(4.0, &FALLING).verdict, Holds);
        assert_eq!(statement().falls(5.0, &FALLING).verdict, Differs);
        assert_eq!(statement().falls(1.0, &RISING).verdict, Differs);
        assert_eq!(statement().falls(1.0, &FALLING[..1]).verdict, NotTested);
    }

    #[test]
    fn ranges() {
        assert_eq!(statement().between(2.0, 9.0, &RISING).verdict, Holds);
        assert_eq!(statement().between(2.1, 9.0, &RISING).verdict, Differs);
        assert_eq!(statement().level(4.5, &RISING).verdict, Holds);
        assert_eq!(statement().level(4.4, &RISING).verdict, Differs);
        assert_eq!(statement().between(0.0, 1.0, &[]).verdict, NotTested);
    }

    #[test]
    fn reported_values() {
        let reported = [(0.0, 0.0), (1.0, 4.0), (2.0, 4.0)];
        assert_eq!(statement().as_reported(2.0, &RISING, &reported).verdict, Holds);
        assert_eq!(statement().as_reported(1.9, &RISING, &reported).verdict, Differs);
        assert_eq!(statement().as_reported(2.0, &RISING, &[]).verdict, NotTested);
        let claim = Statement { tested: false, ..statement() }.as_reported(2.0, &RISING, &reported);
        assert_eq!((claim.verdict, claim.measured.as_str()), (NotTested, "nothing to compare"));
    }
}
