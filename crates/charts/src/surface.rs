//! Values over index × iteration in a box: one ridge for each index, or a coloured mesh.

use crate::axis::{Axis, Domain};
use crate::frame;
use crate::path::{Rect, runs};
use crate::scene::{Rgba, Scene};
use crate::space::{Place, Space, View};
use crate::theme::{TEXT, WHITE, mix, viridis};

/// More columns than this cannot be told apart in a panel; evenly spaced ones are drawn.
const MOST_COLUMNS: usize = 161;

/// Steps of the colour map along a ridge.
const SHADES: f64 = 64.0;

/// How a [`Surface`] is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum SurfaceStyle {
    /// One curve along the iterations for each index, filled down to the floor.
    #[default]
    Ridges,
    /// Coloured facets between neighbouring indices and iterations.
    Mesh,
}

/// A panel of values over index × iteration.
#[derive(Clone, Debug)]
pub struct Surface {
    title: String,
    values: Vec<Vec<f64>>,
    iterations: Option<Vec<f64>>,
    index: Axis,
    iteration: Axis,
    value: Axis,
    style: SurfaceStyle,
    view: View,
}

impl Surface {
    /// `values[i][t]` of index i + 1 at column t. A value that is not finite (on a log axis: not positive) leaves a gap.
    pub fn new(title: impl Into<String>, values: impl Into<Vec<Vec<f64>>>) -> Self {
        Self {
            title: title.into(),
            values: values.into(),
            iterations: None,
            index: Axis::linear("index"),
            iteration: Axis::linear("iteration"),
            value: Axis::linear(""),
            style: SurfaceStyle::Ridges,
            view: View { azimuth: -38.0, elevation: 28.0 },
        }
    }

    /// Label of the index axis.
    pub fn index(mut self, label: impl Into<String>) -> Self {
        self.index = Axis::linear(label);
        self
    }

    /// Label of the iteration axis.
    pub fn iteration(mut self, label: impl Into<String>) -> Self {
        self.iteration = Axis::linear(label);
        self
    }

    /// The upright axis.
    pub fn value(mut self, axis: Axis) -> Self {
        self.value = axis;
        self
    }

    /// Iteration of each column; without it 0, 1, 2 ….
    pub fn iterations(mut self, iterations: impl Into<Vec<f64>>) -> Self {
        self.iterations = Some(iterations.into());
        self
    }

    /// Ridges or mesh.
    pub fn style(mut self, style: SurfaceStyle) -> Self {
        self.style = style;
        self
    }

    /// The eye's direction in degrees: `azimuth` 0 looks along the index axis from its far end, -90 along the iterations
    /// from the first; `elevation` 0 is level with the floor, 90 above.
    pub fn view(mut self, azimuth: f64, elevation: f64) -> Self {
        self.view = View { azimuth, elevation };
        self
    }

    pub(crate) fn draw(&self, scene: &mut Scene, cell: Rect) {
        let columns = self.columns();
        let values = self.values.iter().flatten().copied();
        let times = columns.iter().map(|&(_, iteration)| iteration);
        let (Some(value), Some(iteration)) = (self.value.fit(values), self.iteration.fit_tightly(times)) else {
            return frame::draw_no_data(scene, cell, &self.title);
        };
        let rows = self.values.len() as f64;
        let index = if rows > 1.0 { Domain::exact(1.0, rows) } else { Domain::exact(0.5, 1.5) };
        let axes = [(&self.index, index), (&self.iteration, iteration), (&self.value, value)];
        let space = Space::plan(cell, self.view, axes);
        let grid: Vec<Vec<Option<Place>>> = self.places(&space, &columns);
        space.draw_walls(scene);
        match self.style {
            SurfaceStyle::Ridges => draw_ridges(scene, &space, grid),
            SurfaceStyle::Mesh => draw_mesh(scene, &space, &grid),
        }
        space.draw_axes(scene);
        frame::draw_title(scene, &self.title, (cell.left + cell.right) / 2.0, &cell);
    }

    /// Columns to draw, with their iterations.
    fn columns(&self) -> Vec<(usize, f64)> {
        let count = self.values.iter().map(Vec::len).max().unwrap_or(0);
        let drawn = count.min(MOST_COLUMNS);
        let pick = |k: usize| {
            if drawn > 1 { k * (count - 1) / (drawn - 1) } else { 0 }
        };
        let iteration = |column: usize| match &self.iterations {
            Some(iterations) => iterations.get(column).copied().unwrap_or(f64::NAN),
            None => column as f64,
        };
        (0..drawn).map(pick).map(|column| (column, iteration(column))).collect()
    }

    fn places(&self, space: &Space, columns: &[(usize, f64)]) -> Vec<Vec<Option<Place>>> {
        let place = |row: usize, column: usize, iteration: f64| {
            let value = self.values[row].get(column).copied().unwrap_or(f64::NAN);
            let mut place = space.place([row as f64 + 1.0, iteration, value])?;
            place[2] = place[2].clamp(0.0, 1.0);
            Some(place)
        };
        let row = |row: usize| columns.iter().map(|&(column, iteration)| place(row, column, iteration)).collect();
        (0..self.values.len()).map(row).collect()
    }
}

/// Ridges from the farthest to the nearest, coloured by height.
fn draw_ridges(scene: &mut Scene, space: &Space, grid: Vec<Vec<Option<Place>>>) {
    let mut ridges: Vec<Vec<Place>> = grid.into_iter().flat_map(runs).collect();
    // At one place along the ridges: parts of one with gaps begin elsewhere.
    let start = |ridge: &Vec<Place>| space.depth([ridge[0][0], 0.0, 0.0]);
    ridges.sort_by(|a, b| start(a).total_cmp(&start(b)));
    for ridge in ridges {
        let crest = ridge.iter().map(|&place| space.at(place));
        let floor = ridge.iter().rev().map(|&place| space.at(foot(place)));
        let mean = ridge.iter().map(|place| place[2]).sum::<f64>() / ridge.len() as f64;
        scene.fill(crest.chain(floor).collect(), Rgba { rgb: mix(viridis(colour(mean)), WHITE, 0.72), opacity: 0.8 });
        for (shade, crest) in shaded(&ridge) {
            let crest = crest.iter().map(|&place| space.at(place)).collect();
            scene.stroke(crest, Rgba::solid(viridis(shade)), 1.3);
        }
    }
}

/// A ridge cut into pieces of one shade each, neighbours sharing an end.
fn shaded(ridge: &[Place]) -> Vec<(f64, Vec<Place>)> {
    let shade = |pair: &[Place]| (colour((pair[0][2] + pair[1][2]) / 2.0) * SHADES).round() / SHADES;
    let mut pieces: Vec<(f64, Vec<Place>)> = Vec::new();
    for pair in ridge.windows(2) {
        match pieces.last_mut() {
            Some((current, piece)) if *current == shade(pair) => piece.push(pair[1]),
            _ => pieces.push((shade(pair), pair.to_vec())),
        }
    }
    pieces
}

fn foot(place: Place) -> Place {
    [place[0], place[1], 0.0]
}

/// The colour map without its lightest end, which is faint on white.
fn colour(unit: f64) -> f64 {
    0.92 * unit
}

/// Facets from the farthest to the nearest, coloured by height.
fn draw_mesh(scene: &mut Scene, space: &Space, grid: &[Vec<Option<Place>>]) {
    let mut facets: Vec<[Place; 4]> = Vec::new();
    for pair in grid.windows(2) {
        for column in 1..pair[0].len() {
            let corners = [pair[0][column - 1], pair[0][column], pair[1][column], pair[1][column - 1]];
            if let [Some(a), Some(b), Some(c), Some(d)] = corners {
                facets.push([a, b, c, d]);
            }
        }
    }
    let nearness = |facet: &[Place; 4]| facet.iter().map(|&place| space.depth(foot(place))).sum::<f64>();
    facets.sort_by(|a, b| nearness(a).total_cmp(&nearness(b)));
    for facet in facets {
        let height = facet.iter().map(|place| place[2]).sum::<f64>() / 4.0;
        let mut outline = facet.map(|place| space.at(place)).to_vec();
        scene.fill(outline.clone(), Rgba::solid(viridis(colour(height))));
        outline.push(outline[0]);
        scene.stroke(outline, Rgba { rgb: TEXT, opacity: 0.35 }, 0.35);
    }
}
