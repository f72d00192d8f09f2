//! What the paper says of the rank, and whether the tables bear it out.

use lab::statistics::{Estimate, mean, paired};
use lab::{Evidence, Finding, Side};

use super::settings::Settings;
use crate::adaptation::*;

const FALLS: [&str; 2] = ["rank-sweep/lora-falls", "rank-sweep/lora-falls-here"];
const LEVEL: [&str; 2] = ["rank-sweep/deep-lora-level", "rank-sweep/deep-lora-level-here"];

/// A change of the score that counts as none: a tenth of the scale, less than a third of LoRA's fall in the paper.
const MARGIN: f64 = 0.1;

pub(super) fn findings(settings: &Settings, rows: &[RunRow]) -> Vec<Finding> {
    if settings.encoder.is_pretrained() && !settings.in_earnest() {
        return [FALLS, LEVEL].concat().into_iter().map(|id| Finding::untested(id, "fewer than 200 steps")).collect();
    }
    let changes = |id: &'static str, method: &str, evidence: fn(Estimate) -> Evidence| -> Vec<Finding> {
        let places = distinct(rows, |row| (row.protocol.clone(), row.task.clone()));
        let one = |(protocol, task): &(String, String)| {
            change(id, &at(rows, protocol, task), method, evidence).case(format!("{task}, {protocol}"))
        };
        places.iter().map(one).collect()
    };
    let falls = |estimate| Evidence::Direction { estimate, side: Side::Below, value: 0.0 };
    let level = |estimate| Evidence::Equivalence { estimate, low: -MARGIN, high: MARGIN };
    let mut findings = by_encoder(&settings.encoder, FALLS, |id| changes(id, LORA, falls));
    findings.extend(by_encoder(&settings.encoder, LEVEL, |id| changes(id, DEEP_LORA, level)));
    findings
}

/// The score at the largest rank minus that at the smallest, paired by seed.
fn change(id: &'static str, rows: &[&RunRow], method: &str, evidence: fn(Estimate) -> Evidence) -> Finding {
    let rows: Vec<&&RunRow> = rows.iter().filter(|row| row.method == method).collect();
    let ranks = rows.iter().map(|row| row.rank);
    let Some((small, large)) = ranks.clone().min().zip(ranks.max()).filter(|(small, large)| small < large) else {
        return Finding::untested(id, "fewer than two ranks");
    };
    let scores = |rank: usize| -> Vec<(usize, f64)> {
        let rows = rows.iter().filter(|row| row.rank == rank && row.is_trained());
        rows.map(|row| (row.trial, row.counted())).collect()
    };
    let (first, last) = (scores(small), scores(large));
    let of = |scores: &[(usize, f64)]| mean(&scores.iter().map(|score| score.1).collect::<Vec<_>>());
    let untrained = rows.iter().filter(|row| !row.is_trained()).count();
    let finding = match (Estimate::of(&paired(&last, &first)), of(&first).zip(of(&last))) {
        (Some(estimate), Some((a, b))) => {
            let measured = format!("from {a:.2} at r = {small} to {b:.2} at r = {large}: {estimate}");
            Finding::new(id, measured, evidence(estimate))
        }
        _ => Finding::untested(id, "no pair of trained runs"),
    };
    if untrained > 0 { finding.note(format!("{untrained} runs are not trained and left out")) } else { finding }
}
