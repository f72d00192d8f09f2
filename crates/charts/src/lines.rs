//! Curves over a plane: lines, markers, bands and whiskers on linear or logarithmic axes.

use crate::axis::Axis;
use crate::font::{self, Weight};
use crate::frame::{self, Frame};
use crate::legend::{self, Block, Dash, Dot, Entry, Legend, Look, Marker, Obstacles};
use crate::path::{Rect, runs, thin};
use crate::raster::Point;
use crate::scene::{Align, Ink, Scene, Text};
use crate::theme::{AXIS, BAND_OPACITY, LINE_WIDTH, MARKER_RADIUS, QUIET_TEXT, TICK_EM, palette, paper_tint};

/// Lines with more points than this many a logical pixel column are thinned.
const THINNING_COLUMN: f64 = 0.5;

/// One curve of a [`Lines`] panel.
#[derive(Clone, Debug)]
pub struct Series {
    label: String,
    points: Vec<(f64, f64)>,
    band: Vec<(f64, f64, f64)>,
    errors: Vec<(f64, f64, f64)>,
    hue: Option<usize>,
    width: f64,
    opacity: f64,
    dash: Option<Dash>,
    marker: Option<Marker>,
    hollow: bool,
    paper: bool,
}

impl Series {
    /// A solid line through `points` (x, y). A point that is not finite, or not positive on a log axis, leaves a gap.
    /// An empty label keeps the series out of the legend.
    pub fn new(label: impl Into<String>, points: impl Into<Vec<(f64, f64)>>) -> Self {
        Self {
            label: label.into(),
            points: points.into(),
            band: Vec::new(),
            errors: Vec::new(),
            hue: None,
            width: LINE_WIDTH,
            opacity: 1.0,
            dash: Some(Dash::Solid),
            marker: None,
            hollow: false,
            paper: false,
        }
    }

    /// Colour by index into the [`palette`]; without it, the position in the panel.
    pub fn hue(mut self, index: usize) -> Self {
        self.hue = Some(index);
        self
    }

    /// A translucent area from `lo` to `hi`, given as (x, lo, hi), such as mean ± standard deviation. On a log axis a
    /// lower edge that is not positive lies at the axis' start.
    pub fn band(mut self, band: impl Into<Vec<(f64, f64, f64)>>) -> Self {
        self.band = band.into();
        self
    }

    /// Whiskers from `lo` to `hi`, given as (x, lo, hi).
    pub fn errors(mut self, errors: impl Into<Vec<(f64, f64, f64)>>) -> Self {
        self.errors = errors.into();
        self
    }

    /// Round markers at the points. On a line, points closer together than markers are not all marked.
    pub fn markers(self) -> Self {
        self.marker(Marker::Circle)
    }

    /// Markers of the given shape at the points.
    pub fn marker(mut self, marker: Marker) -> Self {
        self.marker = Some(marker);
        self
    }

    /// Markers without a line.
    pub fn scatter(mut self) -> Self {
        self.marker = self.marker.or(Some(Marker::Circle));
        self.dash = None;
        self
    }

    /// Markers white inside.
    pub fn hollow(mut self) -> Self {
        self.hollow = true;
        self
    }

    /// A dashed line.
    pub fn dashed(mut self) -> Self {
        self.dash = Some(Dash::Dashed);
        self
    }

    /// A dotted line.
    pub fn dotted(mut self) -> Self {
        self.dash = Some(Dash::Dotted);
        self
    }

    /// Width of the line in logical pixels.
    pub fn width(mut self, width: f64) -> Self {
        self.width = width;
        self
    }

    /// Opacity of line and markers, 0 to 1.
    pub fn opacity(mut self, opacity: f64) -> Self {
        self.opacity = opacity;
        self
    }

    /// The look of published values beside measured ones: a lighter tint of the hue, dashed, hollow markers, behind the others.
    pub fn paper(mut self) -> Self {
        self.paper = true;
        self.hollow = true;
        self.marker = self.marker.or(Some(Marker::Circle));
        self.dash = self.dash.and(Some(Dash::Dashed));
        self.width = self.width.min(1.4);
        self
    }

    /// Published values get larger rings, so that they show around measured dots in the same place.
    fn marker_radius(&self) -> f64 {
        if self.paper { 1.35 * MARKER_RADIUS } else { MARKER_RADIUS }
    }

    fn look(&self, position: usize) -> Look {
        let hue = self.hue.unwrap_or(position);
        Look {
            rgb: if self.paper { paper_tint(hue) } else { palette(hue) },
            opacity: self.opacity,
            line: self.dash.map(|dash| (self.width, dash)),
            marker: self.marker.map(|shape| Dot { shape, hollow: self.hollow, radius: self.marker_radius() }),
            area: (!self.band.is_empty()).then_some(BAND_OPACITY),
        }
    }
}

/// A panel of curves over x and y.
#[derive(Clone, Debug)]
pub struct Lines {
    title: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
    references: Vec<(f64, String)>,
    legend: Legend,
}

impl Lines {
    /// An empty panel with linear, unlabelled axes.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            x: Axis::linear(""),
            y: Axis::linear(""),
            series: Vec::new(),
            references: Vec::new(),
            legend: Legend::Auto,
        }
    }

    /// The horizontal axis.
    pub fn x(mut self, axis: Axis) -> Self {
        self.x = axis;
        self
    }

    /// The vertical axis.
    pub fn y(mut self, axis: Axis) -> Self {
        self.y = axis;
        self
    }

    /// Adds a curve.
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Adds several curves.
    pub fn many(mut self, series: impl IntoIterator<Item = Series>) -> Self {
        self.series.extend(series);
        self
    }

    /// Adds a thin horizontal line at `y`, with a label above its right end (which may be empty).
    pub fn reference(mut self, y: f64, label: impl Into<String>) -> Self {
        self.references.push((y, label.into()));
        self
    }

    /// Where the legend goes.
    pub fn legend(mut self, legend: Legend) -> Self {
        self.legend = legend;
        self
    }

    /// The legend's entries, in the order of the series.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let labelled = self.series.iter().enumerate().filter(|(_, series)| !series.label.is_empty());
        labelled.map(|(position, series)| Entry { label: series.label.clone(), look: series.look(position) }).collect()
    }

    pub(crate) fn draw(&self, scene: &mut Scene, cell: Rect, shared_legend: bool) {
        let entries = if shared_legend || self.legend == Legend::None { Vec::new() } else { self.entries() };
        let Some(frame) = self.plan(cell) else {
            return frame::draw_no_data(scene, cell, &self.title);
        };
        let drawn = self.trace(&frame);
        let inside = match self.legend {
            Legend::Auto => legend::place(&entries, &frame.plot, &drawn.obstacles),
            Legend::Below | Legend::None => None,
        };
        if entries.is_empty() || inside.is_some() {
            self.paint(scene, &frame, &drawn);
            if let Some((block, zone)) = inside.filter(|_| !entries.is_empty()) {
                legend::draw_inside(scene, &block, &zone);
            }
            return;
        }
        let block = Block::flow(&entries, cell.width());
        let (width, height) = block.size();
        let above = Rect { bottom: cell.bottom - height - legend::MARGIN_BELOW, ..cell };
        if let Some(frame) = self.plan(above) {
            self.paint(scene, &frame, &self.trace(&frame));
            let middle = (frame.plot.left + frame.plot.right) / 2.0;
            let left = (middle - width / 2.0).min(cell.right - width).max(cell.left);
            block.draw(scene, (left, above.bottom));
        }
    }

    fn plan(&self, cell: Rect) -> Option<Frame> {
        let drawable = |&&(x, y): &&(f64, f64)| self.x.accepts(x) && self.y.accepts(y);
        let points: Vec<(f64, f64)> = self.series.iter().flat_map(|s| &s.points).filter(drawable).copied().collect();
        let spans = self.series.iter().flat_map(|s| s.band.iter().chain(&s.errors));
        let x = self.x.fit(points.iter().map(|p| p.0))?;
        // A lower edge close to zero must not stretch a log axis to nothing: it counts down to a tenth of the lowest point.
        let lowest = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
        let edges = spans.filter(|span| self.x.accepts(span.0)).flat_map(|&(_, lo, hi)| {
            let lo = if self.y.accepts(-1.0) { lo } else { lo.max(0.1 * lowest) };
            [lo, hi]
        });
        let y = self.y.fit(points.iter().map(|p| p.1).chain(edges).chain(self.references.iter().map(|r| r.0)))?;
        Some(Frame::plan(cell, &self.title, (&self.x, x), (&self.y, y), 0.0))
    }

    /// Places everything on the page.
    fn trace(&self, frame: &Frame) -> Drawn {
        let mut drawn = Drawn::default();
        for (position, series) in self.series.iter().enumerate() {
            let curve = Curve::trace(series, series.look(position), frame);
            drawn.obstacles.lines.extend(curve.lines.iter().cloned());
            drawn.obstacles.lines.extend(curve.markers.iter().map(|&point| vec![point]));
            drawn.obstacles.lines.extend(curve.whiskers.iter().cloned());
            drawn.obstacles.lines.extend(curve.areas.iter().cloned());
            let crossings = place_band(&series.band, frame).into_iter().flatten();
            drawn.obstacles.lines.extend(crossings.filter_map(|(x, lo, hi)| segment(&frame.plot, (x, lo), (x, hi))));
            drawn.curves.push((series.paper, curve));
        }
        for (y, label) in &self.references {
            if let Some(unit) = frame.y.domain.unit(*y).filter(|unit| (0.0..=1.0).contains(unit)) {
                let (left, right, y) = (frame.plot.left, frame.plot.right, frame.y_at(unit));
                drawn.obstacles.lines.push(vec![(left, y), (right, y)]);
                let (em, width) = (TICK_EM, font::width(label, TICK_EM, Weight::Regular));
                let area = Rect { left: right - width, top: y - 6.0 - em, right, bottom: y };
                drawn.obstacles.areas.extend((!label.is_empty()).then_some(area));
                drawn.references.push((y, label.clone()));
            }
        }
        drawn
    }

    fn paint(&self, scene: &mut Scene, frame: &Frame, drawn: &Drawn) {
        frame.draw_grid(scene);
        for (_, curve) in &drawn.curves {
            for area in &curve.areas {
                scene.fill(area.clone(), Ink { rgb: curve.look.rgb, opacity: BAND_OPACITY });
            }
        }
        for (y, label) in &drawn.references {
            let ends = [(frame.plot.left, *y), (frame.plot.right, *y)];
            let look = Look { rgb: AXIS, opacity: 1.0, line: Some((1.1, Dash::Dashed)), marker: None, area: None };
            look.draw_line(scene, &ends);
            let at = (frame.plot.right - 2.0, y - 5.5);
            scene.text(Text::new(label.clone(), at, TICK_EM, Align::End).coloured(QUIET_TEXT));
        }
        let (published, measured): (Vec<_>, Vec<_>) = drawn.curves.iter().partition(|(paper, _)| *paper);
        for (_, curve) in published.into_iter().chain(measured) {
            curve.paint(scene);
        }
        frame.draw_axes(scene);
    }
}

/// A panel's content in logical pixels.
#[derive(Default)]
struct Drawn {
    curves: Vec<(bool, Curve)>,
    references: Vec<(f64, String)>,
    obstacles: Obstacles,
}

/// A series in logical pixels, cut to the plot rectangle.
struct Curve {
    look: Look,
    lines: Vec<Vec<Point>>,
    markers: Vec<Point>,
    areas: Vec<Vec<Point>>,
    whiskers: Vec<Vec<Point>>,
}

impl Curve {
    fn trace(series: &Series, look: Look, frame: &Frame) -> Self {
        let placed = runs(series.points.iter().map(|&(x, y)| frame.place(x, y)));
        let page = frame.plot.grown(0.5);
        let inside = placed.iter().flatten().copied().filter(|&point| page.contains(point));
        let markers = match (look.marker, look.line) {
            (Some(dot), Some(_)) => spaced(inside, 2.6 * dot.radius),
            (Some(_), None) => inside.collect(),
            (None, _) => Vec::new(),
        };
        let lines = match look.line {
            Some(_) => placed.into_iter().flat_map(|run| page.clip(&thin(run, THINNING_COLUMN))).collect(),
            None => Vec::new(),
        };
        let whiskers = series.errors.iter().filter_map(|&(x, lo, hi)| whisker(frame, x, lo, hi)).collect();
        let outlines = place_band(&series.band, frame).into_iter().map(|run| frame.plot.clip_area(&band_outline(&run)));
        Self { look, lines, markers, areas: outlines.filter(|area| area.len() > 2).collect(), whiskers }
    }

    fn paint(&self, scene: &mut Scene) {
        let ink = Ink { rgb: self.look.rgb, opacity: self.look.opacity };
        for stem in &self.whiskers {
            scene.stroke(stem.clone(), ink, 1.2);
            for &(x, y) in stem {
                scene.stroke(vec![(x - 3.5, y), (x + 3.5, y)], ink, 1.2);
            }
        }
        for line in &self.lines {
            self.look.draw_line(scene, line);
        }
        for &point in &self.markers {
            self.look.draw_marker(scene, point);
        }
    }
}

fn whisker(frame: &Frame, x: f64, lo: f64, hi: f64) -> Option<Vec<Point>> {
    let x = frame.x_at(frame.x.domain.unit(x)?);
    let (lo, hi) = (frame.y.domain.unit_or_start(lo)?, frame.y.domain.unit_or_start(hi)?);
    segment(&frame.plot, (x, frame.y_at(lo)), (x, frame.y_at(hi)))
}

/// The part of a segment inside `plot`.
fn segment(plot: &Rect, from: Point, to: Point) -> Option<Vec<Point>> {
    plot.clip_segment(from, to).map(|(from, to)| vec![from, to])
}

/// A band in logical pixels: (x, lower edge, upper edge), split at its gaps.
fn place_band(band: &[(f64, f64, f64)], frame: &Frame) -> Vec<Vec<(f64, f64, f64)>> {
    runs(band.iter().map(|&(x, lo, hi)| {
        let y_at = |value| frame.y.domain.unit_or_start(value).map(|unit| frame.y_at(unit));
        Some((frame.x_at(frame.x.domain.unit(x)?), y_at(lo)?, y_at(hi)?))
    }))
}

/// The closed outline of a placed band: its upper edge forwards, its lower edge back.
fn band_outline(run: &[(f64, f64, f64)]) -> Vec<Point> {
    let upper = thin(run.iter().map(|&(x, _, hi)| (x, hi)).collect(), THINNING_COLUMN);
    let lower = thin(run.iter().map(|&(x, lo, _)| (x, lo)).collect(), THINNING_COLUMN);
    upper.into_iter().chain(lower.into_iter().rev()).collect()
}

/// `points` without those closer than `distance` to the last one kept.
fn spaced(points: impl Iterator<Item = Point>, distance: f64) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for point in points {
        if kept.last().is_none_or(|last| (point.0 - last.0).hypot(point.1 - last.1) >= distance) {
            kept.push(point);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_edge_of_a_band_does_not_stretch_a_log_axis() {
        let panel = Lines::new("")
            .y(Axis::log(""))
            .series(Series::new("a", vec![(0.0, 1e-2), (1.0, 1e-3)]).band(vec![(0.0, 1e-30, 2e-2), (1.0, -1.0, 2e-3)]));
        let frame = panel.plan(Rect { left: 0.0, top: 0.0, right: 420.0, bottom: 320.0 }).unwrap();
        assert!(frame.y.domain.bounds().0 > 1e-5);
    }

    #[test]
    fn no_point_or_band_lies_under_the_legend() {
        let cell = Rect { left: 0.0, top: 0.0, right: 420.0, bottom: 320.0 };
        let shapes: [fn(f64) -> f64; 5] =
            [|u| u, |u| 1.0 - u, |u| (u - 0.5).powi(2), |u| -(u - 0.5).powi(2), |u| (u - 0.5).abs().min(0.3)];
        for shape in shapes {
            let points: Vec<(f64, f64)> = (0..=40).map(|k| f64::from(k) / 40.0).map(|u| (u, shape(u))).collect();
            let band: Vec<(f64, f64, f64)> = points.iter().map(|&(x, y)| (x, y - 0.02, y + 0.02)).collect();
            let panel = Lines::new("").series(Series::new("a legend entry", points.clone()).band(band.clone()));
            let frame = panel.plan(cell).unwrap();
            let obstacles = panel.trace(&frame).obstacles;
            let (_, zone) = legend::place(&panel.entries(), &frame.plot, &obstacles).unwrap();
            let edges = band.iter().flat_map(|&(x, lo, hi)| [(x, lo), (x, hi)]);
            for (x, y) in points.into_iter().chain(edges) {
                assert!(!zone.contains(frame.place(x, y).unwrap()), "({x}, {y}) lies in {zone:?}");
            }
        }
    }

    #[test]
    fn every_part_of_a_curve_stays_in_the_plot() {
        let wild: Vec<(f64, f64)> = (0..200).map(|i| (f64::from(i), (f64::from(i) * 0.7).tan() * 5.0)).collect();
        let band: Vec<_> = wild.iter().map(|&(x, y)| (x, y - 3.0, y + 3.0)).collect();
        let panel = Lines::new("").x(Axis::linear("").range(20.0, 80.0)).y(Axis::linear("").range(-1.0, 1.0));
        let panel = panel.series(Series::new("a", wild).band(band.clone()).errors(band).markers());
        let frame = panel.plan(Rect { left: 0.0, top: 0.0, right: 420.0, bottom: 320.0 }).unwrap();
        let drawn = panel.trace(&frame);
        let page = frame.plot.grown(0.6);
        let curve = &drawn.curves[0].1;
        let parts = curve.lines.iter().chain(&curve.areas).chain(&curve.whiskers).flatten().chain(&curve.markers);
        assert!(!curve.lines.is_empty() && !curve.areas.is_empty() && !curve.markers.is_empty());
        assert!(parts.into_iter().all(|&point| page.contains(point)));
    }
}
