//! The frame of a two-dimensional panel: where the plot rectangle lies in its cell, its grid, ticks, labels and title.

use crate::axis::{Axis, Domain};
use crate::font::{self, Weight};
use crate::path::Rect;
use crate::raster::Point;
use crate::scene::{Align, Rgba, Scene, Text};
use crate::theme::*;
use crate::ticks::{Tick, Ticks};

const TITLE_HEIGHT: f64 = 26.0;
const EDGE: f64 = 8.0;
const RIGHT_MARGIN: f64 = 16.0;
const TICK_GAP: f64 = 4.0;
/// From an axis to the baseline of the labels under it.
const X_TICK_DROP: f64 = TICK_LENGTH + TICK_GAP + 9.0;
const X_LABEL_DROP: f64 = X_TICK_DROP + 19.0;
const BOTTOM_MARGIN: f64 = X_LABEL_DROP + EDGE;
/// Least distance between the middles of two labels on the vertical axis.
const Y_TICK_SPACING: f64 = 28.0;
/// Least space between two labels on the horizontal axis.
const X_TICK_SPACE: f64 = 16.0;
/// Most of a panel's width that the names of rows may take.
const ROW_NAME_SHARE: f64 = 0.4;

/// One axis, planned.
pub(crate) struct Side {
    pub domain: Domain,
    pub ticks: Ticks,
    label: String,
    /// Grid lines at labelled ticks.
    grid: bool,
}

/// A planned two-dimensional frame.
pub(crate) struct Frame {
    pub plot: Rect,
    pub x: Side,
    pub y: Side,
    title: String,
    cell: Rect,
}

/// Draws a panel title centred on `middle`, in the top of `cell`.
pub(crate) fn draw_title(scene: &mut Scene, title: &str, middle: f64, cell: &Rect) {
    let title = font::fit(title, PANEL_TITLE_EM, Weight::Bold, room_around(middle, cell.left, cell.right));
    scene.text(Text::new(title, (middle, cell.top + 17.0), PANEL_TITLE_EM, Align::Middle).bold());
}

/// The longest extent centred on `middle` between two ends.
fn room_around(middle: f64, from: f64, to: f64) -> f64 {
    2.0 * (middle - from).min(to - middle)
}

fn widest(ticks: &Ticks) -> f64 {
    ticks.major.iter().map(|tick| font::width(&tick.label, TICK_EM, Weight::Regular)).fold(0.0, f64::max)
}

/// Top and bottom of the plot in a cell.
fn vertical_extent(cell: &Rect, title: &str) -> (f64, f64) {
    let top = cell.top + if title.is_empty() { EDGE } else { TITLE_HEIGHT };
    (top, cell.bottom - BOTTOM_MARGIN)
}

impl Frame {
    /// Plans a frame in `cell` around the two axes over their domains; `reserve` is kept free to the right of the plot.
    pub(crate) fn plan(cell: Rect, title: &str, x: (&Axis, Domain), y: (&Axis, Domain), reserve: f64) -> Self {
        let (top, bottom) = vertical_extent(&cell, title);
        let room = ((bottom - top) / Y_TICK_SPACING).floor() as usize;
        let ticks = y.0.ticks_over(&y.1, room);
        let y = Side { domain: y.1, label: y.0.full_label(&ticks), ticks, grid: true };
        Self::plan_around(cell, title, x, y, reserve)
    }

    /// Plans a frame whose vertical axis is rows of equal height, named from top to bottom; `headroom` is kept free above
    /// the plot.
    pub(crate) fn plan_rows(cell: Rect, title: &str, x: (&Axis, Domain), names: &[String], headroom: f64) -> Self {
        let room = ROW_NAME_SHARE * cell.width();
        let label = |name: &String| font::fit(name, TICK_EM, Weight::Regular, room);
        let named = names.iter().rev().enumerate();
        let major = named.map(|(index, name)| Tick { at: index as f64, label: label(name) }).collect();
        let domain = Domain::exact(-0.5, names.len().max(1) as f64 - 0.5);
        let y = Side { domain, ticks: Ticks { major, ..Ticks::default() }, label: String::new(), grid: false };
        let mut frame = Self::plan_around(cell, title, x, y, 0.0);
        frame.plot.top += headroom;
        frame
    }

    fn plan_around(cell: Rect, title: &str, x: (&Axis, Domain), y: Side, reserve: f64) -> Self {
        let (top, bottom) = vertical_extent(&cell, title);
        let label_width = if y.label.is_empty() { 0.0 } else { LABEL_EM + 8.0 };
        let left = cell.left + EDGE + label_width + widest(&y.ticks) + TICK_LENGTH + TICK_GAP;
        let right = cell.right - RIGHT_MARGIN - reserve;
        let plot = Rect { left, top, right, bottom };
        let x_ticks = fitting_ticks(x.0, &x.1, plot.width());
        let x = Side { domain: x.1, label: x.0.full_label(&x_ticks), ticks: x_ticks, grid: true };
        Self { plot, x, y, title: title.to_owned(), cell }
    }

    /// Replaces the horizontal ticks by names of places along the axis; drops some if they do not all fit.
    pub(crate) fn name_columns(&mut self, names: &[String]) {
        let longest = self.plot.width() / names.len().clamp(1, 4) as f64;
        let names: Vec<String> = names.iter().map(|name| font::fit(name, TICK_EM, Weight::Regular, longest)).collect();
        let widest = names.iter().map(|name| font::width(name, TICK_EM, Weight::Regular)).fold(0.0, f64::max);
        let room = ((self.plot.width() + X_TICK_SPACE / 2.0) / (widest + X_TICK_SPACE / 2.0)).floor().max(1.0);
        let stride = (names.len() as f64 / room).ceil().max(1.0) as usize;
        let named = names.iter().enumerate().step_by(stride);
        let major = named.map(|(index, name)| Tick { at: index as f64, label: name.clone() }).collect();
        self.x.ticks = Ticks { major, ..Ticks::default() };
        self.x.grid = false;
    }

    pub(crate) fn without_grid(mut self) -> Self {
        self.x.grid = false;
        self.y.grid = false;
        self
    }

    pub(crate) fn x_at(&self, unit: f64) -> f64 {
        self.plot.left + unit * self.plot.width()
    }

    pub(crate) fn y_at(&self, unit: f64) -> f64 {
        self.plot.bottom - unit * self.plot.height()
    }

    /// The place of a point, which may lie outside the plot; `None` if an axis has none for it.
    pub(crate) fn place(&self, x: f64, y: f64) -> Option<Point> {
        Some((self.x_at(self.x.domain.unit(x)?), self.y_at(self.y.domain.unit(y)?)))
    }

    fn x_positions(&self) -> Vec<(f64, &str)> {
        positions(&self.x).into_iter().map(|(unit, label)| (self.x_at(unit), label)).collect()
    }

    fn y_positions(&self) -> Vec<(f64, &str)> {
        positions(&self.y).into_iter().map(|(unit, label)| (self.y_at(unit), label)).collect()
    }

    /// Draws what lies behind the data.
    pub(crate) fn draw_grid(&self, scene: &mut Scene) {
        let plot = &self.plot;
        for (x, _) in self.x_positions().into_iter().filter(|_| self.x.grid) {
            scene.line((x, plot.top), (x, plot.bottom), GRID, GRID_WIDTH);
        }
        for (y, _) in self.y_positions().into_iter().filter(|_| self.y.grid) {
            scene.line((plot.left, y), (plot.right, y), GRID, GRID_WIDTH);
        }
    }

    /// Draws axes, ticks, labels and title over the data.
    pub(crate) fn draw_axes(&self, scene: &mut Scene) {
        let plot = &self.plot;
        scene.line((plot.left, plot.top), (plot.left, plot.bottom), AXIS, AXIS_WIDTH);
        scene.line((plot.left, plot.bottom), (plot.right, plot.bottom), AXIS, AXIS_WIDTH);
        for (x, label) in self.x_positions() {
            scene.line((x, plot.bottom), (x, plot.bottom + TICK_LENGTH), AXIS, AXIS_WIDTH);
            scene.text(Text::new(label, (x, plot.bottom + X_TICK_DROP), TICK_EM, Align::Middle));
        }
        for (y, label) in self.y_positions() {
            scene.line((plot.left - TICK_LENGTH, y), (plot.left, y), AXIS, AXIS_WIDTH);
            let at = (plot.left - TICK_LENGTH - TICK_GAP, y);
            scene.text(Text::new(label, at, TICK_EM, Align::End).centred());
        }
        for unit in minor_units(&self.x) {
            let x = self.x_at(unit);
            scene.line((x, plot.bottom), (x, plot.bottom + MINOR_TICK_LENGTH), AXIS, 0.7 * AXIS_WIDTH);
        }
        for unit in minor_units(&self.y) {
            let y = self.y_at(unit);
            scene.line((plot.left - MINOR_TICK_LENGTH, y), (plot.left, y), AXIS, 0.7 * AXIS_WIDTH);
        }
        self.draw_labels(scene);
    }

    fn draw_labels(&self, scene: &mut Scene) {
        let (plot, cell) = (&self.plot, &self.cell);
        let middle = ((plot.left + plot.right) / 2.0, (plot.top + plot.bottom) / 2.0);
        draw_title(scene, &self.title, middle.0, cell);
        let room = room_around(middle.0, cell.left, cell.right);
        let label = font::fit(&self.x.label, LABEL_EM, Weight::Regular, room);
        scene.text(Text::new(label, (middle.0, plot.bottom + X_LABEL_DROP), LABEL_EM, Align::Middle));
        let beside = plot.left - TICK_LENGTH - TICK_GAP - widest(&self.y.ticks) - 8.0;
        let room = room_around(middle.1, cell.top, cell.bottom);
        let label = font::fit(&self.y.label, LABEL_EM, Weight::Regular, room);
        scene.text(Text::new(label, (beside, middle.1), LABEL_EM, Align::Middle).upright());
    }
}

fn positions(side: &Side) -> Vec<(f64, &str)> {
    side.ticks.major.iter().map(|tick| (side.domain.unit_at(tick.at), tick.label.as_str())).collect()
}

fn minor_units(side: &Side) -> Vec<f64> {
    let units = side.ticks.minor.iter().map(|&at| side.domain.unit_at(at));
    units.filter(|unit| (0.0..=1.0).contains(unit)).collect()
}

/// The most ticks whose labels keep their distance on an axis `length` pixels long.
fn fitting_ticks(axis: &Axis, domain: &Domain, length: f64) -> Ticks {
    let mut room = (length / 44.0).floor().max(2.0) as usize;
    loop {
        let ticks = axis.ticks_over(domain, room);
        let places: Vec<f64> = ticks.major.iter().map(|tick| domain.unit_at(tick.at)).collect();
        let closest = places.windows(2).map(|pair| (pair[1] - pair[0]).abs() * length).fold(f64::INFINITY, f64::min);
        if room <= 2 || widest(&ticks) + X_TICK_SPACE <= closest {
            return ticks;
        }
        room -= 1;
    }
}

/// Draws an empty frame that says so: for a panel without a single point that can be drawn.
pub(crate) fn draw_no_data(scene: &mut Scene, cell: Rect, title: &str) {
    let plot = Rect {
        left: cell.left + 40.0,
        top: cell.top + TITLE_HEIGHT,
        right: cell.right - RIGHT_MARGIN,
        bottom: cell.bottom - BOTTOM_MARGIN,
    };
    scene.outline(&plot, Rgba::solid(AXIS), AXIS_WIDTH);
    let middle = ((plot.left + plot.right) / 2.0, (plot.top + plot.bottom) / 2.0);
    scene.text(Text::new("no data", middle, LABEL_EM, Align::Middle).coloured(QUIET_TEXT).centred());
    draw_title(scene, title, middle.0, &cell);
}
