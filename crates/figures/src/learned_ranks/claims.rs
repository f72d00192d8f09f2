//! What the paper says of the learned ranks, and whether the tables bear it out.

use lab::statistics::Estimate;
use lab::{Evidence, Finding, Side};

use super::{Row, Settings};
use crate::adaptation::*;
use crate::statements::{NOT_TRAINED, Outcome, every_trial};

const FULL: [&str; 2] = ["learned-ranks/lora-full-rank", "learned-ranks/lora-full-rank-here"];
const ZERO: [&str; 2] = ["learned-ranks/deep-lora-rank-0", "learned-ranks/deep-lora-rank-0-here"];
const LOW: [&str; 2] = ["learned-ranks/deep-lora-low-rank", "learned-ranks/deep-lora-low-rank-here"];

/// The ranks of all matrices in a trained run, with its draw and number.
type Ranks = ((usize, usize), Vec<usize>);

/// A finding from the trained runs of a method, and from all of them.
type Rule<'a> = &'a dyn Fn(&[Ranks], &[&RunRow]) -> Finding;

pub(super) fn findings(settings: &Settings, rows: &[Row], runs: &[RunRow]) -> Vec<Finding> {
    if settings.encoder.is_pretrained() && *settings.training.steps < 500 {
        let ids = [FULL, ZERO, LOW].concat();
        return ids.into_iter().map(|id| Finding::untested(id, "fewer than the paper's 500 steps")).collect();
    }
    let everywhere = |method: &str, find: Rule| -> Vec<Finding> {
        let one = |task: &String| {
            let runs: Vec<&RunRow> = runs.iter().filter(|run| run.task == *task && run.method == method).collect();
            find(&ranks(rows, &runs), &runs).case(task)
        };
        distinct(rows, |row| row.task.clone()).iter().map(one).collect()
    };
    let (encoder, rank) = (&settings.encoder, *settings.ranks[0]);
    let planned = settings.head.draws.crossed(*settings.trials).len();
    let untrained = |runs: &[&RunRow]| runs.iter().filter(|run| !run.is_trained()).count();
    let mut findings = by_encoder(encoder, FULL, |id| {
        everywhere(LORA, &|lora, runs| full_rank(id, lora, rank, (untrained(runs), planned)))
    });
    let notes = |runs: &[&RunRow]| Notes::default().untrained(untrained(runs)).text();
    findings.extend(by_encoder(encoder, ZERO, |id| {
        everywhere(DEEP_LORA, &|deep, runs| majority(id, deep, &|_| true, &|found| found == 0).note(notes(runs)))
    }));
    findings.extend(by_encoder(encoder, LOW, |id| {
        everywhere(DEEP_LORA, &|deep, runs| {
            majority(id, deep, &|found| found > 0, &|found| 2 * found <= rank).note(notes(runs))
        })
    }));
    findings
}

/// The numerical ranks of all matrices, for every trained run of one place and method.
fn ranks(rows: &[Row], runs: &[&RunRow]) -> Vec<Ranks> {
    let of = |run: &RunRow| -> Vec<usize> {
        let is_of =
            |row: &&Row| (&row.task, &row.method, (row.head_draw, row.trial)) == (&run.task, &run.method, run.key());
        rows.iter().filter(is_of).map(|row| row.numerical_rank).collect()
    };
    runs.iter().filter(|run| run.is_trained()).map(|run| (run.key(), of(run))).collect()
}

/// In every run, every update has full rank. Beside the trained runs: how many are not trained, and how many were planned.
fn full_rank(id: &'static str, runs: &[Ranks], rank: usize, (untrained, planned): (usize, usize)) -> Finding {
    let count = |ranks: &[usize]| ranks.iter().filter(|found| **found == rank).count();
    let measured: Vec<String> = runs.iter().map(|(_, ranks)| format!("{} of {}", count(ranks), ranks.len())).collect();
    let mut outcomes: Vec<Outcome> = runs.iter().map(|(_, ranks)| Outcome::of(count(ranks) == ranks.len())).collect();
    outcomes.extend((0..untrained).map(|_| Outcome::LeftOut(NOT_TRAINED)));
    outcomes.resize(planned.max(outcomes.len()), Outcome::Failed);
    every_trial(id, format!("{} matrices", measured.join(", ")), &outcomes)
}

/// Of the updates that count, more than half are so, on average over runs.
fn majority(
    id: &'static str,
    runs: &[Ranks],
    counts: &dyn Fn(usize) -> bool,
    is_so: &dyn Fn(usize) -> bool,
) -> Finding {
    let of = |(key, ranks): &Ranks| {
        let all: Vec<usize> = ranks.iter().copied().filter(|found| counts(*found)).collect();
        (*key, all.iter().filter(|found| is_so(**found)).count(), all.len())
    };
    let counted: Vec<_> = runs.iter().map(of).filter(|(_, _, all)| *all > 0).collect();
    let shares: Vec<_> = counted.iter().map(|(key, part, all)| (*key, *part as f64 / *all as f64)).collect();
    match Estimate::crossed(&shares) {
        None => Finding::untested(id, "no trained run with such an update"),
        Some(estimate) => {
            let said = counted.iter().map(|(_, part, all)| format!("{part} of {all}"));
            let measured = said.collect::<Vec<_>>().join(", ");
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
        let found = ranks(&rows, &[&trained, &untrained]);
        assert_eq!(found, [((0, 0), vec![8, 7])]);
        let finding = full_rank("id", &found, 8, (1, 3));
        assert_eq!(
            (finding.evidence, finding.measured.as_str()),
            (Evidence::EveryTrial { holding: 0, n: 2 }, "1 of 2 matrices")
        );
        assert_eq!(finding.note, "1 of 3 trials are not trained; 1 of 3 runs failed");
        assert!(matches!(full_rank("id", &[], 8, (1, 1)).evidence, Evidence::None { .. }));
    }
}
