//! Recovery error and iterations against each factor: every trial a dot, so that one that fails is seen.

use charts::{Axis, Edge, Figure, Hue, Lines, Series, SharedY};
use lab::statistics::median;

use super::plan::{COMPRESSED, DEPTH, DISCREPANT_STEP, INIT_SCALE, OBSERVED_FRACTION, ORIGINAL, independent};
use super::{Row, Settings};
use crate::matrix::Law;
use crate::palette;
use crate::summary::grouped;

pub(super) fn figure(settings: &Settings, rows: &[Row]) -> Figure {
    let factors = factors(settings);
    let limit = *settings.schedule.max_iterations as f64;
    let errors = factors.iter().map(|factor| {
        // Zero has no place on the logarithmic axis of γ.
        let fixed = factor.medians(rows, COMPRESSED, recovery_error).into_iter().find(|point| point.0 == 0.0);
        let line = fixed.map(|(_, error)| (error, "compressed, γ = 0"));
        factor.panel(rows, factor.title, "recovery error", recovery_error, line)
    });
    let until_stopped = factors.iter().map(|factor| {
        let panel = factor.panel(rows, "", "iterations to tolerance", iterations, Some((limit, "limit")));
        panel.many(NETWORKS.map(|(network, hue)| factor.lost(rows, network).hue(hue)))
    });
    Figure::new("Original and compressed network, one factor at a time")
        .subtitle(settings.subtitle())
        .columns(factors.len())
        .panel_size(330, 290)
        .panels(errors)
        .panels(until_stopped)
        .shared_y(SharedY::Rows)
        .shared_legend()
}

/// Both networks with their hues.
const NETWORKS: [(&str, Hue); 2] = [(ORIGINAL, palette::ORIGINAL), (COMPRESSED, palette::COMPRESSED)];

/// The recovery error of a run.
fn recovery_error(row: &Row) -> f64 {
    row.recovery_error
}

/// The iterations of a run: all that there are if it did not meet the tolerance.
fn iterations(row: &Row) -> f64 {
    row.iterations as f64
}

/// A factor as its panels show it.
struct Factor {
    name: &'static str,
    title: &'static str,
    axis: Axis,
}

/// The factors, in the order of the panels.
fn factors(settings: &Settings) -> [Factor; 4] {
    let depths = settings.vary.depths.iter().map(|depth| *depth.depth as f64);
    [
        (DISCREPANT_STEP, "Discrepant step", Axis::log("discrepant step γ")),
        (OBSERVED_FRACTION, "Observed fraction", Axis::log("observed fraction p")),
        (INIT_SCALE, "Init scale", Axis::log("init scale ε")),
        (DEPTH, "Depth", Axis::linear("depth L").ticks(depths)),
    ]
    .map(|(name, title, axis)| Factor { name, title, axis })
}

impl Factor {
    /// The runs of one network at all values of this factor.
    fn of<'a>(&self, rows: &'a [Row], network: &str) -> impl Iterator<Item = &'a Row> {
        rows.iter().filter(move |row| row.factor == self.name && row.network == network)
    }

    /// The median over the trials of a quantity of one network, against this factor.
    fn medians(&self, rows: &[Row], network: &str, quantity: fn(&Row) -> f64) -> Vec<(f64, f64)> {
        let points = self.of(rows, network).map(|row| (row.value, quantity(row)));
        grouped(points).into_iter().filter_map(|(value, trials)| Some((value, median(trials)?))).collect()
    }

    /// Crosses for the runs of one network that did not meet the tolerance.
    fn lost(&self, rows: &[Row], network: &str) -> Series {
        let values = self.of(rows, network).filter(|row| !row.converged).map(|row| row.value);
        Series::new("", Vec::new()).failed(values.collect::<Vec<_>>(), Edge::Top, "tolerance not met")
    }

    fn panel(&self, rows: &[Row], title: &str, y: &str, quantity: fn(&Row) -> f64, line: Option<(f64, &str)>) -> Lines {
        let mut axis = Axis::log(y);
        if let Some((value, _)) = line {
            // Room for the label above the line.
            axis = axis.include(3.0 * value);
        }
        let mut lines = Lines::new(title).x(self.axis.clone()).y(axis);
        let laws = [(independent(Law::Normal), palette::case(1)), (independent(Law::Uniform), palette::case(2))];
        let shown = |network: &str| self.of(rows, network).next().is_some();
        for (network, hue) in NETWORKS.into_iter().chain(laws).filter(|(network, _)| shown(network)) {
            let trials: Vec<_> = self.of(rows, network).map(|row| (row.value, quantity(row))).collect();
            lines = lines.series(Series::new(network, self.medians(rows, network, quantity)).hue(hue).trials(trials));
        }
        line.into_iter().fold(lines, |lines, (value, label)| lines.reference(value, label))
    }
}
