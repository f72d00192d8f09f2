//! The figure: the dev score and the training loss against the rank.

use charts::{Axis, Figure, Lines, Panel, SharedY, significant};
use lab::statistics::mean;

use super::Settings;
use crate::adaptation::*;
use crate::authors::{self, AuthorsRun};

/// The authors' name of the experiment, and their number of examples.
const AUTHORS: (&str, usize) = ("stsb_fewshot_16_varying_rank", 16);

pub(super) fn figure(settings: &Settings, rows: &[RunRow]) -> anyhow::Result<Figure> {
    let tasks = distinct(rows, |row| row.task.clone());
    let of = |task: &String| rows.iter().filter(|row| row.task == *task).collect::<Vec<&RunRow>>();
    let mut panels: Vec<Panel> = Vec::new();
    for task in &tasks {
        panels.push(scores(settings, task, &of(task))?.into());
    }
    for task in &tasks {
        panels.push(losses(settings, task, &of(task)).into());
    }
    let figure = Figure::new("The rank of the adapters, with few examples")
        .subtitle(format!("{}{}", settings.subtitle("paper: Section 5, varying rank"), what_failed(rows)))
        .columns(if tasks.len() == 1 { 2 } else { tasks.len() })
        .panel_size(480, 340)
        .shared_legend();
    Ok(if tasks.len() > 1 { figure.shared_y(SharedY::Rows) } else { figure }.panels(panels))
}

fn rank(row: &RunRow) -> f64 {
    row.rank as f64
}

fn x(settings: &Settings) -> Axis {
    Axis::log("rank r").ticks(settings.ranks.iter().map(|rank| rank.get() as f64))
}

/// The rows of the methods that have a rank.
fn ranked<'a>(settings: &Settings, rows: &[&'a RunRow]) -> Vec<(MethodName, Vec<&'a RunRow>)> {
    let ranked = settings.methods.names.iter().copied().filter(|name| name.is_ranked());
    ranked.map(|name| (name, rows.iter().copied().filter(|row| row.method == name.label()).collect())).collect()
}

fn scores(settings: &Settings, task: &str, rows: &[&RunRow]) -> anyhow::Result<Lines> {
    let mut panel = Lines::new(format!("{task}: scores"))
        .x(x(settings))
        .y(Axis::linear(metric_label(rows.first().map_or("", |row| &row.metric))).include(0.0));
    for (name, rows) in ranked(settings, rows) {
        panel = panel.many(score_series(name.label(), name.hue(), &rows, rank, settings.band));
    }
    if task != PAPERS_TASK || !settings.encoder.is_pretrained() {
        return Ok(panel);
    }
    for name in [MethodName::Lora, MethodName::DeepLoraNarrow] {
        let mut at = Vec::new();
        for rank in settings.ranks.iter().map(|rank| rank.get()) {
            let of = |run: &AuthorsRun| run.method == authors_name(name.label()) && run.rank == rank.to_string();
            at.push((rank as f64, authors::scores(AUTHORS.0, task, AUTHORS.1, of)?));
        }
        panel = panel.many(authors_series(name.label(), name.hue(), at, settings.band));
    }
    Ok(panel)
}

fn losses(settings: &Settings, task: &str, rows: &[&RunRow]) -> Lines {
    let of =
        |(name, rows): (MethodName, Vec<&RunRow>)| loss_series(name.label(), name.hue(), &rows, rank, settings.band);
    let series = ranked(settings, rows).into_iter().filter_map(of);
    let panel = Lines::new(format!("{task}: training losses"))
        .x(x(settings))
        .y(Axis::log("training loss at the end"))
        .many(series);
    match mean(&rows.iter().map(|row| row.constant_loss).collect::<Vec<_>>()) {
        Some(constant) => panel.reference(constant, format!("best constant: {}", significant(constant, 2))),
        None => panel,
    }
}
