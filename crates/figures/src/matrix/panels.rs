//! Panels of the matrix experiments: means over trials, and a comparison's trajectories and recorded quantity.

use charts::{Axis, Curve, Figure, Hue, Lines, Series, SharedY, Trajectory};
use lab::Results;

use super::{Compared, CurveRow, TimingRow, TrajectoryRow, against_time, banded, path};
use crate::summary::{Averaged, LEAST_BAND, averaged, grouped};

/// The most trials that are drawn as dots.
const MOST_DOTS: usize = 5;

/// The mean of y at every x with its 95 % interval, and the trials as dots where they are few. `points` are (x, y), one for
/// every trial.
pub fn mean_series(label: impl Into<String>, hue: Hue, points: Vec<(f64, f64)>) -> Series {
    let Averaged { mean, mut band } = averaged(points.iter().copied());
    let counts: Vec<usize> = grouped(points.iter().copied()).iter().map(|(_, values)| values.len()).collect();
    let dots = if counts.iter().all(|&trials| trials <= MOST_DOTS) { points } else { Vec::new() };
    let enough = |x: f64| mean.iter().zip(&counts).any(|(point, trials)| point.0 == x && *trials >= LEAST_BAND);
    band.retain(|interval| enough(interval.0));
    Series::new(label, mean).band(band).trials(dots).counts(counts).hue(hue).markers()
}

/// What a subtitle says about the trials behind [`mean_series`]: `of_means(5, "trials")`.
pub fn of_means(trials: usize, what: &str) -> String {
    match trials {
        1 => "1 trial".to_owned(),
        2 => format!("mean of 2 {what} (dots)"),
        LEAST_BAND..=MOST_DOTS => format!("mean and 95 % interval of {trials} {what} (dots)"),
        _ => format!("mean and 95 % interval of {trials} {what}"),
    }
}

/// The panels of a comparison, to be added to before they become a figure.
pub struct ComparisonPanels {
    paths: Trajectory,
    /// The quantity against iterations.
    pub by_iteration: Lines,
    by_time: Lines,
    /// The last recorded iteration of an original.
    last: f64,
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
        let mut by_iteration = lines(format!("{quantity} against iterations"), Axis::counts("iteration t"));
        let mut by_time = lines(format!("{quantity} against time, first trial"), Axis::log("time with set-up (s)"));
        let mut last = 0.0_f64;
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
            if let Some((iteration, _)) = mean.last().filter(|_| network.is_original()) {
                last = last.max(*iteration);
            }
            by_iteration = by_iteration.series(looks(Series::new(name, mean).band(band)));
            by_time = by_time.series(looks(Series::new(name, against_time(&curves, &clock, name, value))));
        }
        Ok(Self { paths, by_iteration, by_time, last })
    }

    /// The figure of these panels, with the last tenth of the original's iterations seen closer, and what follows shortly.
    pub fn figure(self, title: &str, subtitle: String) -> Figure {
        let mut figure = Figure::new(title)
            .subtitle(subtitle)
            .columns(2)
            .panel_size(480, 320)
            .panel(self.paths)
            .panel(self.by_iteration.clone());
        if self.last > 0.0 {
            let end = "The last tenth of the original's iterations";
            figure = figure.panel(self.by_iteration.zoom(end, 0.9 * self.last, 1.03 * self.last));
        }
        figure.panel(self.by_time).shared_y(SharedY::All).shared_legend()
    }
}
