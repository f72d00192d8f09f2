//! The figure: the dev score against the number of training examples.

use charts::{Axis, Figure, Lines, Series};
use lab::{Experiment, Results};

use super::FewShot;
use super::settings::{PAPERS, Settings};
use crate::adaptation::*;
use crate::palette;
use crate::reference::{ReferenceRow, read_reference, reference_points};

pub(super) fn figure(settings: &Settings, results: &Results) -> anyhow::Result<Figure> {
    let rows: Vec<RunRow> = results.read(FewShot::NAME)?;
    let reference = read_reference(results, FewShot::NAME)?;
    let tasks = distinct(&rows, |row| row.task.clone());
    let protocols = distinct(&rows, |row| row.protocol.clone());
    let (columns, width) = grid(tasks.len(), protocols.len());
    let mut figure = Figure::new("Few-shot fine-tuning: LoRA and Deep LoRA")
        .subtitle(settings.subtitle())
        .columns(columns)
        .panel_size(width, 310)
        .shared_legend();
    for protocol in protocols {
        for task in &tasks {
            let rows: Vec<&RunRow> = rows.iter().filter(|row| row.protocol == protocol && row.task == *task).collect();
            if let Some(first) = rows.first() {
                let title = format!("{task}, {}", in_title(&protocol, settings.step_size));
                figure = figure.panel(panel(title, &first.metric, &rows, settings, &reference, task == "stsb"));
            }
        }
    }
    Ok(figure)
}

fn in_title(protocol: &str, step_size: f64) -> String {
    if protocol == PAPERS { format!("{protocol} {step_size:e}") } else { format!("{protocol} per n") }
}

fn panel(
    title: String,
    metric: &str,
    rows: &[&RunRow],
    settings: &Settings,
    reference: &[ReferenceRow],
    is_papers_task: bool,
) -> Lines {
    let ticks = settings.examples.iter().map(|&n| n as f64);
    let x = Axis::log("training examples n").ticks(ticks);
    let mut panel = Lines::new(title).x(x).y(Axis::linear(metric_label(metric)));
    for &name in &settings.methods.names {
        let method = settings.methods.method(name, settings.methods.rank).label();
        let hue = palette::method(name);
        let points = rows.iter().filter(|row| row.method == method);
        let curve = banded(scored(points.copied(), |row| row.examples as f64));
        if !curve.mean.is_empty() {
            panel = panel.series(Series::new(method, curve.mean).band(curve.band).hue(hue).markers());
        }
        let reported = reference_points(reference, method, metric);
        if is_papers_task && settings.encoder.is_pretrained() && !reported.is_empty() {
            panel = panel.series(Series::new(format!("{method}, paper (BERT-base)"), reported).hue(hue).paper());
        }
    }
    panel
}
