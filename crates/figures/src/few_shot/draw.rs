//! The figure: scores, training losses and differences against the number of training examples.

use charts::{Axis, Figure, Lines, Panel, SharedY};
use lab::{Experiment, Results};

use super::FewShot;
use super::settings::Settings;
use crate::adaptation::*;
use crate::authors;

/// The authors' name of the experiment.
const AUTHORS: &str = "stsb_fewshot";

/// One column of the figure: a task and a protocol.
struct Place<'a> {
    title: String,
    task: String,
    rows: Vec<&'a RunRow>,
    differences: Vec<Difference>,
}

pub(super) fn figure(settings: &Settings, results: &Results) -> anyhow::Result<Figure> {
    let rows: Vec<RunRow> = results.read(FewShot::NAME)?;
    let methods = settings.drawn();
    let is_drawn = |row: &RunRow| methods.iter().any(|(method, _)| *method == row.method);
    let drawn: Vec<RunRow> = rows.into_iter().filter(is_drawn).collect();
    let places = places(settings, &drawn)?;
    let differences = difference_axis("difference of scores", places.iter().flat_map(|place| &place.differences));
    let mut figure = Figure::new("Few-shot fine-tuning: LoRA and Deep LoRA")
        .subtitle(format!("{}{}", settings.subtitle(), what_failed(&drawn)))
        .shared_legend();
    // One place is one row; of several, each is a column, so that what is compared stands side by side.
    figure = match places.len() {
        1 => figure.columns(3).panel_size(400, 310),
        columns => figure.columns(columns).panel_size(340, 300).shared_y(SharedY::Rows),
    };
    let x = || Axis::log("training examples n").ticks(settings.examples.iter().map(|n| n.get() as f64));
    let mut panels: Vec<Panel> = Vec::new();
    for place in &places {
        panels.push(score_panel(place, settings)?.x(x()).into());
    }
    for place in &places {
        panels.push(loss_panel(place, settings).x(x()).into());
    }
    for place in &places {
        panels.push(difference_panel(&place.title, &place.differences, differences.clone(), 3).into());
    }
    Ok(figure.panels(panels))
}

fn places<'a>(settings: &Settings, rows: &'a [RunRow]) -> anyhow::Result<Vec<Place<'a>>> {
    let mut places = Vec::new();
    let mut found = distinct(rows, |row| (row.task.clone(), row.protocol.clone()));
    found.sort_by_key(|(task, _)| settings.tasks.iter().position(|other| other == task));
    for (task, protocol) in found {
        let rows = at(rows, &protocol, &task);
        let mut differences = Vec::new();
        for n in distinct(&rows, |row| row.examples) {
            let compared = Compared::of(rows.iter().copied().filter(|row| row.examples == n));
            let theirs = if settings.shows_paper(&task) { authors::difference(AUTHORS, &task, n)? } else { None };
            differences.push(Difference { name: format!("n = {n}"), here: compared.difference(), theirs });
        }
        let title = format!("{task}, {protocol}");
        places.push(Place { title, task, rows, differences });
    }
    Ok(places)
}

fn of_method<'a>(place: &Place<'a>, method: &str) -> Vec<&'a RunRow> {
    place.rows.iter().copied().filter(|row| row.method == method).collect()
}

fn score_panel(place: &Place<'_>, settings: &Settings) -> anyhow::Result<Lines> {
    let metric = place.rows.first().map_or("", |row| &row.metric);
    let mut panel = Lines::new(&place.title).y(Axis::linear(metric_label(metric)));
    for (method, hue) in settings.drawn() {
        let series = score_series(method, hue, &of_method(place, method), |row| row.examples as f64, settings.band);
        panel = panel.many(series);
    }
    for (method, hue) in PAIR.into_iter().filter(|_| settings.shows_paper(&place.task)) {
        let mut at = Vec::new();
        for n in settings.examples.iter().map(|n| n.get()) {
            let of = |run: &authors::AuthorsRun| run.method == authors_name(method);
            at.push((n as f64, authors::scores(AUTHORS, &place.task, n, of)?));
        }
        panel = panel.many(authors_series(method, hue, at, settings.band));
    }
    Ok(panel)
}

fn loss_panel(place: &Place<'_>, settings: &Settings) -> Lines {
    let series =
        |(method, hue)| loss_series(method, hue, &of_method(place, method), |row| row.examples as f64, settings.band);
    Lines::new(&place.title)
        .y(Axis::log("training loss at the end"))
        .many(settings.drawn().into_iter().filter_map(series))
}
