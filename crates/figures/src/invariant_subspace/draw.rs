//! What the theorem says is zero, and what it says is equal, along the iterations of every case.

use charts::{Axis, Figure, Lines, Series};

use super::Settings;
use crate::matrix::{BlockRow, DistanceRow, Points, largest_by_iteration};
use crate::palette;

pub(super) fn figure(settings: &Settings, blocks: &[BlockRow], distances: &[DistanceRow]) -> Figure {
    let names = settings.names();
    let block = |value: fn(&BlockRow) -> Option<f64>| largest_by_iteration(&names, blocks, value).into_iter();
    let distance = |value: fn(&DistanceRow) -> Option<f64>| largest_by_iteration(&names, distances, value).into_iter();
    let line = |(case, points): (usize, Points)| {
        let series = Series::new(names[case], points).hue(palette::case(case));
        // Colours begin again after so many cases.
        if case < palette::CASES.len() { series } else { series.dashed() }
    };
    let shade =
        |(case, points): (usize, Points)| Series::new("", points).hue(palette::case(case)).width(6.0).opacity(0.35);
    let panel = |title: &str, y: Axis| Lines::new(title).x(Axis::log("iteration")).y(y);
    // From rounding to one: the panels of relative quantities can be compared.
    let relative = |label: &str| Axis::log(label).include(1e-16).include(10.0);
    Figure::new("The invariant subspace of the learning dynamics")
        .subtitle(settings.subtitle())
        .panel(
            panel("Distance from the block form", relative("block residual / norm of the factor"))
                .many(block(|row| Some(row.block_residual)).map(line)),
        )
        .panel(
            panel("ρ against its recursion (gradient descent)", relative("relative difference"))
                .many(block(BlockRow::rho_error).map(line)),
        )
        .panel(
            panel("Original against compressed", Axis::log("wide: distance; thin: √m ∏ρ"))
                .many(distance(|row| Some(row.distance)).map(shade))
                .many(distance(|row| Some(row.predicted())).map(line)),
        )
        .panel(
            panel("That distance against √m ∏ρ", relative("relative difference"))
                .many(distance(|row| Some(row.error())).map(line)),
        )
        .shared_legend()
}
