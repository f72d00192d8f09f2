//! What a reader must know beside a finding from runs.

use charts::significant;
use lab::statistics::mean;

use super::rows::{RunRow, distinct};

/// What becomes of scores that are not defined, of constant predictions.
pub const UNDEFINED: &str = "undefined scores, counted as 0";

/// Notes on runs, in the order in which they are to be read; what is not the case is not said.
#[derive(Default)]
pub struct Notes(Vec<String>);

impl Notes {
    /// On a finding from those of these runs that are trained: runs left out, and what [`Notes::scores`] says of the others.
    pub fn of_runs<'a>(rows: impl IntoIterator<Item = &'a RunRow>) -> Self {
        let (kept, left_out): (Vec<&RunRow>, Vec<&RunRow>) = rows.into_iter().partition(|row| row.is_trained());
        Self::default().untrained(left_out.len()).scores(&kept)
    }

    /// Runs that are not trained and left out.
    pub fn untrained(self, count: usize) -> Self {
        self.count(count, "runs not trained, left out")
    }

    /// On the scores of runs that a finding is from: those that count as 0, whether it is known that the runs are trained,
    /// unequal fit.
    pub fn scores(self, kept: &[&RunRow]) -> Self {
        let undefined = kept.iter().filter(|row| row.score.is_none()).count();
        self.count(undefined, UNDEFINED).fit(kept)
    }

    /// A number of things, and what is the matter with them.
    pub fn count(mut self, count: usize, what: &str) -> Self {
        if count > 0 {
            self.0.push(format!("{what}: {count}"));
        }
        self
    }

    /// The same, of how many in all.
    pub fn part(mut self, count: usize, all: usize, what: &str) -> Self {
        if count > 0 {
            self.0.push(format!("{what}: {count} of {all}"));
        }
        self
    }

    /// Whether all methods fit the training examples about equally well.
    fn fit(mut self, rows: &[&RunRow]) -> Self {
        let loss = |method: &String| {
            let rows = rows.iter().filter(|row| row.method == *method);
            mean(&rows.map(|row| row.training_loss).collect::<Vec<_>>()).unwrap_or(f64::NAN)
        };
        let losses: Vec<(String, f64)> = distinct(rows, |row| row.method.clone())
            .into_iter()
            .map(|method| (method.clone(), loss(&method)))
            .collect();
        let largest = losses.iter().map(|loss| loss.1).fold(0.0, f64::max);
        let smallest = losses.iter().map(|loss| loss.1).fold(f64::INFINITY, f64::min);
        if losses.len() > 1 && largest > 2.0 * smallest {
            let said: Vec<String> =
                losses.iter().map(|(method, loss)| format!("{} ({method})", significant(*loss, 2))).collect();
            self.0.push(format!("at equal steps, not at equal fit: training loss {}", said.join(" and ")));
        }
        self
    }

    /// All of them.
    pub fn text(&self) -> String {
        self.0.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::failures::tests::row;
    use super::super::methods::{DEEP_LORA, LORA};
    use super::*;

    #[test]
    fn what_must_be_known_is_said() {
        let run = |method: &str, trial, score, training_loss| RunRow {
            method: method.into(),
            training_loss,
            ..row(trial, 16, score)
        };
        let fitted = [run(LORA, 0, Some(0.5), 0.1), run(DEEP_LORA, 0, Some(0.5), 0.15)];
        assert_eq!(Notes::of_runs(&fitted).text(), "");
        let rows = [run(LORA, 0, None, 0.1), run(DEEP_LORA, 0, Some(0.5), 0.3), run(LORA, 1, Some(0.1), f64::NAN)];
        assert_eq!(
            Notes::of_runs(&rows).text(),
            "runs not trained, left out: 1; undefined scores, counted as 0: 1; at equal steps, not at equal fit: training \
             loss 0.10 (LoRA) and 0.30 (Deep LoRA)"
        );
    }
}
