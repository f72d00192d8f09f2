//! What the paper says of the compressed adapter, and whether the tables bear it out.

use lab::statistics::{Estimate, mean, paired};
use lab::{Evidence, Finding, Side};

use super::settings::{Settings, Twin};
use super::{Row, curve};
use crate::adaptation::*;

const LOSS: [&str; 2] = ["lora-compressed-vs-narrow/loss-tracks", "lora-compressed-vs-narrow/loss-tracks-here"];
const SCORE: [&str; 2] = ["lora-compressed-vs-narrow/score-tracks", "lora-compressed-vs-narrow/score-tracks-here"];
const LAGS: [&str; 2] = ["lora-compressed-vs-narrow/narrow-lags", "lora-compressed-vs-narrow/narrow-lags-here"];

pub(super) fn findings(settings: &Settings, rows: &[Row]) -> Vec<Finding> {
    if settings.encoder.is_pretrained() && *settings.training.steps < 200 {
        let ids = [LOSS, SCORE, LAGS].concat();
        return ids.into_iter().map(|id| Finding::untested(id, "fewer than the paper's 200 steps")).collect();
    }
    let everywhere = |find: &dyn Fn(&[&Row]) -> Finding| -> Vec<Finding> {
        let tasks = distinct(rows, |row| row.task.clone());
        let of = |task: &String| {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.task == *task).collect();
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

/// The rows of the seeds whose original is trained, and what must be known of the others and of the two twins.
fn trained<'a>(rows: &[&'a Row]) -> (Vec<&'a Row>, String) {
    let learned = |seed: usize, twin: Twin| {
        let end = rows.iter().rfind(|row| row.trial == seed && row.network == twin.name());
        end.is_none_or(|end| is_trained(end.training_loss, end.constant_loss))
    };
    let (seeds, untrained): (Vec<usize>, Vec<usize>) =
        distinct(rows, |row| row.trial).into_iter().partition(|&seed| learned(seed, Twin::Original));
    let left: Vec<&Row> = rows.iter().copied().filter(|row| seeds.contains(&row.trial)).collect();
    let without = |twin: Twin| seeds.iter().filter(|&&seed| !learned(seed, twin)).count();
    let notes = Notes::default()
        .count(untrained.len(), "seeds whose original is not trained are left out")
        .count(without(Twin::Compressed), "seeds count although the compressed network is not trained")
        .count(without(Twin::Narrow), "seeds count although the narrow network is not trained")
        .recorded(left.iter().map(|row| row.constant_loss));
    (left, notes.text())
}

/// For every seed, the mean over the steps of a difference between a network and the original.
fn gaps(
    rows: &[&Row],
    twin: Twin,
    value: fn(&Row) -> Option<f64>,
    difference: fn(f64, f64) -> f64,
) -> Vec<(usize, f64)> {
    let seeds = distinct(rows, |row| row.trial);
    let gap = |seed: usize| {
        let rows: Vec<&Row> = rows.iter().copied().filter(|row| row.trial == seed).collect();
        let (original, other) = (curve(&rows, Twin::Original, value), curve(&rows, twin, value));
        let at = |step: f64| other.iter().find(|point| point.0 == step);
        let all: Vec<f64> = original.iter().filter_map(|&(step, y)| Some(difference(y, at(step)?.1))).collect();
        mean(&all)
    };
    seeds.into_iter().filter_map(|seed| Some((seed, gap(seed)?))).collect()
}

/// Over seeds, the narrow network is farther from the original than the compressed one is.
fn tracks(id: &'static str, rows: &[&Row], value: fn(&Row) -> Option<f64>) -> Finding {
    let distance = |twin| gaps(rows, twin, value, |a, b| (a - b).abs());
    let (near, far) = (distance(Twin::Compressed), distance(Twin::Narrow));
    let of = |gaps: &[(usize, f64)]| mean(&gaps.iter().map(|gap| gap.1).collect::<Vec<_>>());
    match (Estimate::of(&paired(&far, &near)), of(&near).zip(of(&far))) {
        (Some(estimate), Some((near, far))) => Finding::new(
            id,
            format!("mean distance {near:.3} (compressed), {far:.3} (narrow)"),
            Evidence::Direction { estimate, side: Side::Above, value: 0.0 },
        ),
        _ => Finding::untested(id, "a network has no finished run"),
    }
}

/// Over seeds, the narrow network's training loss is above the original's.
fn lags(id: &'static str, rows: &[&Row]) -> Finding {
    let gaps: Vec<f64> = gaps(rows, Twin::Narrow, |row| Some(row.training_loss), |original, narrow| narrow - original)
        .into_iter()
        .map(|gap| gap.1)
        .collect();
    match Estimate::of(&gaps) {
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
        let row = |trial, twin: Twin, training_loss| Row {
            task: "t".into(),
            metric: "pearson".into(),
            network: twin.name().into(),
            trial,
            step: 2,
            training_loss,
            constant_loss: Some(1.0),
            score: Some(0.5),
        };
        let rows = [row(0, Twin::Original, 0.5), row(0, Twin::Narrow, 3.0), row(1, Twin::Original, 2.0)];
        let (left, note) = trained(&rows.iter().collect::<Vec<_>>());
        assert_eq!((left.len(), left[0].trial, left[1].trial), (2, 0, 0));
        let said = "1 seeds whose original is not trained are left out; 1 seeds count although the narrow network is not trained";
        assert_eq!(note, said);
        let broken = row(0, Twin::Original, f64::NAN);
        assert!(trained(&[&broken]).0.is_empty(), "a loss that is not a number is no trained run's");
        let old = Row { constant_loss: None, ..row(1, Twin::Original, 2.0) };
        assert_eq!(trained(&[&old]), (vec![&old], Notes::default().recorded([None]).text()));
    }
}
