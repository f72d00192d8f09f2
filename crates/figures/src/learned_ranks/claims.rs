//! What the paper says of the learned ranks, and whether the tables bear it out.

use lab::statistics::Estimate;
use lab::{Evidence, Finding, Side};

use super::{Row, Settings};
use crate::adaptation::*;

const FULL: [&str; 2] = ["learned-ranks/lora-full-rank", "learned-ranks/lora-full-rank-here"];
const ZERO: [&str; 2] = ["learned-ranks/deep-lora-rank-0", "learned-ranks/deep-lora-rank-0-here"];
const LOW: [&str; 2] = ["learned-ranks/deep-lora-low-rank", "learned-ranks/deep-lora-low-rank-here"];

/// A finding from the ranks of all matrices in every trained run of a method.
type Rule<'a> = &'a dyn Fn(&[Vec<usize>]) -> Finding;

pub(super) fn findings(settings: &Settings, rows: &[Row], runs: &[RunRow]) -> Vec<Finding> {
    if settings.encoder.is_pretrained() && *settings.training.steps < 500 {
        let ids = [FULL, ZERO, LOW].concat();
        return ids.into_iter().map(|id| Finding::untested(id, "fewer than the paper's 500 steps")).collect();
    }
    let everywhere = |method: &str, find: Rule| -> Vec<Finding> {
        let one = |task: &String| {
            let runs: Vec<&RunRow> = runs.iter().filter(|run| run.task == *task && run.method == method).collect();
            find(&ranks(rows, &runs)).case(task).note(notes(&runs))
        };
        distinct(rows, |row| row.task.clone()).iter().map(one).collect()
    };
    let (encoder, rank) = (&settings.encoder, *settings.ranks[0]);
    let mut findings = by_encoder(encoder, FULL, |id| everywhere(LORA, &|lora| full_rank(id, lora, rank)));
    findings.extend(by_encoder(encoder, ZERO, |id| {
        everywhere(DEEP_LORA, &|deep| majority(id, deep, &|_| true, &|found| found == 0))
    }));
    findings.extend(by_encoder(encoder, LOW, |id| {
        everywhere(DEEP_LORA, &|deep| majority(id, deep, &|found| found > 0, &|found| 2 * found <= rank))
    }));
    findings
}

/// The numerical ranks of all matrices, for every trained run of one place and method.
fn ranks(rows: &[Row], runs: &[&RunRow]) -> Vec<Vec<usize>> {
    let of = |run: &&&RunRow| -> Vec<usize> {
        let is_of =
            |row: &&Row| (&row.task, &row.method, (row.head_draw, row.trial)) == (&run.task, &run.method, run.key());
        rows.iter().filter(is_of).map(|row| row.numerical_rank).collect()
    };
    runs.iter().filter(|run| run.is_trained()).map(|run| of(&run)).collect()
}

/// What must be known of these runs; their scores are not used.
fn notes(runs: &[&RunRow]) -> String {
    Notes::default().untrained(runs.iter().filter(|run| !run.is_trained()).count()).text()
}

/// In every run, every update has full rank.
fn full_rank(id: &'static str, runs: &[Vec<usize>], rank: usize) -> Finding {
    if runs.is_empty() {
        return Finding::untested(id, "no trained run");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_are_not_trained_are_left_out_and_counted() {
        let run = |trial, training_loss| RunRow { training_loss, ..any_row(trial, 16, None) };
        let matrix = |trial, numerical_rank| Row {
            encoder: "e".into(),
            task: "t".into(),
            method: "m".into(),
            head_draw: 0,
            trial,
            matrix: "a".into(),
            spectral_norm: 1.0,
            numerical_rank,
        };
        let (trained, untrained) = (run(0, 0.5), run(1, 2.0));
        let rows = [matrix(0, 8), matrix(0, 7), matrix(1, 0)];
        assert_eq!(ranks(&rows, &[&trained, &untrained]), [[8, 7]]);
        assert_eq!(notes(&[&trained, &untrained]), "runs not trained, left out: 1");
        assert_eq!(notes(&[&trained]), "");
        assert!(matches!(full_rank("id", &ranks(&rows, &[&untrained]), 8).evidence, Evidence::None { .. }));
    }
}
