//! Statements about several trials on made-up values.

use lab::Verdict::{self, Differs, Holds, Inconclusive, NotTested};

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
fn ranges() {
    assert_eq!(verdict(level("a", 4.5, &RISING)), Holds);
    assert_eq!(verdict(level("a", 4.3, &RISING)), Differs);
    assert_eq!(verdict(at_most("a", 9.1, &RISING, 6)), Holds);
    assert_eq!(verdict(at_most("a", 9.1, &RISING, 7)), Differs);
    assert_eq!(verdict(at_most("a", 9.0, &RISING, 6)), Differs);
    assert_eq!(verdict(at_most("a", 1.0, &[], 6)), NotTested);
}

#[test]
fn one_trial_says_nothing_about_a_mean() {
    assert_eq!(verdict(level("a", 4.5, &RISING[..5])), Inconclusive);
    assert_eq!(verdict(as_reported("a", 2.0, &RISING[..5], &[(2.0, 5.0)])), Inconclusive);
    assert_eq!(verdict(as_reported("a", 2.0, &RISING[..5], &[(1.0, 2.0)])), Holds);
    assert_eq!(verdict(times_as_much("a", [1.0, 2.0], &[(0, 5.0, 3.0)], &[(0, 5.0, 2.0)])), Inconclusive);
}

/// Trial 2 of the first has no partner.
#[test]
fn ratios_are_of_pairs() {
    let (a, b) = ([(0, 5.0, 3.0), (1, 5.0, 3.0), (2, 5.0, 900.0)], [(1, 5.0, 2.0), (0, 5.0, 2.0)]);
    let found = times_as_much("a", [1.4, 1.6], &a, &b);
    assert_eq!(found.evidence, Evidence::Exact { holds: true, n: 2 });
    assert_eq!(found.measured, "1.50 to 1.50 times");
    assert_eq!(verdict(times_as_much("a", [1.6, 2.0], &a, &b)), Differs);
    assert_eq!(verdict(times_as_much("a", [1.6, 2.0], &a, &[])), NotTested);
}

#[test]
fn reported_values() {
    let reported = [(0.0, 0.0), (1.0, 4.1), (2.0, 5.0)];
    let found = as_reported("a", 2.0, &RISING, &reported);
    assert_eq!(found.evidence, Evidence::Exact { holds: true, n: 4 });
    assert_eq!(verdict(as_reported("a", 1.9, &RISING, &reported)), Differs);
    assert_eq!(verdict(as_reported("a", 2.0, &RISING, &[])), NotTested);
}
