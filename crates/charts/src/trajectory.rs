//! Curves through three dimensions in a box, such as end-to-end products in their principal components.

use crate::axis::Axis;
use crate::frame;
use crate::hue::Hue;
use crate::legend::{self, Arrangement, Dash, Entry, Legend, Obstacles, Style};
use crate::path::{Rect, runs};
use crate::raster::Point;
use crate::scene::{Rgba, Scene};
use crate::space::{Place, Space, View};
use crate::theme::{AXIS, LINE_WIDTH, WHITE};

const WIDE: f64 = 5.5;
const NARROW: f64 = 1.5;
const END_RADIUS: f64 = 3.6;

/// One curve of a [`Trajectory`] panel.
#[derive(Clone, Debug)]
pub struct Curve {
    label: String,
    points: Vec<[f64; 3]>,
    hue: Option<Hue>,
    width: f64,
    opacity: f64,
    dash: Dash,
}

impl Curve {
    /// A solid line through `points`; one that is not finite leaves a gap. An empty label keeps it out of the legend.
    pub fn new(label: impl Into<String>, points: impl Into<Vec<[f64; 3]>>) -> Self {
        Self {
            label: label.into(),
            points: points.into(),
            hue: None,
            width: LINE_WIDTH,
            opacity: 1.0,
            dash: Dash::Solid,
        }
    }

    /// Its colour; without it, that of its position in the panel.
    pub fn hue(mut self, hue: impl Into<Hue>) -> Self {
        self.hue = Some(hue.into());
        self
    }

    /// Wide and translucent: the curve that others are compared with.
    pub fn wide(mut self) -> Self {
        (self.width, self.opacity) = (WIDE, 0.45);
        self
    }

    /// Narrow and dashed: a curve on top of a wide one.
    pub fn dashed(mut self) -> Self {
        (self.width, self.dash) = (NARROW, Dash::Dashed);
        self
    }

    fn style(&self, position: usize) -> Style {
        let rgb = self.hue.unwrap_or(position.into()).rgb();
        Style { rgb, opacity: self.opacity, line: Some((self.width, self.dash)), marker: None, area: None }
    }
}

/// A panel of curves in three dimensions: hollow dot at the start, full dot at the end, a faint shadow on the floor.
#[derive(Clone, Debug)]
pub struct Trajectory {
    title: String,
    axes: [Axis; 3],
    curves: Vec<Curve>,
    view: View,
    legend: Legend,
}

impl Trajectory {
    /// An empty panel with axes "x", "y" and "z".
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            axes: ["x", "y", "z"].map(Axis::linear),
            curves: Vec::new(),
            view: View { azimuth: -55.0, elevation: 24.0 },
            legend: Legend::Auto,
        }
    }

    /// Labels of the axes, the upright one last.
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>, z: impl Into<String>) -> Self {
        self.axes = [Axis::linear(x), Axis::linear(y), Axis::linear(z)];
        self
    }

    /// Adds a curve, drawn over those before it.
    pub fn curve(mut self, curve: Curve) -> Self {
        self.curves.push(curve);
        self
    }

    /// The eye's direction in degrees: `azimuth` 0 looks at the box from the side of the largest x, 90 from that of the
    /// largest y; `elevation` 0 is level with the floor, 90 above.
    pub fn view(mut self, azimuth: f64, elevation: f64) -> Self {
        self.view = View { azimuth, elevation };
        self
    }

    /// Where the legend goes.
    pub fn legend(mut self, legend: Legend) -> Self {
        self.legend = legend;
        self
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        legend::labelled(self.curves.iter().enumerate().map(|(position, curve)| (&curve.label, curve.style(position))))
    }

    pub(crate) fn draw(&self, scene: &mut Scene, cell: Rect, shared_legend: bool) {
        let entries = if shared_legend || self.legend == Legend::None { Vec::new() } else { self.entries() };
        let Some(space) = self.plan(cell) else {
            return frame::draw_no_data(scene, cell, &self.title);
        };
        let obstacles = Obstacles { lines: space.edges(), areas: Vec::new() };
        let corners = Rect { top: cell.top + 26.0, bottom: cell.bottom - 46.0, ..cell };
        let inside = legend::place(&entries, &corners, &obstacles).filter(|_| self.legend == Legend::Auto);
        if entries.is_empty() || inside.is_some() {
            self.paint(scene, cell, &space);
            if let Some((block, zone)) = inside.filter(|_| !entries.is_empty()) {
                block.draw(scene, (zone.left, zone.top));
            }
            return;
        }
        let block = Arrangement::flow(&entries, cell.width());
        let (width, height) = block.size();
        let above = Rect { bottom: cell.bottom - height - legend::MARGIN_BELOW, ..cell };
        if let Some(space) = self.plan(above) {
            self.paint(scene, above, &space);
            block.draw(scene, ((cell.left + cell.right - width) / 2.0, above.bottom));
        }
    }

    fn plan(&self, cell: Rect) -> Option<Space> {
        let finite = |point: &&[f64; 3]| point.iter().all(|value| value.is_finite());
        let points: Vec<[f64; 3]> = self.curves.iter().flat_map(|c| &c.points).filter(finite).copied().collect();
        let fit = |axis: usize| self.axes[axis].fit(points.iter().map(|point| point[axis]));
        let axes = [(&self.axes[0], fit(0)?), (&self.axes[1], fit(1)?), (&self.axes[2], fit(2)?)];
        Some(Space::plan(cell, self.view, axes))
    }

    fn paint(&self, scene: &mut Scene, cell: Rect, space: &Space) {
        space.draw_walls(scene);
        let placed: Vec<(Style, Vec<Vec<Place>>)> = self
            .curves
            .iter()
            .enumerate()
            .map(|(position, curve)| {
                (curve.style(position), runs(curve.points.iter().map(|&point| space.place(point))))
            })
            .collect();
        for (_, pieces) in &placed {
            for piece in pieces {
                let shadow = piece.iter().map(|&[x, y, _]| space.at([x, y, 0.0])).collect();
                scene.stroke(shadow, Rgba { rgb: AXIS, opacity: 0.3 }, 1.0);
            }
        }
        space.draw_axes(scene);
        for (style, pieces) in &placed {
            let on_page: Vec<Vec<Point>> =
                pieces.iter().map(|piece| piece.iter().map(|&place| space.at(place)).collect()).collect();
            for piece in &on_page {
                style.draw_line(scene, piece);
            }
            if let (Some(&start), Some(&end)) = (first(&on_page), last(&on_page)) {
                draw_ends(scene, style, start, end);
            }
        }
        frame::draw_title(scene, &self.title, (cell.left + cell.right) / 2.0, &cell);
    }
}

fn first(pieces: &[Vec<Point>]) -> Option<&Point> {
    pieces.first()?.first()
}

fn last(pieces: &[Vec<Point>]) -> Option<&Point> {
    pieces.last()?.last()
}

/// A ring where the curve starts, a dot where it ends; larger for wider curves, so that those beneath stay visible.
fn draw_ends(scene: &mut Scene, style: &Style, start: Point, end: Point) {
    let width = style.line.map_or(LINE_WIDTH, |(width, _)| width);
    let radius = END_RADIUS.max(0.9 * width);
    scene.disc(start, radius, Rgba::solid(style.rgb));
    scene.disc(start, radius - 1.3, Rgba::solid(WHITE));
    scene.disc(end, radius, Rgba::solid(style.rgb));
}
