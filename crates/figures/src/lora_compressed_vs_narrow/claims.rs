//! What the paper says of the compressed adapter, and whether the tables bear it out.

use lab::statistics::{Estimate, full_table, mean, mean_among, paired_by_key};
use lab::{Evidence, Finding, Side};

use super::Settings;
use crate::adaptation::*;

const LOSS: [&str; 2] = ["lora-compressed-vs-narrow/loss-tracks", "lora-compressed-vs-narrow/loss-tracks-here"];
const SCORE: [&str; 2] = ["lora-compressed-vs-narrow/score-tracks", "lora-compressed-vs-narrow/score-tracks-here"];
const LAGS: [&str; 2] = ["lora-compressed-vs-narrow/narrow-lags", "lora-compressed-vs-narrow/narrow-lags-here"];

pub(super) fn findings(settings: &Settings, rows: &[RecordRow]) -> Vec<Finding> {
    if settings.encoder.is_pretrained() && *settings.training.steps < 200 {
        let ids = [LOSS, SCORE, LAGS].concat();
        return ids.into_iter().map(|id| Finding::untested(id, "fewer than the paper's 200 steps")).collect();
    }
    let everywhere = |find: &dyn Fn(&[&RecordRow]) -> Finding| -> Vec<Finding> {
        let tasks = distinct(rows, |row| row.task.clone());
        let of = |task: &String| {
            let rows: Vec<&RecordRow> = rows.iter().filter(|row| row.task == *task).collect();
            let (trained, note) = trained(&rows);
            find(&trained).case(task).note(note)
        };
        tasks.iter().map(of).collect()
    };
    let mut findings =
        by_encoder(&settings.encoder, LOSS, |id| everywhere(&|rows| tracks(id, rows, |row| Some(row.training_loss))));
    findings.extend(by_encoder(&settings.encoder, SCORE, |id| everywhere(&|rows| tracks(id, rows, |row| row.score))));
    findings.extend(by_encoder(&settings.encoder, LAGS, |id| everywhere(&|rows| lags(id, rows))));
    findings
}

/// A run: its draw of the head and its number.
type Key = (usize, usize);

/// The rows of the seeds whose original is trained, and what must be known of the others and of the two other networks.
fn trained<'a>(rows: &[&'a RecordRow]) -> (Vec<&'a RecordRow>, String) {
    let learned = |run: Key, method: &str| {
        let end = rows.iter().rfind(|row| row.key() == run && row.method == method);
        end.is_none_or(|end| end.is_trained())
    };
    let (runs, untrained): (Vec<Key>, Vec<Key>) =
        distinct(rows, |row| row.key()).into_iter().partition(|&run| learned(run, DEEP_LORA));
    let left: Vec<&RecordRow> = rows.iter().copied().filter(|row| runs.contains(&row.key())).collect();
    let without = |method: &str| runs.iter().filter(|&&run| !learned(run, method)).count();
    let notes = Notes::default()
        .count(untrained.len(), "seeds whose original is not trained, left out")
        .count(without(COMPRESSED), "seeds whose compressed network is not trained, counted")
        .count(without(DEEP_LORA_NARROW), "seeds whose narrow network is not trained, counted");
    (left, notes.text())
}

/// For every seed, the mean over the steps of a difference between a method and the original.
fn gaps(
    rows: &[&RecordRow],
    method: &str,
    value: fn(&RecordRow) -> Option<f64>,
    difference: fn(f64, f64) -> f64,
) -> Vec<(Key, f64)> {
    let gap = |run: Key| {
        let curve = |method: &str| -> Vec<(u64, f64)> {
            let rows = rows.iter().filter(|row| row.key() == run && row.method == method);
            rows.filter_map(|row| Some((row.step, value(row)?))).collect()
        };
        let (original, other) = (curve(DEEP_LORA), curve(method));
        let at = |step: u64| other.iter().find(|point| point.0 == step);
        let all: Vec<f64> = original.iter().filter_map(|&(step, y)| Some(difference(y, at(step)?.1))).collect();
        mean(&all)
    };
    distinct(rows, |row| row.key()).into_iter().filter_map(|run| Some((run, gap(run)?))).collect()
}

/// Over seeds, the narrow network is farther from the original than the compressed one is.
fn tracks(id: &'static str, rows: &[&RecordRow], value: fn(&RecordRow) -> Option<f64>) -> Finding {
    let distance = |method| gaps(rows, method, value, |a, b| (a - b).abs());
    let (near, far) = (distance(COMPRESSED), distance(DEEP_LORA_NARROW));
    let pairs = full_table(&paired_by_key(&far, &near));
    match (Estimate::crossed(&pairs), mean_among(&near, &pairs).zip(mean_among(&far, &pairs))) {
        (Some(estimate), Some((near, far))) => Finding::new(
            id,
            format!("mean distance {near:.3} (compressed), {far:.3} (narrow)"),
            Evidence::Direction { estimate, side: Side::Above, value: 0.0 },
        ),
        _ => Finding::untested(id, "a network has no finished run"),
    }
}

/// Over seeds, the narrow network's training loss is above the original's.
fn lags(id: &'static str, rows: &[&RecordRow]) -> Finding {
    let gaps = gaps(rows, DEEP_LORA_NARROW, |row| Some(row.training_loss), |original, narrow| narrow - original);
    match Estimate::crossed(&gaps) {
        None => Finding::untested(id, "a network has no finished run"),
        Some(estimate) => Finding::new(
            id,
            format!("{estimate} above it on average over the steps"),
            Evidence::Direction { estimate, side: Side::Above, value: 0.0 },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_whose_original_learned_nothing_is_left_out() {
        let row = |trial, method: &str, training_loss| RecordRow {
            encoder: "e".into(),
            task: "t".into(),
            metric: "pearson".into(),
            method: method.into(),
            examples: 16,
            head_draw: 0,
            trial,
            step: 2,
            training_loss,
            constant_loss: 1.0,
            score: Some(0.5),
            training_score: None,
        };
        let rows = [row(0, DEEP_LORA, 0.5), row(0, DEEP_LORA_NARROW, 3.0), row(1, DEEP_LORA, 2.0)];
        let (left, note) = trained(&rows.iter().collect::<Vec<_>>());
        assert_eq!((left.len(), left[0].trial, left[1].trial), (2, 0, 0));
        let said =
            "seeds whose original is not trained, left out: 1; seeds whose narrow network is not trained, counted: 1";
        assert_eq!(note, said);
        let broken = row(0, DEEP_LORA, f64::NAN);
        assert!(trained(&[&broken]).0.is_empty(), "a loss that is not a number is no trained run's");
    }
}
