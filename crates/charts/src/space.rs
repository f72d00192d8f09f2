//! Three dimensions on a page: an orthographic view of a box, its back walls, and its labelled edges.

use crate::axis::{Axis, Domain};
use crate::font::{self, Weight};
use crate::path::Rect;
use crate::raster::Point;
use crate::scene::{Align, Scene, Text};
use crate::theme::*;
use crate::ticks::Ticks;

/// A position in the box, each coordinate from 0 to 1.
pub(crate) type Place = [f64; 3];

/// Labels aimed at on each axis.
const TICKS: usize = 5;
/// Lengths of the box's sides relative to each other.
const SIDES: [f64; 3] = [1.0, 1.0, 0.78];

/// Where the eye is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    /// Degrees around the vertical, 0 on the side of the largest x, 90 on the side of the largest y.
    pub azimuth: f64,
    /// Degrees above the floor, kept between 5 and 85.
    pub elevation: f64,
}

impl View {
    /// From the box to the eye; to the right on the page; up on the page.
    fn directions(&self) -> (Place, Place, Place) {
        let (sin_a, cos_a) = self.azimuth.to_radians().sin_cos();
        let (sin_e, cos_e) = self.elevation.clamp(5.0, 85.0).to_radians().sin_cos();
        ([cos_e * cos_a, cos_e * sin_a, sin_e], [-sin_a, cos_a, 0.0], [-sin_e * cos_a, -sin_e * sin_a, cos_e])
    }
}

fn dot(a: Place, b: Place) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// One axis of the box.
struct Side {
    label: String,
    domain: Domain,
    ticks: Ticks,
}

/// A box fitted into a rectangle of the page.
pub(crate) struct Space {
    sides: [Side; 3],
    to_eye: Place,
    right: Place,
    up: Place,
    scale: f64,
    origin: Point,
    /// Coordinate (0 or 1) of the wall farther from the eye, for each axis.
    far: [f64; 3],
}

impl Space {
    /// Fits the box into `cell`, below the panel's title, with room for labels around it.
    pub(crate) fn plan(cell: Rect, view: View, axes: [(&Axis, Domain); 3]) -> Self {
        let (to_eye, right, up) = view.directions();
        let far = to_eye.map(|towards| if towards > 0.0 { 0.0 } else { 1.0 });
        let mut room = [0.5 * cell.width(), 0.5 * cell.width(), cell.height() - 40.0].into_iter();
        let sides = axes.map(|(axis, domain)| {
            let ticks = axis.ticks_over(&domain, TICKS);
            let room = room.next().unwrap_or_default();
            Side { label: font::fit(&axis.full_label(&ticks), LABEL_EM, Weight::Regular, room), domain, ticks }
        });
        let height_labels = widest(&sides[2].ticks) + LABEL_EM;
        let page = Rect {
            left: cell.left + 22.0 + height_labels,
            top: cell.top + 32.0,
            right: cell.right - 22.0,
            bottom: cell.bottom - 42.0,
        };
        let mut space = Self { sides, to_eye, right, up, scale: 1.0, origin: (0.0, 0.0), far };
        space.fit(&page);
        space
    }

    fn fit(&mut self, page: &Rect) {
        let corners: Vec<Point> = (0..8).map(|bits| self.at(corner(bits))).collect();
        let bounds = |pick: fn(&Point) -> f64| {
            let values = corners.iter().map(pick);
            (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max))
        };
        let ((left, right), (top, bottom)) = (bounds(|p| p.0), bounds(|p| p.1));
        self.scale = (page.width() / (right - left)).min(page.height() / (bottom - top));
        self.origin = (
            (page.left + page.right) / 2.0 - self.scale * (left + right) / 2.0,
            (page.top + page.bottom) / 2.0 - self.scale * (top + bottom) / 2.0,
        );
    }

    fn centred(place: Place) -> Place {
        [0, 1, 2].map(|axis| (place[axis] - 0.5) * SIDES[axis])
    }

    /// The position on the page of a place in the box.
    pub(crate) fn at(&self, place: Place) -> Point {
        let place = Self::centred(place);
        (self.origin.0 + self.scale * dot(place, self.right), self.origin.1 - self.scale * dot(place, self.up))
    }

    /// Nearness to the eye.
    pub(crate) fn depth(&self, place: Place) -> f64 {
        dot(Self::centred(place), self.to_eye)
    }

    /// The place in the box of a point given in the units of the axes; `None` if an axis has none for it.
    pub(crate) fn place(&self, point: [f64; 3]) -> Option<Place> {
        let [x, y, z] = &self.sides;
        Some([x.domain.unit(point[0])?, y.domain.unit(point[1])?, z.domain.unit(point[2])?])
    }

    /// The outline of the box on the page.
    pub(crate) fn edges(&self) -> Vec<Vec<Point>> {
        let pairs = (0..8usize).flat_map(|from| [1, 2, 4].map(|bit| (from, from | bit)));
        pairs
            .filter(|(from, to)| from != to)
            .map(|(from, to)| vec![self.at(corner(from)), self.at(corner(to))])
            .collect()
    }

    /// Draws the three back walls with their grids.
    pub(crate) fn draw_walls(&self, scene: &mut Scene) {
        for axis in 0..3 {
            for other in (0..3).filter(|other| *other != axis) {
                let wall = 3 - axis - other;
                for tick in self.units(axis).into_iter().map(|(unit, _)| unit) {
                    let mut from = [0.0; 3];
                    from[axis] = tick;
                    from[wall] = self.far[wall];
                    let mut to = from;
                    to[other] = 1.0;
                    scene.line(self.at(from), self.at(to), GRID, GRID_WIDTH);
                }
            }
        }
        for axis in 0..3 {
            for (a, b) in [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)] {
                let mut from = self.far;
                let (first, second) = ((axis + 1) % 3, (axis + 2) % 3);
                from[first] = if a == 0.0 { self.far[first] } else { 1.0 - self.far[first] };
                from[second] = if b == 0.0 { self.far[second] } else { 1.0 - self.far[second] };
                from[axis] = 0.0;
                let mut to = from;
                to[axis] = 1.0;
                scene.line(self.at(from), self.at(to), mix(AXIS, WHITE, 0.55), 0.7);
            }
        }
    }

    fn units(&self, axis: usize) -> Vec<(f64, &str)> {
        let side = &self.sides[axis];
        let placed = side.ticks.major.iter().map(|tick| (side.domain.unit_at(tick.at), tick.label.as_str()));
        placed.filter(|(unit, _)| (-1e-9..=1.0 + 1e-9).contains(unit)).collect()
    }

    /// Draws the three labelled edges: two along the front of the floor, one upright at the left.
    pub(crate) fn draw_axes(&self, scene: &mut Scene) {
        let mut taken = Vec::new();
        for (axis, across) in [(0, 1), (1, 0)] {
            let mut start = self.far;
            start[across] = 1.0 - self.far[across];
            start[axis] = 0.0;
            let mut inside = start;
            inside[across] = self.far[across];
            let (edge, back) = (self.at(start), self.at(inside));
            let length = (edge.0 - back.0).hypot(edge.1 - back.1).max(1e-9);
            self.draw_axis(scene, &mut taken, axis, start, ((edge.0 - back.0) / length, (edge.1 - back.1) / length));
        }
        let [x, y, z] = self.far;
        let candidates = [[1.0 - x, y, z], [x, 1.0 - y, z]];
        let leftmost = if self.at(candidates[0]).0 < self.at(candidates[1]).0 { candidates[0] } else { candidates[1] };
        self.draw_axis(scene, &mut taken, 2, leftmost, (-1.0, 0.0));
    }

    /// Draws `axis` from the corner `start`, its labels towards `outward` on the page, but none over those in `taken`.
    fn draw_axis(&self, scene: &mut Scene, taken: &mut Vec<Rect>, axis: usize, start: Place, outward: Point) {
        let along = |unit: f64| {
            let mut place = start;
            place[axis] = unit;
            self.at(place)
        };
        scene.line(along(0.0), along(1.0), AXIS, AXIS_WIDTH);
        let mut reach = 0f64;
        for (unit, label) in self.units(axis) {
            let foot = along(unit);
            let end = (foot.0 + outward.0 * TICK_LENGTH, foot.1 + outward.1 * TICK_LENGTH);
            scene.line(foot, end, AXIS, AXIS_WIDTH);
            let half = (font::width(label, TICK_EM, Weight::Regular) / 2.0, 0.4 * TICK_EM);
            let distance = TICK_LENGTH + 4.0 + outward.0.abs() * half.0 + outward.1.abs() * half.1;
            let at = (foot.0 + outward.0 * distance, foot.1 + outward.1 * distance);
            let area = Rect { left: at.0 - half.0, right: at.0 + half.0, top: at.1 - half.1, bottom: at.1 + half.1 };
            if taken.iter().all(|other| !area.grown(2.5).overlaps(other)) {
                scene.text(Text::new(label, at, TICK_EM, Align::Middle).centred());
                taken.push(area);
            }
            reach = reach.max(distance + outward.0.abs() * half.0 + outward.1.abs() * half.1);
        }
        let middle = along(0.5);
        let label = self.sides[axis].label.clone();
        if axis == 2 {
            let at = (middle.0 - reach - 0.5 * LABEL_EM - 4.0, middle.1);
            return scene.text(Text::new(label, at, LABEL_EM, Align::Middle).centred().upright());
        }
        let half = (font::width(&label, LABEL_EM, Weight::Regular) / 2.0, 0.5 * LABEL_EM);
        let distance = reach + 5.0 + outward.0.abs() * half.0 + outward.1.abs() * half.1;
        let at = (middle.0 + outward.0 * distance, middle.1 + outward.1 * distance);
        scene.text(Text::new(label, at, LABEL_EM, Align::Middle).centred());
    }
}

fn corner(bits: usize) -> Place {
    [0, 1, 2].map(|axis| ((bits >> axis) & 1) as f64)
}

fn widest(ticks: &Ticks) -> f64 {
    ticks.major.iter().map(|tick| font::width(&tick.label, TICK_EM, Weight::Regular)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(azimuth: f64) -> Space {
        let axis = Axis::linear("a");
        let domain = Domain::exact(0.0, 10.0);
        let cell = Rect { left: 0.0, top: 0.0, right: 420.0, bottom: 320.0 };
        Space::plan(cell, View { azimuth, elevation: 30.0 }, [(&axis, domain), (&axis, domain), (&axis, domain)])
    }

    #[test]
    fn the_whole_box_lies_in_its_cell_from_every_side() {
        for azimuth in (-180..180).step_by(15) {
            let space = space(f64::from(azimuth));
            let cell = Rect { left: 0.0, top: 26.0, right: 420.0, bottom: 320.0 };
            assert!((0..8).all(|bits| cell.contains(space.at(corner(bits)))), "azimuth {azimuth}");
        }
    }

    #[test]
    fn far_walls_are_farther_and_up_is_up() {
        for azimuth in [-150.0, -60.0, 20.0, 100.0] {
            let space = space(azimuth);
            let far = space.far;
            for axis in 0..3 {
                let mut near = far;
                near[axis] = 1.0 - near[axis];
                assert!(space.depth(near) > space.depth(far));
            }
            assert!(space.at([0.5, 0.5, 1.0]).1 < space.at([0.5, 0.5, 0.0]).1);
        }
    }
}
