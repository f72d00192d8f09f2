//! Named rows of dots along one axis, one lane for each set of dots, with a text beside each dot.

use crate::axis::Axis;
use crate::font::{self, Weight};
use crate::frame::{self, Frame};
use crate::hue::Hue;
use crate::legend::{self, Arrangement, Dash, Dot, Entry, Legend, Marker, Style};
use crate::notation::concise;
use crate::path::Rect;
use crate::scene::{Align, Rgba, Scene, Text};
use crate::theme::{AXIS, GRID, GRID_WIDTH, LINE_WIDTH, MARKER_RADIUS, QUIET_TEXT, TICK_EM, WHITE};

/// Share of a row's height that its lanes fill.
const LANES_SHARE: f64 = 0.84;
/// Between a dot, or its whisker, and its text.
const TEXT_GAP: f64 = 5.0;
/// Half the height of a whisker's caps.
const CAP: f64 = 3.0;
/// Height above the plot of the labels of reference lines.
const REFERENCE_HEIGHT: f64 = 15.0;
/// Most of the plot's width that a text may take.
const TEXT_SHARE: f64 = 0.4;

/// One set of dots, at most one in each row.
#[derive(Clone, Debug)]
pub struct DotSet {
    label: String,
    values: Vec<f64>,
    spans: Vec<(f64, f64)>,
    texts: Vec<String>,
    hue: Option<Hue>,
    marker: Marker,
    paper: bool,
}

impl DotSet {
    /// Dots at these values, in the order of the rows; one without a place on the axis (NaN, say) is left out.
    pub fn new(label: impl Into<String>, values: impl Into<Vec<f64>>) -> Self {
        Self {
            label: label.into(),
            values: values.into(),
            spans: Vec::new(),
            texts: Vec::new(),
            hue: None,
            marker: Marker::Circle,
            paper: false,
        }
    }

    /// Whiskers from `lo` to `hi` through the dots, such as 95 % intervals, in the order of the rows.
    pub fn spans(mut self, spans: impl Into<Vec<(f64, f64)>>) -> Self {
        self.spans = spans.into();
        self
    }

    /// Texts beside the dots and clear of their whiskers, in the order of the rows.
    pub fn texts<S: Into<String>>(mut self, texts: impl IntoIterator<Item = S>) -> Self {
        self.texts = texts.into_iter().map(Into::into).collect();
        self
    }

    /// Their colour; without it, that of their position in the panel.
    pub fn hue(mut self, hue: impl Into<Hue>) -> Self {
        self.hue = Some(hue.into());
        self
    }

    /// The style of published values beside measured ones of the same hue: hollow.
    pub fn paper(mut self) -> Self {
        self.paper = true;
        self
    }

    /// Shape of the dots.
    pub fn marker(mut self, marker: Marker) -> Self {
        self.marker = marker;
        self
    }

    fn style(&self, position: usize) -> Style {
        let dot = Dot { shape: self.marker, hollow: self.paper, radius: MARKER_RADIUS };
        let rgb = self.hue.unwrap_or(position.into()).rgb();
        Style { rgb, opacity: 1.0, line: None, marker: Some(dot), area: None }
    }
}

/// A panel of dots in named rows, the first row on top.
#[derive(Clone, Debug)]
pub struct Dots {
    title: String,
    rows: Vec<String>,
    x: Axis,
    sets: Vec<DotSet>,
    references: Vec<(f64, String)>,
    legend: Legend,
}

impl Dots {
    /// An empty panel with a linear axis.
    pub fn new(title: impl Into<String>) -> Self {
        let (rows, sets, references) = (Vec::new(), Vec::new(), Vec::new());
        Self { title: title.into(), rows, x: Axis::linear(""), sets, references, legend: Legend::Below }
    }

    /// Names of the rows, from top to bottom.
    pub fn rows<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.rows = names.into_iter().map(Into::into).collect();
        self
    }

    /// The axis the dots lie along.
    pub fn x(mut self, axis: Axis) -> Self {
        self.x = axis;
        self
    }

    /// Adds a set of dots, in a lane below the others.
    pub fn set(mut self, set: DotSet) -> Self {
        self.sets.push(set);
        self
    }

    /// Adds a thin upright line at `x`, such as no difference, with a label (which may be empty) above it.
    pub fn reference(mut self, x: f64, label: impl Into<String>) -> Self {
        self.references.push((x, label.into()));
        self
    }

    /// Where the legend goes: below the panel, unless `None` is said. Rows fill the panel, so it is never inside.
    pub fn legend(mut self, legend: Legend) -> Self {
        self.legend = legend;
        self
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        legend::labelled(self.sets.iter().enumerate().map(|(position, set)| (&set.label, set.style(position))))
    }

    pub(crate) fn draw(&self, scene: &mut Scene, cell: Rect, shared_legend: bool) {
        let entries = if shared_legend || self.legend == Legend::None { Vec::new() } else { self.entries() };
        let block = (!entries.is_empty()).then(|| Arrangement::flow(&entries, cell.width()));
        let below = block.as_ref().map_or(0.0, |block| block.size().1 + legend::MARGIN_BELOW);
        let Some(frame) = self.plan(Rect { bottom: cell.bottom - below, ..cell }) else {
            return frame::draw_no_data(scene, cell, &self.title);
        };
        self.paint(scene, &frame);
        if let Some(block) = block {
            let middle = (frame.plot.left + frame.plot.right) / 2.0;
            block.draw_below(scene, &cell, middle, cell.bottom - block.size().1);
        }
    }

    fn plan(&self, cell: Rect) -> Option<Frame> {
        let values = self.sets.iter().flat_map(|set| &set.values).copied();
        let ends = self.sets.iter().flat_map(|set| &set.spans).flat_map(|&(lo, hi)| [lo, hi]);
        let references = self.references.iter().map(|reference| reference.0);
        // Reference lines alone are no data.
        self.x.fit(values.clone())?;
        let x = self.x.fit(values.chain(ends).chain(references))?;
        let labelled = self.references.iter().any(|(_, label)| !label.is_empty());
        let headroom = if labelled { REFERENCE_HEIGHT } else { 0.0 };
        Some(Frame::plan_rows(cell, &self.title, (&self.x, x), &self.rows, headroom))
    }

    /// The height of the lane of set `position` in row `row` on the page.
    fn lane(&self, frame: &Frame, position: usize, row: usize) -> f64 {
        let height = frame.plot.height() / self.rows.len() as f64;
        let within = (position as f64 + 0.5) / self.sets.len() as f64 - 0.5;
        frame.plot.top + (row as f64 + 0.5 + LANES_SHARE * within) * height
    }

    fn paint(&self, scene: &mut Scene, frame: &Frame) {
        frame.draw_grid(scene);
        for row in 1..self.rows.len() {
            let y = frame.plot.top + row as f64 * frame.plot.height() / self.rows.len() as f64;
            scene.line((frame.plot.left, y), (frame.plot.right, y), GRID, 1.5 * GRID_WIDTH);
        }
        self.draw_references(scene, frame);
        for (position, set) in self.sets.iter().enumerate() {
            for row in 0..self.rows.len() {
                self.draw_dot(scene, frame, (position, set), row);
            }
        }
        frame.draw_axes(scene);
    }

    fn draw_references(&self, scene: &mut Scene, frame: &Frame) {
        let dashed = Style { rgb: AXIS, opacity: 1.0, line: Some((1.1, Dash::Dashed)), marker: None, area: None };
        for (value, label) in &self.references {
            let Some(x) = across(frame, *value) else {
                continue;
            };
            dashed.draw_line(scene, &[(x, frame.plot.top), (x, frame.plot.bottom)]);
            let label = font::fit(label, TICK_EM, Weight::Regular, TEXT_SHARE * frame.plot.width());
            let half = font::width(&label, TICK_EM, Weight::Regular) / 2.0;
            let at = (x.clamp(frame.plot.left + half, frame.plot.right - half), frame.plot.top - 4.0);
            scene.text(Text::new(label, at, TICK_EM, Align::Middle).coloured(QUIET_TEXT));
        }
    }

    /// Draws the dot of a set in one row, with its whisker and text.
    fn draw_dot(&self, scene: &mut Scene, frame: &Frame, (position, set): (usize, &DotSet), row: usize) {
        let style = set.style(position);
        let y = self.lane(frame, position, row);
        let Some((value, x)) = set.values.get(row).and_then(|&value| Some((value, across(frame, value)?))) else {
            return;
        };
        let mut reach = (x - MARKER_RADIUS, x + MARKER_RADIUS);
        let mut tip = format!("{}, {}: {}", set.label, self.rows[row], concise(value));
        if let Some(&(lo, hi)) = set.spans.get(row).filter(|(lo, hi)| lo.is_finite() && hi.is_finite()) {
            tip += &format!(" [{}, {}]", concise(lo), concise(hi));
            let ends = (across_or_end(frame, lo), across_or_end(frame, hi));
            scene.line((ends.0, y), (ends.1, y), style.rgb, LINE_WIDTH);
            // No cap where the axis cuts it off: the interval does not end there.
            for end in [lo, hi].into_iter().filter_map(|value| across(frame, value)) {
                scene.line((end, y - CAP), (end, y + CAP), style.rgb, LINE_WIDTH);
            }
            reach = (reach.0.min(ends.0), reach.1.max(ends.1));
        }
        style.draw_marker(scene, (x, y));
        scene.tip(Rect { left: reach.0, top: y, right: reach.1, bottom: y }.grown(CAP), &tip);
        if let Some(text) = set.texts.get(row) {
            let text = font::fit(text, TICK_EM, Weight::Regular, TEXT_SHARE * frame.plot.width());
            let (at, align) = beside(frame, &text, reach);
            write_over(scene, Text::new(text, (at, y), TICK_EM, align).centred());
        }
    }
}

/// Where `value` lies across the page, if it is within the plot.
fn across(frame: &Frame, value: f64) -> Option<f64> {
    frame.x.domain.unit(value).filter(|unit| (0.0..=1.0).contains(unit)).map(|unit| frame.x_at(unit))
}

/// Where a finite `value` lies across the page, or the end of the plot beyond which it does.
fn across_or_end(frame: &Frame, value: f64) -> f64 {
    frame.x_at(frame.x.domain.unit_or_start(value).unwrap_or(0.0).clamp(0.0, 1.0))
}

/// Where a text beside something that reaches from `reach.0` to `reach.1` begins or ends: to its right, or to its left
/// where the plot ends.
fn beside(frame: &Frame, text: &str, reach: (f64, f64)) -> (f64, Align) {
    let width = font::width(text, TICK_EM, Weight::Regular) + TEXT_GAP;
    if reach.1 + width <= frame.plot.right {
        (reach.1 + TEXT_GAP, Align::Start)
    } else if reach.0 - width >= frame.plot.left {
        (reach.0 - TEXT_GAP, Align::End)
    } else {
        (frame.plot.right - 2.0, Align::End)
    }
}

/// Writes a text on a white ground, so that grid and whiskers do not cross it.
fn write_over(scene: &mut Scene, text: Text) {
    let width = font::width(&text.content, text.em, text.weight);
    let left = if text.align == Align::End { text.at.0 - width } else { text.at.0 };
    let ground = Rect { left, top: text.at.1 - 0.8 * text.em, right: left + width, bottom: text.at.1 + 0.1 * text.em };
    scene.fill(ground.grown(1.0).corners(), Rgba { rgb: WHITE, opacity: 0.85 });
    scene.text(text);
}
