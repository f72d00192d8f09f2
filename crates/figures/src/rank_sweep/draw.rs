//! The figure: the dev score against the rank.

use charts::{Axis, Figure, Legend, Lines, SharedY, significant};

use super::settings::Settings;
use crate::adaptation::*;
use crate::authors::{self, AuthorsRun};

/// The authors' name of the experiment, and their number of examples.
const AUTHORS: (&str, usize) = ("stsb_fewshot_16_varying_rank", 16);

pub(super) fn figure(settings: &Settings, rows: &[RunRow]) -> anyhow::Result<Figure> {
    let tasks = distinct(rows, |row| row.task.clone());
    let (columns, width) = grid(tasks.len(), settings.protocols.len());
    let mut figure = Figure::new("The rank of the adapters, with few examples")
        .subtitle(format!("{}{}", settings.subtitle(), what_failed(rows)))
        .columns(columns)
        .panel_size(width, 340)
        .shared_y(SharedY::All);
    for protocol in &settings.protocols {
        for rows in tasks.iter().map(|task| at(rows, &protocol.name, task)).filter(|rows| !rows.is_empty()) {
            figure = figure.panel(panel(settings, protocol, &rows)?);
        }
    }
    Ok(figure)
}

fn panel(settings: &Settings, protocol: &Protocol, rows: &[&RunRow]) -> anyhow::Result<Lines> {
    let task = &rows[0].task;
    let ticks = settings.ranks.iter().map(|rank| rank.get() as f64);
    let mut panel = Lines::new(format!("{task}, {}", protocol.name))
        .x(Axis::log("rank r").ticks(ticks))
        .y(Axis::linear(metric_label(&rows[0].metric)).include(0.0))
        .legend(Legend::Below);
    for (method, hue) in PAIR {
        let rows: Vec<&RunRow> = rows.iter().copied().filter(|row| row.method == method).collect();
        let steps = distinct(&rows, |row| row.step_size);
        let steps = steps.iter().map(|&step| significant(step, 1)).collect::<Vec<_>>().join(", ");
        let label = format!("{method}, η = {steps}");
        panel = panel.many(score_series(&label, hue, &rows, |row| row.rank as f64, settings.band));
    }
    if task != PAPERS_TASK || !settings.encoder.is_pretrained() {
        return Ok(panel);
    }
    for (method, hue) in PAIR {
        let mut at = Vec::new();
        for rank in settings.ranks.iter().map(|rank| rank.get()) {
            let of = |run: &AuthorsRun| run.method == authors_name(method) && run.rank == rank.to_string();
            at.push((rank as f64, authors::scores(AUTHORS.0, task, AUTHORS.1, of)?));
        }
        panel = panel.many(authors_series(method, hue, at, settings.band));
    }
    Ok(panel)
}
