//! What the paper says of the learned ranks, and whether the tables bear it out.

use lab::statistics::Estimate;
use lab::{Evidence, Finding, Side};

use super::Row;
use crate::adaptation::*;

const FULL: [&str; 2] = ["learned-ranks/lora-full-rank", "learned-ranks/lora-full-rank-here"];
const ZERO: [&str; 2] = ["learned-ranks/deep-lora-rank-0", "learned-ranks/deep-lora-rank-0-here"];
const LOW: [&str; 2] = ["learned-ranks/deep-lora-low-rank", "learned-ranks/deep-lora-low-rank-here"];

/// A finding from the ranks of all matrices in every run of LoRA and of Deep LoRA.
type Rule<'a> = &'a dyn Fn(&[Vec<usize>], &[Vec<usize>]) -> Finding;

pub(super) fn findings(settings: &PairExperiment, rows: &[Row], runs: &[RunRow]) -> Vec<Finding> {
    if settings.encoder.is_pretrained() && *settings.training.steps < 500 {
        let ids = [FULL, ZERO, LOW].concat();
        return ids.into_iter().map(|id| Finding::untested(id, "fewer than the paper's 500 steps")).collect();
    }
    let places = distinct(rows, |row| (row.protocol.clone(), row.task.clone()));
    let everywhere = |find: Rule| -> Vec<Finding> {
        let one = |(protocol, task): &(String, String)| {
            let of = |method| ranks(rows, runs, protocol, task, method);
            find(&of(LORA), &of(DEEP_LORA)).case(format!("{task}, {protocol}"))
        };
        places.iter().map(one).collect()
    };
    let (encoder, rank) = (&settings.encoder, *settings.rank);
    let mut findings = by_encoder(encoder, FULL, |id| everywhere(&|lora, _| full_rank(id, lora, rank)));
    findings.extend(by_encoder(encoder, ZERO, |id| {
        everywhere(&|_, deep| majority(id, deep, &|_| true, &|found| found == 0))
    }));
    findings.extend(by_encoder(encoder, LOW, |id| {
        everywhere(&|_, deep| majority(id, deep, &|found| found > 0, &|found| 2 * found <= rank))
    }));
    findings
}

/// The numerical ranks of all matrices, for every trained run of a method.
fn ranks(rows: &[Row], runs: &[RunRow], protocol: &str, task: &str, method: &str) -> Vec<Vec<usize>> {
    let runs = runs
        .iter()
        .filter(|run| (run.protocol.as_str(), run.task.as_str(), run.method.as_str()) == (protocol, task, method));
    let of = |trial: usize| -> Vec<usize> {
        let rows = rows
            .iter()
            .filter(|row| (row.protocol.as_str(), row.task.as_str(), row.method.as_str()) == (protocol, task, method));
        rows.filter(|row| row.trial == trial).map(|row| row.numerical_rank).collect()
    };
    runs.filter(|run| run.is_trained()).map(|run| of(run.trial)).collect()
}

/// In every run, every update has full rank.
fn full_rank(id: &'static str, runs: &[Vec<usize>], rank: usize) -> Finding {
    let count = |ranks: &Vec<usize>| ranks.iter().filter(|found| **found == rank).count();
    let measured =
        runs.iter().map(|ranks| format!("{} of {}", count(ranks), ranks.len())).collect::<Vec<_>>().join(", ");
    let holding = runs.iter().filter(|ranks| count(ranks) == ranks.len()).count();
    Finding::new(id, format!("{measured} matrices"), Evidence::EveryTrial { holding, n: runs.len() })
}

/// Of the updates that count, more than half are so, on average over runs.
fn majority(
    id: &'static str,
    runs: &[Vec<usize>],
    counts: &dyn Fn(usize) -> bool,
    is_so: &dyn Fn(usize) -> bool,
) -> Finding {
    let of = |ranks: &Vec<usize>| {
        let all: Vec<usize> = ranks.iter().copied().filter(|found| counts(*found)).collect();
        (all.iter().filter(|found| is_so(**found)).count(), all.len())
    };
    let counted: Vec<(usize, usize)> = runs.iter().map(of).filter(|(_, all)| *all > 0).collect();
    let shares: Vec<f64> = counted.iter().map(|(part, all)| *part as f64 / *all as f64).collect();
    match Estimate::of(&shares) {
        None => Finding::untested(id, "no trained run with such an update"),
        Some(estimate) => {
            let measured = counted.iter().map(|(part, all)| format!("{part} of {all}")).collect::<Vec<_>>().join(", ");
            Finding::new(
                id,
                format!("{measured} matrices"),
                Evidence::Direction { estimate, side: Side::Above, value: 0.5 },
            )
        }
    }
}
