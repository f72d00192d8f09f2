//! Rules of the ablations on made-up rows.

use lab::Evidence;

use super::*;

fn row(network: &str, trial: usize, iterations: u64, recovery_error: f64) -> Row {
    let (factor, network) = (DEPTH.to_owned(), network.to_owned());
    Row { factor, value: 4.0, network, trial, iterations, converged: true, training_loss: 1e-11, recovery_error }
}

/// A geometric mean of these three, 4e-6, would say that they recover.
#[test]
fn one_run_that_does_not_recover_is_not_averaged_away() {
    let rows = [row(ORIGINAL, 0, 100, 1e-8), row(ORIGINAL, 1, 100, 0.4), row(ORIGINAL, 2, 100, 1e-8)];
    let finding = recovers(RECOVERS, &rows, (ORIGINAL, 4), 3);
    assert_eq!((finding.evidence, finding.case.as_str()), (Evidence::EveryTrial { holding: 2, n: 3 }, "L = 4"));
    assert!(finding.measured.starts_with("2 of 3 recover"), "{}", finding.measured);
}

#[test]
fn iterations_are_compared_where_the_original_recovers() {
    let originals = || [1e-8, 0.4, 1e-8].into_iter().enumerate().map(|(trial, error)| row(ORIGINAL, trial, 100, error));
    let with = |iterations: [u64; 3]| {
        let compressed = (0..3).map(|trial| row(COMPRESSED, trial, iterations[trial], 1e-8));
        as_fast(&compressed.chain(originals()).collect::<Vec<_>>(), 4, 3)
    };
    assert_eq!(with([120, 900, 85]).evidence, Evidence::EveryTrial { holding: 2, n: 2 });
    assert_eq!(with([130, 100, 85]).evidence, Evidence::EveryTrial { holding: 1, n: 2 });
    assert_eq!(with([130, 100, 85]).note, "1 of 3 originals do not recover the target");
    assert!(matches!(as_fast(&originals().skip(1).take(1).collect::<Vec<_>>(), 4, 3).evidence, Evidence::None { .. }));
}

#[test]
fn depth_2_overfits_only_if_it_fits() {
    let at_2 = |row: Row, converged| Row { value: 2.0, converged, ..row };
    let of = |rows: &[Row]| overfits(rows, 1).evidence;
    let one = |converged, error| of(&[at_2(row(ORIGINAL, 0, 100, error), converged)]);
    assert_eq!(one(true, 1e-3), Evidence::EveryTrial { holding: 1, n: 1 });
    assert_eq!(one(false, 1e-3), Evidence::None { reason: "no run was trained" });
    assert_eq!(one(true, 1e-8), Evidence::EveryTrial { holding: 0, n: 1 });
    assert_eq!(of(&[]), Evidence::None { reason: "no run to judge by" });
}

#[test]
fn a_stall_is_a_matter_of_every_trial() {
    let with =
        |value, trial, error| Row { factor: DISCREPANT_STEP.to_owned(), value, ..row(COMPRESSED, trial, 100, error) };
    let rows = [with(0.0, 0, 1e-2), with(0.0, 1, 1e-6), with(0.1, 0, 1e-8), with(0.1, 1, 1e-8)];
    assert_eq!(fixed_bases_stall(&rows, 0.1, 2).evidence, Evidence::EveryTrial { holding: 1, n: 2 });
    assert!(matches!(fixed_bases_stall(&rows, 0.5, 2).evidence, Evidence::None { .. }));
    assert!(matches!(fixed_bases_stall(&rows, 0.0, 2).evidence, Evidence::None { .. }));
}

#[test]
fn a_run_that_failed_is_a_trial_that_does_not_recover() {
    let rows = [row(ORIGINAL, 0, 100, 1e-8), row(ORIGINAL, 2, 100, 1e-8)];
    let found = recovers(RECOVERS, &rows, (ORIGINAL, 4), 3);
    assert_eq!(found.evidence, Evidence::EveryTrial { holding: 2, n: 3 });
    assert_eq!(found.note, "1 of 3 runs failed");
    assert_eq!(as_fast(&rows, 4, 3).evidence, Evidence::None { reason: "no run to judge by" });
}

#[test]
fn a_run_that_did_not_learn_says_nothing() {
    let idle = |network: &str, trial| Row { converged: false, ..row(network, trial, 10, 0.4) };
    let found = recovers(RECOVERS, &[row(ORIGINAL, 0, 100, 1e-8), idle(ORIGINAL, 1)], (ORIGINAL, 4), 2);
    assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 1 });
    assert_eq!(found.note, "1 of 2 trials are not trained");
    let at = |value, row: Row| Row { factor: DISCREPANT_STEP.to_owned(), value, ..row };
    let rows = [at(0.0, idle(COMPRESSED, 0)), at(0.1, idle(COMPRESSED, 0))];
    assert_eq!(fixed_bases_stall(&rows, 0.1, 1).evidence, Evidence::None { reason: "no run was trained" });
}
