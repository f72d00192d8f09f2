//! Whether both constructions are the same thing: their means are told to be close, not merely not told apart.

use lab::statistics::{Estimate, mann_whitney};
use lab::{Evidence, Finding};

use super::{EXPLICIT, EquivalenceRow, EquivalenceSettings, SAMPLED, iterations};

/// How far apart means may be, relatively.
const CLOSE: f64 = 0.02;

/// Both ways need the same number of iterations, and end at the same recovery error.
pub(in crate::scaling) fn equivalence_findings(
    settings: &EquivalenceSettings,
    rows: &[EquivalenceRow],
    [same_iterations, same_error]: [&'static str; 2],
) -> Vec<Finding> {
    let untested = |reason| [same_iterations, same_error].map(|id| Finding::untested(id, reason)).into();
    if *settings.problem.size < 100 || *settings.draws < 8 {
        return untested("fewer than 8 draws, or of a problem of less than 100 rows");
    }
    if rows.iter().any(|row| !row.converged) {
        return untested("a draw did not meet the tolerance");
    }
    let draws = *settings.draws;
    vec![
        equivalent(same_iterations, rows, draws, iterations, |x| format!("{x:.0}")),
        equivalent(same_error, rows, draws, |row| row.recovery_error, |x| format!("{x:.2e}")),
    ]
}

/// The mean of the logarithms of the ratios sampled / explicit, each of the same target and observed entries, is within 2 %
/// of 0. Beside it the rank test of both samples.
fn equivalent(
    id: &'static str,
    rows: &[EquivalenceRow],
    draws: usize,
    value: fn(&EquivalenceRow) -> f64,
    digits: fn(f64) -> String,
) -> Finding {
    let of = |name: &'static str| rows.iter().filter(move |row| row.initialization == name);
    let partner = |row: &EquivalenceRow| of(SAMPLED.name).find(|other| other.draw == row.draw);
    let pairs = of(EXPLICIT.name).filter_map(|row| Some((value(row), value(partner(row)?))));
    let (explicit, sampled): (Vec<f64>, Vec<f64>) = pairs.unzip();
    let ratios: Vec<f64> = explicit.iter().zip(&sampled).map(|(explicit, sampled)| (sampled / explicit).ln()).collect();
    let (Some(a), Some(b), Some(estimate)) = (Estimate::of(&explicit), Estimate::of(&sampled), Estimate::of(&ratios))
    else {
        return Finding::untested(id, "no draw of both");
    };
    let percent = |x: f64| format!("{:+.1} %", 100.0 * x.exp_m1());
    let interval =
        estimate.interval().map_or(String::new(), |(low, high)| format!(" ({} to {})", percent(low), percent(high)));
    let measured = format!(
        "explicit {}, sampled {}: {}{interval}, paired; Mann–Whitney p = {:.2}",
        digits(a.mean),
        digits(b.mean),
        percent(estimate.mean),
        mann_whitney(&explicit, &sampled)
    );
    let failed = match draws - ratios.len() {
        0 => String::new(),
        failed => format!("draws of which a run failed, left out: {failed}"),
    };
    Finding::new(id, measured, Evidence::Equivalence { estimate, low: -CLOSE.ln_1p(), high: CLOSE.ln_1p() })
        .note(failed)
}

#[cfg(test)]
mod tests {
    use lab::checked::{Count, Trials};
    use lab::{Trial, TrialContext};

    use super::super::equivalence_row;
    use super::*;
    use crate::matrix::given::settings;
    use crate::scaling::Settings;

    /// Twenty draws of each with the rank known, ten with it overestimated, where the singular vectors beyond the rank are
    /// the noise's.
    #[test]
    fn sampled_and_explicit_construction_are_the_same_thing() {
        let exact = settings::<Settings>("scaling", "paper").equivalence;
        assert_eq!((*exact.draws, *exact.problem.size), (20, 300));
        let over = EquivalenceSettings {
            draws: Trials::new(10).unwrap(),
            rank_guess: Count::new(8).unwrap(),
            ..exact.clone()
        };
        for settings in [exact, over] {
            let rows: Vec<EquivalenceRow> = settings
                .draws("scaling", 0)
                .map(|(way, draw, trial)| {
                    equivalence_row(way, draw, &trial.run(&(), &TrialContext::silent(1)).unwrap())
                })
                .collect();
            let sample = |name: &str, value: fn(&EquivalenceRow) -> f64| -> Vec<f64> {
                rows.iter().filter(|row| row.initialization == name).map(value).collect()
            };
            for value in [iterations, |row: &EquivalenceRow| row.recovery_error] {
                let [a, b] = ["explicit", "sampled"].map(|name| sample(name, value));
                assert_eq!((a.len(), b.len()), (*settings.draws, *settings.draws));
                let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
                assert!((mean(&b) / mean(&a) - 1.0).abs() <= CLOSE, "r̂ = {}: {a:?} {b:?}", settings.rank_guess);
                assert!(mann_whitney(&a, &b) >= 0.01, "r̂ = {}: {a:?} {b:?}", settings.rank_guess);
            }
        }
    }

    #[test]
    fn constructions_are_equivalent_only_if_the_interval_says_so() {
        let row = |(initialization, draw, iterations): (&str, usize, u64)| EquivalenceRow {
            initialization: initialization.to_owned(),
            draw,
            iterations,
            converged: true,
            training_loss: 1e-10,
            recovery_error: 1e-9,
        };
        let ends = |sampled: [u64; 3]| {
            let explicit = (0..3).map(|draw| row(("explicit", draw, 1000)));
            let rows: Vec<_> = explicit.chain((0..3).map(|draw| row(("sampled", draw, sampled[draw])))).collect();
            match equivalent("a", &rows, 3, iterations, |x| x.to_string()).evidence {
                Evidence::Equivalence { estimate, low, high } => {
                    let (from, to) = estimate.interval().unwrap();
                    (low < from && to < high, to < low || high < from)
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(ends([1001, 1003, 998]), (true, false));
        assert_eq!(ends([1100, 1101, 1103]), (false, true));
        assert_eq!(ends([1000, 1060, 950]), (false, false));
    }
}
