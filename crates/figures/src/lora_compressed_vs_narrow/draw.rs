//! The figure: training loss and dev score against the steps.

use charts::{Axis, Edge, Figure, Lines, Series, SharedY, significant};

use super::settings::{Settings, Twin};
use super::{Row, curve};
use crate::adaptation::{PAPER, PAPERS_TASK, UNKNOWN, distinct, is_trained, metric_label};
use crate::authors::{self, AuthorsRun};

/// The authors' name of the experiment, and their number of examples.
const AUTHORS: (&str, usize) = ("stsb_fewshot_16_narrow_vs_wide", 16);

pub(super) fn figure(settings: &Settings, rows: &[Row]) -> anyhow::Result<Figure> {
    let tasks = distinct(rows, |row| row.task.clone());
    let of = |task: &String| rows.iter().filter(|row| row.task == *task).collect::<Vec<&Row>>();
    let mut figure = Figure::new("Full-width Deep LoRA, its compressed twin, and a narrow one")
        .subtitle(format!("{}{}", settings.subtitle(), what_failed(rows)))
        .columns(if tasks.len() == 1 { 2 } else { tasks.len() })
        .panel_size(460, 310)
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

/// The last record of every run.
fn ends<'a>(rows: &[&'a Row]) -> Vec<&'a Row> {
    let runs = distinct(rows, |row| (&row.task, &row.network, row.trial));
    let last = |run: &(&String, &String, usize)| {
        rows.iter().copied().rfind(|row| (&row.task, &row.network, row.trial) == *run)
    };
    runs.iter().filter_map(last).collect()
}

/// Whether a run ends above the training loss of the best constant.
fn is_untrained(end: &Row) -> bool {
    !is_trained(end.training_loss, end.constant_loss)
}

/// What the subtitle says of runs that learned nothing, after a semicolon.
fn what_failed(rows: &[Row]) -> String {
    let ends = ends(&rows.iter().collect::<Vec<_>>());
    let untrained = ends.iter().filter(|end| is_untrained(end)).count();
    let mut text = String::new();
    if untrained > 0 {
        text += &format!("; {untrained} of {} runs are not trained (marked ×)", ends.len());
    }
    if ends.iter().any(|end| end.constant_loss.is_none()) {
        text += UNKNOWN;
    }
    text
}

/// The training loss of every network, its runs as thin lines.
fn loss_panel(settings: &Settings, task: &str, rows: &[&Row]) -> Lines {
    // Seeds have different examples, and so different best constants.
    let constants: Vec<f64> = ends(rows).iter().filter_map(|end| end.constant_loss).collect();
    let constant = lab::statistics::mean(&constants);
    let losses = || rows.iter().map(|row| row.training_loss).chain(constant);
    let (least, most) = (losses().fold(f64::INFINITY, f64::min), losses().fold(f64::NEG_INFINITY, f64::max));
    // The losses of two tasks are not compared, and a band in logarithms may reach far below every run.
    let y = Axis::log("training loss").range(least / 1.1, most * 1.1);
    let mut panel = Lines::new(format!("{task}: training loss")).x(Axis::linear("step")).y(y);
    for twin in Twin::ALL {
        let rows: Vec<&Row> = rows.iter().copied().filter(|row| row.network == twin.name()).collect();
        let loss = |rows: &[&Row]| curve(rows, twin, |row| Some(row.training_loss));
        let ends = ends(&rows);
        let untrained: Vec<f64> = ends.iter().filter(|end| is_untrained(end)).map(|end| end.step as f64).collect();
        let mean = crate::adaptation::curve(twin.name(), loss(&rows), settings.band).trials(Vec::new()).hue(twin.hue());
        panel = panel.series(mean.failed(untrained, Edge::Top, "not trained"));
        if ends.len() > 1 {
            for end in ends {
                let run: Vec<&Row> = rows.iter().copied().filter(|row| row.trial == end.trial).collect();
                panel = panel.series(Series::new("", loss(&run)).hue(twin.hue()).width(1.0).opacity(0.45));
            }
        }
    }
    match constant {
        Some(constant) => panel.reference(constant, format!("best constant: {}", significant(constant, 2))),
        None => panel,
    }
}

fn score_panel(settings: &Settings, task: &str, rows: &[&Row]) -> anyhow::Result<Lines> {
    let mut panel = Lines::new(format!("{task}: dev score"))
        .x(Axis::linear("step"))
        .y(Axis::linear(rows.first().map_or("", |row| metric_label(&row.metric))));
    let is_evaluated =
        |row: &&&Row| row.step.is_multiple_of(*settings.evaluate_every) || row.step == *settings.training.steps;
    for twin in Twin::ALL {
        let series = crate::adaptation::curve(twin.name(), curve(rows, twin, |row| row.score), settings.band);
        let of_twin = rows.iter().filter(|row| row.network == twin.name());
        let undefined = of_twin.filter(is_evaluated).filter(|row| row.score.is_none());
        let undefined: Vec<f64> = undefined.map(|row| row.step as f64).collect();
        let series = series.hue(twin.hue()).markers();
        panel = panel.series(series.failed(undefined, Edge::Bottom, "constant predictions"));
        if task == PAPERS_TASK && settings.encoder.is_pretrained() {
            let end: Vec<(f64, f64)> = authors_scores(twin)?.into_iter().map(|score| (AUTHORS_STEPS, score)).collect();
            let label = format!("{}, {PAPER}, 1 seed", twin.name());
            panel = panel.series(Series::new(label, end).hue(twin.hue()).scatter().paper());
        }
    }
    Ok(panel)
}

/// Steps of the authors' runs.
const AUTHORS_STEPS: f64 = 200.0;

/// The authors' scores of a network at the end.
fn authors_scores(twin: Twin) -> anyhow::Result<Vec<f64>> {
    authors::scores(AUTHORS.0, PAPERS_TASK, AUTHORS.1, |run: &AuthorsRun| {
        let is = |rank: &str, compressed: &str| run.rank == rank && run.compressed == compressed;
        match twin {
            Twin::Original => is("full", "False"),
            Twin::Compressed => is("8", "True"),
            Twin::Narrow => is("8", "False"),
        }
    })
}
