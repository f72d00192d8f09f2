//! Grouped bars over named categories: counts, or means with whiskers.

use crate::axis::{Axis, Domain};
use crate::frame::{self, Frame};
use crate::hue::Hue;
use crate::legend::{self, Area, Arrangement, Entry, Legend, Obstacles, Style};
use crate::notation::concise;
use crate::path::Rect;
use crate::scene::Scene;
use crate::theme::{AXIS, AXIS_WIDTH, LINE_WIDTH, TEXT};

/// Share of a category's width that its bars fill.
const GROUP_SHARE: f64 = 0.78;

/// One set of bars, one for each category.
#[derive(Clone, Debug)]
pub struct Bars {
    label: String,
    heights: Vec<f64>,
    errors: Vec<(f64, f64)>,
    hue: Option<Hue>,
    paper: bool,
}

impl Bars {
    /// Bars of these heights, in the order of the categories; one that is not finite is left out.
    pub fn new(label: impl Into<String>, heights: impl Into<Vec<f64>>) -> Self {
        Self { label: label.into(), heights: heights.into(), errors: Vec::new(), hue: None, paper: false }
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

    /// Whiskers from `lo` to `hi`, one for each bar.
    pub fn errors(mut self, errors: impl Into<Vec<(f64, f64)>>) -> Self {
        self.errors = errors.into();
        self
    }

    fn style(&self, position: usize) -> Style {
        let rgb = self.hue.unwrap_or(position.into()).rgb();
        let area = if self.paper { Area::Hollow } else { Area::Filled(1.0) };
        Style { rgb, opacity: 1.0, line: None, marker: None, area: Some(area) }
    }
}

/// A panel of grouped bars.
#[derive(Clone, Debug)]
pub struct Histogram {
    title: String,
    categories: Vec<String>,
    x_label: String,
    y: Axis,
    bars: Vec<Bars>,
    legend: Legend,
}

impl Histogram {
    /// An empty panel with a linear vertical axis.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            categories: Vec::new(),
            x_label: String::new(),
            y: Axis::linear(""),
            bars: Vec::new(),
            legend: Legend::Auto,
        }
    }

    /// Names of the categories, from left to right.
    pub fn categories<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.categories = names.into_iter().map(Into::into).collect();
        self
    }

    /// What the categories are.
    pub fn x(mut self, label: impl Into<String>) -> Self {
        self.x_label = label.into();
        self
    }

    /// The vertical axis; a linear one always reaches zero.
    pub fn y(mut self, axis: Axis) -> Self {
        self.y = axis;
        self
    }

    /// Adds a set of bars beside the others.
    pub fn bars(mut self, bars: Bars) -> Self {
        self.bars.push(bars);
        self
    }

    /// Where the legend goes.
    pub fn legend(mut self, legend: Legend) -> Self {
        self.legend = legend;
        self
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        legend::labelled(self.bars.iter().enumerate().map(|(position, bars)| (&bars.label, bars.style(position))))
    }

    pub(crate) fn draw(&self, scene: &mut Scene, cell: Rect, shared_legend: bool) {
        let entries = if shared_legend || self.legend == Legend::None { Vec::new() } else { self.entries() };
        let Some(frame) = self.plan(cell) else {
            return frame::draw_no_data(scene, cell, &self.title);
        };
        let obstacles = Obstacles { areas: self.boxes(&frame), lines: Vec::new() };
        let inside = legend::place(&entries, &frame.plot, &obstacles).filter(|_| self.legend == Legend::Auto);
        if entries.is_empty() || inside.is_some() {
            self.paint(scene, &frame);
            if let Some((block, zone)) = inside.filter(|_| !entries.is_empty()) {
                legend::draw_inside(scene, &block, &zone);
            }
            return;
        }
        let block = Arrangement::flow(&entries, cell.width());
        let height = block.size().1;
        if let Some(frame) = self.plan(Rect { bottom: cell.bottom - height - legend::MARGIN_BELOW, ..cell }) {
            self.paint(scene, &frame);
            let middle = (frame.plot.left + frame.plot.right) / 2.0;
            block.draw_below(scene, &cell, middle, cell.bottom - height);
        }
    }

    /// Makes the vertical axis reach `values` too.
    pub(crate) fn reach(&mut self, values: [f64; 2]) {
        self.y = values.into_iter().fold(self.y.clone(), Axis::include);
    }

    /// Every value that the vertical axis must reach; none if its range is given.
    pub(crate) fn heights(&self) -> Vec<f64> {
        if self.y.given().is_some() { Vec::new() } else { self.values().chain([0.0]).collect() }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let heights = self.bars.iter().flat_map(|bars| &bars.heights).copied();
        let whiskers = self.bars.iter().flat_map(|bars| &bars.errors).flat_map(|&(lo, hi)| [lo, hi]);
        heights.chain(whiskers)
    }

    fn plan(&self, cell: Rect) -> Option<Frame> {
        let y = self.y.clone().include(0.0).fit(self.values())?;
        let count = self.categories.len().max(self.bars.iter().map(|bars| bars.heights.len()).max()?).max(1);
        let x = Domain::exact(-0.5, count as f64 - 0.5);
        let mut frame = Frame::plan(cell, &self.title, (&Axis::linear(self.x_label.clone()), x), (&self.y, y), 0.0);
        frame.name_columns(&self.categories);
        Some(frame)
    }

    /// The rectangle of bar `position` of category `index` that reaches `height`.
    fn bar(&self, frame: &Frame, position: usize, index: usize, height: f64) -> Option<Rect> {
        let width = GROUP_SHARE / self.bars.len() as f64;
        let left = index as f64 - GROUP_SHARE / 2.0 + position as f64 * width;
        let across = |x: f64| frame.x.domain.unit(x).map(|unit| frame.x_at(unit));
        let zero = frame.y.domain.unit_or_start(0.0)?.clamp(0.0, 1.0);
        let end = frame.y.domain.unit(height)?.clamp(0.0, 1.0);
        let (low, high) = (zero.min(end), zero.max(end));
        // A hairline between neighbours, unless bars are hairlines themselves.
        let (left, right) = (across(left)?, across(left + width)?);
        let gap = if right - left > 4.0 { 0.5 } else { 0.0 };
        Some(Rect { left: left + gap, top: frame.y_at(high), right: right - gap, bottom: frame.y_at(low) })
    }

    fn boxes(&self, frame: &Frame) -> Vec<Rect> {
        let mut boxes = Vec::new();
        for (position, bars) in self.bars.iter().enumerate() {
            for (index, &height) in bars.heights.iter().enumerate() {
                let (lo, hi) = bars.errors.get(index).copied().unwrap_or((height, height));
                // From zero to the farther end on either side.
                boxes.extend(
                    [lo.min(height), hi.max(height)]
                        .map(|end| self.bar(frame, position, index, end))
                        .into_iter()
                        .flatten(),
                );
            }
        }
        boxes
    }

    fn paint(&self, scene: &mut Scene, frame: &Frame) {
        frame.draw_grid(scene);
        for (position, bars) in self.bars.iter().enumerate() {
            let style = bars.style(position);
            for (index, &height) in bars.heights.iter().enumerate() {
                let Some(area) = self.bar(frame, position, index, height) else {
                    continue;
                };
                if let Some(fill) = style.area {
                    fill.draw(scene, &area, style.rgb);
                }
                scene.tip(area, &self.tip(bars, index, height));
                if let Some(&(lo, hi)) = bars.errors.get(index) {
                    draw_whisker(scene, frame, (area.left + area.right) / 2.0, lo, hi);
                }
            }
        }
        if let Some(zero) = frame.y.domain.unit(0.0).filter(|unit| (0.0..=1.0).contains(unit)) {
            let y = frame.y_at(zero);
            scene.line((frame.plot.left, y), (frame.plot.right, y), AXIS, AXIS_WIDTH);
        }
        frame.draw_axes(scene);
    }

    /// What an SVG says of a bar.
    fn tip(&self, bars: &Bars, index: usize, height: f64) -> String {
        let category = self.categories.get(index).map_or(String::new(), |name| format!(", {name}"));
        let whisker = bars.errors.get(index).filter(|(lo, hi)| lo < hi);
        let whisker = whisker.map_or(String::new(), |&(lo, hi)| format!(" [{}, {}]", concise(lo), concise(hi)));
        format!("{}{category}: {}{whisker}", bars.label, concise(height))
    }
}

fn draw_whisker(scene: &mut Scene, frame: &Frame, x: f64, lo: f64, hi: f64) {
    let end = |value: f64| frame.y.domain.unit_or_start(value).map(|unit| frame.y_at(unit.clamp(0.0, 1.0)));
    if let (Some(low), Some(high)) = (end(lo), end(hi)) {
        let width = 0.7 * LINE_WIDTH;
        scene.line((x, low), (x, high), TEXT, width);
        // No cap where the axis cuts it off: the interval does not end there.
        for (value, y) in [(lo, low), (hi, high)] {
            if frame.y.domain.unit(value).is_some_and(|unit| (0.0..=1.0).contains(&unit)) {
                scene.line((x - 3.0, y), (x + 3.0, y), TEXT, width);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_legend_keeps_clear_of_are_whole_bars_and_whiskers() {
        let chart = Histogram::new("")
            .categories(["a", "b"])
            .bars(Bars::new("x", vec![-1.0, 0.5]).errors(vec![(-1.2, 0.1), (0.3, 0.7)]));
        let frame = chart.plan(Rect { left: 0.0, top: 0.0, right: 420.0, bottom: 320.0 }).unwrap();
        let boxes = chart.boxes(&frame);
        let y = |value: f64| frame.y_at(frame.y.domain.unit(value).unwrap());
        let covered = |value: f64, place: f64| {
            let x = frame.x_at(frame.x.domain.unit(place).unwrap());
            boxes
                .iter()
                .any(|area| area.left <= x && x <= area.right && area.top <= y(value) && y(value) <= area.bottom)
        };
        for (value, place) in [(-1.2, 0.0), (-0.5, 0.0), (0.1, 0.0), (0.7, 1.0), (0.1, 1.0)] {
            assert!(covered(value, place), "{value} at {place}");
        }
        assert!(!covered(0.5, 0.0));
    }
}
