//! What the paper says of the rank, and whether the tables bear it out.

use lab::statistics::{Estimate, full_table, mean_among, paired_by_key};
use lab::{Evidence, Finding, Side};

use super::Settings;
use crate::adaptation::*;

const FALLS: [&str; 2] = ["rank-sweep/lora-falls", "rank-sweep/lora-falls-here"];
const LEVEL: [&str; 2] = ["rank-sweep/deep-lora-level", "rank-sweep/deep-lora-level-here"];

/// The paper plots r from 8: with r = 1, 2, 4 the authors' Deep LoRA has not fitted after 200 steps.
const LEAST_RANK: usize = 8;

/// A change of the score that counts as none: a tenth of the scale, less than a third of LoRA's fall in the paper.
const MARGIN: f64 = 0.1;

pub(super) fn findings(settings: &Settings, rows: &[RunRow]) -> Vec<Finding> {
    if settings.encoder.is_pretrained() && *settings.training.steps < 200 {
        return [FALLS, LEVEL].concat().into_iter().map(|id| Finding::untested(id, "fewer than 200 steps")).collect();
    }
    let changes = |id: &'static str, method: &str, evidence: fn(Estimate) -> Evidence| -> Vec<Finding> {
        let one = |task: &String| {
            let rows: Vec<&RunRow> = rows.iter().filter(|row| row.task == *task && row.rank >= LEAST_RANK).collect();
            change(id, &rows, method, evidence).case(task)
        };
        distinct(rows, |row| row.task.clone()).iter().map(one).collect()
    };
    let falls = |estimate| Evidence::Direction { estimate, side: Side::Below, value: 0.0 };
    let level = |estimate| Evidence::Equivalence { estimate, low: -MARGIN, high: MARGIN };
    let mut findings = by_encoder(&settings.encoder, FALLS, |id| changes(id, LORA, falls));
    findings.extend(by_encoder(&settings.encoder, LEVEL, |id| changes(id, DEEP_LORA_NARROW, level)));
    findings
}

/// The score at the largest rank minus that at the smallest, paired by seed.
fn change(id: &'static str, rows: &[&RunRow], method: &str, evidence: fn(Estimate) -> Evidence) -> Finding {
    let rows: Vec<&RunRow> = rows.iter().copied().filter(|row| row.method == method).collect();
    let ranks = rows.iter().map(|row| row.rank);
    let Some((small, large)) = ranks.clone().min().zip(ranks.max()).filter(|(small, large)| small < large) else {
        return Finding::untested(id, "fewer than two ranks");
    };
    let ends = || rows.iter().copied().filter(|row| row.rank == small || row.rank == large);
    let scores = |rank: usize| -> Vec<((usize, usize), f64)> {
        let rows = rows.iter().filter(|row| row.rank == rank && row.is_trained());
        rows.map(|row| (row.key(), row.counted())).collect()
    };
    let (first, last) = (scores(small), scores(large));
    let pairs = full_table(&paired_by_key(&last, &first));
    // Without any score the difference would be one of zeros, and "level".
    let has_score = ends().any(|row| row.is_trained() && row.score.is_some());
    let means = mean_among(&first, &pairs).zip(mean_among(&last, &pairs));
    let finding = match (Estimate::crossed(&pairs), means) {
        (Some(_), Some(_)) if !has_score => Finding::untested(id, "no run has a score"),
        (Some(estimate), Some((a, b))) => {
            let measured = format!("from {a:.2} at r = {small} to {b:.2} at r = {large}: {estimate}");
            Finding::new(id, measured, evidence(estimate))
        }
        _ => Finding::untested(id, "no pair of trained runs"),
    };
    finding.note(Notes::of_runs(ends()).text())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change_between(small: Option<f64>, large: Option<f64>) -> Finding {
        let row = |rank, score| RunRow { rank, ..any_row(0, 16, score) };
        let rows = [row(8, small), row(64, large)];
        let level = |estimate| Evidence::Equivalence { estimate, low: -MARGIN, high: MARGIN };
        change("id", &rows.iter().collect::<Vec<_>>(), "m", level)
    }

    #[test]
    fn the_scores_that_are_said_are_those_of_the_pairs() {
        let row = |rank, trial, score, training_loss| RunRow { rank, training_loss, ..any_row(trial, 16, Some(score)) };
        let untrained = row(64, 1, 0.9, 2.0);
        let rows = [row(8, 0, 0.5, 0.5), row(8, 1, 0.1, 0.5), row(64, 0, 0.25, 0.5), untrained];
        let falls = |estimate| Evidence::Direction { estimate, side: Side::Below, value: 0.0 };
        let found = change("id", &rows.iter().collect::<Vec<_>>(), "m", falls);
        assert!(found.measured.starts_with("from 0.50 at r = 8 to 0.25 at r = 64: -0.250"), "{}", found.measured);
    }

    #[test]
    fn runs_without_a_score_are_not_level() {
        let found = change_between(None, None);
        assert_eq!(found.evidence, Evidence::None { reason: "no run has a score" });
        assert_eq!(found.note, "undefined scores, counted as 0: 2");
        let found = change_between(Some(0.5), None);
        assert!(found.measured.starts_with("from 0.50 at r = 8 to 0.00 at r = 64"), "{}", found.measured);
        assert_eq!(found.note, "undefined scores, counted as 0: 1");
    }
}
