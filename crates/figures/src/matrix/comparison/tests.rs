//! Comparisons of networks on made-up curves and clocks.

use lab::Evidence;

use super::*;

#[test]
fn curves_go_as_far_as_all_trials_and_have_a_band_from_three_on() {
    let row = |trial: usize, iteration: u64| CurveRow {
        network: "original".to_owned(),
        trial,
        iteration,
        training_loss: 10f64.powi(trial as i32),
        recovery_error: None,
    };
    let of = |trials: usize| {
        let rows = (0..trials).flat_map(|trial| (0..=1 + trial as u64).map(move |t| row(trial, t)));
        banded(&rows.collect::<Vec<_>>(), "original", |row| Some(row.training_loss))
    };
    let (two, three) = (of(2), of(3));
    assert_eq!((two.mean.len(), two.band.len()), (2, 0));
    assert_eq!((three.mean.len(), three.band.len()), (2, 2));
    assert!((three.mean[1].1 - 10.0).abs() < 1e-9 && three.band[1].1 < 10.0 && three.band[1].2 > 10.0);
}

fn of(network: &str, trial: usize, losses: [f64; 2]) -> [CurveRow; 2] {
    [0, 1].map(|k| CurveRow {
        network: network.to_owned(),
        trial,
        iteration: k as u64,
        training_loss: losses[k],
        recovery_error: None,
    })
}

/// Of three trials, the compressed network of the last has no run; then that of the second did not learn.
#[test]
fn a_speed_is_of_trained_runs_and_counts_failed_ones() {
    let clock = |network: &str, trial, seconds| {
        let network = network.to_owned();
        TimingRow { network, trial, iteration: 1, seconds, setup_seconds: 0.0 }
    };
    let finding = |second: f64| {
        let mut curves = (0..3).flat_map(|trial| of("a", trial, [1.0, 0.1])).collect::<Vec<_>>();
        curves.extend(of("b", 0, [1.0, 0.1]).into_iter().chain(of("b", 1, [1.0, second])));
        let mut clocks: Vec<_> = (0..3).map(|trial| clock("a", trial, 10.0)).collect();
        clocks.extend([clock("b", 0, 1.0), clock("b", 1, 2.0)]);
        speed_finding("x", (&curves, &clocks), ["a", "b"], 5.0, 3)
    };
    let found = finding(0.1);
    assert_eq!(found.evidence, Evidence::EveryTrial { holding: 2, n: 3 });
    assert_eq!(found.note, "1 of 3 runs failed");
    assert!(found.measured.starts_with("5.00 to 10.00 times in 2 trials; first: 10 times"), "{}", found.measured);
    let found = finding(0.9);
    assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 2 });
    assert_eq!(found.note, "1 of 3 trials are not trained; 1 of 3 runs failed");
    assert!(found.measured.starts_with("10 times with set-up"), "{}", found.measured);
}
