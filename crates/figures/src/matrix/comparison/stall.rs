//! Whether a compressed network with fixed bases stalls where the one with moving bases goes on.

use lab::Finding;

use super::{first_and_range, iterations_below, last_values};
use crate::matrix::CurveRow;
use crate::statements::{NOT_RECOVERED, Outcome, every_trial};

/// The three networks and what counts, in recovery errors.
pub struct Stall<'a> {
    pub original: &'a str,
    pub moving: &'a str,
    pub fixed: &'a str,
    /// The error below which the original has recovered the target.
    pub recovered: f64,
    /// How many times the moving network's error the fixed one's must exceed at the end.
    pub factor: f64,
}

impl Stall<'_> {
    /// Whether the fixed network stalls in every trial whose original recovers the target.
    pub fn finding(&self, id: &'static str, curves: &[CurveRow], trials: usize) -> Finding {
        let recovered = iterations_below(curves, self.original, self.recovered, |row| row.recovery_error);
        let last = |name: &str| last_values(curves, name, |row| row.recovery_error);
        let (fixed, moving) = (last(self.fixed), last(self.moving));
        let mut pairs = Vec::new();
        let judged = |trial| {
            if recovered.get(&trial).copied().flatten().is_none() {
                return Outcome::LeftOut(NOT_RECOVERED);
            }
            let (Some(&stalled), Some(&moved)) = (fixed.get(&trial), moving.get(&trial)) else {
                return Outcome::Failed;
            };
            pairs.push((stalled, moved));
            Outcome::of(stalled > self.factor * moved)
        };
        let outcomes: Vec<Outcome> = (0..trials).map(judged).collect();
        let text =
            |(stalled, moved): &(f64, f64)| format!("{stalled:.2e} with γ = 0, {moved:.2e} with γ > 0, at the end");
        every_trial(id, first_and_range(&pairs, text, |(stalled, moved)| stalled / moved), &outcomes)
    }
}

#[cfg(test)]
mod tests {
    use lab::Evidence;

    use super::*;

    const STALL: Stall<'_> =
        Stall { original: "original", moving: "moving", fixed: "fixed", recovered: 1e-9, factor: 1e3 };

    fn row(network: &str, trial: usize, error: f64) -> CurveRow {
        let network = network.to_owned();
        CurveRow { network, trial, iteration: 10, training_loss: error, recovery_error: Some(error) }
    }

    #[test]
    fn a_stall_says_nothing_where_the_original_does_not_recover_either() {
        let evidence = |original, moving, fixed| {
            let curves = [row("original", 0, original), row("moving", 0, moving), row("fixed", 0, fixed)];
            STALL.finding("id", &curves, 1).evidence
        };
        assert_eq!(evidence(1e-12, 1e-12, 1e-4), Evidence::EveryTrial { holding: 1, n: 1 });
        assert_eq!(evidence(1e-12, 1e-12, 1e-12), Evidence::EveryTrial { holding: 0, n: 1 });
        assert_eq!(evidence(1e-12, 1e-3, 1e-4), Evidence::EveryTrial { holding: 0, n: 1 });
        assert!(matches!(evidence(1e-3, 1e-3, 1e-4), Evidence::None { .. }));
    }

    #[test]
    fn a_run_that_is_missing_is_a_trial_in_which_it_does_not_hold() {
        let rows =
            [row("original", 0, 1e-12), row("moving", 0, 1e-12), row("fixed", 0, 1e-4), row("original", 1, 1e-12)];
        let found = STALL.finding("id", &rows, 3);
        assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 2 });
        assert_eq!(found.note, "1 of 3 originals do not recover the target; 1 of 3 runs failed");
    }
}
