//! The figure: scores on the tasks that were run, and the differences of the methods.

use charts::{Axis, Bars, Figure, Histogram, Hue, SharedY};
use lab::statistics::{Estimate, mean};

use super::rows::{NOT_RUN, Row};
use crate::adaptation::*;
use crate::authors;

/// The authors' name of the experiment, and their number of examples.
const AUTHORS: (&str, usize) = ("glue_fewshot_1024", 1024);

pub(super) fn figure(settings: &PairExperiment, rows: &[Row], runs: &[RunRow]) -> anyhow::Result<Figure> {
    let mut places = Vec::new();
    for protocol in &settings.protocols {
        places.push((protocol, differences(settings, &protocol.name, runs)?));
    }
    let axis = difference_axis("difference in points", places.iter().flat_map(|(_, differences)| differences));
    let mut figure = Figure::new("GLUE with few examples: LoRA and Deep LoRA")
        .subtitle(format!(
            "{}{}{}",
            settings.subtitle("paper: Section 5, table of GLUE"),
            absent(rows),
            what_failed(runs)
        ))
        .panel_size(500, 290)
        .shared_legend()
        .shared_y(SharedY::All);
    for (protocol, differences) in &places {
        let title = protocol.in_title_of_all();
        figure = figure.panel(scores(settings, protocol, runs)?).panel(difference_panel(
            title,
            differences,
            axis.clone(),
            1,
        ));
    }
    Ok(figure)
}

/// Which tasks are not in the figure, after a semicolon; empty if all are.
fn absent(rows: &[Row]) -> String {
    let of = |status: &str| -> Vec<String> {
        distinct(&rows.iter().filter(|row| row.status == status).collect::<Vec<_>>(), |row| row.task.clone())
    };
    let absent = of(NOT_RUN);
    if absent.is_empty() { String::new() } else { format!("; no data: {}", absent.join(", ")) }
}

fn tasks(runs: &[&RunRow]) -> Vec<String> {
    distinct(runs, |run| run.task.clone())
}

fn of_protocol<'a>(runs: &'a [RunRow], protocol: &str) -> Vec<&'a RunRow> {
    runs.iter().filter(|run| run.protocol == protocol).collect()
}

fn differences(settings: &PairExperiment, protocol: &str, runs: &[RunRow]) -> anyhow::Result<Vec<Difference>> {
    let mut differences = Vec::new();
    for task in tasks(&of_protocol(runs, protocol)) {
        let percent: Vec<RunRow> = at(runs, protocol, &task).into_iter().map(RunRow::in_percent).collect();
        let here: Option<Estimate> = Compared::of(&percent).difference();
        let theirs = match settings.encoder.is_pretrained() {
            true => authors::difference_in_points(AUTHORS.0, &task, AUTHORS.1)?,
            false => None,
        };
        differences.push(Difference { name: task, here, theirs });
    }
    Ok(differences)
}

/// The scores of both methods on every task, the paper's hollow.
fn scores(settings: &PairExperiment, protocol: &Protocol, runs: &[RunRow]) -> anyhow::Result<Histogram> {
    let runs = of_protocol(runs, &protocol.name);
    let tasks = tasks(&runs);
    let mut panel = Histogram::new(protocol.in_title_of_all())
        .categories(&tasks)
        .y(Axis::linear("Pearson, Matthews or accuracy (%)"));
    for (method, hue) in PAIR {
        let here = |task: &String| -> Vec<f64> {
            let runs = runs.iter().filter(|run| run.task == *task && run.method == method);
            runs.map(|run| 100.0 * run.counted()).collect()
        };
        panel = panel.bars(bars(method, hue, &tasks.iter().map(here).collect::<Vec<_>>(), settings.band));
        let mut theirs = Vec::new();
        for task in tasks.iter().filter(|_| settings.encoder.is_pretrained()) {
            let scores = authors::scores(AUTHORS.0, task, AUTHORS.1, |run| run.method == authors_name(method))?;
            theirs.push(scores.into_iter().map(|score| 100.0 * score).collect::<Vec<_>>());
        }
        if theirs.iter().any(|scores| !scores.is_empty()) {
            panel = panel.bars(bars(&format!("{method}, {PAPER}"), hue, &theirs, settings.band).paper());
        }
    }
    Ok(panel)
}

/// A bar for the mean of each group of values, with what is around it; none for an empty group.
fn bars(label: &str, hue: Hue, groups: &[Vec<f64>], band: Band) -> Bars {
    let means: Vec<f64> = groups.iter().map(|values| mean(values).unwrap_or(f64::NAN)).collect();
    let around = |values: &Vec<f64>| band.around(values).unwrap_or((f64::NAN, f64::NAN));
    Bars::new(label, means).errors(groups.iter().map(around).collect::<Vec<_>>()).hue(hue)
}
