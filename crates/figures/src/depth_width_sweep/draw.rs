//! Recovery error and iterations against the width, with the paper's values.

use charts::{Axis, Edge, Figure, Lines, Series};

use super::settings::DepthSettings;
use super::{Row, Settings, iterations_to_tolerance, recovery_errors};
use crate::label::number;
use crate::matrix::mean_series;
use crate::palette;
use crate::reference::{ReferenceRow, reference_points};
use crate::statements::points;

pub(super) fn figure(settings: &Settings, rows: &[Row], reference: &[ReferenceRow]) -> Figure {
    let panel = |title: &str, y: &str| Lines::new(title).x(Axis::linear("width")).y(Axis::linear(y).include(0.0));
    // Depth 2 is slow for reasons of its own where it overfits; the paper shows the deepest network's iterations only.
    let deepest = settings.depths.iter().map(|case| *case.depth).max().unwrap_or_default();
    let mut errors = panel("Recovery error", "recovery error");
    let mut iterations = panel(&format!("Iterations to tolerance, depth {deepest}"), "iterations");
    for DepthSettings { depth, step_size } in &settings.depths {
        let hue = palette::depth(**depth);
        let ours = |points| mean_series(format!("depth {depth}, η = {}", number(**step_size)), hue, points);
        let paper = |quantity: &str| {
            let points = reference_points(reference, &format!("depth {depth}"), quantity);
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
        .panel(errors)
        .panel(iterations)
        .shared_legend()
}
