//! Errors of all methods, errors along training, and errors against seconds; a row of panels for each data set.

use charts::{Axis, DotSet, Dots, Figure, Hue, Lines, Series};
use lab::statistics::{Estimate, mean, paired};

use super::Settings;
use super::method::{ALS, BIASES, MEAN, NetworkName, SOFT_IMPUTE, network_label};
use super::rows::{CurveRow, Row, TimingRow, data, methods, test_errors};
use crate::palette;

pub(super) fn figure(settings: &Settings, rows: &[Row], curves: &[CurveRow], timing: &[TimingRow]) -> Figure {
    let figure = Figure::new("Compressed completion of real ratings, beside the usual methods");
    data(rows).iter().fold(figure.subtitle(settings.subtitle()).columns(3).panel_size(430, 380), |figure, data| {
        figure.panel(errors(rows, data)).panel(along(curves, data)).panel(against_seconds(rows, timing, data))
    })
}

/// The colour of a method; networks have that of their figures.
fn hue(method: &str) -> Hue {
    match method {
        MEAN => Hue::Silver,
        BIASES => Hue::Grey,
        ALS => Hue::Ultramarine,
        SOFT_IMPUTE => Hue::Black,
        network => {
            let is = |name: &&NetworkName| network.split(", L").next() == Some(name.label());
            NetworkName::ALL.iter().find(is).map_or(palette::COMPRESSED, |name| name.hue())
        }
    }
}

/// How much every method's error is above that of the compressed network, paired by split; its own error as text.
fn errors(rows: &[Row], data: &str) -> Dots {
    let shown: Vec<String> = methods(rows, data).into_iter().filter(|method| method != MEAN).collect();
    let reference = network_label(NetworkName::Compressed, 3);
    let base = test_errors(rows, data, &reference);
    let (mut values, mut spans, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for method in &shown {
        let own = test_errors(rows, data, method);
        let estimate = Estimate::of(&paired(&own, &base));
        values.push(estimate.map_or(f64::NAN, |estimate| estimate.mean));
        spans.push(estimate.and_then(|estimate| estimate.interval()).unwrap_or((f64::NAN, f64::NAN)));
        let own: Vec<f64> = own.into_iter().map(|(_, error)| error).collect();
        let some =
            if own.len() < base.len() { format!(" ({} of {} splits)", own.len(), base.len()) } else { String::new() };
        texts.push(mean(&own).map_or(String::new(), |mean| format!("{mean:.4}{some}")));
    }
    Dots::new(data)
        .rows(shown)
        .x(Axis::linear(format!("RMSE above that of {reference}; text: RMSE")))
        .reference(0.0, "")
        .set(
            DotSet::new("mean and 95 % interval over splits", values)
                .spans(spans)
                .texts(texts)
                .hue(palette::COMPRESSED),
        )
}

/// Validation errors of the chosen networks on the first split along training, from the biases' error down.
fn along(curves: &[CurveRow], data: &str) -> Lines {
    let shown = || curves.iter().filter(|row| row.data == data && row.trial == 0);
    let start = shown().map(|row| row.validation_rmse).next().unwrap_or(1.0);
    let least = shown().map(|row| row.validation_rmse).fold(start, f64::min);
    let margin = 0.2 * (start - least).max(1e-3);
    let panel = Lines::new("Validation error along training, first split")
        .x(Axis::counts("iteration"))
        .y(Axis::linear("root mean square error").range(least - margin, start + margin));
    let mut names: Vec<&str> = Vec::new();
    for row in shown() {
        if !names.contains(&row.method.as_str()) {
            names.push(&row.method);
        }
    }
    panel.many(names.into_iter().map(|name| {
        let of = shown().filter(|row| row.method == name);
        let curve: Vec<(f64, f64)> = of.map(|row| (row.iteration as f64, row.validation_rmse)).collect();
        let series = Series::new(name, curve).hue(hue(name));
        if name.ends_with("L = 2") { series.dashed() } else { series }
    }))
}

/// The error of every method against the time it took.
fn against_seconds(rows: &[Row], timing: &[TimingRow], data: &str) -> Lines {
    let panel = Lines::new("Error against time")
        .x(Axis::log("seconds, set-up included"))
        .y(Axis::linear("root mean square error"));
    let shown = methods(rows, data).into_iter().filter(|method| method != MEAN);
    panel.many(shown.map(|method| {
        let seconds = |trial: usize| {
            let of = |row: &&TimingRow| row.chosen && row.data == data && row.method == method && row.trial == trial;
            timing.iter().find(of).map(|row| row.seconds)
        };
        let points: Vec<(f64, f64)> = test_errors(rows, data, &method)
            .into_iter()
            .filter_map(|(trial, error)| Some((seconds(trial)?, error)))
            .collect();
        let series = Series::new(&method, points).hue(hue(&method)).scatter();
        if method.ends_with("L = 2") { series.marker(charts::Marker::Diamond) } else { series }
    }))
}
