//! Recovery error and iterations against the width, with the paper's values.

use charts::{Axis, Edge, Figure, Lines, Series};

use lab::statistics::mean;

use super::settings::DepthSettings;
use super::{Row, Settings, iterations_to_tolerance, recovery_errors};
use crate::label::number;
use crate::matrix::mean_series;
use crate::palette;
use crate::reference::{ReferenceRow, reference_points};
use crate::statements::points;

pub(super) fn figure(settings: &Settings, rows: &[Row], targets: &[Row], reference: &[ReferenceRow]) -> Figure {
    let panel = |title: &str, y: &str| Lines::new(title).x(Axis::counts("width")).y(Axis::linear(y).include(0.0));
    // Depth 2 is slow for reasons of its own where it overfits; the paper shows the deepest network's iterations only.
    let deepest = settings.depths.iter().map(|case| *case.depth).max().unwrap_or_default();
    let mut errors = panel("Recovery error", "recovery error");
    let mut iterations = panel(&format!("Iterations to tolerance, depth {deepest}"), "iterations");
    for DepthSettings { depth, step_size } in &settings.depths {
        let hue = palette::depth(**depth);
        let ours = |points| mean_series(format!("depth {depth}, η = {}", number(**step_size)), hue, points);
        let paper = |quantity: &str| {
            let mut points = reference_points(reference, &format!("depth {depth}"), quantity);
            if quantity == "iterations" {
                // They count the record at the start too.
                points.iter_mut().for_each(|point| point.1 -= *settings.schedule.record_every as f64);
            }
            (settings.as_in_the_paper() && !points.is_empty())
                .then(|| Series::new(format!("depth {depth}, paper"), points).hue(hue).paper())
        };
        errors = errors.series(ours(points(&recovery_errors(rows, **depth)))).many(paper("recovery_error"));
        if **depth == deepest {
            let lost = rows.iter().filter(|row| row.depth == **depth && !row.converged);
            let lost: Vec<f64> = lost.map(|row| row.width as f64).collect();
            let series =
                ours(points(&iterations_to_tolerance(rows, **depth))).failed(lost, Edge::Top, "tolerance not met");
            iterations = iterations.series(series).many(paper("iterations"));
        }
    }
    Figure::new("Completion by deep factorizations of any width")
        .subtitle(settings.subtitle())
        .columns(3)
        .panel(errors)
        .panel(iterations)
        .panel(by_target(settings, rows, targets))
        .shared_legend()
}

/// The errors of the shallowest networks on other targets, smallest first, and the figure's target among them.
fn by_target(settings: &Settings, rows: &[Row], targets: &[Row]) -> Lines {
    let depth = settings.depths.iter().map(|case| *case.depth).min().unwrap_or_default();
    let width = settings.other_targets.widths.iter().map(|width| **width).max().unwrap_or_default();
    let at = |rows: &[Row]| -> Vec<f64> {
        recovery_errors(rows, depth).iter().filter(|run| run.1 == width as f64).map(|run| run.2).collect()
    };
    let mut errors = at(targets);
    errors.sort_by(f64::total_cmp);
    let points: Vec<_> = errors.iter().enumerate().map(|(i, error)| (i as f64 + 1.0, *error)).collect();
    let label = format!("depth {depth}, other targets");
    let panel = Lines::new(format!("Other targets, depth {depth}, width {width}"))
        .x(Axis::counts("target, by its error"))
        .y(Axis::linear("recovery error").include(0.0))
        .series(Series::new(label, points).hue(palette::depth(depth)).scatter());
    match mean(&at(rows)) {
        Some(level) => panel.reference(level, "the target of the left panel"),
        None => panel,
    }
}
