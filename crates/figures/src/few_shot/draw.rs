//! The figure: scores, training losses and differences against the number of training examples.

use charts::{Axis, Figure, Lines, Panel, SharedY, significant};
use lab::statistics::mean;
use lab::{Experiment, Results};

use super::{FewShot, Settings};
use crate::adaptation::*;
use crate::{authors, palette};

/// The authors' name of the experiment.
const AUTHORS: &str = "stsb_fewshot";

/// Least height of the panels.
const PANEL_HEIGHT: u32 = 340;
/// Of that, what a row of differences takes, and what is around all of them.
const ROW_HEIGHT: u32 = 24;
const AROUND_ROWS: u32 = 90;

pub(super) fn figure(settings: &Settings, results: &Results) -> anyhow::Result<Figure> {
    let rows: Vec<RunRow> = results.read(FewShot::NAME)?;
    let tasks = distinct(&rows, |row| row.task.clone());
    let of = |task: &String| rows.iter().filter(|row| row.task == *task).collect::<Vec<&RunRow>>();
    let differences =
        tasks.iter().map(|task| differences(settings, task, &of(task))).collect::<anyhow::Result<Vec<_>>>()?;
    let axis = difference_axis("difference of scores", differences.iter().flat_map(|of_task| &of_task.sets));
    let mut figure = Figure::new("Few-shot fine-tuning: LoRA and Deep LoRA")
        .subtitle(format!("{}{}", settings.subtitle("paper: Section 5, few-shot STS-B"), what_failed(&rows)))
        .shared_legend();
    // One task is one row; of several, each is a column, so that what is compared stands side by side.
    figure = match tasks.len() {
        1 => figure
            .columns(3)
            .panel_size(420, PANEL_HEIGHT.max(AROUND_ROWS + ROW_HEIGHT * differences[0].rows.len() as u32)),
        columns => figure.columns(columns).panel_size(420, 320).shared_y(SharedY::Rows),
    };
    let x = || Axis::log("training examples n").ticks(settings.examples().iter().map(|n| n.get() as f64));
    let mut panels: Vec<Panel> = Vec::new();
    for task in &tasks {
        panels.push(score_panel(task, &of(task), settings)?.x(x()).into());
    }
    for task in &tasks {
        panels.push(loss_panel(task, &of(task), settings).x(x()).into());
    }
    for (task, TasksDifferences { rows, sets }) in tasks.iter().zip(&differences) {
        panels.push(difference_panel(format!("{task}: differences"), rows, sets, axis.clone(), 3).into());
    }
    Ok(figure.panels(panels))
}

/// Whether the paper has values for a task.
fn shows_paper(settings: &Settings, task: &str) -> bool {
    task == PAPERS_TASK && settings.encoder.is_pretrained()
}

/// The differences of a task: a row for every n and pair of methods that was run, and the authors' where they have one.
struct TasksDifferences {
    rows: Vec<String>,
    sets: [Differences; 2],
}

fn differences(settings: &Settings, task: &str, rows: &[&RunRow]) -> anyhow::Result<TasksDifferences> {
    let sizes = distinct(rows, |row| row.examples);
    let methods = distinct(rows, |row| row.method.clone());
    let was_run = |method: &str| methods.iter().any(|run| run == method);
    let (mut names, mut here, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for &n in &sizes {
        let pairs = CONTRASTS.into_iter().filter(|(first, second)| was_run(first) && was_run(second));
        for (place, (first, second)) in pairs.enumerate() {
            // Rows are narrow: the narrow form goes by that word, and n stands before the first of its rows alone.
            let name = format!("{} − {second}", first.strip_prefix("Deep LoRA, ").unwrap_or(first));
            names.push(if sizes.len() > 1 && place == 0 { format!("n = {n}: {name}") } else { name });
            let of_size = rows.iter().copied().filter(|row| row.examples == n);
            here.push(Compared::between(of_size, (first, second)).difference());
            let is_authors = (first, second) == CONTRASTS[0] && shows_paper(settings, task);
            theirs.push(if is_authors { authors::difference(AUTHORS, task, n)? } else { None });
        }
    }
    let sets = [Differences::here("difference", palette::DEEP_LORA, here), Differences::of_authors(theirs)];
    Ok(TasksDifferences { rows: names, sets })
}

fn of_method<'a>(rows: &[&'a RunRow], method: &str) -> Vec<&'a RunRow> {
    rows.iter().copied().filter(|row| row.method == method).collect()
}

fn score_panel(task: &str, rows: &[&RunRow], settings: &Settings) -> anyhow::Result<Lines> {
    let mut panel =
        Lines::new(format!("{task}: scores")).y(Axis::linear(metric_label(rows.first().map_or("", |row| &row.metric))));
    for (method, hue) in settings.methods.hues() {
        let series = score_series(method, hue, &of_method(rows, method), |row| row.examples as f64, settings.band);
        panel = panel.many(series);
    }
    for name in [MethodName::Lora, MethodName::DeepLora].into_iter().filter(|_| shows_paper(settings, task)) {
        let mut at = Vec::new();
        for n in settings.examples().iter().map(|n| n.get()) {
            let of = |run: &authors::AuthorsRun| run.method == authors_name(name.label());
            at.push((n as f64, authors::scores(AUTHORS, task, n, of)?));
        }
        panel = panel.many(authors_series(name.label(), name.hue(), at, settings.band));
    }
    Ok(panel)
}

fn loss_panel(task: &str, rows: &[&RunRow], settings: &Settings) -> Lines {
    let x = |row: &RunRow| row.examples as f64;
    let hues = settings.methods.hues();
    let series = hues
        .into_iter()
        .filter_map(|(method, hue)| loss_series(method, hue, &of_method(rows, method), x, settings.band));
    let panel = Lines::new(format!("{task}: training losses")).y(Axis::log("training loss at the end")).many(series);
    match mean(&rows.iter().map(|row| row.constant_loss).collect::<Vec<_>>()) {
        Some(constant) => panel.reference(constant, format!("best constant: {}", significant(constant, 2))),
        None => panel,
    }
}
