//! Deep LoRA against LoRA: paired differences, and what must be known beside them.

use lab::statistics::Estimate;
use serde::{Deserialize, Serialize};

use super::notes::Notes;
use super::rows::RunRow;
use super::settings::{DEEP_LORA, LORA};

/// The difference of two methods over runs of the same numbers: a row of `NAME.differences.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceRow {
    /// How the step sizes were come by.
    pub protocol: String,
    /// The task.
    pub task: String,
    /// What it is evaluated in.
    pub metric: String,
    /// What is subtracted from what.
    pub difference: String,
    /// Training examples n.
    pub examples: usize,
    /// Inner width r.
    pub rank: usize,
    /// Pairs of trained runs.
    pub pairs: usize,
    /// Runs in them whose score is undefined (constant predictions) and counts as 0.
    #[serde(default)]
    pub undefined: usize,
    /// Pairs left out because a run ended above the best constant's training loss, or diverged.
    #[serde(default)]
    pub not_trained: usize,
    /// Runs of either method without a partner, which are left out.
    #[serde(default)]
    pub unpaired: usize,
    /// Mean of the differences; empty without pairs, or if no score of any pair is defined.
    pub mean: Option<f64>,
    /// Lower end of its 95 % confidence interval (Student's t); empty with fewer than two pairs.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// LoRA and Deep LoRA at one place of a table, run by run.
pub struct Compared<'a> {
    lora: Vec<&'a RunRow>,
    deep: Vec<&'a RunRow>,
    /// Pairs of the same number of which one is not trained.
    not_trained: usize,
    /// Runs without a partner of the same number.
    unpaired: usize,
}

impl<'a> Compared<'a> {
    /// The pairs of runs of the same number among these rows, those with a run that is not trained counted apart.
    pub fn of(rows: impl IntoIterator<Item = &'a RunRow>) -> Self {
        let (mut lora, mut deep): (Vec<&RunRow>, Vec<&RunRow>) = rows
            .into_iter()
            .filter(|row| [LORA, DEEP_LORA].contains(&row.method.as_str()))
            .partition(|row| row.method == LORA);
        let runs = lora.len() + deep.len();
        let has = |rows: &[&RunRow], row: &RunRow| rows.iter().any(|other| other.trial == row.trial);
        lora.retain(|row| has(&deep, row));
        deep.retain(|row| has(&lora, row));
        let (all, unpaired) = (lora.len(), runs - lora.len() - deep.len());
        let untrained: Vec<usize> =
            lora.iter().chain(&deep).filter(|row| !row.is_trained()).map(|row| row.trial).collect();
        lora.retain(|row| !untrained.contains(&row.trial));
        deep.retain(|row| !untrained.contains(&row.trial));
        Self { not_trained: all - lora.len(), unpaired, lora, deep }
    }

    /// The mean of Deep LoRA − LoRA over the pairs; `None` without pairs, or if no score of any pair is defined.
    pub fn difference(&self) -> Option<Estimate> {
        let differences: Vec<f64> = self.by_run().iter().map(|pair| pair.1).collect();
        Estimate::of(&differences).filter(|_| self.undefined() < self.lora.len() + self.deep.len())
    }

    fn undefined(&self) -> usize {
        self.lora.iter().chain(&self.deep).filter(|row| row.score.is_none()).count()
    }

    /// Deep LoRA − LoRA of every pair.
    pub fn by_run(&self) -> Vec<(usize, f64)> {
        let of = |deep: &&RunRow| {
            let lora = self.lora.iter().find(|row| row.trial == deep.trial)?;
            Some((deep.trial, deep.counted() - lora.counted()))
        };
        self.deep.iter().filter_map(of).collect()
    }

    /// What a reader must know beside a difference: pairs left out, and what [`Notes::scores`] says of the others.
    pub fn notes(&self) -> String {
        let kept: Vec<&RunRow> = self.lora.iter().chain(&self.deep).copied().collect();
        let notes = Notes::default().count(self.not_trained, "pairs with a run that is not trained are left out");
        notes.scores(&kept).text()
    }
}

/// Deep LoRA − LoRA for every protocol, task, n and r, in the order of the rows; nothing if Deep LoRA was not run at all.
pub fn differences(rows: &[RunRow]) -> Vec<DifferenceRow> {
    let same = |a: &RunRow, b: &RunRow| {
        (&a.protocol, &a.task, a.examples, a.rank) == (&b.protocol, &b.task, b.examples, b.rank)
    };
    let mut found: Vec<DifferenceRow> = Vec::new();
    if rows.iter().all(|row| row.method != DEEP_LORA) {
        return found;
    }
    let mut seen: Vec<&RunRow> = Vec::new();
    for row in rows.iter().filter(|row| row.method == LORA) {
        if seen.iter().any(|other| same(row, other)) {
            continue;
        }
        seen.push(row);
        let compared = Compared::of(rows.iter().filter(|other| same(row, other)));
        let estimate = compared.difference();
        let interval = estimate.and_then(|estimate| estimate.interval());
        found.push(DifferenceRow {
            protocol: row.protocol.clone(),
            task: row.task.clone(),
            metric: row.metric.clone(),
            difference: format!("{DEEP_LORA} - {LORA}"),
            examples: row.examples,
            rank: row.rank,
            pairs: estimate.map_or(0, |estimate| estimate.n),
            undefined: compared.undefined(),
            not_trained: compared.not_trained,
            unpaired: compared.unpaired,
            mean: estimate.map(|estimate| estimate.mean),
            low: interval.map(|ends| ends.0),
            high: interval.map(|ends| ends.1),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: &str, trial: usize, score: Option<f64>) -> RunRow {
        RunRow {
            protocol: "p".into(),
            task: "t".into(),
            metric: "pearson".into(),
            method: method.into(),
            examples: 16,
            rank: 8,
            steps: 1,
            step_size: 0.1,
            trial,
            score,
            training_loss: 0.0,
            constant_loss: None,
            diverged_at_step: None,
        }
    }

    #[test]
    fn runs_that_learned_nothing_are_counted_apart() {
        let untrained = RunRow { training_loss: 2.0, constant_loss: Some(1.0), ..row(LORA, 0, Some(0.0)) };
        let rows = [untrained, row(LORA, 1, Some(0.5)), row(DEEP_LORA, 0, Some(0.9)), row(DEEP_LORA, 1, Some(0.75))];
        let found = &differences(&rows)[0];
        assert_eq!((found.pairs, found.not_trained, found.mean, found.low), (1, 1, Some(0.25), None));
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
    fn differences_are_of_runs_of_the_same_number() {
        let rows = [
            row(LORA, 0, Some(0.1)),
            row(LORA, 1, Some(0.5)),
            row(LORA, 2, None),
            row(DEEP_LORA, 1, Some(0.75)),
            row(DEEP_LORA, 0, Some(0.2)),
            row(DEEP_LORA, 2, Some(0.9)),
        ];
        let found = differences(&rows);
        assert_eq!((found.len(), found[0].pairs, found[0].undefined), (1, 3, 1));
        assert!((found[0].mean.unwrap() - 1.25 / 3.0).abs() < 1e-12);
        assert!(found[0].low.unwrap() < 0.1 && found[0].high.unwrap() > 0.8);
    }
}
