//! Iterations and time to tolerance against the rank guess, with the paper's values.

use charts::{Axis, Edge, Figure, Lines, Series};

use super::rows::{Row, Timing, iterations_of, seconds_of};
use super::{Kind, Settings};
use crate::matrix::mean_series;
use crate::reference::{ReferenceRow, reference_points};
use crate::statements::points;

pub(super) fn figure(settings: &Settings, rows: &[Row], clocks: &[Timing], reference: &[ReferenceRow]) -> Figure {
    let panel = |title: &str, y: &str| {
        let x = Axis::linear("rank guess r̂").ticks(settings.rank_guesses.iter().map(|rank| **rank as f64));
        Lines::new(title).x(x).y(Axis::linear(y).include(0.0))
    };
    let mut iterations = panel("Iterations to tolerance", "iterations");
    let mut time = panel("Time to tolerance (paper: on a GPU)", "time with set-up (s)");
    for kind in Kind::ALL {
        let lost: Vec<f64> = lost(rows, kind).collect();
        let ours =
            |points| mean_series(kind.name(), kind.hue(), points).failed(lost.clone(), Edge::Top, "tolerance not met");
        let paper = |quantity: &str| {
            let points = kind.reported().map(|series| reference_points(reference, series, quantity));
            let points = points.filter(|points| settings.as_in_the_paper() && !points.is_empty());
            points.map(|points| Series::new(format!("{}, paper", kind.name()), points).hue(kind.hue()).paper())
        };
        iterations = iterations.series(ours(points(&iterations_of(rows, kind)))).many(paper("iterations"));
        time = time.series(ours(points(&seconds_of(rows, clocks, kind)))).many(paper("gpu_seconds"));
    }
    Figure::new("Networks as small as the rank guess allows")
        .subtitle(settings.subtitle())
        .panel_size(460, 320)
        .panel(iterations)
        .panel(time)
        .shared_legend()
}

/// The rank guesses of the runs of one network that did not meet the tolerance.
fn lost(rows: &[Row], kind: Kind) -> impl Iterator<Item = f64> {
    let rows = rows.iter().filter(move |row| row.network == kind.name() && !row.converged);
    rows.map(|row| row.rank_guess as f64)
}
