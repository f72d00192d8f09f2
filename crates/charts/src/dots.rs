//! Named rows of dots along one axis, one lane for each set of dots, with a text beside each dot.

use crate::axis::Axis;
use crate::font::{self, Weight};
use crate::frame::{self, Frame};
use crate::legend::{self, Block, Dot, Entry, Legend, Look, Marker};
use crate::path::Rect;
use crate::scene::{Align, Scene, Text};
use crate::theme::{GRID, GRID_WIDTH, LINE_WIDTH, MARKER_RADIUS, TICK_EM, palette};

/// Share of a row's height that its lanes fill.
const LANES_SHARE: f64 = 0.84;
/// Between a dot and its text.
const TEXT_GAP: f64 = 5.0;

/// One set of dots, at most one in each row.
#[derive(Clone, Debug)]
pub struct DotSet {
    label: String,
    values: Vec<f64>,
    spans: Vec<(f64, f64)>,
    texts: Vec<String>,
    hue: Option<usize>,
    marker: Marker,
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
        }
    }

    /// Lines from `lo` to `hi` through the dots, in the order of the rows.
    pub fn spans(mut self, spans: impl Into<Vec<(f64, f64)>>) -> Self {
        self.spans = spans.into();
        self
    }

    /// Texts beside the dots, in the order of the rows.
    pub fn texts<S: Into<String>>(mut self, texts: impl IntoIterator<Item = S>) -> Self {
        self.texts = texts.into_iter().map(Into::into).collect();
        self
    }

    /// Colour by index into the [`palette`]; without it, the position in the panel.
    pub fn hue(mut self, index: usize) -> Self {
        self.hue = Some(index);
        self
    }

    /// Shape of the dots.
    pub fn marker(mut self, marker: Marker) -> Self {
        self.marker = marker;
        self
    }

    fn look(&self, position: usize) -> Look {
        let dot = Dot { shape: self.marker, hollow: false, radius: MARKER_RADIUS };
        Look { rgb: palette(self.hue.unwrap_or(position)), opacity: 1.0, line: None, marker: Some(dot), area: None }
    }
}

/// A panel of dots in named rows, the first row on top.
#[derive(Clone, Debug)]
pub struct Dots {
    title: String,
    rows: Vec<String>,
    x: Axis,
    sets: Vec<DotSet>,
    legend: Legend,
}

impl Dots {
    /// An empty panel with a linear axis.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new(), x: Axis::linear(""), sets: Vec::new(), legend: Legend::Below }
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

    /// Where the legend goes: below the panel, unless `None` is said. Rows fill the panel, so it is never inside.
    pub fn legend(mut self, legend: Legend) -> Self {
        self.legend = legend;
        self
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        let labelled = self.sets.iter().enumerate().filter(|(_, set)| !set.label.is_empty());
        labelled.map(|(position, set)| Entry { label: set.label.clone(), look: set.look(position) }).collect()
    }

    pub(crate) fn draw(&self, scene: &mut Scene, cell: Rect, shared_legend: bool) {
        let entries = if shared_legend || self.legend == Legend::None { Vec::new() } else { self.entries() };
        let block = (!entries.is_empty()).then(|| Block::flow(&entries, cell.width()));
        let below = block.as_ref().map_or(0.0, |block| block.size().1 + legend::MARGIN_BELOW);
        let Some(frame) = self.plan(Rect { bottom: cell.bottom - below, ..cell }) else {
            return frame::draw_no_data(scene, cell, &self.title);
        };
        self.paint(scene, &frame);
        if let Some(block) = block {
            let (width, height) = block.size();
            let middle = (frame.plot.left + frame.plot.right) / 2.0;
            let left = (middle - width / 2.0).min(cell.right - width).max(cell.left);
            block.draw(scene, (left, cell.bottom - height));
        }
    }

    fn plan(&self, cell: Rect) -> Option<Frame> {
        let values = self.sets.iter().flat_map(|set| &set.values).copied();
        let ends = self.sets.iter().flat_map(|set| &set.spans).flat_map(|&(lo, hi)| [lo, hi]);
        let x = self.x.fit(values.chain(ends))?;
        Some(Frame::plan_rows(cell, &self.title, (&self.x, x), &self.rows))
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
        for (position, set) in self.sets.iter().enumerate() {
            let look = set.look(position);
            for (row, &value) in set.values.iter().enumerate().take(self.rows.len()) {
                let y = self.lane(frame, position, row);
                let across = |value: f64| {
                    let unit = frame.x.domain.unit(value).filter(|unit| (0.0..=1.0).contains(unit))?;
                    Some(frame.x_at(unit))
                };
                let Some(x) = across(value) else {
                    continue;
                };
                if let Some((Some(lo), Some(hi))) = set.spans.get(row).map(|&(lo, hi)| (across(lo), across(hi))) {
                    scene.line((lo, y), (hi, y), look.rgb, LINE_WIDTH);
                }
                look.draw_marker(scene, (x, y));
                if let Some(text) = set.texts.get(row) {
                    draw_beside(scene, frame, text, (x, y));
                }
            }
        }
        frame.draw_axes(scene);
    }
}

/// Writes `text` to the right of a dot, or to its left where the plot ends.
fn draw_beside(scene: &mut Scene, frame: &Frame, text: &str, (x, y): (f64, f64)) {
    let reach = MARKER_RADIUS + TEXT_GAP;
    let (at, align) = if x + reach + font::width(text, TICK_EM, Weight::Regular) <= frame.plot.right {
        (x + reach, Align::Start)
    } else {
        (x - reach, Align::End)
    };
    scene.text(Text::new(text, (at, y), TICK_EM, align).centred());
}
