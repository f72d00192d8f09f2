//! Curves over a plane: lines, markers, bands and whiskers on linear or logarithmic axes.

use crate::axis::Axis;
use crate::font::{self, Weight};
use crate::frame::{self, Frame};
use crate::hue::Hue;
use crate::legend::{self, Area, Arrangement, Dash, Dot, Entry, Legend, Marker, Obstacles, Style};
use crate::notation::concise;
use crate::path::{Rect, runs, thin};
use crate::raster::Point;
use crate::scene::{Align, Rgba, Scene, Text};
use crate::theme::{AXIS, BAND_OPACITY, LINE_WIDTH, MARKER_RADIUS, QUIET_TEXT, TICK_EM, WHITE};

/// Lines with more points than this many a logical pixel column are thinned.
const THINNING_COLUMN: f64 = 0.5;
const TRIAL_RADIUS: f64 = 2.0;
const TRIAL_OPACITY: f64 = 0.4;
/// Distance of the crosses of failed runs from the panel's edge, and of each series' from another's.
const FAILURE_STEP: f64 = 10.0;
/// Distance of whiskers that would lie on each other.
const DODGE: f64 = 8.0;
/// An SVG says what a point is if a series has no more points than this, so that files stay small.
const MOST_TIPS: usize = 200;
/// Half the side of the square a reader points at.
const TIP_REACH: f64 = 4.5;

/// The edge of a panel towards which runs failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Where values are large: an error that grew without bound.
    Top,
    /// Where values are small: a score that collapsed.
    Bottom,
}

#[derive(Clone, Debug)]
struct Failures {
    xs: Vec<f64>,
    edge: Edge,
    label: String,
}

/// One curve of a [`Lines`] panel.
#[derive(Clone, Debug)]
pub struct Series {
    label: String,
    points: Vec<(f64, f64)>,
    counts: Vec<usize>,
    trials: Vec<(f64, f64)>,
    failures: Option<Failures>,
    band: Vec<(f64, f64, f64)>,
    errors: Vec<(f64, f64, f64)>,
    hue: Option<Hue>,
    width: f64,
    opacity: f64,
    dash: Option<Dash>,
    marker: Option<Marker>,
    paper: bool,
}

impl Series {
    /// A solid line through `points` (x, y). A point that is not finite, or not positive on a log axis, leaves a gap.
    /// An empty label keeps the series out of the legend.
    pub fn new(label: impl Into<String>, points: impl Into<Vec<(f64, f64)>>) -> Self {
        Self {
            label: label.into(),
            points: points.into(),
            counts: Vec::new(),
            trials: Vec::new(),
            failures: None,
            band: Vec::new(),
            errors: Vec::new(),
            hue: None,
            width: LINE_WIDTH,
            opacity: 1.0,
            dash: Some(Dash::Solid),
            marker: None,
            paper: false,
        }
    }

    /// Its colour; without it, that of its position in the panel.
    pub fn hue(mut self, hue: impl Into<Hue>) -> Self {
        self.hue = Some(hue.into());
        self
    }

    /// A translucent area from `lo` to `hi`, given as (x, lo, hi), such as the 95 % interval of a mean. On a log axis a
    /// lower edge that is not positive lies at the axis' start. One without extent, as that of a single trial, is none.
    pub fn band(mut self, band: impl Into<Vec<(f64, f64, f64)>>) -> Self {
        self.band = band.into();
        // At a single x it has no area.
        if self.band.len() == 1 {
            self.errors.append(&mut self.band);
        }
        self
    }

    /// Whiskers from `lo` to `hi`, given as (x, lo, hi).
    pub fn errors(mut self, errors: impl Into<Vec<(f64, f64, f64)>>) -> Self {
        self.errors = errors.into();
        self
    }

    /// The trials behind the points, as small translucent dots (x, y).
    pub fn trials(mut self, trials: impl Into<Vec<(f64, f64)>>) -> Self {
        self.trials = trials.into();
        self
    }

    /// How many trials are behind each point, in the order of the points: an SVG says so where the reader points.
    pub fn counts(mut self, counts: impl Into<Vec<usize>>) -> Self {
        self.counts = counts.into();
        self
    }

    /// Runs without a value, one x each: crosses at `edge` with their number where there are several, and `label`
    /// ("diverged") once in the legend.
    pub fn failed(mut self, xs: impl Into<Vec<f64>>, edge: Edge, label: impl Into<String>) -> Self {
        self.failures = Some(Failures { xs: xs.into(), edge, label: label.into() });
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

    /// A dashed line.
    pub fn dashed(mut self) -> Self {
        self.dash = Some(Dash::Dashed);
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

    /// The style of published values beside measured ones of the same hue: thin, dashed, hollow markers, behind the others.
    pub fn paper(mut self) -> Self {
        self.paper = true;
        self.marker = self.marker.or(Some(Marker::Circle));
        self.dash = self.dash.and(Some(Dash::Dashed));
        self.width = self.width.min(1.4);
        self
    }

    /// Published values get larger rings, so that they show around measured dots in the same place.
    fn marker_radius(&self) -> f64 {
        if self.paper { 1.55 * MARKER_RADIUS } else { MARKER_RADIUS }
    }

    /// Where its only point lies, if it has whiskers there.
    fn single_place(&self) -> Option<f64> {
        match (self.points.as_slice(), self.errors.as_slice()) {
            (&[(x, _)], &[(at, lo, hi)]) => (x == at && lo < hi).then_some(x),
            _ => None,
        }
    }

    fn has_band(&self) -> bool {
        self.band.iter().any(|&(_, lo, hi)| lo < hi)
    }

    fn style(&self, position: usize) -> Style {
        Style {
            rgb: self.hue.unwrap_or(position.into()).rgb(),
            opacity: self.opacity,
            line: self.dash.map(|dash| (self.width, dash)),
            marker: self.marker.map(|shape| Dot { shape, hollow: self.paper, radius: self.marker_radius() }),
            area: self.has_band().then_some(Area::Filled(BAND_OPACITY)),
        }
    }

    /// What an SVG says of a point.
    fn tip(&self, axes: (&Axis, &Axis), (x, y): (f64, f64), kind: &str) -> String {
        let name = |axis: &Axis, otherwise: &str| match axis.label() {
            "" => otherwise.to_owned(),
            label => label.to_owned(),
        };
        let (x_name, y_name) = (name(axes.0, "x"), name(axes.1, "y"));
        let series = if self.label.is_empty() { String::new() } else { format!("{}{kind}: ", self.label) };
        format!("{series}{x_name} = {}, {y_name} = {}", concise(x), concise(y))
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

    /// Adds a thin horizontal line at `y`, with a label (which may be empty) above or below it where there is room.
    pub fn reference(mut self, y: f64, label: impl Into<String>) -> Self {
        self.references.push((y, label.into()));
        self
    }

    /// Where the legend goes.
    pub fn legend(mut self, legend: Legend) -> Self {
        self.legend = legend;
        self
    }

    /// The same panel under another title, restricted to x from `from` to `to`; the vertical range follows what is left.
    pub fn zoom(&self, title: impl Into<String>, from: f64, to: f64) -> Self {
        let mut zoomed = self.clone();
        zoomed.title = title.into();
        zoomed.x = zoomed.x.range(from, to);
        zoomed
    }

    /// The legend's entries: series in their order, then what failed.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let series = self.series.iter().enumerate();
        let curves =
            series.map(|(position, series)| Entry { label: series.label.clone(), style: series.style(position) });
        let failures = self.series.iter().filter_map(|series| series.failures.as_ref());
        let marked = failures.filter(|failures| failures.xs.iter().any(|&x| self.x.shows(x)));
        let crosses = marked.map(|failures| Entry { label: failures.label.clone(), style: cross(AXIS) });
        let labelled = |entry: &Entry| !entry.label.is_empty();
        curves.filter(labelled).chain(legend::distinct(crosses.filter(labelled))).collect()
    }

    /// Makes the vertical axis reach `values` too.
    pub(crate) fn reach(&mut self, values: [f64; 2]) {
        self.y = values.into_iter().fold(self.y.clone(), Axis::include);
    }

    /// Every value that the vertical axis must reach; none if its range is given.
    pub(crate) fn heights(&self) -> Vec<f64> {
        if self.y.given().is_some() { Vec::new() } else { self.y_values() }
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
        let block = Arrangement::flow(&entries, cell.width());
        let height = block.size().1;
        let above = Rect { bottom: cell.bottom - height - legend::MARGIN_BELOW, ..cell };
        if let Some(frame) = self.plan(above) {
            self.paint(scene, &frame, &self.trace(&frame));
            let middle = (frame.plot.left + frame.plot.right) / 2.0;
            block.draw_below(scene, &cell, middle, above.bottom);
        }
    }

    /// The points and trials that can be drawn.
    fn drawable(&self) -> impl Iterator<Item = (f64, f64)> {
        let points = self.series.iter().flat_map(|series| series.points.iter().chain(&series.trials)).copied();
        points.filter(|&(x, y)| self.x.accepts(x) && self.y.accepts(y))
    }

    fn y_values(&self) -> Vec<f64> {
        let points: Vec<f64> = self.drawable().filter(|point| self.x.shows(point.0)).map(|point| point.1).collect();
        // A lower edge close to zero must not stretch a log axis to nothing: it counts down to a tenth of the lowest point.
        let lowest = points.iter().copied().fold(f64::INFINITY, f64::min);
        let spans = self.series.iter().flat_map(|series| series.band.iter().chain(&series.errors));
        let edges = spans.filter(|span| self.x.shows(span.0)).flat_map(|&(_, lo, hi)| {
            let lo = if self.y.accepts(-1.0) { lo } else { lo.max(0.1 * lowest) };
            [lo, hi]
        });
        points.iter().copied().chain(edges).chain(self.references.iter().map(|reference| reference.0)).collect()
    }

    fn plan(&self, cell: Rect) -> Option<Frame> {
        let failures = self.series.iter().filter_map(|series| series.failures.as_ref());
        let failed = || failures.clone().flat_map(|failures| failures.xs.iter().copied());
        let x = self.x.fit(self.drawable().map(|point| point.0).chain(failed()))?;
        // Where every run failed, nothing says how high the axis is, and the crosses are at its edge.
        let y = self.y.fit(self.y_values()).or_else(|| failed().next().and_then(|_| self.y.fit([1.0])))?;
        Some(Frame::plan(cell, &self.title, (&self.x, x), (&self.y, y), 0.0))
    }

    /// Places everything on the page.
    fn trace(&self, frame: &Frame) -> Drawn {
        let mut drawn = Drawn::default();
        let mut lanes = [0; 2];
        for (position, series) in self.series.iter().enumerate() {
            let mut curve = Curve::trace(series, series.style(position), frame);
            if let Some(failures) = &series.failures {
                let lane = &mut lanes[failures.edge as usize];
                curve.crosses = place_failures(failures, frame, *lane);
                *lane += usize::from(!curve.crosses.is_empty());
            }
            curve.tips = self.tips(series, frame);
            curve.shift(self.dodge(position));
            drawn.obstacles.lines.extend(curve.lines.iter().cloned());
            drawn.obstacles.lines.extend(curve.markers.iter().chain(&curve.trials).map(|&point| vec![point]));
            drawn.obstacles.lines.extend(curve.whiskers.iter().cloned());
            drawn.obstacles.lines.extend(curve.areas.iter().cloned());
            drawn.obstacles.areas.extend(curve.crosses.iter().map(|&(at, _)| around(at, MARKER_RADIUS)));
            let crossings = place_band(&series.band, frame).into_iter().flatten();
            drawn.obstacles.lines.extend(crossings.filter_map(|(x, lo, hi)| segment(&frame.plot, (x, lo), (x, hi))));
            drawn.curves.push((series.paper, curve));
        }
        self.trace_references(frame, &mut drawn);
        drawn
    }

    /// How far a series is moved to the right, so that whiskers of several at one x are side by side.
    fn dodge(&self, position: usize) -> f64 {
        let place = |series: &Series| series.single_place();
        let Some(x) = place(&self.series[position]) else { return 0.0 };
        let beside = |series: &[Series]| series.iter().filter(|series| place(series) == Some(x)).count();
        DODGE * (beside(&self.series[..position]) as f64 - 0.5 * (beside(&self.series) as f64 - 1.0))
    }

    /// Places the reference lines, then their labels beside them.
    fn trace_references(&self, frame: &Frame, drawn: &mut Drawn) {
        let place =
            |y: f64| frame.y.domain.unit(y).filter(|unit| (0.0..=1.0).contains(unit)).map(|unit| frame.y_at(unit));
        let placed: Vec<(f64, &str)> =
            self.references.iter().filter_map(|(y, label)| Some((place(*y)?, label.as_str()))).collect();
        let (left, right) = (frame.plot.left, frame.plot.right);
        drawn.obstacles.lines.extend(placed.iter().map(|&(y, _)| vec![(left, y), (right, y)]));
        for (y, label) in placed {
            drawn.references.push(y);
            if !label.is_empty() {
                let label = ReferenceLabel::place(label, y, &frame.plot, &drawn.obstacles);
                drawn.obstacles.areas.push(label.area);
                drawn.labels.push(label);
            }
        }
    }

    /// What an SVG says of a series' trials and points, and where.
    fn tips(&self, series: &Series, frame: &Frame) -> Vec<(Point, String)> {
        let page = frame.plot.grown(0.5);
        let placed = |&(x, y): &(f64, f64)| frame.place(x, y).filter(|&at| page.contains(at));
        let axes = (&self.x, &self.y);
        let mut tips = Vec::new();
        let trials: Vec<_> = series.trials.iter().filter_map(|trial| Some((placed(trial)?, *trial))).collect();
        if trials.len() <= MOST_TIPS {
            tips.extend(trials.into_iter().map(|(at, trial)| (at, series.tip(axes, trial, ", one trial"))));
        }
        let points = series.points.iter().enumerate();
        let points: Vec<_> = points.filter_map(|(index, point)| Some((placed(point)?, index, *point))).collect();
        if points.len() <= MOST_TIPS {
            let count = |index: usize| series.counts.get(index).map_or(String::new(), |n| format!(", n = {n}"));
            let tip = |(at, index, point)| (at, series.tip(axes, point, "") + &count(index));
            tips.extend(points.into_iter().map(tip));
        }
        tips
    }

    fn paint(&self, scene: &mut Scene, frame: &Frame, drawn: &Drawn) {
        frame.draw_grid(scene);
        for (_, curve) in &drawn.curves {
            for area in &curve.areas {
                scene.fill(area.clone(), Rgba { rgb: curve.style.rgb, opacity: BAND_OPACITY });
            }
        }
        let dashed = Style { rgb: AXIS, opacity: 1.0, line: Some((1.1, Dash::Dashed)), marker: None, area: None };
        for &y in &drawn.references {
            dashed.draw_line(scene, &[(frame.plot.left, y), (frame.plot.right, y)]);
        }
        let (published, measured): (Vec<_>, Vec<_>) = drawn.curves.iter().partition(|(paper, _)| *paper);
        for (_, curve) in published.into_iter().chain(measured) {
            curve.paint(scene);
        }
        for label in &drawn.labels {
            label.draw(scene);
        }
        frame.draw_axes(scene);
    }
}

/// A panel's content in logical pixels.
#[derive(Default)]
struct Drawn {
    curves: Vec<(bool, Curve)>,
    references: Vec<f64>,
    labels: Vec<ReferenceLabel>,
    obstacles: Obstacles,
}

/// The text beside a reference line.
struct ReferenceLabel {
    content: String,
    area: Rect,
    /// Whether it lies on data.
    crowded: bool,
}

impl ReferenceLabel {
    /// Of the places above and below the line's ends and middle, the first that touches least.
    fn place(label: &str, y: f64, plot: &Rect, obstacles: &Obstacles) -> Self {
        let content = font::fit(label, TICK_EM, Weight::Regular, plot.width() - 4.0);
        let width = font::width(&content, TICK_EM, Weight::Regular);
        let lefts = [plot.right - 2.0 - width, plot.left + 4.0, (plot.left + plot.right - width) / 2.0];
        let tops = [y - 3.0 - TICK_EM, y + 3.0];
        let areas = lefts
            .into_iter()
            .flat_map(|left| tops.map(|top| Rect { left, top, right: left + width, bottom: top + TICK_EM }));
        let inside = areas.filter(|area| area.top >= plot.top && area.bottom <= plot.bottom);
        let best = inside.map(|area| (obstacles.count(&area), area)).min_by_key(|(touched, _)| *touched);
        let (touched, area) = best.unwrap_or((1, Rect { left: lefts[0], top: tops[0], right: plot.right, bottom: y }));
        Self { content, area, crowded: touched > 0 }
    }

    fn draw(&self, scene: &mut Scene) {
        if self.crowded {
            scene.fill(self.area.corners(), Rgba { rgb: WHITE, opacity: 0.75 });
        }
        let at = (self.area.left, self.area.top + 0.5 * TICK_EM);
        scene.text(Text::new(self.content.clone(), at, TICK_EM, Align::Start).coloured(QUIET_TEXT).centred());
    }
}

/// A series in logical pixels, cut to the plot rectangle.
struct Curve {
    style: Style,
    lines: Vec<Vec<Point>>,
    markers: Vec<Point>,
    trials: Vec<Point>,
    /// Failed runs: where, and how many.
    crosses: Vec<(Point, usize)>,
    areas: Vec<Vec<Point>>,
    whiskers: Vec<Vec<Point>>,
    /// Ends of whiskers within the plot: no cap is where the axis cuts one off, for the interval does not end there.
    caps: Vec<Point>,
    tips: Vec<(Point, String)>,
}

impl Curve {
    fn trace(series: &Series, style: Style, frame: &Frame) -> Self {
        let placed = runs(series.points.iter().map(|&(x, y)| frame.place(x, y)));
        let page = frame.plot.grown(0.5);
        let inside = placed.iter().flatten().copied().filter(|&point| page.contains(point));
        let markers = match (style.marker, style.line) {
            (Some(dot), Some(_)) => spaced(inside, 2.6 * dot.radius),
            (Some(_), None) => inside.collect(),
            (None, _) => Vec::new(),
        };
        let lines = match style.line {
            Some(_) => placed.into_iter().flat_map(|run| page.clip(&thin(run, THINNING_COLUMN))).collect(),
            None => Vec::new(),
        };
        let trials = series.trials.iter().filter_map(|&(x, y)| frame.place(x, y)).filter(|&at| page.contains(at));
        let whiskers = series.errors.iter().filter_map(|&(x, lo, hi)| whisker(frame, x, lo, hi)).collect();
        let ends = series.errors.iter().flat_map(|&(x, lo, hi)| [(x, lo), (x, hi)]);
        let caps = ends.filter_map(|(x, y)| frame.place(x, y)).filter(|&at| page.contains(at)).collect();
        let band = if series.has_band() { place_band(&series.band, frame) } else { Vec::new() };
        let outlines = band.into_iter().map(|run| frame.plot.clip_area(&band_outline(&run)));
        let areas = outlines.filter(|area| area.len() > 2).collect();
        let (trials, crosses, tips) = (trials.collect(), Vec::new(), Vec::new());
        Self { style, lines, markers, trials, crosses, areas, whiskers, caps, tips }
    }

    /// Moves what is drawn of a single x to the right.
    fn shift(&mut self, right: f64) {
        let points = self.markers.iter_mut().chain(&mut self.trials).chain(&mut self.caps);
        let lines = self.lines.iter_mut().chain(&mut self.whiskers).flatten();
        let tips = self.tips.iter_mut().map(|(at, _)| at);
        points.chain(lines).chain(tips).for_each(|at| at.0 += right);
    }

    fn paint(&self, scene: &mut Scene) {
        let colour = Rgba { rgb: self.style.rgb, opacity: self.style.opacity };
        for &trial in &self.trials {
            scene.disc(trial, TRIAL_RADIUS, Rgba { rgb: self.style.rgb, opacity: TRIAL_OPACITY });
        }
        for stem in &self.whiskers {
            scene.stroke(stem.clone(), colour, 1.2);
        }
        for &(x, y) in &self.caps {
            scene.stroke(vec![(x - 3.5, y), (x + 3.5, y)], colour, 1.2);
        }
        for line in &self.lines {
            self.style.draw_line(scene, line);
        }
        for &point in &self.markers {
            self.style.draw_marker(scene, point);
        }
        for &(at, count) in &self.crosses {
            cross(self.style.rgb).draw_marker(scene, at);
            let beside = (at.0 + MARKER_RADIUS + 2.0, at.1);
            let count = if count > 1 { format!("{count}×") } else { String::new() };
            scene.text(Text::new(count, beside, 0.85 * TICK_EM, Align::Start).coloured(self.style.rgb).centred());
        }
        for (at, tip) in &self.tips {
            scene.tip(around(*at, TIP_REACH), tip);
        }
    }
}

/// The style of failed runs.
fn cross(rgb: (u8, u8, u8)) -> Style {
    let dot = Dot { shape: Marker::Cross, hollow: false, radius: MARKER_RADIUS };
    Style { rgb, opacity: 1.0, line: None, marker: Some(dot), area: None }
}

/// The square around a point.
fn around((x, y): Point, reach: f64) -> Rect {
    Rect { left: x, top: y, right: x, bottom: y }.grown(reach)
}

/// Failed runs in lane `lane` from their edge: one place for each x, with the number of runs.
fn place_failures(failures: &Failures, frame: &Frame, lane: usize) -> Vec<(Point, usize)> {
    let inset = (lane as f64 + 0.7) * FAILURE_STEP;
    let y = match failures.edge {
        Edge::Top => frame.plot.top + inset,
        Edge::Bottom => frame.plot.bottom - inset,
    };
    let units = failures.xs.iter().filter_map(|&x| frame.x.domain.unit(x));
    let mut places: Vec<f64> = units.filter(|unit| (0.0..=1.0).contains(unit)).map(|unit| frame.x_at(unit)).collect();
    places.sort_by(f64::total_cmp);
    places.chunk_by(|a, b| a == b).map(|same| ((same[0], y), same.len())).collect()
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
        assert!(frame.y.domain.unit(1e-5).unwrap() < 0.0);
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
    fn whiskers_at_one_x_are_side_by_side() {
        let series = |y: f64| Series::new("a", vec![(3.0, y)]).band(vec![(3.0, y - 1.0, y + 1.0)]);
        let panel = Lines::new("").many([series(1.0), series(1.1), series(1.2)]);
        let frame = panel.plan(Rect { left: 0.0, top: 0.0, right: 420.0, bottom: 320.0 }).unwrap();
        let middle = frame.place(3.0, 1.0).unwrap().0;
        let curves = panel.trace(&frame).curves;
        let xs: Vec<f64> = curves.iter().map(|(_, curve)| curve.whiskers[0][0].0 - middle).collect();
        assert_eq!(xs, [-DODGE, 0.0, DODGE]);
        // With them what is drawn of a line of one point.
        let lines: Vec<f64> =
            curves.iter().flat_map(|(_, curve)| curve.lines.iter().flatten().map(|point| point.0 - middle)).collect();
        assert!(lines.iter().all(|x| [-DODGE, 0.0, DODGE].contains(x)) && lines.iter().any(|x| *x != 0.0), "{lines:?}");
    }

    #[test]
    fn a_whisker_that_the_axis_cuts_off_has_no_cap_there() {
        let panel = Lines::new("").y(Axis::linear("").range(0.0, 1.0)).x(Axis::linear("").range(0.0, 2.0));
        let panel = panel.series(Series::new("a", vec![(1.0, 0.5)]).errors(vec![(1.0, 0.2, 3.0)]));
        let frame = panel.plan(Rect { left: 0.0, top: 0.0, right: 420.0, bottom: 320.0 }).unwrap();
        let curve = &panel.trace(&frame).curves[0].1;
        assert_eq!((curve.whiskers[0].len(), curve.caps.as_slice()), (2, &[frame.place(1.0, 0.2).unwrap()][..]));
    }

    #[test]
    fn a_panel_of_failed_runs_alone_shows_them() {
        let panel = Lines::new("").series(Series::new("a", vec![]).failed(vec![1.0, 2.0], Edge::Top, "diverged"));
        let frame = panel.plan(Rect { left: 0.0, top: 0.0, right: 420.0, bottom: 320.0 }).unwrap();
        assert_eq!(panel.trace(&frame).curves[0].1.crosses.len(), 2);
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
