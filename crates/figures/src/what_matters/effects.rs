//! Main effects: what one choice changes, on average over the others, paired by seed.

use lab::statistics::{Estimate, full_table, mean, paired_by_key};
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::adaptation::*;

/// One effect: a row of `what-matters.effects.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EffectRow {
    pub(super) encoder: String,
    pub(super) task: String,
    /// What is subtracted from what.
    pub(super) effect: String,
    /// Over what it is averaged.
    pub(super) over: String,
    /// Seeds (with their draws of the head).
    pub(super) seeds: usize,
    /// Runs among them that are not trained; they count with the score they have.
    pub(super) not_trained: usize,
    pub(super) mean: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
}

/// Runs at one level of a choice.
type Level<'a> = &'a dyn Fn(&RunRow) -> bool;

/// The effects on every task: of pooler and head over the methods, of the methods over poolers and heads, of ϵ on each method.
pub(super) fn effects(settings: &Settings, rows: &[RunRow]) -> Vec<EffectRow> {
    let tasks = distinct(rows, |row| row.task.clone());
    tasks
        .iter()
        .flat_map(|task| {
            let rows: Vec<&RunRow> = rows.iter().filter(|row| row.task == *task).collect();
            let first = *settings.experiment.epsilons[0];
            let factorial: Vec<&RunRow> = rows.iter().copied().filter(|row| row.epsilon == first).collect();
            let mut found = of_networks(settings, &factorial);
            found.extend(of_methods(&factorial));
            found.extend(of_epsilons(settings, &rows));
            found
        })
        .collect()
}

fn of_networks(settings: &Settings, rows: &[&RunRow]) -> Vec<EffectRow> {
    let networks = &settings.experiment.networks;
    let of = |pair: &[super::settings::FrozenNetwork]| {
        let [before, after] = [&pair[0].name, &pair[1].name];
        effect(rows, format!("{after} − {before}"), "methods", &|row| row.head == *after, &|row| row.head == *before)
    };
    networks.windows(2).filter_map(of).collect()
}

fn of_methods(rows: &[&RunRow]) -> Vec<EffectRow> {
    let of = |(one, other): (&str, &str)| {
        effect(rows, format!("{one} − {other}"), "poolers and heads", &|row| row.method == one, &|row| {
            row.method == other
        })
    };
    [(LORA_PEFT, LORA), (DEEP_LORA_NARROW, LORA), (DEEP_LORA, LORA), (DEEP_LORA, DEEP_LORA_NARROW)]
        .into_iter()
        .filter_map(of)
        .collect()
}

fn of_epsilons(settings: &Settings, rows: &[&RunRow]) -> Vec<EffectRow> {
    let Some(network) = settings.experiment.networks.last() else { return Vec::new() };
    let epsilons: Vec<f64> = settings.experiment.epsilons.iter().map(|epsilon| **epsilon).collect();
    let mut found = Vec::new();
    for name in &settings.methods.names {
        let rows: Vec<&RunRow> =
            rows.iter().copied().filter(|row| row.head == network.name && row.method == name.label()).collect();
        for &epsilon in &epsilons[1..] {
            let label = format!("{}: ϵ = {epsilon:e} − {:e}", name.label(), epsilons[0]);
            let (after, before) = (|row: &RunRow| row.epsilon == epsilon, |row: &RunRow| row.epsilon == epsilons[0]);
            found.extend(effect(&rows, label, &network.name, &after, &before));
        }
    }
    found
}

/// The mean over seeds of the difference between the means at two levels; `None` if there are no runs of one.
fn effect(rows: &[&RunRow], label: String, over: &str, after: Level<'_>, before: Level<'_>) -> Option<EffectRow> {
    let level = |is_there: Level<'_>| -> Vec<((usize, usize), f64)> {
        let rows: Vec<&RunRow> = rows.iter().copied().filter(|row| is_there(row)).collect();
        let scores =
            |key| mean(&rows.iter().filter(|row| row.key() == key).map(|row| row.counted()).collect::<Vec<_>>());
        distinct(&rows, |row| row.key()).into_iter().filter_map(|key| Some((key, scores(key)?))).collect()
    };
    let differences = full_table(&paired_by_key(&level(after), &level(before)));
    let estimate = Estimate::crossed(&differences)?;
    let interval = estimate.interval();
    let used = rows.iter().filter(|row| after(row) || before(row));
    Some(EffectRow {
        encoder: rows.first()?.encoder.clone(),
        task: rows.first()?.task.clone(),
        effect: label,
        over: over.to_owned(),
        seeds: differences.len(),
        not_trained: used.filter(|row| !row.is_trained()).count(),
        mean: Some(estimate.mean),
        low: interval.map(|ends| ends.0),
        high: interval.map(|ends| ends.1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_averaged_over_the_other_choice_and_paired_by_seed() {
        let row = |head: &str, method: &str, trial, score| RunRow {
            head: head.into(),
            method: method.into(),
            ..any_row(trial, 64, Some(score))
        };
        let rows = [
            row("a", LORA, 0, 0.1),
            row("b", LORA, 0, 0.2),
            row("a", LORA_PEFT, 0, 0.3),
            row("b", LORA_PEFT, 0, 0.6),
            row("a", LORA, 1, 0.5),
            row("a", LORA_PEFT, 1, 0.5),
        ];
        let found = of_methods(&rows.iter().collect::<Vec<_>>());
        assert_eq!((found.len(), found[0].seeds, found[0].effect.as_str()), (1, 2, "LoRA (PEFT) − LoRA"));
        assert!((found[0].mean.unwrap() - 0.15).abs() < 1e-12, "the mean of 0.3 and 0");
    }
}
