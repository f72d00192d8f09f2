//! Training loss and relative error, each against iterations and against seconds.

use charts::{Axis, Figure, Lines, Series, SharedY};

use super::rows::{Row, curves};
use super::settings::{ORIGINAL, Settings};
use crate::matrix::{CurveRow, TimingRow, against_time, banded};

/// A recorded quantity: its name, and how it is read from a row.
type Quantity = (&'static str, fn(&CurveRow) -> Option<f64>);

const QUANTITIES: [Quantity; 2] =
    [("Training loss", |row| Some(row.training_loss)), ("Relative error", |row| row.recovery_error)];

pub(super) fn figure(settings: &Settings, rows: &[Row], clock: &[TimingRow]) -> Figure {
    let curves = curves(rows);
    let panels = QUANTITIES.into_iter().flat_map(|quantity| panels(settings, &curves, clock, quantity));
    Figure::new("Sensing: the original network and compressed ones")
        .subtitle(settings.subtitle())
        .columns(2)
        .panel_size(480, 320)
        .panels(panels)
        .shared_y(SharedY::Rows)
        .shared_legend()
}

/// The panels of one quantity.
fn panels(settings: &Settings, rows: &[CurveRow], clock: &[TimingRow], (name, value): Quantity) -> [Lines; 2] {
    let lines = |title: String, x| Lines::new(title).x(x).y(Axis::log(name.to_lowercase()));
    let mut by_iteration = lines(format!("{name} against iterations"), Axis::counts("iteration t"));
    let mut by_time = lines(format!("{name} against time, first trial"), Axis::log("time with set-up (s)"));
    for network in settings.networks() {
        // The original wide, so that what runs on it can be seen.
        let looks = |series: Series| match network.name == ORIGINAL {
            true => series.hue(network.hue).width(5.0).opacity(0.4),
            false => series.hue(network.hue).dashed(),
        };
        let averaged = banded(rows, &network.name, value);
        by_iteration = by_iteration.series(looks(Series::new(&*network.name, averaged.mean).band(averaged.band)));
        by_time = by_time.series(looks(Series::new(&*network.name, against_time(rows, clock, &network.name, value))));
    }
    [by_iteration, by_time]
}
