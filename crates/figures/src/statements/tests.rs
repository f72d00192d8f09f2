//! Statements about several trials on made-up values.

use lab::Verdict::{self, Differs, Holds, Inconclusive, NotTested};
use lab::statistics::Estimate;
use lab::{Evidence, Finding, Side};

use super::*;

const RISING: [(f64, f64); 6] = [(1.0, 2.0), (1.0, 2.1), (2.0, 5.0), (4.0, 9.0), (4.0, 9.1), (2.0, 5.0)];

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

/// Every trial falls by about 1, and trials differ by 100 among themselves.
#[test]
fn trials_of_one_number_are_compared_with_each_other() {
    let runs = [(0, 5.0, 11.0), (1, 5.0, 111.0), (2, 5.0, 211.0), (2, 9.0, 210.1), (0, 9.0, 10.0), (1, 9.0, 109.9)];
    let points: Vec<_> = runs.iter().map(|&(_, x, y)| (x, y)).collect();
    assert_eq!(verdict(changes("a", Side::Below, &points)), Inconclusive);
    assert_eq!(verdict(changes_in_pairs("a", Side::Below, &runs)), Holds);
    assert_eq!(verdict(changes_in_pairs("a", Side::Above, &runs)), Differs);
    assert_eq!(verdict(changes_in_pairs("a", Side::Below, &runs[1..5])), Inconclusive);
    assert_eq!(verdict(changes_in_pairs("a", Side::Below, &runs[..3])), NotTested);
    assert_eq!(verdict(changes_in_pairs("a", Side::Below, &[runs[0], runs[5]])), NotTested);
}

#[test]
fn failed_trials_count_and_those_left_out_are_noted() {
    use Outcome::{Differs, Failed, Holds, LeftOut};
    let of = |outcomes: &[Outcome]| every_trial("a", "", outcomes);
    let found = of(&[Holds, Holds, Failed]);
    assert_eq!(found.evidence, Evidence::EveryTrial { holding: 2, n: 3 });
    assert_eq!(found.note, "1 of 3 runs failed");
    let found = of(&[Holds, Differs, LeftOut(NOT_TRAINED)]);
    assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 2 });
    assert_eq!(found.note, "1 of 3 trials are not trained");
    assert_eq!(of(&[LeftOut(NOT_TRAINED); 2]).evidence, Evidence::None { reason: "no run was trained" });
    assert_eq!(of(&[Failed; 2]).evidence, Evidence::None { reason: "no run to judge by" });
}

#[test]
fn a_curve_is_level_in_every_trial_or_not() {
    let runs = [(0, 1.0, 20.0), (0, 2.0, 21.0), (1, 1.0, 30.0), (1, 2.0, 32.0)];
    let found = level("a", 1.1, &runs, (2, 2));
    assert_eq!(found.evidence, Evidence::EveryTrial { holding: 2, n: 2 });
    assert_eq!(found.measured, "25.00 to 26.50 on average; in a trial at most 1.067 times the least");
    assert_eq!(level("a", 1.06, &runs, (2, 2)).evidence, Evidence::EveryTrial { holding: 1, n: 2 });
    // A trial without a run, and one that lacks a run.
    assert_eq!(level("a", 1.1, &runs, (3, 2)).evidence, Evidence::EveryTrial { holding: 2, n: 3 });
    assert_eq!(level("a", 1.1, &runs[..3], (2, 2)).evidence, Evidence::EveryTrial { holding: 1, n: 2 });
    assert_eq!(verdict(level("a", 1.1, &runs, (2, 3))), NotTested);
    assert_eq!(verdict(level("a", 1.1, &runs[..1], (1, 1))), NotTested);
}

#[test]
fn no_average_hides_a_value_that_is_too_large() {
    assert_eq!(verdict(at_most("a", 9.1, &RISING, 6)), Holds);
    assert_eq!(verdict(at_most("a", 9.1, &RISING, 7)), Differs);
    assert_eq!(verdict(at_most("a", 9.0, &RISING, 6)), Differs);
    assert_eq!(verdict(at_most("a", 1.0, &[], 6)), NotTested);
}

/// Trial by trial the quotients are 2.4 or so at one x and 2.6 at the other; one run has no partner.
#[test]
fn ratios_are_of_pairs_and_judged_by_an_interval() {
    let a =
        [(0, 5.0, 24.0), (1, 5.0, 24.2), (2, 5.0, 23.9), (0, 8.0, 26.0), (1, 8.0, 26.2), (2, 8.0, 26.1), (3, 5.0, 9e3)];
    let b: Vec<Run> = a[..6].iter().rev().map(|&(trial, x, _)| (trial, x, 10.0)).collect();
    let of = |margin| times_as_much("a", margin, &a, &b);
    assert_eq!(verdict(of([2.0, 3.0])), Holds);
    assert_eq!(verdict(of([2.0, 2.61])), Inconclusive);
    assert_eq!(verdict(of([2.0, 2.5])), Differs);
    let measured = of([2.0, 3.0]).measured;
    assert!(
        measured.starts_with("2.40 to 2.61 times; where a trial is farthest off, by a factor of 1.07 ("),
        "{measured}"
    );
    assert!(measured.ends_with(") from 2.45"), "{measured}");
    assert_eq!(verdict(times_as_much("a", [2.0, 3.0], &a, &[])), NotTested);
}

/// Of each trial the worst run counts, here that at x = 2.
#[test]
fn reported_values_are_met_up_to_a_factor_by_the_mean_over_trials() {
    let runs =
        [(0, 1.0, 4.0), (1, 1.0, 4.1), (2, 1.0, 4.0), (0, 2.0, 7.4), (1, 2.0, 7.5), (2, 2.0, 7.6), (0, 9.0, 1e9)];
    let reported = [(0.0, 0.0), (1.0, 4.0), (2.0, 5.0)];
    let of = |factor| as_reported("a", factor, &runs, &reported);
    assert_eq!(verdict(of(1.6)), Holds);
    assert_eq!(verdict(of(1.51)), Inconclusive);
    assert_eq!(verdict(of(1.4)), Differs);
    let Evidence::Equivalence { estimate, low, high } = of(1.6).evidence else { panic!("{:?}", of(1.6)) };
    let worst = [7.4f64, 7.5, 7.6].map(|y| (y / 5.0).ln());
    assert_eq!((estimate, low, high), (Estimate::of(&worst).unwrap(), -1.6f64.ln(), 1.6f64.ln()));
    assert_eq!(verdict(as_reported("a", 2.0, &runs, &[])), NotTested);
}

#[test]
fn one_trial_and_a_value_that_is_no_number_say_nothing_about_a_mean() {
    let of = |runs: &[Run]| verdict(as_reported("a", 2.0, runs, &[(1.0, 4.0), (2.0, 5.0)]));
    assert_eq!(of(&[(0, 1.0, 4.0), (0, 2.0, 5.0)]), Inconclusive);
    assert_eq!(of(&[(0, 1.0, 4.0), (1, 1.0, 4.1), (2, 1.0, 4.0)]), Holds);
    assert_eq!(of(&[(0, 1.0, 4.0), (1, 1.0, 4.1), (2, 1.0, 4.0), (2, 2.0, f64::NAN)]), Inconclusive);
    assert_eq!(of(&[(0, 1.0, 4.0), (1, 1.0, 4.1), (2, 1.0, 0.0)]), Inconclusive);
    assert_eq!(verdict(times_as_much("a", [1.0, 2.0], &[(0, 5.0, 3.0)], &[(0, 5.0, 2.0)])), Inconclusive);
}

#[test]
fn what_is_read_off_an_axis_is_met_to_a_share_of_it() {
    let runs = [(0, 1.0, 0.9), (1, 1.0, 1.3), (0, 2.0, 10.1), (1, 2.0, 10.3), (0, 7.0, 1e9)];
    let read = [(1.0, 1.0), (2.0, 10.0), (3.0, 5.0)];
    let found = as_read_off("a", &runs, &read);
    assert_eq!(found.evidence, Evidence::Exact { holds: true, n: 4 });
    assert_eq!(found.measured, "off by 2.0 % of the largest value at most, at 2");
    assert_eq!(verdict(as_read_off("a", &runs, &[(1.0, 1.0), (2.0, 9.8)])), Differs);
    assert_eq!(verdict(as_read_off("a", &[(0, 1.0, f64::NAN)], &read)), Differs);
    assert_eq!(verdict(as_read_off("a", &runs, &[])), NotTested);
}
