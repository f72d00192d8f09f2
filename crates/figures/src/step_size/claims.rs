//! How many step sizes serve each method. The paper's "simplified setting of hyperparameters" is a wording, not a number.

use lab::statistics::{Estimate, full_table, mean_among, paired_by_key};
use lab::{Evidence, Finding, Side};

use super::Settings;
use crate::adaptation::*;
use crate::summary::range;

const ROBUST: &str = "step-size/more-step-sizes";

/// In every place, narrow Deep LoRA comes within 10 % of its best score at more step sizes of the grid than LoRA does: the
/// difference of the numbers of step sizes, paired by seed, is above 0.
pub(super) fn findings(settings: &Settings, rows: &[RunRow]) -> Vec<Finding> {
    let in_earnest = *settings.training.steps >= 500 && settings.step_sizes.len() >= 5;
    if !settings.encoder.is_pretrained() || !in_earnest {
        return vec![Finding::untested(ROBUST, "a smaller grid or fewer steps than in profile paper")];
    }
    let places = distinct(rows, |row| (row.task.clone(), row.examples));
    let finding = |(task, examples): &(String, usize)| {
        let is_there = |row: &&RunRow| row.task == *task && row.examples == *examples;
        let rows: Vec<&RunRow> = rows.iter().filter(is_there).collect();
        let near = |method: &str| -> Vec<((usize, usize), f64)> {
            let seeds = distinct(&rows, |row| row.key());
            seeds.iter().filter_map(|&seed| Some((seed, near_best(&rows, method, seed)?))).collect()
        };
        let (lora, deep) = (near(LORA), near(DEEP_LORA_NARROW));
        let pairs = full_table(&paired_by_key(&deep, &lora));
        match Estimate::crossed(&pairs) {
            None => Finding::untested(ROBUST, "no pair of seeds with a trained run and a score above 0"),
            Some(estimate) => {
                let [deep, lora] = [&deep, &lora].map(|near| mean_among(near, &pairs).unwrap_or(0.0));
                let of = settings.step_sizes.len();
                let measured =
                    format!("{deep:.1} of {of} step sizes (Deep LoRA), {lora:.1} of {of} (LoRA): {estimate}");
                Finding::new(ROBUST, measured, Evidence::Direction { estimate, side: Side::Above, value: 0.0 })
            }
        }
        .case(format!("{}, {task}, n = {examples}", settings.encoder.source))
        .note(notes(&rows))
    };
    places.iter().map(finding).collect()
}

/// Step sizes at which one seed's score is within 10 % of its best; nothing if that is not above 0, as there is then no step
/// size that serves.
fn near_best(rows: &[&RunRow], method: &str, seed: (usize, usize)) -> Option<f64> {
    let rows = rows.iter().filter(|row| row.method == method && row.key() == seed && is_judged(row));
    let curve: Vec<(f64, f64)> = rows.filter_map(|row| Some((row.step_size, row.score?))).collect();
    let best = range(&curve)?.1;
    (best > 0.0).then(|| curve.iter().filter(|point| point.1 >= 0.9 * best).count() as f64)
}

/// Whether a run is trained and has a score.
fn is_judged(row: &RunRow) -> bool {
    row.is_trained() && row.score.is_some()
}

/// What must be known of the runs of a place.
fn notes(rows: &[&RunRow]) -> String {
    let runs = || rows.iter().filter(|row| [LORA, DEEP_LORA_NARROW].contains(&row.method.as_str()));
    let without = runs().filter(|row| row.is_trained() && row.score.is_none()).count();
    let notes = Notes::default().untrained(runs().filter(|row| !row.is_trained()).count());
    notes.count(without, "runs without a score, left out").text()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step_size: f64, score: Option<f64>, training_loss: f64) -> RunRow {
        RunRow { method: LORA.into(), step_size, training_loss, ..any_row(0, 16, score) }
    }

    fn near(rows: &[RunRow]) -> (Option<f64>, String) {
        let rows: Vec<&RunRow> = rows.iter().collect();
        (near_best(&rows, LORA, (0, 0)), notes(&rows))
    }

    #[test]
    fn only_trained_runs_with_a_score_are_near_the_best() {
        let good = [row(0.1, Some(0.5), 0.5), row(0.2, Some(0.46), 0.5), row(0.3, Some(0.1), 0.5)];
        assert_eq!(near(&good), (Some(2.0), String::new()));
        let bad = [row(0.4, Some(0.9), 2.0), row(0.5, None, 0.5)];
        let said = "runs not trained, left out: 1; runs without a score, left out: 1".to_owned();
        assert_eq!(near(&[good.to_vec(), bad.to_vec()].concat()), (Some(2.0), said.clone()));
        assert_eq!(near(&bad), (None, said));
    }

    #[test]
    fn no_step_size_is_near_a_best_score_of_0() {
        assert_eq!(near(&[row(0.1, Some(0.0), 0.5), row(0.2, Some(0.0), 0.5)]).0, None);
    }
}
