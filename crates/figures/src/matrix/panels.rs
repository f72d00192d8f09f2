//! The three panels of a comparison: trajectories, a recorded quantity against iterations, and against time.

use charts::{Axis, Curve, Figure, Lines, Series, Trajectory};
use lab::Results;

use super::{Compared, CurveRow, TimingRow, TrajectoryRow, against_time, banded, path};
use crate::summary::Averaged;

/// The panels, to be added to before they become a figure.
pub struct ComparisonPanels {
    paths: Trajectory,
    /// The quantity against iterations.
    pub by_iteration: Lines,
    by_time: Lines,
}

impl ComparisonPanels {
    /// Draws `networks` from the tables of the experiment `name`: their trajectories within the last `records` records of the
    /// original, and the recorded `value`, called `quantity` ("Training loss").
    pub fn new(
        results: &Results,
        name: &str,
        networks: &[Compared],
        records: usize,
        quantity: &str,
        value: fn(&CurveRow) -> Option<f64>,
    ) -> anyhow::Result<Self> {
        let curves: Vec<CurveRow> = results.read(name)?;
        let clock: Vec<TimingRow> = results.read(&format!("{name}.timing"))?;
        let trajectory: Vec<TrajectoryRow> = results.read(&format!("{name}.trajectory"))?;

        let title = format!("End-to-end product, last {records} records");
        let mut paths = Trajectory::new(title).axes("PC 1", "PC 2", "PC 3");
        let lines = |title: String, x| Lines::new(title).x(x).y(Axis::log(quantity.to_lowercase()));
        let mut by_iteration = lines(format!("{quantity} against iterations"), Axis::linear("iteration t"));
        let mut by_time = lines(format!("{quantity} against time, first trial"), Axis::log("time with set-up (s)"));
        for network in networks {
            let (name, hue) = (network.name.as_str(), network.hue);
            let curve = Curve::new(name, path(&trajectory, name)).hue(hue);
            paths = paths.curve(if network.is_original() { curve.wide() } else { curve.dashed() });
            // The looks of the trajectories: the original wide, so that what follows it can be seen on it.
            let looks = |series: Series| match network.is_original() {
                true => series.hue(hue).width(5.0).opacity(0.4),
                false => series.hue(hue).dashed(),
            };
            let Averaged { mean, band } = banded(&curves, name, value);
            by_iteration = by_iteration.series(looks(Series::new(name, mean).band(band)));
            by_time = by_time.series(looks(Series::new(name, against_time(&curves, &clock, name, value))));
        }
        Ok(Self { paths, by_iteration, by_time })
    }

    /// The figure of the three panels.
    pub fn figure(self, title: &str, subtitle: String) -> Figure {
        Figure::new(title)
            .subtitle(subtitle)
            .columns(3)
            .panel(self.paths)
            .panel(self.by_iteration)
            .panel(self.by_time)
            .shared_legend()
    }
}
