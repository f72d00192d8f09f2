//! Whether a gradient predicts when its update leaves the origin.

use lab::statistics::{Estimate, median, median_line, power_law_exponent};
use lab::{Evidence, Finding};

use super::escapes::EscapeRow;
use crate::adaptation::*;

pub(super) const ESCAPE: &str = "what-matters/escape-time";
pub(super) const FLOOR: &str = "what-matters/escape-floor";

/// How far from 1 the exponent of the escape time may be to count as predicted.
const MARGIN: f64 = 0.2;
/// How far from 1 intercept over floor may be to count as the same.
const FLOOR_MARGIN: f64 = 0.25;

/// A draw of the head and a trial: a run, under one condition.
type Run = (usize, usize);

fn run(row: &&EscapeRow) -> Run {
    (row.head_draw, row.trial)
}

/// Predicted and measured steps of the updates that leave.
pub(super) fn points<'a>(rows: impl IntoIterator<Item = &'a &'a EscapeRow>) -> Vec<(f64, f64)> {
    rows.into_iter().filter_map(|row| Some((row.predicted_steps, row.steps? as f64))).collect()
}

/// For each condition and width: the exponent with which the time to leave the origin grows with the predicted one over the
/// matrices of a run, on average over runs.
pub(super) fn escape_times(escapes: &[&EscapeRow], case: &str) -> Vec<Finding> {
    let conditions = distinct(escapes, |row| (row.head.clone(), row.method.clone(), row.epsilon.to_bits()));
    let of = |(head, method, epsilon): (String, String, u64)| {
        let is_there = |row: &&&EscapeRow| (&row.head, &row.method, row.epsilon.to_bits()) == (&head, &method, epsilon);
        let all: Vec<&EscapeRow> = escapes.iter().filter(is_there).copied().collect();
        let exponents = by_run(&all, |rows| Some(power_law_exponent(&points(rows))?.mean));
        let left = all.iter().filter(|row| row.steps.is_some()).count();
        let finding = match Estimate::crossed(&exponents) {
            None => Finding::untested(ESCAPE, "no run in which four updates leave the origin"),
            Some(estimate) => Finding::new(
                ESCAPE,
                format!("exponent {estimate}, {left} of {} updates leave", all.len()),
                Evidence::Equivalence { estimate, low: 1.0 - MARGIN, high: 1.0 + MARGIN },
            ),
        };
        finding.case(format!("{case}, {head}, {method}, ϵ = {:e}", f64::from_bits(epsilon)))
    };
    conditions.into_iter().map(of).collect()
}

/// For each width: the intercept of the line of steps over predicted steps at the first ϵ, over the median steps at the smallest,
/// where the predicted time is next to nothing. Runs are paired.
pub(super) fn floors(escapes: &[&EscapeRow], epsilons: &[f64], case: &str) -> Vec<Finding> {
    let smallest = epsilons.iter().copied().fold(f64::INFINITY, f64::min);
    let of = |method: String| {
        let at = |epsilon: f64| -> Vec<&EscapeRow> {
            escapes.iter().filter(|row| row.method == method && row.epsilon == epsilon).copied().collect()
        };
        let lines = by_run(&at(epsilons[0]), |rows| median_line(&points(rows)));
        let floors = by_run(&at(smallest), |rows| median(points(rows).into_iter().map(|point| point.1).collect()));
        let ratio = |(run, (intercept, _)): &(Run, (f64, f64))| {
            let floor = floors.iter().find(|floor| floor.0 == *run)?.1;
            Some((*run, intercept / floor))
        };
        let ratios: Vec<(Run, f64)> = lines.iter().filter_map(ratio).collect();
        let finding = match Estimate::crossed(&ratios) {
            None => Finding::untested(FLOOR, "no run in which four updates leave the origin"),
            _ if smallest == epsilons[0] => Finding::untested(FLOOR, "only one ϵ"),
            Some(estimate) => Finding::new(
                FLOOR,
                format!("intercept {:.2} times the floor; {}", estimate.mean, in_words(&lines)),
                Evidence::Equivalence { estimate, low: 1.0 - FLOOR_MARGIN, high: 1.0 + FLOOR_MARGIN },
            ),
        };
        finding.case(format!("{case}, {method}"))
    };
    distinct(escapes, |row| row.method.clone()).into_iter().map(of).collect()
}

/// The lines of all runs, by their medians.
fn in_words(lines: &[(Run, (f64, f64))]) -> String {
    let middle =
        |of: fn(&(f64, f64)) -> f64| median(lines.iter().map(|line| of(&line.1)).collect()).unwrap_or(f64::NAN);
    format!("{:.0} steps + {:.1} × predicted", middle(|line| line.0), middle(|line| line.1))
}

fn by_run<T>(rows: &[&EscapeRow], of: impl Fn(&[&EscapeRow]) -> Option<T>) -> Vec<(Run, T)> {
    let in_run = |key: Run| {
        let rows: Vec<&EscapeRow> = rows.iter().filter(|row| run(row) == key).copied().collect();
        Some((key, of(&rows)?))
    };
    distinct(rows, run).into_iter().filter_map(in_run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epsilon: f64, predicted_steps: f64, steps: u64, trial: usize) -> EscapeRow {
        EscapeRow {
            encoder: "e".into(),
            head: "h".into(),
            task: "t".into(),
            method: DEEP_LORA.into(),
            epsilon,
            head_draw: 0,
            trial,
            matrix: "m".into(),
            gradient_norm: 1.0,
            predicted_steps,
            steps: Some(steps),
        }
    }

    /// Steps are 10 + 4 × predicted in one run and 20 + 4 × predicted in the other; the floors are 10 and 40.
    #[test]
    fn the_floor_is_that_of_its_own_run() {
        let at = |trial: usize, floor: u64, bottom: u64| {
            let first = (1..=5).map(move |x| row(1e-6, x as f64, floor + 4 * x, trial));
            first.chain((1..=5).map(move |x| row(1e-10, 1e-4 * x as f64, bottom, trial)))
        };
        let rows: Vec<EscapeRow> = at(0, 10, 10).chain(at(1, 20, 40)).collect();
        let rows: Vec<&EscapeRow> = rows.iter().collect();
        let found = floors(&rows, &[1e-6, 1e-10], "case");
        let Evidence::Equivalence { estimate, .. } = &found[0].evidence else { panic!("no evidence") };
        assert!((estimate.mean - 0.75).abs() < 1e-12, "the mean of 1 and 1/2");
        assert!(found[0].measured.contains("15 steps + 4.0 × predicted"), "{}", found[0].measured);
    }
}
