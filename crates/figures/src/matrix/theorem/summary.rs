//! The theorem's tables, case by case: what is drawn and what is judged.

use std::collections::BTreeMap;

use super::{BlockRow, DistanceRow};

/// Points of a curve.
pub type Points = Vec<(f64, f64)>;

/// A row of one case and iteration.
pub trait CaseRow {
    fn case(&self) -> &str;
    fn iteration(&self) -> u64;
}

impl CaseRow for BlockRow {
    fn case(&self) -> &str {
        &self.case
    }

    fn iteration(&self) -> u64 {
        self.iteration
    }
}

impl CaseRow for DistanceRow {
    fn case(&self) -> &str {
        &self.case
    }

    fn iteration(&self) -> u64 {
        self.iteration
    }
}

/// For each of the cases that has rows, by its place in `cases`, the largest value (over layers and trials) at every
/// iteration.
pub fn largest_by_iteration<R: CaseRow>(
    cases: &[&str],
    rows: &[R],
    value: impl Fn(&R) -> Option<f64>,
) -> Vec<(usize, Points)> {
    let mut largest: BTreeMap<usize, BTreeMap<u64, f64>> = BTreeMap::new();
    for row in rows {
        if let (Some(case), Some(value)) = (cases.iter().position(|case| *case == row.case()), value(row)) {
            let entry = largest.entry(case).or_default().entry(row.iteration()).or_insert(value);
            *entry = entry.max(value);
        }
    }
    let points = |values: BTreeMap<u64, f64>| values.into_iter().map(|(t, value)| (t as f64, value)).collect();
    largest.into_iter().map(|(case, values)| (case, points(values))).collect()
}

/// The largest value in the rows of some cases, and the case it is from.
pub fn largest<'a, R: CaseRow>(
    cases: &[&str],
    rows: &'a [R],
    value: impl Fn(&R) -> Option<f64>,
) -> Option<(f64, &'a str)> {
    rows.iter()
        .filter(|row| cases.contains(&row.case()))
        .filter_map(|row| Some((value(row)?, row.case())))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
}

/// Whether every case has rows, and in every trial the training loss of its original fell below half of its start: before
/// that, little has moved that could break anything.
pub fn have_learned(cases: &[&str], rows: &[DistanceRow]) -> bool {
    cases.iter().all(|case| {
        let mut ends = BTreeMap::<usize, (f64, f64)>::new();
        for row in rows.iter().filter(|row| row.case == *case) {
            ends.entry(row.trial).or_insert((row.training_loss, row.training_loss)).1 = row.training_loss;
        }
        !ends.is_empty() && ends.values().all(|(first, last)| *last < 0.5 * first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(case: &str, iteration: u64, training_loss: f64, distance: f64) -> DistanceRow {
        DistanceRow {
            case: case.to_owned(),
            trial: 0,
            iteration,
            training_loss,
            distance,
            predicted_from_measured_rho: 1.0,
            predicted_from_recursion: None,
        }
    }

    #[test]
    fn rows_are_summarized_case_by_case() {
        let rows = [row("b", 0, 8.0, 2.0), row("b", 0, 8.0, 3.0), row("b", 9, 3.0, 1.0), row("a", 5, 8.0, 7.0)];
        let curves = largest_by_iteration(&["a", "none", "b"], &rows, |row| Some(row.distance));
        assert_eq!(curves, [(0, vec![(5.0, 7.0)]), (2, vec![(0.0, 3.0), (9.0, 1.0)])]);
        assert_eq!(largest(&["b", "none"], &rows, |row| Some(row.distance)), Some((3.0, "b")));
        assert_eq!(largest(&["none"], &rows, |row| Some(row.distance)), None);
    }

    #[test]
    fn a_case_has_learned_when_its_loss_halved() {
        let rows = [row("b", 0, 8.0, 2.0), row("b", 9, 3.0, 1.0), row("a", 0, 8.0, 7.0), row("a", 9, 5.0, 7.0)];
        assert!(have_learned(&["b"], &rows));
        assert!(!have_learned(&["a", "b"], &rows));
        assert!(!have_learned(&["none"], &rows));
    }

    /// Trial 0 did not learn; from its start to the end of trial 1 the loss halves.
    #[test]
    fn every_trial_of_a_case_must_have_learned() {
        let of = |trial, iteration, loss| DistanceRow { trial, ..row("b", iteration, loss, 1.0) };
        let rows = [of(0, 0, 8.0), of(0, 9, 7.0), of(1, 0, 8.0), of(1, 9, 3.0)];
        assert!(!have_learned(&["b"], &rows));
        assert!(have_learned(&["b"], &rows[2..]));
    }
}
