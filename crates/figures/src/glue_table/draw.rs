//! The figure: scores on the tasks that were run, and the differences of the methods.

use charts::{Axis, Bars, Figure, Histogram, Hue};
use lab::statistics::{Estimate, mean};

use super::rows::{NOT_RUN, Row};
use super::{Settings, of_task};
use crate::adaptation::*;
use crate::{authors, palette};

/// The authors' name of the experiment, and their number of examples.
const AUTHORS: (&str, usize) = ("glue_fewshot_1024", 1024);

pub(super) fn figure(settings: &Settings, rows: &[Row], runs: &[RunRow]) -> anyhow::Result<Figure> {
    let tasks = distinct(runs, |run| run.task.clone());
    let sets = differences(settings, &tasks, runs)?;
    let axis = difference_axis("difference in points", &sets);
    let place = settings.subtitle("paper: Section 5, table of GLUE");
    Ok(Figure::new("GLUE with few examples: LoRA and Deep LoRA")
        .subtitle(format!("{place}{}{}", absent(rows), what_failed(runs)))
        .columns(3)
        .panel_size(430, 340)
        .shared_legend()
        .panel(scores(settings, &tasks, runs)?)
        .panel(losses(settings, &tasks, runs))
        .panel(difference_panel("Deep LoRA against LoRA", &tasks, &sets, axis, 1)))
}

/// Which tasks are not in the figure, after a semicolon; empty if all are.
fn absent(rows: &[Row]) -> String {
    let of = |status: &str| -> Vec<String> {
        distinct(&rows.iter().filter(|row| row.status == status).collect::<Vec<_>>(), |row| row.task.clone())
    };
    let absent = of(NOT_RUN);
    if absent.is_empty() { String::new() } else { format!("; no data: {}", absent.join(", ")) }
}

fn differences(settings: &Settings, tasks: &[String], runs: &[RunRow]) -> anyhow::Result<Vec<Differences>> {
    let of = |contrast: (&str, &str)| {
        let at = |task: &String| {
            let percent: Vec<RunRow> = of_task(runs, task).into_iter().map(RunRow::in_percent).collect();
            Compared::between(&percent, contrast).difference()
        };
        tasks.iter().map(at).collect::<Vec<Option<Estimate>>>()
    };
    let mut sets = Vec::new();
    for contrast in [(DEEP_LORA, LORA), (DEEP_LORA, LORA_PEFT)] {
        let hue = if contrast.1 == LORA { palette::DEEP_LORA } else { palette::method(MethodName::LoraPeft) };
        sets.push(Differences::here(format!("{} − {}", contrast.0, contrast.1), hue, of(contrast)));
    }
    if settings.encoder.is_pretrained() {
        let theirs: anyhow::Result<Vec<_>> =
            tasks.iter().map(|task| authors::difference_in_points(AUTHORS.0, task, AUTHORS.1)).collect();
        sets.push(Differences::of_authors(theirs?));
    }
    Ok(sets)
}

/// The scores of all methods on every task, the paper's hollow.
fn scores(settings: &Settings, tasks: &[String], runs: &[RunRow]) -> anyhow::Result<Histogram> {
    let mut panel = Histogram::new("Dev scores").categories(tasks).y(Axis::linear("Pearson, Matthews or accuracy (%)"));
    for name in &settings.methods.names {
        let here = |task: &String| -> Vec<f64> {
            let runs = of_task(runs, task).into_iter().filter(|run| run.method == name.label());
            runs.map(|run| 100.0 * run.counted()).collect()
        };
        panel = panel.bars(bars(name.label(), name.hue(), &tasks.iter().map(here).collect::<Vec<_>>(), settings.band));
        if !settings.encoder.is_pretrained() || ![MethodName::Lora, MethodName::DeepLora].contains(name) {
            continue;
        }
        let mut theirs = Vec::new();
        for task in tasks {
            let is_of = |run: &authors::AuthorsRun| run.method == authors_name(name.label());
            let scores = authors::scores(AUTHORS.0, task, AUTHORS.1, is_of)?;
            theirs.push(scores.into_iter().map(|score| 100.0 * score).collect::<Vec<_>>());
        }
        if theirs.iter().all(Vec::is_empty) {
            continue;
        }
        let label = format!("{}, {PAPER}", name.label());
        panel = panel.bars(bars(&label, name.hue(), &theirs, settings.band).paper());
    }
    Ok(panel)
}

/// The training losses of all methods at the end, as shares of the best constant's.
fn losses(settings: &Settings, tasks: &[String], runs: &[RunRow]) -> Histogram {
    let panel =
        Histogram::new("Training loss at the end").categories(tasks).y(Axis::linear("% of the best constant's"));
    settings.methods.names.iter().fold(panel, |panel, name| {
        let of = |task: &String| -> Vec<f64> {
            let runs = of_task(runs, task).into_iter().filter(|run| run.method == name.label());
            runs.map(|run| 100.0 * run.training_loss / run.constant_loss).collect()
        };
        panel.bars(bars(name.label(), name.hue(), &tasks.iter().map(of).collect::<Vec<_>>(), settings.band))
    })
}

/// A bar for the mean of each group of values, with what is around it; none for an empty group.
fn bars(label: &str, hue: Hue, groups: &[Vec<f64>], band: Band) -> Bars {
    let means: Vec<f64> = groups.iter().map(|values| mean(values).unwrap_or(f64::NAN)).collect();
    let around = |values: &Vec<f64>| band.around(values).unwrap_or((f64::NAN, f64::NAN));
    Bars::new(label, means).errors(groups.iter().map(around).collect::<Vec<_>>()).hue(hue)
}
