//! Runs that failed: what figures and subtitles say of them.

use std::collections::BTreeSet;

use super::rows::RunRow;

/// Why a run may be marked.
const KINDS: [&str; 3] = ["diverged", "constant predictions", "not trained"];

impl RunRow {
    /// Why a figure marks the run, if it does.
    pub fn failure(&self) -> Option<&'static str> {
        match (self.diverged_at_step, self.score) {
            (Some(_), _) => Some(KINDS[0]),
            (None, None) => Some(KINDS[1]),
            (None, Some(_)) => (!self.is_trained()).then_some(KINDS[2]),
        }
    }
}

/// What happened to the runs that failed, each once: the legend's words for their marks.
pub fn failures<'a>(rows: impl IntoIterator<Item = &'a RunRow>) -> String {
    let found: BTreeSet<&str> = rows.into_iter().filter_map(RunRow::failure).collect();
    found.into_iter().collect::<Vec<_>>().join(" or ")
}

/// What a subtitle says of runs that failed, after a semicolon; empty if there is nothing to say.
pub fn what_failed<'a>(rows: impl IntoIterator<Item = &'a RunRow> + Clone) -> String {
    let count = |kind: &str| rows.clone().into_iter().filter(|row| row.failure() == Some(kind)).count();
    let counts = KINDS.map(count);
    let said: Vec<String> = KINDS
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| format!("{count} ({kind})"))
        .collect();
    if said.is_empty() {
        return String::new();
    }
    let without_score = if counts[0] + counts[1] > 0 { "; in a mean, one without a score counts as 0" } else { "" };
    format!("; runs that failed: {}{without_score}", said.join(", "))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run.
    pub fn row(trial: usize, examples: usize, score: Option<f64>) -> RunRow {
        RunRow {
            encoder: "e".into(),
            head: "h".into(),
            task: "t".into(),
            metric: "pearson".into(),
            method: "m".into(),
            examples,
            rank: 8,
            steps: 1,
            step_size: 0.1,
            epsilon: 1e-6,
            head_draw: 0,
            trial,
            score,
            training_loss: 0.5,
            constant_loss: 1.0,
            smallest_logit: -1.0,
            largest_logit: 1.0,
            logit_bound: 2.0,
            diverged_at_step: None,
        }
    }

    #[test]
    fn runs_that_failed_are_said() {
        let good = row(0, 16, Some(0.5));
        let diverged = RunRow { diverged_at_step: Some(3), ..row(1, 16, None) };
        let untrained = RunRow { training_loss: 2.0, ..row(3, 16, Some(0.1)) };
        let rows = [good.clone(), diverged, row(2, 16, None), untrained];
        assert_eq!(failures(&rows), "constant predictions or diverged or not trained");
        let said = what_failed(&rows);
        assert!(said.contains("1 (diverged), 1 (constant predictions), 1 (not trained)"), "{said}");
        assert!(said.contains("counts as 0"), "{said}");
        assert_eq!(what_failed(&[good]), "");
    }

    #[test]
    fn a_run_is_trained_if_it_beats_the_best_constant() {
        let is_trained = |training_loss| RunRow { training_loss, ..row(0, 16, Some(0.5)) }.is_trained();
        assert_eq!([0.9, 1.0, f64::NAN].map(is_trained), [true, false, false]);
    }
}
