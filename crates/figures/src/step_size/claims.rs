//! How many step sizes serve each method. The paper's "simplified setting of hyperparameters" is a wording, not a number.

use lab::statistics::{Estimate, mean, paired};
use lab::{Evidence, Finding, Side};

use super::GRID;
use super::settings::Settings;
use crate::adaptation::*;
use crate::summary::range;

const ROBUST: &str = "step-size/more-step-sizes";

/// In every place, Deep LoRA comes within 10 % of its best score at more step sizes of the grid than LoRA does: the
/// difference of the numbers of step sizes, paired by seed, is above 0.
pub(super) fn findings(settings: &Settings, rows: &[RunRow]) -> Vec<Finding> {
    if !settings.in_earnest() {
        return vec![Finding::untested(ROBUST, "a smaller grid or fewer steps than in profile paper")];
    }
    let places = distinct(rows, |row| (row.task.clone(), row.examples));
    let finding = |(task, examples): &(String, usize)| {
        let rows: Vec<&RunRow> = at(rows, GRID, task).into_iter().filter(|row| row.examples == *examples).collect();
        let near = |method: &str| -> Vec<(usize, f64)> {
            let seeds = distinct(&rows, |row| row.trial);
            seeds.iter().filter_map(|&seed| Some((seed, near_best(&rows, method, seed)?))).collect()
        };
        let (lora, deep) = (near(LORA), near(DEEP_LORA));
        match Estimate::of(&paired(&deep, &lora)) {
            None => Finding::untested(ROBUST, "no pair of runs"),
            Some(estimate) => {
                let of = |near: &[(usize, f64)]| mean(&near.iter().map(|near| near.1).collect::<Vec<_>>());
                let (deep, lora) = (of(&deep).unwrap_or(0.0), of(&lora).unwrap_or(0.0));
                let of = settings.step_sizes.len();
                let measured =
                    format!("{deep:.1} of {of} step sizes (Deep LoRA), {lora:.1} of {of} (LoRA): {estimate}");
                Finding::new(ROBUST, measured, Evidence::Direction { estimate, side: Side::Above, value: 0.0 })
            }
        }
        .case(format!("{}, {task}, n = {examples}", settings.encoder.source))
    };
    places.iter().map(finding).collect()
}

/// Step sizes at which one seed's score is within 10 % of its best.
fn near_best(rows: &[&RunRow], method: &str, seed: usize) -> Option<f64> {
    let rows = rows.iter().filter(|row| row.method == method && row.trial == seed);
    let curve: Vec<(f64, f64)> = rows.map(|row| (row.step_size, row.counted())).collect();
    let best = range(&curve)?.1;
    Some(curve.iter().filter(|point| point.1 >= best - 0.1 * best.abs()).count() as f64)
}
