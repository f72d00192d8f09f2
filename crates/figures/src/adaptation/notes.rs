//! What a reader must know beside a finding from runs.

use lab::statistics::mean;

use super::rows::RunRow;
use super::settings::{DEEP_LORA, LORA};

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
        self.count(count, "runs are not trained and left out")
    }

    /// On the scores of runs that a finding is from: those that count as 0, whether it is known that the runs are trained,
    /// unequal fit.
    pub fn scores(self, kept: &[&RunRow]) -> Self {
        let undefined = kept.iter().filter(|row| row.score.is_none()).count();
        let notes = self.count(undefined, "undefined scores count as 0");
        notes.recorded(kept.iter().map(|row| row.constant_loss)).fit(kept)
    }

    /// A number of things, and what is the matter with them.
    pub fn count(mut self, count: usize, what: &str) -> Self {
        if count > 0 {
            self.0.push(format!("{count} {what}"));
        }
        self
    }

    /// Whether the best constants' training losses are in the table: older tables have none.
    pub fn recorded(mut self, constants: impl IntoIterator<Item = Option<f64>>) -> Self {
        if constants.into_iter().any(|constant| constant.is_none()) {
            self.0.push("whether runs beat the best constant was not recorded".to_owned());
        }
        self
    }

    /// Whether both methods fit the training examples about equally well.
    fn fit(mut self, rows: &[&RunRow]) -> Self {
        let loss = |method: &str| {
            let rows = rows.iter().filter(|row| row.method == method);
            mean(&rows.map(|row| row.training_loss).collect::<Vec<_>>())
        };
        let unequal = |(lora, deep): &(f64, f64)| lora.max(*deep) > 2.0 * lora.min(*deep);
        if let Some((lora, deep)) = loss(LORA).zip(loss(DEEP_LORA)).filter(unequal) {
            self.0.push(format!(
                "at equal steps, not at equal fit: training loss {lora:.3} (LoRA) and {deep:.3} (Deep LoRA)"
            ));
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
    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn what_must_be_known_is_said() {
        let run = |method: &str, trial, score, training_loss| RunRow {
            method: method.into(),
            training_loss,
            constant_loss: Some(1.0),
            ..row(trial, 16, score)
        };
        let fitted = [run(LORA, 0, Some(0.5), 0.1), run(DEEP_LORA, 0, Some(0.5), 0.15)];
        assert_eq!(Notes::of_runs(&fitted).text(), "");
        let rows = [run(LORA, 0, None, 0.1), run(DEEP_LORA, 0, Some(0.5), 0.3), run(LORA, 1, Some(0.1), f64::NAN)];
        assert_eq!(
            Notes::of_runs(&rows).text(),
            "1 runs are not trained and left out; 1 undefined scores count as 0; at equal steps, not at equal fit: training \
             loss 0.100 (LoRA) and 0.300 (Deep LoRA)"
        );
        let old = RunRow { constant_loss: None, ..fitted[0].clone() };
        assert_eq!(Notes::of_runs([&old]).text(), "whether runs beat the best constant was not recorded");
    }
}
