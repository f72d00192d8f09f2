//! The figure: the dev score against the step size.

use charts::{Axis, Figure, Hue, Legend, Lines, Series, SharedY, significant};

use super::Settings;
use crate::adaptation::*;
use crate::summary::averaged;

pub(super) fn figure(settings: &Settings, rows: &[RunRow]) -> Figure {
    let tasks = distinct(rows, |row| row.task.clone());
    let mut figure = Figure::new("How much the score depends on the step size")
        .subtitle(format!("{}{}", settings.subtitle("not in the paper"), what_failed(rows)))
        .columns(settings.examples().len().max(1))
        .panel_size(460, 320)
        .shared_y(SharedY::All);
    for task in &tasks {
        for n in distinct(rows, |row| row.examples) {
            let rows: Vec<&RunRow> = rows.iter().filter(|row| row.task == *task && row.examples == n).collect();
            if let Some(first) = rows.first() {
                let panel = Lines::new(format!("{task}, n = {n}"))
                    .x(Axis::log("step size η"))
                    .y(Axis::linear(metric_label(&first.metric)).include(0.0))
                    .legend(Legend::Below);
                let methods = settings.methods.hues();
                figure =
                    figure.panel(panel.many(methods.iter().filter_map(|method| series(&rows, method, settings.band))));
            }
        }
    }
    figure
}

/// A method's scores, with the step size of the best mean in the legend.
fn series(rows: &[&RunRow], &(method, hue): &(&str, Hue), band: Band) -> Option<Series> {
    let rows: Vec<&RunRow> = rows.iter().copied().filter(|row| row.method == method).collect();
    let label = best(&rows).map_or_else(|| method.to_owned(), |best| format!("{method}, best at η = {best}"));
    score_series(&label, hue, &rows, |row| row.step_size, band)
}

/// The step size of the best mean score, in words; `None` without scores.
fn best(rows: &[&RunRow]) -> Option<String> {
    let has_score = |at: f64| rows.iter().any(|row| row.step_size == at && row.score.is_some());
    let means = averaged(rows.iter().map(|row| (row.step_size, row.counted()))).mean;
    let best = means.into_iter().filter(|&(at, _)| has_score(at)).max_by(|a, b| a.1.total_cmp(&b.1));
    best.map(|(step_size, _)| significant(step_size, 1))
}
