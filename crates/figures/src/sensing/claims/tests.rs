//! The rules on made-up curves.

use lab::Evidence;

use super::*;

const MOVING: &str = "moving";

/// Two records of a run: the relative errors at iterations 10 and 20.
fn run(network: &str, trial: usize, errors: [f64; 2]) -> Vec<CurveRow> {
    let row = |k: usize| CurveRow {
        network: network.to_owned(),
        trial,
        iteration: 10 * (k as u64 + 1),
        training_loss: errors[k],
        recovery_error: Some(errors[k]),
    };
    vec![row(0), row(1)]
}

/// A trial with the original, the compressed network whose bases move, the one whose do not, and the spectral network.
fn trial(number: usize, errors: [[f64; 2]; 4]) -> Vec<CurveRow> {
    let names = [ORIGINAL, MOVING, FIXED, SPECTRAL];
    names.into_iter().zip(errors).flat_map(|(name, errors)| run(name, number, errors)).collect()
}

const GOOD: [[f64; 2]; 4] = [[1.0, 1e-5], [1.0, 1e-5], [1.0, 0.6], [1e-4, 1e-5]];

fn spectral_iterations(curves: &[CurveRow], trials: usize) -> Finding {
    fewer(ITERATIONS, "iterations", trials, |name| {
        below(curves, name).into_iter().map(|(trial, first)| (trial, first.map(|t| t as f64))).collect()
    })
}

#[test]
fn networks_recover_alike_or_not() {
    let evidence = |errors| recovers_alike(&trial(0, errors), [MOVING, SPECTRAL], 1).evidence;
    assert_eq!(evidence(GOOD), Evidence::EveryTrial { holding: 1, n: 1 });
    let stuck = [GOOD[0], [1.0, 0.5], GOOD[2], GOOD[3]];
    assert_eq!(evidence(stuck), Evidence::EveryTrial { holding: 0, n: 1 });
    assert!(matches!(evidence([[1.0, 1.0], GOOD[1], GOOD[2], GOOD[3]]), Evidence::None { .. }));
}

#[test]
fn the_spectral_network_must_be_first() {
    let found = spectral_iterations(&trial(0, GOOD), 1);
    assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 1 });
    assert_eq!(found.measured, "2.00 times as many (20 and 10 iterations to a relative error of 0.001)");
    let evidence = |spectral| spectral_iterations(&trial(0, [GOOD[0], GOOD[1], GOOD[2], spectral]), 1).evidence;
    assert_eq!(evidence([1.0, 1e-5]), Evidence::EveryTrial { holding: 0, n: 1 });
    assert_eq!(evidence([1.0, 1.0]), Evidence::EveryTrial { holding: 0, n: 1 });
}

#[test]
fn seconds_are_those_of_the_record_with_the_set_up() {
    let curves = trial(0, GOOD);
    let clock: Vec<TimingRow> = curves
        .iter()
        .map(|row| TimingRow {
            network: row.network.clone(),
            trial: 0,
            iteration: row.iteration,
            seconds: row.iteration as f64,
            setup_seconds: 0.5,
        })
        .collect();
    assert_eq!(seconds_below(&curves, &clock, ORIGINAL), BTreeMap::from([(0, Some(20.5))]));
    assert_eq!(seconds_below(&curves, &clock, SPECTRAL), BTreeMap::from([(0, Some(10.5))]));
    assert_eq!(seconds_below(&curves, &clock, FIXED), BTreeMap::from([(0, None)]));
}

#[test]
fn fixed_bases_stall_beside_moving_ones() {
    let evidence = |fixed| stall(MOVING).finding(STALLS, &trial(0, [GOOD[0], GOOD[1], fixed, GOOD[3]]), 1).evidence;
    assert_eq!(evidence([1.0, 0.6]), Evidence::EveryTrial { holding: 1, n: 1 });
    assert_eq!(evidence([1.0, 1e-4]), Evidence::EveryTrial { holding: 0, n: 1 });
}

/// Of three trials the spectral network and the compressed ones of the second have no run, and the original of the third none.
#[test]
fn a_run_that_is_missing_is_a_trial_in_which_it_does_not_hold() {
    let curves = [trial(0, GOOD), run(ORIGINAL, 1, GOOD[0])].concat();
    for found in [
        recovers_alike(&curves, [MOVING, SPECTRAL], 3),
        spectral_iterations(&curves, 3),
        stall(MOVING).finding(STALLS, &curves, 3),
    ] {
        assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 2 });
        assert_eq!(found.note, "1 of 3 originals do not recover the target; 1 of 3 runs failed");
    }
}
