//! What a legend shows, and where it can stand without covering data.

use crate::font::{self, Weight};
use crate::hue::Rgb;
use crate::path::{Rect, dashes};
use crate::raster::Point;
use crate::scene::{Align, Rgba, Scene, Text};
use crate::theme::{AXIS, LEGEND_EM, LINE_WIDTH, WHITE};

/// Where a panel's legend goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Legend {
    /// Inside the panel where it covers no data; below the panel if there is no such place.
    #[default]
    Auto,
    /// Below the panel.
    Below,
    /// Nowhere.
    None,
}

/// Shape of a data point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Marker {
    /// ●
    Circle,
    /// ■
    Square,
    /// ▲
    Triangle,
    /// ◆
    Diamond,
    /// ✕
    Cross,
}

/// How a line is broken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Dash {
    Solid,
    Dashed,
}

/// How an area is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Area {
    /// Filled with this opacity.
    Filled(f64),
    /// White, with an edge.
    Hollow,
}

impl Area {
    pub(crate) fn draw(self, scene: &mut Scene, area: &Rect, rgb: Rgb) {
        match self {
            Area::Filled(opacity) => scene.fill(area.corners(), Rgba { rgb, opacity }),
            Area::Hollow => {
                scene.fill(area.corners(), Rgba::solid(WHITE));
                scene.outline(&area.grown(-0.6), Rgba::solid(rgb), 1.2);
            }
        }
    }
}

/// A marker as it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dot {
    pub shape: Marker,
    pub hollow: bool,
    pub radius: f64,
}

/// How a curve looks: on the panel and in the legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Style {
    pub rgb: Rgb,
    pub opacity: f64,
    /// Width and dash of the line; `None` for markers alone.
    pub line: Option<(f64, Dash)>,
    pub marker: Option<Dot>,
    /// A band or a bar.
    pub area: Option<Area>,
}

impl Style {
    /// Strokes `points` in this style.
    pub(crate) fn draw_line(&self, scene: &mut Scene, points: &[Point]) {
        let Some((width, dash)) = self.line else {
            return;
        };
        let colour = Rgba { rgb: self.rgb, opacity: self.opacity };
        // Round ends lengthen every dash by the line's width.
        let pieces = match dash {
            Dash::Solid => vec![points.to_vec()],
            Dash::Dashed => dashes(points, 2.6 * width, 2.6 * width),
        };
        for piece in pieces {
            scene.stroke(piece, colour, width);
        }
    }

    /// Draws this style's marker, if it has one, at `centre`.
    pub(crate) fn draw_marker(&self, scene: &mut Scene, centre: Point) {
        let Some(Dot { shape, hollow, radius }) = self.marker else {
            return;
        };
        let colour = Rgba { rgb: self.rgb, opacity: self.opacity };
        if shape == Marker::Cross {
            let (x, y) = centre;
            let reach = 0.9 * radius;
            scene.stroke(vec![(x - reach, y - reach), (x + reach, y + reach)], colour, LINE_WIDTH);
            scene.stroke(vec![(x - reach, y + reach), (x + reach, y - reach)], colour, LINE_WIDTH);
            return;
        }
        if shape == Marker::Circle {
            scene.disc(centre, radius, colour);
            if hollow {
                scene.disc(centre, radius - 1.4, Rgba::solid(WHITE));
            }
            return;
        }
        let corners = marker_corners(shape, centre, radius);
        if hollow {
            scene.fill(corners.clone(), Rgba::solid(WHITE));
            let closed = corners.iter().chain(&corners[..1]).copied().collect();
            scene.stroke(closed, colour, 1.4);
        } else {
            scene.fill(corners, colour);
        }
    }
}

fn marker_corners(marker: Marker, (x, y): Point, radius: f64) -> Vec<Point> {
    let around = |corners: &[(f64, f64)]| corners.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect();
    match marker {
        Marker::Circle | Marker::Square | Marker::Cross => {
            around(&[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)])
        }
        Marker::Triangle => around(&[(0.0, -1.15), (1.1, 0.8), (-1.1, 0.8)]),
        Marker::Diamond => around(&[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]),
    }
}

/// One line of a legend.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub label: String,
    pub style: Style,
}

/// The entries of those curves, bars or dots that have a label.
pub(crate) fn labelled<'a>(all: impl Iterator<Item = (&'a String, Style)>) -> Vec<Entry> {
    all.filter(|(label, _)| !label.is_empty()).map(|(label, style)| Entry { label: label.clone(), style }).collect()
}

/// `entries` without those whose label another one before them has.
pub(crate) fn distinct(entries: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
    let mut seen: Vec<Entry> = Vec::new();
    for entry in entries {
        if seen.iter().all(|listed| listed.label != entry.label) {
            seen.push(entry);
        }
    }
    seen
}

const SAMPLE_WIDTH: f64 = 24.0;
const SAMPLE_GAP: f64 = 6.0;
const ENTRY_GAP: f64 = 18.0;
const ROW_HEIGHT: f64 = 16.0;
const PADDING: f64 = 6.0;
/// Space under a legend that stands below its panel.
pub(crate) const MARGIN_BELOW: f64 = 6.0;
/// Distance kept from the panel's edge and from data.
const CLEARANCE: f64 = 6.0;

fn entry_width(entry: &Entry) -> f64 {
    SAMPLE_WIDTH + SAMPLE_GAP + font::width(&entry.label, LEGEND_EM, Weight::Regular)
}

/// Entries arranged in rows.
#[derive(Clone, Debug)]
pub(crate) struct Arrangement {
    rows: Vec<Vec<Entry>>,
    /// Width of each column; rows of a flowing legend are as wide as their entries and have none.
    column: Option<f64>,
}

impl Arrangement {
    /// One entry below another.
    pub(crate) fn column(entries: &[Entry]) -> Self {
        let widest = entries.iter().map(entry_width).fold(0.0, f64::max);
        Self { rows: entries.iter().map(|entry| vec![entry.clone()]).collect(), column: Some(widest) }
    }

    /// Entries side by side, broken into rows no wider than `width`, in columns if there is more than one row.
    pub(crate) fn flow(entries: &[Entry], width: f64) -> Self {
        let room = width - 2.0 * PADDING;
        let short = |entry: &Entry| {
            let label = font::fit(&entry.label, LEGEND_EM, Weight::Regular, room - SAMPLE_WIDTH - SAMPLE_GAP);
            Entry { label, style: entry.style }
        };
        let entries: Vec<Entry> = entries.iter().map(short).collect();
        let widest = entries.iter().map(entry_width).fold(0.0, f64::max);
        let total: f64 =
            entries.iter().map(entry_width).sum::<f64>() + ENTRY_GAP * entries.len().saturating_sub(1) as f64;
        if total <= room {
            return Self { rows: vec![entries], column: None };
        }
        let most = (((room + ENTRY_GAP) / (widest + ENTRY_GAP)).floor() as usize).max(1);
        // As few rows as `most` allows, then filled evenly.
        let rows = entries.len().div_ceil(most);
        let rows = entries.chunks(entries.len().div_ceil(rows)).map(<[Entry]>::to_vec).collect();
        Self { rows, column: Some(widest) }
    }

    pub(crate) fn size(&self) -> (f64, f64) {
        let row_width = |row: &Vec<Entry>| {
            let entries: f64 = row.iter().map(|entry| self.column.unwrap_or_else(|| entry_width(entry))).sum();
            entries + ENTRY_GAP * row.len().saturating_sub(1) as f64
        };
        let width = self.rows.iter().map(row_width).fold(0.0, f64::max);
        (width + 2.0 * PADDING, self.rows.len() as f64 * ROW_HEIGHT + PADDING)
    }

    /// Draws the block from the height `top` on, centred at `middle` as far as it then stays in `cell`.
    pub(crate) fn draw_below(&self, scene: &mut Scene, cell: &Rect, middle: f64, top: f64) {
        let width = self.size().0;
        self.draw(scene, ((middle - width / 2.0).min(cell.right - width).max(cell.left), top));
    }

    /// Draws the block with its upper left corner at `corner`.
    pub(crate) fn draw(&self, scene: &mut Scene, corner: Point) {
        let mut y = corner.1 + PADDING / 2.0 + ROW_HEIGHT / 2.0;
        for row in &self.rows {
            let mut x = corner.0 + PADDING;
            for entry in row {
                draw_entry(scene, entry, (x, y));
                x += self.column.unwrap_or_else(|| entry_width(entry)) + ENTRY_GAP;
            }
            y += ROW_HEIGHT;
        }
    }
}

fn draw_entry(scene: &mut Scene, entry: &Entry, (x, y): Point) {
    let style = &entry.style;
    if let Some(area) = style.area {
        let height = if style.line.is_some() { 5.0 } else { 4.5 };
        let patch = Rect { left: x, top: y - height, right: x + SAMPLE_WIDTH, bottom: y + height };
        area.draw(scene, &patch, style.rgb);
    }
    style.draw_line(scene, &[(x + 1.0, y), (x + SAMPLE_WIDTH - 1.0, y)]);
    style.draw_marker(scene, (x + SAMPLE_WIDTH / 2.0, y));
    let at = (x + SAMPLE_WIDTH + SAMPLE_GAP, y);
    scene.text(Text::new(entry.label.clone(), at, LEGEND_EM, Align::Start).centred());
}

/// What a legend must not cover.
#[derive(Clone, Debug, Default)]
pub(crate) struct Obstacles {
    pub lines: Vec<Vec<Point>>,
    pub areas: Vec<Rect>,
}

impl Obstacles {
    pub(crate) fn touch(&self, zone: &Rect) -> bool {
        self.touching(zone).next().is_some()
    }

    /// How many of them touch `zone`.
    pub(crate) fn count(&self, zone: &Rect) -> usize {
        self.touching(zone).count()
    }

    fn touching(&self, zone: &Rect) -> impl Iterator<Item = ()> {
        let crossed = |line: &&Vec<Point>| match line.as_slice() {
            [only] => zone.contains(*only),
            points => points.windows(2).any(|pair| zone.clip_segment(pair[0], pair[1]).is_some()),
        };
        let lines = self.lines.iter().filter(crossed).map(|_| ());
        lines.chain(self.areas.iter().filter(|area| area.overlaps(zone)).map(|_| ()))
    }
}

/// A block and the place inside `plot` where it keeps clear of all obstacles: a corner if possible, then the middle of a side.
pub(crate) fn place(entries: &[Entry], plot: &Rect, obstacles: &Obstacles) -> Option<(Arrangement, Rect)> {
    let shapes = [Arrangement::column(entries), Arrangement::flow(entries, plot.width() - 2.0 * CLEARANCE)];
    // Fractions of the free width and height: corners first, the upper right before the others, then the sides.
    const SPOTS: [(f64, f64); 16] = [
        (1.0, 0.0),
        (0.0, 0.0),
        (1.0, 1.0),
        (0.0, 1.0),
        (0.5, 0.0),
        (1.0, 0.5),
        (0.5, 1.0),
        (0.0, 0.5),
        (0.75, 0.0),
        (0.25, 0.0),
        (1.0, 0.25),
        (1.0, 0.75),
        (0.75, 1.0),
        (0.25, 1.0),
        (0.0, 0.25),
        (0.0, 0.75),
    ];
    for block in shapes {
        let (width, height) = block.size();
        let free = (plot.width() - width - 2.0 * CLEARANCE, plot.height() - height - 2.0 * CLEARANCE);
        if free.0 < 0.0 || free.1 < 0.0 {
            continue;
        }
        for (along, down) in SPOTS {
            let left = plot.left + CLEARANCE + along * free.0;
            let top = plot.top + CLEARANCE + down * free.1;
            let zone = Rect { left, top, right: left + width, bottom: top + height };
            if !obstacles.touch(&zone.grown(CLEARANCE - 1.0)) {
                return Some((block, zone));
            }
        }
    }
    None
}

/// Draws a block over a panel's grid, on white so that grid lines do not cross its text.
pub(crate) fn draw_inside(scene: &mut Scene, block: &Arrangement, zone: &Rect) {
    scene.fill(zone.corners(), Rgba { rgb: WHITE, opacity: 0.88 });
    scene.outline(zone, Rgba { rgb: AXIS, opacity: 0.35 }, 0.7);
    block.draw(scene, (zone.left, zone.top));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLOT: Rect = Rect { left: 0.0, top: 0.0, right: 300.0, bottom: 200.0 };

    fn entries() -> Vec<Entry> {
        let style = Style { rgb: (1, 2, 3), opacity: 1.0, line: Some((2.0, Dash::Solid)), marker: None, area: None };
        ["original", "compressed"].map(|label| Entry { label: label.into(), style }).to_vec()
    }

    fn obstacles(lines: Vec<Vec<Point>>) -> Obstacles {
        Obstacles { lines, areas: Vec::new() }
    }

    #[test]
    fn an_empty_panel_takes_the_legend_in_its_upper_right_corner() {
        let (_, zone) = place(&entries(), &PLOT, &Obstacles::default()).unwrap();
        assert!(zone.right > 290.0 && zone.top < 10.0);
    }

    #[test]
    fn the_legend_moves_away_from_a_line() {
        let descending = obstacles(vec![vec![(0.0, 100.0), (300.0, 0.0)]]);
        let (_, zone) = place(&entries(), &PLOT, &descending).unwrap();
        assert!(!descending.touch(&zone));
        assert!(zone.right < 200.0 || zone.top > 50.0, "{zone:?}");
    }

    #[test]
    fn a_full_panel_has_no_place_for_it() {
        let lines = (0..20).map(|row| vec![(0.0, f64::from(row) * 10.0), (300.0, f64::from(row) * 10.0)]).collect();
        assert!(place(&entries(), &PLOT, &obstacles(lines)).is_none());
        let area = Obstacles { lines: Vec::new(), areas: vec![PLOT] };
        assert!(place(&entries(), &PLOT, &area).is_none());
    }

    #[test]
    fn a_flowing_legend_breaks_when_it_must() {
        let many: Vec<Entry> = (0..5).flat_map(|_| entries()).collect();
        let block = Arrangement::flow(&many, 300.0);
        assert!(block.rows.len() > 1);
        assert!(block.size().0 <= 300.0);
        assert_eq!(Arrangement::flow(&entries(), 300.0).rows.len(), 1);
    }
}
