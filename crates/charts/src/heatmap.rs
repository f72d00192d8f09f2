//! A matrix of values as coloured cells, with a colour bar.

use crate::axis::{Axis, Domain};
use crate::font::{self, Weight};
use crate::frame::{self, Frame};
use crate::path::Rect;
use crate::scene::{Align, Rgba, Scene, Text};
use crate::theme::{AXIS, AXIS_WIDTH, LABEL_EM, TICK_EM, TICK_LENGTH, viridis};
use crate::ticks::Ticks;

const BAR_WIDTH: f64 = 13.0;
const BAR_GAP: f64 = 12.0;
const BAR_STEPS: usize = 128;
const BAR_TICKS: usize = 7;

/// A panel of coloured cells, one for each entry of a matrix.
#[derive(Clone, Debug)]
pub struct Heatmap {
    title: String,
    values: Vec<Vec<f64>>,
    x: Axis,
    y: Axis,
    value: Axis,
}

impl Heatmap {
    /// `values[row][column]`, row 0 at the bottom. Entries that are not finite (on a log value axis: not positive) stay blank.
    pub fn new(title: impl Into<String>, values: impl Into<Vec<Vec<f64>>>) -> Self {
        let (x, y, value) = (Axis::linear(""), Axis::linear(""), Axis::linear(""));
        Self { title: title.into(), values: values.into(), x, y, value }
    }

    /// The horizontal axis; without a range, column j is centred at j + 1.
    pub fn x(mut self, axis: Axis) -> Self {
        self.x = axis;
        self
    }

    /// The vertical axis; without a range, row i is centred at i + 1.
    pub fn y(mut self, axis: Axis) -> Self {
        self.y = axis;
        self
    }

    /// Scale and label of the colours.
    pub fn value(mut self, axis: Axis) -> Self {
        self.value = axis;
        self
    }

    pub(crate) fn draw(&self, scene: &mut Scene, cell: Rect) {
        let Some((frame, colours, ticks)) = self.plan(cell) else {
            return frame::draw_no_data(scene, cell, &self.title);
        };
        let (rows, columns) = self.shape();
        for (row, values) in self.values.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                let Some(unit) = colours.unit(value) else {
                    continue;
                };
                let area = Rect {
                    left: frame.x_at(column as f64 / columns as f64),
                    right: frame.x_at((column + 1) as f64 / columns as f64),
                    top: frame.y_at((row + 1) as f64 / rows as f64),
                    bottom: frame.y_at(row as f64 / rows as f64),
                };
                scene.fill(area.corners(), Rgba::solid(viridis(unit)));
            }
        }
        frame.draw_axes(scene);
        self.draw_colour_bar(scene, &frame.plot, &colours, &ticks);
    }

    fn shape(&self) -> (usize, usize) {
        (self.values.len(), self.values.iter().map(Vec::len).max().unwrap_or(0))
    }

    fn plan(&self, cell: Rect) -> Option<(Frame, Domain, Ticks)> {
        let (rows, columns) = self.shape();
        let values = || self.values.iter().flatten().copied();
        let colours = self.value.fit_tightly(values())?;
        let ticks = self.value.ticks_over(&colours, BAR_TICKS);
        let labels =
            ticks.major.iter().map(|tick| font::width(&tick.label, TICK_EM, Weight::Regular)).fold(0.0, f64::max);
        let reserve = BAR_GAP + BAR_WIDTH + TICK_LENGTH + 4.0 + labels + LABEL_EM + 4.0;
        let x = self.x.fit_tightly([0.5, columns as f64 + 0.5])?;
        let y = self.y.fit_tightly([0.5, rows as f64 + 0.5])?;
        let frame = Frame::plan(cell, &self.title, (&self.x, x), (&self.y, y), reserve).without_grid();
        Some((frame, colours, ticks))
    }

    fn draw_colour_bar(&self, scene: &mut Scene, plot: &Rect, colours: &Domain, ticks: &Ticks) {
        let (left, right) = (plot.right + BAR_GAP, plot.right + BAR_GAP + BAR_WIDTH);
        let y_at = |unit: f64| plot.bottom - unit * plot.height();
        for step in 0..BAR_STEPS {
            let unit = step as f64 / BAR_STEPS as f64;
            let area = Rect { left, right, top: y_at(unit + 1.0 / BAR_STEPS as f64), bottom: y_at(unit) };
            scene.fill(area.corners(), Rgba::solid(viridis(unit + 0.5 / BAR_STEPS as f64)));
        }
        let mut beyond = right;
        for tick in &ticks.major {
            let y = y_at(colours.unit_at(tick.at));
            scene.line((right, y), (right + TICK_LENGTH, y), AXIS, AXIS_WIDTH);
            let at = (right + TICK_LENGTH + 3.0, y);
            scene.text(Text::new(tick.label.clone(), at, TICK_EM, Align::Start).centred());
            beyond = beyond.max(at.0 + font::width(&tick.label, TICK_EM, Weight::Regular));
        }
        let middle = (plot.top + plot.bottom) / 2.0;
        let at = (beyond + LABEL_EM + 2.0, middle);
        let label = font::fit(&self.value.full_label(ticks), LABEL_EM, Weight::Regular, plot.height() + 50.0);
        scene.text(Text::new(label, at, LABEL_EM, Align::Middle).upright());
    }
}
