//! The figure: training loss and dev score against the steps.

use charts::{Axis, Edge, Figure, Lines, Series, SharedY, significant};

use super::{NETWORKS, Settings};
use crate::adaptation::*;
use crate::authors::{self, AuthorsRun};

/// The authors' name of the experiment, and their number of examples.
const AUTHORS: (&str, usize) = ("stsb_fewshot_16_narrow_vs_wide", 16);

pub(super) fn figure(settings: &Settings, rows: &[RecordRow]) -> anyhow::Result<Figure> {
    let tasks = distinct(rows, |row| row.task.clone());
    let of = |task: &String| rows.iter().filter(|row| row.task == *task).collect::<Vec<&RecordRow>>();
    let steps = settings
        .methods
        .compressed_step_size
        .map_or(String::new(), |own| format!("; compressed: η = {}", significant(*own, 1)));
    let place = settings.subtitle("paper: Section 5, compressed against narrow");
    let mut figure = Figure::new("Full-width Deep LoRA, its compressed network, and a narrow one")
        .subtitle(format!("{place}{steps}{}", what_failed(rows)))
        .columns(if tasks.len() == 1 { 2 } else { tasks.len() })
        .panel_size(500, 340)
        .shared_legend();
    // A row of losses, each with a range of its own, and a row of scores; of one task, both are in one row.
    if tasks.len() > 1 {
        figure = figure.shared_y(SharedY::Rows);
    }
    for task in &tasks {
        figure = figure.panel(loss_panel(settings, task, &of(task)));
    }
    for task in &tasks {
        figure = figure.panel(score_panel(settings, task, &of(task))?);
    }
    Ok(figure)
}

/// What the subtitle says of runs that learned nothing, after a semicolon.
fn what_failed(rows: &[RecordRow]) -> String {
    let ends = ends(&rows.iter().collect::<Vec<_>>());
    match ends.iter().filter(|end| !end.is_trained()).count() {
        0 => String::new(),
        untrained => format!("; {untrained} of {} runs are not trained (marked ×)", ends.len()),
    }
}

/// The training loss of every network, its runs as thin lines.
fn loss_panel(settings: &Settings, task: &str, rows: &[&RecordRow]) -> Lines {
    // Seeds have different examples, and so different best constants.
    let constants: Vec<f64> = ends(rows).iter().map(|end| end.constant_loss).collect();
    let constant = lab::statistics::mean(&constants);
    let losses = || rows.iter().map(|row| row.training_loss).chain(constant);
    let (least, most) = (losses().fold(f64::INFINITY, f64::min), losses().fold(f64::NEG_INFINITY, f64::max));
    // The losses of two tasks are not compared, and a band in logarithms may reach far below every run.
    let y = Axis::log("training loss").range(least / 1.1, most * 1.1);
    let mut panel = Lines::new(format!("{task}: training loss")).x(Axis::counts("step")).y(y);
    for (method, name, hue) in NETWORKS {
        let rows: Vec<&RecordRow> = rows.iter().copied().filter(|row| row.method == method).collect();
        let ends = ends(&rows);
        let untrained: Vec<f64> = ends.iter().filter(|end| !end.is_trained()).map(|end| end.step as f64).collect();
        let points = rows.iter().map(|row| (row.key(), row.step as f64, row.training_loss));
        let mean = curve(name, points, settings.band).trials(Vec::new()).hue(hue);
        panel = panel.series(mean.failed(untrained, Edge::Top, "not trained"));
        for end in ends.iter().filter(|_| ends.len() > 1) {
            let run = rows.iter().filter(|row| row.key() == end.key());
            let line: Vec<(f64, f64)> = run.map(|row| (row.step as f64, row.training_loss)).collect();
            panel = panel.series(Series::new("", line).hue(hue).width(1.0).opacity(0.45));
        }
    }
    match constant {
        Some(constant) => panel.reference(constant, format!("best constant: {}", significant(constant, 2))),
        None => panel,
    }
}

fn score_panel(settings: &Settings, task: &str, rows: &[&RecordRow]) -> anyhow::Result<Lines> {
    let mut panel = Lines::new(format!("{task}: dev score"))
        .x(Axis::counts("step"))
        .y(Axis::linear(rows.first().map_or("", |row| metric_label(&row.metric))));
    let every = settings.training.evaluate_every.map_or(u64::MAX, |every| *every);
    let is_evaluated = |row: &&&RecordRow| row.step.is_multiple_of(every) || row.step == *settings.training.steps;
    for (method, name, hue) in NETWORKS {
        let of_network = || rows.iter().filter(|row| row.method == method);
        let points = of_network().filter_map(|row| Some((row.key(), row.step as f64, row.score?)));
        let series = curve(name, points, settings.band);
        let undefined = of_network().filter(is_evaluated).filter(|row| row.score.is_none());
        let undefined: Vec<f64> = undefined.map(|row| row.step as f64).collect();
        let series = series.hue(hue).markers();
        panel = panel.series(series.failed(undefined, Edge::Bottom, "constant predictions"));
        if task == PAPERS_TASK && settings.encoder.is_pretrained() {
            let end: Vec<(f64, f64)> =
                authors_scores(method)?.into_iter().map(|score| (AUTHORS_STEPS, score)).collect();
            let label = format!("{name}, {PAPER}, 1 seed");
            panel = panel.series(Series::new(label, end).hue(hue).scatter().paper());
        }
    }
    Ok(panel)
}

/// Steps of the authors' runs.
const AUTHORS_STEPS: f64 = 200.0;

/// The authors' scores of a method at the end.
fn authors_scores(method: &str) -> anyhow::Result<Vec<f64>> {
    let (rank, compressed) = match method {
        DEEP_LORA => ("full", "False"),
        COMPRESSED => ("8", "True"),
        _ => ("8", "False"),
    };
    let is_of = |run: &AuthorsRun| run.rank == rank && run.compressed == compressed;
    authors::scores(AUTHORS.0, PAPERS_TASK, AUTHORS.1, is_of)
}
