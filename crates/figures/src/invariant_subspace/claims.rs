//! What Theorem 2.1 says, and whether the tables bear it out.

use lab::{Evidence, Finding};

use super::Settings;
use crate::matrix::{BlockRow, DistanceRow, MethodSettings, have_learned, largest};

const BLOCKS: &str = "invariant-subspace/block-form";
const RHO: &str = "invariant-subspace/rho-recursion";
const FOLLOWS: &str = "invariant-subspace/compressed-follows";
const HEAVY_BALL: &str = "invariant-subspace/heavy-ball-block-form";
const ADAM: &str = "invariant-subspace/adam-breaks-block-form";
const RMSPROP: &str = "invariant-subspace/rmsprop-breaks-block-form";

/// An exact statement may be off by rounding, which grows with the number of steps: this allows for 20 000.
const ROUNDING: f64 = 1e-11;
/// Relative to √m ∏ρ, rounding is that of the products, about 1e-16 ‖Φ‖: up to 1e-9 for d = 100 and ε = 0.01, where √m ∏ρ
/// is 1e-5.
const ROUNDING_OF_PRODUCTS: f64 = 1e-9;
/// A block residual that no rounding explains.
const BROKEN: f64 = 1e-3;

pub(super) fn findings(settings: &Settings, blocks: &[BlockRow], distances: &[DistanceRow]) -> Vec<Finding> {
    let of = |holds: fn(&MethodSettings) -> bool| Cases::new(settings, distances, holds);
    let descent = of(|method| *method == MethodSettings::GradientDescent);
    let heavy_ball = of(|method| matches!(method, MethodSettings::HeavyBall { .. }));
    let adam = of(|method| matches!(method, MethodSettings::Adam { .. }));
    let rmsprop = of(|method| matches!(method, MethodSettings::RmsProp { .. }));
    let residual = |cases: &Cases<'_>| largest(&cases.names, blocks, |row| Some(row.block_residual));
    let rho = largest(&descent.names, blocks, BlockRow::rho_error);
    let error = largest(&descent.names, distances, |row| Some(row.error()));
    vec![
        descent.judge(BLOCKS, residual(&descent), |x| x < ROUNDING),
        descent.judge(RHO, rho, |x| x < ROUNDING),
        descent.judge(FOLLOWS, error, |x| x < ROUNDING_OF_PRODUCTS),
        heavy_ball.judge(HEAVY_BALL, residual(&heavy_ball), |x| x < ROUNDING),
        adam.judge(ADAM, residual(&adam), |x| x > BROKEN),
        rmsprop.judge(RMSPROP, residual(&rmsprop), |x| x > BROKEN),
    ]
}

/// The cases that a statement is about.
struct Cases<'a> {
    names: Vec<&'a str>,
    /// Runs of these cases.
    runs: usize,
    /// Whether every one of their originals has learned.
    learned: bool,
}

impl<'a> Cases<'a> {
    fn new(settings: &'a Settings, distances: &[DistanceRow], of: fn(&MethodSettings) -> bool) -> Self {
        let cases = settings.cases.iter().filter(|case| of(&case.optimizer.method));
        let names: Vec<&str> = cases.map(|case| case.name.as_str()).collect();
        let starts = distances.iter().filter(|row| row.iteration == 0 && names.contains(&row.case.as_str()));
        Self { runs: starts.count(), learned: have_learned(&names, distances), names }
    }

    /// The largest value of all cases, layers and records decides. A run that has not learned bears out nothing, though it
    /// can contradict.
    fn judge(&self, id: &'static str, worst: Option<(f64, &str)>, holds: fn(f64) -> bool) -> Finding {
        match worst {
            None => Finding::untested(id, "no case is trained by this method"),
            Some((value, _)) if holds(value) && !self.learned => {
                Finding::untested(id, "an original stays above half of its first training loss")
            }
            Some((value, case)) => {
                let measured = format!("up to {value:.1e} ({case})");
                Finding::new(id, measured, Evidence::Exact { holds: holds(value), n: self.runs })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_learned_bears_out_nothing_but_can_contradict() {
        let evidence = |learned, value| {
            let cases = Cases { names: vec!["a"], runs: 2, learned };
            cases.judge(BLOCKS, value, |x| x < ROUNDING).evidence
        };
        assert_eq!(evidence(true, Some((1e-13, "a"))), Evidence::Exact { holds: true, n: 2 });
        assert_eq!(evidence(false, Some((1e-3, "a"))), Evidence::Exact { holds: false, n: 2 });
        assert!(matches!(evidence(false, Some((1e-13, "a"))), Evidence::None { .. }));
        assert!(matches!(evidence(true, None), Evidence::None { .. }));
    }
}
