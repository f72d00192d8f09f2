//! A figure: titled panels in a grid, rendered to PNG or SVG.

use crate::bars::Histogram;
use crate::dots::Dots;
use crate::error::ChartError;
use crate::font::{self, Weight};
use crate::heatmap::Heatmap;
use crate::legend::{self, Arrangement, Entry};
use crate::lines::Lines;
use crate::path::Rect;
use crate::scene::{Align, Scene, Text};
use crate::surface::Surface;
use crate::theme::{FIGURE_TITLE_EM, QUIET_TEXT, SUBTITLE_EM};
use crate::trajectory::Trajectory;

const MARGIN: f64 = 10.0;
const TITLE_HEIGHT: f64 = 26.0;
const SUBTITLE_HEIGHT: f64 = 19.0;
const MOST_SUBTITLE_LINES: usize = 5;
const LEGEND_MARGIN: f64 = 6.0;
const LEAST_PANEL: (u32, u32) = (160, 140);
const MOST_PIXELS: u64 = 100_000_000;

/// One cell of a figure.
#[derive(Clone, Debug)]
pub enum Panel {
    /// Curves over a plane.
    Lines(Lines),
    /// Values over index × iteration.
    Surface(Surface),
    /// Curves in three dimensions.
    Trajectory(Trajectory),
    /// Grouped bars.
    Histogram(Histogram),
    /// Rows of dots.
    Dots(Dots),
    /// A matrix as coloured cells.
    Heatmap(Heatmap),
}

impl Panel {
    fn entries(&self) -> Vec<Entry> {
        match self {
            Panel::Lines(panel) => panel.entries(),
            Panel::Trajectory(panel) => panel.entries(),
            Panel::Histogram(panel) => panel.entries(),
            Panel::Dots(panel) => panel.entries(),
            Panel::Surface(_) | Panel::Heatmap(_) => Vec::new(),
        }
    }

    /// Values that the vertical axis must reach, where panels can share one.
    fn heights(&self) -> Vec<f64> {
        match self {
            Panel::Lines(panel) => panel.heights(),
            Panel::Histogram(panel) => panel.heights(),
            Panel::Surface(_) | Panel::Trajectory(_) | Panel::Dots(_) | Panel::Heatmap(_) => Vec::new(),
        }
    }

    fn reach(&mut self, values: [f64; 2]) {
        match self {
            Panel::Lines(panel) => panel.reach(values),
            Panel::Histogram(panel) => panel.reach(values),
            Panel::Surface(_) | Panel::Trajectory(_) | Panel::Dots(_) | Panel::Heatmap(_) => {}
        }
    }

    fn draw(&self, scene: &mut Scene, cell: Rect, shared_legend: bool) {
        match self {
            Panel::Lines(panel) => panel.draw(scene, cell, shared_legend),
            Panel::Surface(panel) => panel.draw(scene, cell),
            Panel::Trajectory(panel) => panel.draw(scene, cell, shared_legend),
            Panel::Histogram(panel) => panel.draw(scene, cell, shared_legend),
            Panel::Dots(panel) => panel.draw(scene, cell, shared_legend),
            Panel::Heatmap(panel) => panel.draw(scene, cell),
        }
    }
}

macro_rules! panel_from {
    ($($kind:ident),*) => {
        $(impl From<$kind> for Panel {
            fn from(panel: $kind) -> Self {
                Panel::$kind(panel)
            }
        })*
    };
}

panel_from!(Lines, Surface, Trajectory, Histogram, Dots, Heatmap);

/// Which panels have the same vertical range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedY {
    /// All of the figure.
    All,
    /// Those beside each other.
    Rows,
}

/// Titled panels in a grid, filled row by row. Sizes are in logical pixels.
#[derive(Clone, Debug)]
pub struct Figure {
    title: String,
    subtitle: String,
    columns: usize,
    panels: Vec<Panel>,
    panel_size: (u32, u32),
    shared_legend: bool,
    shared_y: Option<SharedY>,
    density: u32,
}

impl Figure {
    /// A figure without panels.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            subtitle: String::new(),
            columns: 2,
            panels: Vec::new(),
            panel_size: (420, 320),
            shared_legend: false,
            shared_y: None,
            density: 2,
        }
    }

    /// A line under the title; a long one is broken.
    pub fn subtitle(mut self, subtitle: impl Into<String>) -> Self {
        self.subtitle = subtitle.into();
        self
    }

    /// Panels in a row: 2 unless said, never more than there are.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns.max(1);
        self
    }

    /// Adds a panel.
    pub fn panel(mut self, panel: impl Into<Panel>) -> Self {
        self.panels.push(panel.into());
        self
    }

    /// Adds several panels.
    pub fn panels<P: Into<Panel>>(mut self, panels: impl IntoIterator<Item = P>) -> Self {
        self.panels.extend(panels.into_iter().map(Into::into));
        self
    }

    /// Size of each panel with its labels: 420 × 320 unless said.
    pub fn panel_size(mut self, width: u32, height: u32) -> Self {
        self.panel_size = (width, height);
        self
    }

    /// One legend under all panels instead of one in each. Entries with the same label are listed once, as they look in
    /// the first panel that has them.
    pub fn shared_legend(mut self) -> Self {
        self.shared_legend = true;
        self
    }

    /// One vertical range for panels that are compared: curves and bars whose axis has no range of its own. Panels that
    /// share it should have the same scale.
    pub fn shared_y(mut self, shared: SharedY) -> Self {
        self.shared_y = Some(shared);
        self
    }

    /// Pixels of the PNG per logical pixel: 2 unless said.
    pub fn pixel_density(mut self, density: u32) -> Self {
        self.density = density.max(1);
        self
    }

    /// Width and height in logical pixels; the PNG has `pixel_density` times as many.
    pub fn size(&self) -> (u32, u32) {
        let (columns, rows) = self.grid();
        let legend = self.legend().map_or(0.0, |block| block.size().1 + LEGEND_MARGIN);
        let width = columns as f64 * f64::from(self.panel_size.0) + 2.0 * MARGIN;
        let height = self.header() + rows as f64 * f64::from(self.panel_size.1) + legend + MARGIN;
        (width.ceil() as u32, height.ceil() as u32)
    }

    /// The figure as a PNG. The same figure gives the same bytes.
    pub fn png(&self) -> Result<Vec<u8>, ChartError> {
        self.scene()?.png(self.density)
    }

    /// The figure as an SVG document. The same figure gives the same bytes.
    pub fn svg(&self) -> Result<String, ChartError> {
        self.scene()?.svg()
    }

    fn grid(&self) -> (usize, usize) {
        let columns = self.columns.min(self.panels.len()).max(1);
        (columns, self.panels.len().div_ceil(columns))
    }

    /// Height above the panels.
    fn header(&self) -> f64 {
        let title = if self.title.is_empty() { 0.0 } else { TITLE_HEIGHT };
        MARGIN + title + SUBTITLE_HEIGHT * self.subtitle_lines().len() as f64
    }

    /// Width of all panels in a row.
    fn content_width(&self) -> f64 {
        self.grid().0 as f64 * f64::from(self.panel_size.0)
    }

    fn subtitle_lines(&self) -> Vec<String> {
        if self.subtitle.is_empty() {
            return Vec::new();
        }
        font::wrap(&self.subtitle, SUBTITLE_EM, Weight::Regular, self.content_width(), MOST_SUBTITLE_LINES)
    }

    fn legend(&self) -> Option<Arrangement> {
        if !self.shared_legend {
            return None;
        }
        let entries = legend::distinct(self.panels.iter().flat_map(Panel::entries));
        let width = self.content_width();
        (!entries.is_empty()).then(|| Arrangement::flow(&entries, width))
    }

    /// The panels with their shared vertical ranges.
    fn aligned(&self) -> Vec<Panel> {
        let mut panels = self.panels.clone();
        let group = match self.shared_y {
            None => return panels,
            Some(SharedY::All) => panels.len(),
            Some(SharedY::Rows) => self.grid().0,
        };
        for compared in panels.chunks_mut(group) {
            let heights: Vec<f64> =
                compared.iter().flat_map(Panel::heights).filter(|value| value.is_finite()).collect();
            let lo = heights.iter().copied().fold(f64::INFINITY, f64::min);
            // On a log axis only positive values count.
            let least = heights.iter().copied().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
            let hi = heights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for panel in compared {
                panel.reach([lo, hi]);
                panel.reach([least, hi]);
            }
        }
        panels
    }

    fn scene(&self) -> Result<Scene, ChartError> {
        if self.panels.is_empty() {
            return Err(ChartError::EmptyFigure { title: self.title.clone() });
        }
        let (width, height) = self.size();
        let pixels = u64::from(width) * u64::from(height) * u64::from(self.density).pow(2);
        if self.panel_size.0 < LEAST_PANEL.0 || self.panel_size.1 < LEAST_PANEL.1 || pixels > MOST_PIXELS {
            return Err(ChartError::Size { width, height });
        }
        let mut scene = Scene::new((width, height));
        self.draw_header(&mut scene, f64::from(width));
        let (columns, _) = self.grid();
        let (panel_width, panel_height) = (f64::from(self.panel_size.0), f64::from(self.panel_size.1));
        for (index, panel) in self.aligned().iter().enumerate() {
            let left = MARGIN + (index % columns) as f64 * panel_width;
            let top = self.header() + (index / columns) as f64 * panel_height;
            let cell = Rect { left, top, right: left + panel_width, bottom: top + panel_height };
            panel.draw(&mut scene, cell, self.shared_legend);
        }
        if let Some(block) = self.legend() {
            let size = block.size();
            let top = f64::from(height) - MARGIN - size.1;
            block.draw(&mut scene, ((f64::from(width) - size.0) / 2.0, top));
        }
        Ok(scene)
    }

    fn draw_header(&self, scene: &mut Scene, width: f64) {
        let mut y = MARGIN;
        if !self.title.is_empty() {
            y += TITLE_HEIGHT;
            let title = font::fit(&self.title, FIGURE_TITLE_EM, Weight::Bold, self.content_width());
            scene.text(Text::new(title, (width / 2.0, y - 8.0), FIGURE_TITLE_EM, Align::Middle).bold());
        }
        for line in self.subtitle_lines() {
            scene.text(Text::new(line, (width / 2.0, y + 8.0), SUBTITLE_EM, Align::Middle).coloured(QUIET_TEXT));
            y += SUBTITLE_HEIGHT;
        }
    }
}
