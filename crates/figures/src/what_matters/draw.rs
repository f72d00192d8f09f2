//! The figure: scores, training losses, main effects, and the time to leave the origin.

use charts::{Axis, DotSet, Dots, Figure, Hue, Lines, Series};
use lab::statistics::{Estimate, median_line};
use lab::{Experiment, Results};

use super::WhatMatters;
use super::effects::EffectRow;
use super::escape_claims::points;
use super::escapes::EscapeRow;
use super::settings::Settings;
use crate::adaptation::*;

pub(super) fn figure(settings: &Settings, results: &Results) -> anyhow::Result<Figure> {
    let rows: Vec<RunRow> = results.read(WhatMatters::NAME)?;
    let effects: Vec<EffectRow> = results.read("what-matters.effects")?;
    let escapes: Vec<EscapeRow> = results.read("what-matters.escapes")?;
    let mut figure = Figure::new("What Deep LoRA's advantage rests on")
        .subtitle(format!(
            "{}{}",
            settings.subtitle_behind("not in the paper", "poolers and heads as named"),
            what_failed(&rows)
        ))
        .columns(2)
        .panel_size(700, 420)
        .shared_legend();
    for task in distinct(&rows, |row| row.task.clone()) {
        let rows: Vec<&RunRow> = rows.iter().filter(|row| row.task == task).collect();
        let effects: Vec<&EffectRow> = effects.iter().filter(|row| row.task == task).collect();
        let escapes: Vec<&EscapeRow> = escapes.iter().filter(|row| row.task == task).collect();
        let score = Axis::linear(metric_label(rows.first().map_or("", |row| &row.metric)));
        figure = figure
            .panel(levels(settings, format!("{task}: scores"), &rows, score, RunRow::counted))
            .panel(levels(
                settings,
                format!("{task}: training loss at the end"),
                &rows,
                Axis::log("training loss"),
                |row| row.training_loss,
            ))
            .panel(effect_panel(&task, &effects))
            .panel(escape_panel(settings, &task, &escapes));
    }
    Ok(figure)
}

/// Where runs stand: pooler and head, and ϵ where it is not the first.
fn conditions(settings: &Settings, rows: &[&RunRow]) -> Vec<(String, Vec<RunRow>)> {
    let first = *settings.experiment.epsilons[0];
    let name = |row: &RunRow| {
        if row.epsilon == first { row.head.clone() } else { format!("{}, ϵ = {:e}", row.head, row.epsilon) }
    };
    let of = |condition: String| {
        let here = rows.iter().filter(|row| name(row) == condition).map(|row| (*row).clone()).collect();
        (condition, here)
    };
    distinct(rows, |row| name(row)).into_iter().map(of).collect()
}

/// A quantity of every method under every condition: means with intervals.
fn levels(settings: &Settings, title: String, rows: &[&RunRow], axis: Axis, value: fn(&RunRow) -> f64) -> Dots {
    let conditions = conditions(settings, rows);
    let panel = Dots::new(title).rows(conditions.iter().map(|condition| condition.0.as_str())).x(axis);
    settings.methods.hues().into_iter().fold(panel, |panel, (method, hue)| {
        let of = |(_, rows): &(String, Vec<RunRow>)| {
            let rows = rows.iter().filter(|row| row.method == method && value(row).is_finite());
            Estimate::crossed(&rows.map(|row| (row.key(), value(row))).collect::<Vec<_>>())
        };
        panel.set(dots(method, hue, &conditions.iter().map(of).collect::<Vec<_>>()))
    })
}

fn dots(label: &str, hue: Hue, estimates: &[Option<Estimate>]) -> DotSet {
    let values: Vec<f64> = estimates.iter().map(|found| found.map_or(f64::NAN, |estimate| estimate.mean)).collect();
    let span = |found: &Option<Estimate>| found.and_then(|e| e.interval()).unwrap_or((f64::NAN, f64::NAN));
    DotSet::new(label, values).spans(estimates.iter().map(span).collect::<Vec<_>>()).hue(hue)
}

fn effect_panel(task: &str, effects: &[&EffectRow]) -> Dots {
    let values: Vec<f64> = effects.iter().map(|row| row.mean.unwrap_or(f64::NAN)).collect();
    let end = |end: Option<f64>| end.unwrap_or(f64::NAN);
    let spans: Vec<(f64, f64)> = effects.iter().map(|row| (end(row.low), end(row.high))).collect();
    let texts: Vec<String> = values.iter().map(|value| format!("{value:+.3}").replace('-', "−")).collect();
    Dots::new(format!("{task}: effects on the score"))
        .rows(effects.iter().map(|row| row.effect.as_str()))
        .x(Axis::linear("difference of scores").include(0.0))
        .set(DotSet::new("effect, 95 % interval", values).spans(spans).texts(texts).hue(Hue::Black))
        .reference(0.0, "")
}

/// The time to leave the origin of every update against the predicted one; on the line both are equal. The prediction is
/// proportional to ϵ, so runs with a smaller one are further to the left. The curves are lines, bent by the logarithmic axes.
fn escape_panel(settings: &Settings, task: &str, escapes: &[&EscapeRow]) -> Lines {
    let mut panel = Lines::new(format!("{task}: steps until ‖ΔW‖ > 1e-3, each dot one matrix of one run"))
        .x(Axis::log("predicted: ϵ / (η ε σ₁)"))
        .y(Axis::log("steps"));
    for (method, hue) in settings.methods.hues() {
        let of: Vec<&EscapeRow> = escapes.iter().filter(|row| row.method == method).copied().collect();
        let points = points(&of);
        if points.is_empty() {
            continue;
        }
        let line = line_of(&of, *settings.experiment.epsilons[0], &points);
        panel = panel.series(Series::new(format!("{method}: a matrix"), points).hue(hue).scatter().opacity(0.5));
        if let Some((label, line)) = line {
            panel = panel.series(Series::new(format!("{method}: {label}"), line).hue(hue));
        }
    }
    let predicted = escapes.iter().map(|row| row.predicted_steps).filter(|steps| steps.is_finite());
    let most = predicted.fold(1.0, f64::max);
    if most > 1.0 {
        panel = panel.series(Series::new("as predicted", vec![(1.0, 1.0), (most, most)]).hue(Hue::Grey).dashed());
    }
    panel
}

/// The line through all matrices at one ϵ, in words and at the places of all points.
fn line_of(rows: &[&EscapeRow], epsilon: f64, points_drawn: &[(f64, f64)]) -> Option<(String, Vec<(f64, f64)>)> {
    let at_epsilon: Vec<&EscapeRow> = rows.iter().filter(|row| row.epsilon == epsilon).copied().collect();
    let (intercept, slope) = median_line(&points(&at_epsilon))?;
    let mut places: Vec<f64> = points_drawn.iter().map(|point| point.0).collect();
    places.sort_by(f64::total_cmp);
    let line = places.into_iter().map(|x| (x, intercept + slope * x)).filter(|point| point.1 > 0.0).collect();
    Some((format!("{intercept:.0} + {slope:.1} × predicted"), line))
}
