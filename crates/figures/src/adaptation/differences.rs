//! One method against another: paired differences, and what must be known beside them.

use lab::statistics::{Estimate, full_table, mean, paired_by_key};
use serde::{Deserialize, Serialize};

use super::methods::{DEEP_LORA, DEEP_LORA_NARROW, LORA, LORA_PEFT};
use super::notes::{Notes, UNDEFINED};
use super::rows::{RunRow, distinct};

/// What is subtracted from what: the second of each from the first.
pub const CONTRASTS: [(&str, &str); 5] = [
    (DEEP_LORA, LORA),
    (DEEP_LORA, LORA_PEFT),
    (DEEP_LORA_NARROW, LORA),
    (DEEP_LORA_NARROW, LORA_PEFT),
    (LORA_PEFT, LORA),
];

/// The difference of two methods over runs of the same numbers: a row of `NAME.differences.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceRow {
    /// The encoder's source.
    pub encoder: String,
    /// Pooler and head, in words.
    pub head: String,
    /// The task.
    pub task: String,
    /// What it is evaluated in.
    pub metric: String,
    /// What is subtracted from what.
    pub difference: String,
    /// Training examples n.
    pub examples: usize,
    /// Inner width r of the methods that have one.
    pub rank: usize,
    /// Step size η.
    pub step_size: f64,
    /// AdamW's ϵ.
    pub epsilon: f64,
    /// Pairs of trained runs that the mean is over: with several draws, those of a full table of draws and seeds.
    pub pairs: usize,
    /// Draws of pooler and head among them.
    pub head_draws: usize,
    /// Runs in them whose score is undefined (constant predictions) and counts as 0.
    pub undefined: usize,
    /// Pairs left out because a run ended above the best constant's training loss, or diverged.
    pub not_trained: usize,
    /// Runs of either method without a partner, which are left out.
    pub unpaired: usize,
    /// Mean of the differences; empty without pairs, or if no score of any pair is defined.
    pub mean: Option<f64>,
    /// Lower end of its 95 % confidence interval, two-way where there are several draws; empty with fewer than two pairs.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Mean training loss of the first method in these pairs.
    pub first_training_loss: Option<f64>,
    /// That of the second, which is subtracted.
    pub second_training_loss: Option<f64>,
}

/// Why a pair is not compared.
const PAIRS_LEFT_OUT: &str = "pairs with a run that is not trained, left out";
const OUTSIDE: &str = "other pairs, left out with a draw or a seed that lacks some";

/// Two methods at one place of a table, run by run.
pub struct Compared<'a> {
    first: Vec<&'a RunRow>,
    second: Vec<&'a RunRow>,
    /// Pairs of the same number of which one is not trained.
    not_trained: usize,
    /// Trained pairs outside the [`full_table`] of draws and numbers.
    outside: usize,
    /// Runs without a partner of the same number.
    unpaired: usize,
}

impl<'a> Compared<'a> {
    /// Deep LoRA of full width and LoRA.
    pub fn of(rows: impl IntoIterator<Item = &'a RunRow>) -> Self {
        Self::between(rows, CONTRASTS[0])
    }

    /// The pairs of runs of the same draw and number among these rows. Those with a run that is not trained, and those outside the
    /// full table of draws and numbers, are counted apart.
    pub fn between(rows: impl IntoIterator<Item = &'a RunRow>, (one, other): (&str, &str)) -> Self {
        let rows = rows.into_iter().filter(|row| [one, other].contains(&row.method.as_str()));
        let (mut first, mut second): (Vec<&RunRow>, Vec<&RunRow>) = rows.partition(|row| row.method == one);
        let runs = first.len() + second.len();
        let keys = |rows: &[&RunRow]| rows.iter().map(|row| row.key()).collect::<Vec<_>>();
        let (of_first, of_second) = (keys(&first), keys(&second));
        first.retain(|row| of_second.contains(&row.key()));
        second.retain(|row| of_first.contains(&row.key()));
        let (all, unpaired) = (first.len(), runs - first.len() - second.len());
        let untrained: Vec<_> =
            first.iter().chain(&second).filter(|row| !row.is_trained()).map(|row| row.key()).collect();
        first.retain(|row| !untrained.contains(&row.key()));
        second.retain(|row| !untrained.contains(&row.key()));
        let trained = first.len();
        let keyed: Vec<_> = first.iter().map(|row| (row.key(), 0.0)).collect();
        let kept: Vec<_> = full_table(&keyed).into_iter().map(|(key, _)| key).collect();
        first.retain(|row| kept.contains(&row.key()));
        second.retain(|row| kept.contains(&row.key()));
        Self { not_trained: all - trained, outside: trained - first.len(), unpaired, first, second }
    }

    /// The mean of the differences over the pairs; `None` without pairs, or if no score of any pair is defined.
    pub fn difference(&self) -> Option<Estimate> {
        Estimate::crossed(&self.by_run()).filter(|_| self.undefined() < self.first.len() + self.second.len())
    }

    /// Scores that are not defined, among those compared.
    fn undefined(&self) -> usize {
        self.first.iter().chain(&self.second).filter(|row| row.score.is_none()).count()
    }

    /// The difference of every pair.
    pub fn by_run(&self) -> Vec<((usize, usize), f64)> {
        let scores = |rows: &[&RunRow]| rows.iter().map(|row| (row.key(), row.counted())).collect::<Vec<_>>();
        paired_by_key(&scores(&self.first), &scores(&self.second))
    }

    /// What a reader must know beside a comparison of this difference with another: pairs left out, and scores that count as 0,
    /// in both.
    pub fn notes_beside(&self, other: &Self) -> String {
        let left_out = self.not_trained + other.not_trained;
        let undefined = self.undefined() + other.undefined();
        let notes = Notes::default().count(left_out, PAIRS_LEFT_OUT).count(self.outside + other.outside, OUTSIDE);
        notes.count(undefined, UNDEFINED).text()
    }

    /// What a reader must know beside a difference: pairs left out, and what [`Notes::scores`] says of the others.
    pub fn notes(&self) -> String {
        let kept: Vec<&RunRow> = self.first.iter().chain(&self.second).copied().collect();
        let notes = Notes::default().count(self.not_trained, PAIRS_LEFT_OUT).count(self.outside, OUTSIDE);
        notes.scores(&kept).text()
    }
}

/// Where runs are compared: everything but method, rank, draw and number.
fn place(row: &RunRow) -> (&str, &str, &str, usize, u64, u64) {
    (&row.encoder, &row.head, &row.task, row.examples, row.step_size.to_bits(), row.epsilon.to_bits())
}

/// Every one of [`CONTRASTS`] at every place and rank of the rows, in their order; nothing of a method that was not run.
pub fn differences(rows: &[RunRow]) -> Vec<DifferenceRow> {
    let mut found = Vec::new();
    let all: Vec<&RunRow> = rows.iter().collect();
    for at in distinct(&all, |row| place(row)) {
        let here: Vec<&RunRow> = all.iter().copied().filter(|row| place(row) == at).collect();
        for contrast in CONTRASTS {
            let ranks = |method: &str| {
                distinct(&here.iter().filter(|row| row.method == method).collect::<Vec<_>>(), |row| row.rank)
            };
            let (of_first, of_second) = (ranks(contrast.0), ranks(contrast.1));
            for rank in of_second.into_iter().filter(|rank| of_first.contains(rank) || of_first.contains(&0)) {
                let at_rank = |row: &&&RunRow| row.rank == rank || row.rank == 0;
                found.push(difference(here.iter().filter(at_rank).copied(), contrast, rank));
            }
        }
    }
    found
}

fn difference<'a>(rows: impl Iterator<Item = &'a RunRow>, contrast: (&str, &str), rank: usize) -> DifferenceRow {
    let rows: Vec<&RunRow> = rows.collect();
    let compared = Compared::between(rows.iter().copied(), contrast);
    let estimate = compared.difference();
    let interval = estimate.and_then(|estimate| estimate.interval());
    let loss = |rows: &[&RunRow]| mean(&rows.iter().map(|row| row.training_loss).collect::<Vec<_>>());
    let of = rows[0];
    DifferenceRow {
        encoder: of.encoder.clone(),
        head: of.head.clone(),
        task: of.task.clone(),
        metric: of.metric.clone(),
        difference: format!("{} - {}", contrast.0, contrast.1),
        examples: of.examples,
        rank,
        step_size: of.step_size,
        epsilon: of.epsilon,
        pairs: estimate.map_or(0, |_| compared.first.len()),
        head_draws: distinct(&compared.first, |row| row.head_draw).len(),
        undefined: compared.undefined(),
        not_trained: compared.not_trained,
        unpaired: compared.unpaired,
        mean: estimate.map(|estimate| estimate.mean),
        low: interval.map(|ends| ends.0),
        high: interval.map(|ends| ends.1),
        first_training_loss: loss(&compared.first),
        second_training_loss: loss(&compared.second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adaptation::any_row;

    fn row(method: &str, trial: usize, score: Option<f64>) -> RunRow {
        RunRow { method: method.into(), ..any_row(trial, 16, score) }
    }

    #[test]
    fn runs_that_learned_nothing_are_counted_apart() {
        let untrained = RunRow { training_loss: 2.0, ..row(LORA, 0, Some(0.0)) };
        let rows = [untrained, row(LORA, 1, Some(0.5)), row(DEEP_LORA, 0, Some(0.9)), row(DEEP_LORA, 1, Some(0.75))];
        let found = &differences(&rows)[0];
        assert_eq!((found.pairs, found.not_trained, found.mean, found.low), (1, 1, Some(0.25), None));
        assert_eq!((found.first_training_loss, found.second_training_loss), (Some(0.5), Some(0.5)));
        assert!(differences(&rows[..2]).is_empty(), "a difference needs both");
    }

    #[test]
    fn differences_of_nothing_are_empty() {
        let undefined = [row(LORA, 0, None), row(LORA, 1, None), row(DEEP_LORA, 0, None), row(DEEP_LORA, 1, None)];
        let found = &differences(&undefined)[0];
        assert_eq!((found.pairs, found.undefined, found.mean, found.low, found.high), (0, 4, None, None, None));
        let one = [row(LORA, 0, Some(0.1)), row(DEEP_LORA, 0, Some(0.3)), row(DEEP_LORA, 1, Some(0.9))];
        let found = &differences(&one)[0];
        assert_eq!((found.pairs, found.unpaired, found.low, found.high), (1, 1, None, None));
        let found = &differences(&[row(LORA, 0, Some(0.1)), row(DEEP_LORA, 1, Some(0.3))])[0];
        assert_eq!((found.pairs, found.unpaired, found.mean), (0, 2, None));
    }

    #[test]
    fn differences_are_of_runs_of_the_same_draw_and_number() {
        let of = |draw, row: RunRow| RunRow { head_draw: draw, ..row };
        let rows = [
            of(0, row(LORA, 0, Some(0.1))),
            of(1, row(LORA, 0, Some(0.5))),
            of(0, row(LORA, 1, None)),
            of(1, row(DEEP_LORA, 0, Some(0.75))),
            of(0, row(DEEP_LORA, 0, Some(0.2))),
            of(0, row(DEEP_LORA, 1, Some(0.9))),
        ];
        let found = differences(&rows);
        // The second draw lacks number 1, so that is left out of the first one too.
        assert_eq!((found.len(), found[0].pairs, found[0].undefined, found[0].head_draws), (1, 2, 0, 2));
        let compared = Compared::of(&rows);
        let by_run = compared.by_run();
        assert_eq!(by_run.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [(1, 0), (0, 0)]);
        assert!(by_run.iter().zip([0.25, 0.1]).all(|((_, found), expected)| (found - expected).abs() < 1e-12));
        assert_eq!(compared.notes(), "other pairs, left out with a draw or a seed that lacks some: 1");
    }

    #[test]
    fn what_two_differences_leave_out_is_counted_together() {
        let untrained = RunRow { training_loss: 2.0, ..row(LORA, 0, Some(0.0)) };
        let one = [untrained, row(DEEP_LORA, 0, Some(0.9)), row(LORA, 1, None), row(DEEP_LORA, 1, Some(0.5))];
        let other = [row(LORA, 1, Some(0.1)), row(DEEP_LORA, 1, None)];
        let said = Compared::of(&one).notes_beside(&Compared::of(&other));
        assert_eq!(said, "pairs with a run that is not trained, left out: 1; undefined scores, counted as 0: 2");
        let whole = [row(LORA, 1, Some(0.1)), row(DEEP_LORA, 1, Some(0.2))];
        assert_eq!(Compared::of(&whole).notes_beside(&Compared::of(&whole)), "");
    }

    #[test]
    fn a_narrow_adapter_is_compared_at_its_own_rank() {
        let ranked = |method, rank, score| RunRow { rank, ..row(method, 0, Some(score)) };
        let rows =
            [ranked(LORA, 8, 0.1), ranked(LORA, 16, 0.2), ranked(DEEP_LORA_NARROW, 16, 0.7), ranked(DEEP_LORA, 0, 1.0)];
        let found: Vec<(String, usize, f64)> =
            differences(&rows).into_iter().map(|row| (row.difference, row.rank, row.mean.unwrap())).collect();
        assert_eq!(found[0], ("Deep LoRA - LoRA".to_owned(), 8, 0.9));
        assert_eq!(found[1], ("Deep LoRA - LoRA".to_owned(), 16, 0.8));
        assert_eq!((found.len(), &found[2].0[..], found[2].1), (3, "Deep LoRA, narrow - LoRA", 16));
    }
}
