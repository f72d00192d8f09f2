//! The figure: training loss, dev score, and the gap between training examples and dev against the steps.

use charts::{Axis, Figure, Lines, Panel, significant};
use lab::statistics::mean;

use super::Settings;
use crate::adaptation::*;

pub(super) fn figure(settings: &Settings, rows: &[RecordRow]) -> Figure {
    let mut panels: Vec<Panel> = Vec::new();
    // Runs that diverged at once have no record, and still a panel.
    let recorded = distinct(rows, |row| row.task.clone());
    for task in if recorded.is_empty() { settings.tasks.to_vec() } else { recorded } {
        let rows: Vec<&RecordRow> = rows.iter().filter(|row| row.task == task).collect();
        let metric = metric_label(rows.first().map_or("", |row| &row.metric));
        let losses = lines(settings, format!("{task}: training loss"), &rows, |row| Some(row.training_loss));
        let losses = losses.y(Axis::log("training loss"));
        panels.push(match mean(&rows.iter().map(|row| row.constant_loss).collect::<Vec<_>>()) {
            Some(constant) => losses.reference(constant, format!("best constant: {}", significant(constant, 2))).into(),
            None => losses.into(),
        });
        panels
            .push(lines(settings, format!("{task}: dev score"), &rows, |row| row.score).y(Axis::linear(metric)).into());
        let gap = |row: &RecordRow| Some(row.training_score? - row.score?);
        let gaps = lines(settings, format!("{task}: score on training minus dev"), &rows, gap);
        panels.push(gaps.y(Axis::linear("gap").include(0.0)).into());
    }
    Figure::new("How long to train: LoRA and Deep LoRA")
        .subtitle(settings.subtitle("not in the paper"))
        .columns(3)
        .panel_size(440, 340)
        .shared_legend()
        .panels(panels)
}

/// A quantity of all methods against the steps.
fn lines(settings: &Settings, title: String, rows: &[&RecordRow], value: fn(&RecordRow) -> Option<f64>) -> Lines {
    let of = |(method, hue)| {
        let rows = rows.iter().filter(|row| row.method == method);
        let points = rows.filter_map(|row| Some((row.key(), row.step as f64, value(row)?)));
        curve(method, points, settings.band).trials(Vec::new()).hue(hue)
    };
    let series: Vec<_> = settings.methods.hues().into_iter().map(of).collect();
    Lines::new(title).x(Axis::counts("step")).many(series)
}
