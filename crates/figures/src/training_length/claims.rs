//! Which method leads after how many steps, at equal training loss, and which overfits.

use lab::statistics::{Estimate, paired_by_key};
use lab::{Evidence, Finding, Side};

use super::Settings;
use crate::adaptation::*;

const STEPS: &str = "training-length/deep-lora-leads";
const LOSS: &str = "training-length/deep-lora-leads-at-equal-loss";
const GAP: [&str; 2] = ["training-length/less-overfitting", "training-length/less-overfitting-here"];

/// Steps at which scores are compared: the paper's few-shot runs have 500, its GLUE runs 1000.
const AFTER: [u64; 3] = [500, 1000, 2000];

/// A run: its draw of the head and its number.
type Key = (usize, usize);

pub(super) fn findings(settings: &Settings, rows: &[RecordRow]) -> Vec<Finding> {
    if !settings.encoder.is_pretrained() || *settings.training.steps < AFTER[0] {
        let why = "a made-up encoder, or fewer than 500 steps";
        return [STEPS, LOSS, GAP[0], GAP[1]].map(|id| Finding::untested(id, why)).into();
    }
    let mut findings = Vec::new();
    for task in distinct(rows, |row| row.task.clone()) {
        let rows: Vec<&RecordRow> = rows.iter().filter(|row| row.task == task).collect();
        for other in [LORA, LORA_PEFT].into_iter().filter(|method| rows.iter().any(|row| row.method == *method)) {
            let case = format!("{}, {task}, against {other}", settings.encoder.source);
            for step in AFTER.into_iter().filter(|step| *step <= *settings.training.steps) {
                let scores = |method: &str| at_step(&rows, method, step, |row| row.score);
                let finding = above(STEPS, &paired_by_key(&scores(DEEP_LORA), &scores(other)));
                let note = Notes::default().untrained(untrained(&rows, &[DEEP_LORA, other], step)).text();
                findings.push(finding.note(note).case(format!("{case}, after {step} steps")));
            }
            findings.push(above(LOSS, &at_equal_loss(&rows, other, |row| row.score)).case(&case));
        }
    }
    findings.extend(by_encoder(&settings.encoder, GAP, |id| overfits_less(id, rows)));
    findings
}

/// The other method's gap between training examples and dev minus Deep LoRA's is above 0, at equal training loss.
fn overfits_less(id: &'static str, rows: &[RecordRow]) -> Vec<Finding> {
    let gap = |row: &RecordRow| Some(row.score? - row.training_score?);
    let mut findings = Vec::new();
    for task in distinct(rows, |row| row.task.clone()) {
        let rows: Vec<&RecordRow> = rows.iter().filter(|row| row.task == task).collect();
        for other in [LORA, LORA_PEFT].into_iter().filter(|method| rows.iter().any(|row| row.method == *method)) {
            let finding = above(id, &at_equal_loss(&rows, other, gap));
            findings.push(finding.case(format!("{task}, against {other}")));
        }
    }
    findings
}

fn above(id: &'static str, differences: &[(Key, f64)]) -> Finding {
    match Estimate::crossed(differences) {
        None => Finding::untested(id, "no pair of trained runs"),
        Some(estimate) => {
            Finding::new(id, estimate.to_string(), Evidence::Direction { estimate, side: Side::Above, value: 0.0 })
        }
    }
}

/// A quantity of every trained run of a method after so many steps.
fn at_step(rows: &[&RecordRow], method: &str, step: u64, value: fn(&RecordRow) -> Option<f64>) -> Vec<(Key, f64)> {
    let rows = rows.iter().filter(|row| row.method == method && row.step == step && row.is_trained());
    rows.filter_map(|row| Some((row.key(), value(row)?))).collect()
}

/// How many runs of some methods are not trained after so many steps.
fn untrained(rows: &[&RecordRow], methods: &[&str], step: u64) -> usize {
    let here = rows.iter().filter(|row| row.step == step && methods.contains(&row.method.as_str()));
    here.filter(|row| !row.is_trained()).count()
}

/// Deep LoRA's value minus the other method's, for every seed, where each first reaches the lowest training loss that both
/// reach at a record with a score.
fn at_equal_loss(rows: &[&RecordRow], other: &str, value: impl Fn(&RecordRow) -> Option<f64>) -> Vec<(Key, f64)> {
    let of = |key: Key| {
        let run = |method: &str| -> Vec<&RecordRow> {
            rows.iter().copied().filter(|row| row.method == method && row.key() == key && row.score.is_some()).collect()
        };
        let (deep, other) = (run(DEEP_LORA), run(other));
        let lowest = |run: &[&RecordRow]| run.iter().map(|row| row.training_loss).fold(f64::INFINITY, f64::min);
        let level = lowest(&deep).max(lowest(&other));
        let reached = |run: &[&RecordRow]| {
            run.iter().find(|row| row.training_loss <= level && row.is_trained()).and_then(|row| value(row))
        };
        Some((key, reached(&deep)? - reached(&other)?))
    };
    distinct(rows, |row| row.key()).into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_compared_where_both_first_reach_the_same_loss() {
        let row = |method: &str, step, training_loss, score| RecordRow {
            encoder: "e".into(),
            task: "t".into(),
            metric: "pearson".into(),
            method: method.into(),
            examples: 16,
            head_draw: 0,
            trial: 0,
            step,
            training_loss,
            constant_loss: 1.0,
            score,
            training_score: None,
        };
        let rows = [
            row(LORA, 1, 0.5, Some(0.3)),
            row(LORA, 2, 0.2, Some(0.4)),
            row(LORA, 3, 0.01, Some(0.1)),
            row(DEEP_LORA, 1, 0.9, Some(0.2)),
            row(DEEP_LORA, 2, 0.2, Some(0.7)),
            row(DEEP_LORA, 3, 0.001, None),
        ];
        let found = at_equal_loss(&rows.iter().collect::<Vec<_>>(), LORA, |row| row.score);
        assert_eq!(found.len(), 1);
        assert!((found[0].1 - 0.3).abs() < 1e-12, "0.7 and 0.4, at a loss of 0.2");
        let lost = row(LORA, 1, 1.5, Some(0.1));
        let rows = [&rows[3], &lost];
        assert_eq!((untrained(&rows, &[LORA, DEEP_LORA], 1), untrained(&rows, &[DEEP_LORA], 1)), (1, 0));
    }
}
