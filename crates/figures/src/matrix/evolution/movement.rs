//! What moved among the singular values and vectors, and whether that is as it should be.

use super::{EvolutionRow, by_index};

/// What moves gets visibly away, by more than 1 % or 0.6 degrees; what stays does not.
const VISIBLE: f64 = 1e-2;

/// Which singular vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The right ones, V.
    Right,
    /// The left ones, U.
    Left,
}

/// How much moved: in one layer and run, or at worst in several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Movement {
    /// Largest relative difference among the middle singular values at one iteration.
    pub middle_spread: f64,
    /// Largest relative change of a middle singular value since the start.
    pub middle_change: f64,
    /// Largest relative change of any singular value since the start.
    pub largest_change: f64,
    /// The least that one of the first or last r singular values gets away from the middle ones, relative to them.
    pub edge_separation: f64,
    /// Largest angle of the middle subspaces in radians: right, left.
    pub middle_angles: [f64; 2],
    /// The least that one of the first or last r vectors turns at most, in radians: right, left.
    pub edge_angles: [f64; 2],
}

impl Movement {
    /// What is fixed may be off by rounding only: of vectors, 1e-16 over the smallest gap between the singular values,
    /// which is about 1e-2 at iteration 1.
    pub const ROUNDING: f64 = 1e-11;

    /// What moved in the rows of one layer and run, for a target of rank `rank`; `None` unless there are middle ones.
    pub fn new(rows: &[&EvolutionRow], rank: usize) -> Option<Self> {
        let grid = |value| by_index(rows.iter().copied(), value);
        let values = grid(|row| row.singular_value);
        let vectors = [grid(|row| row.right_angle_rad), grid(|row| row.left_angle_rad)];
        let middle = rank..values.len().checked_sub(rank).filter(|end| *end > rank)?;
        let edge = || (0..values.len()).filter(|i| !middle.contains(i));
        let spread = |t: usize| values[middle.start][t] / values[middle.end - 1][t] - 1.0;
        let change = |i: usize| largest(values[i].iter().map(|value| (value / values[i][0] - 1.0).abs()));
        let separation = |i: usize| {
            let common = &values[middle.start];
            largest(values[i].iter().zip(common).map(|(value, common)| (value / common - 1.0).abs()))
        };
        let turn = |angles: &[Vec<f64>], i: usize| largest(angles[i].iter().copied());
        Some(Self {
            middle_spread: largest((0..values[0].len()).map(spread)),
            middle_change: largest(middle.clone().map(change)),
            largest_change: largest((0..values.len()).map(change)),
            edge_separation: least(edge().map(separation)),
            middle_angles: vectors.each_ref().map(|angles| largest(middle.clone().map(|i| turn(angles, i)))),
            edge_angles: vectors.each_ref().map(|angles| least(edge().map(|i| turn(angles, i)))),
        })
    }

    /// Whether the singular values but the first and last r keep equal, and those part from them.
    pub fn values_are_confined(&self) -> bool {
        self.middle_spread < Self::ROUNDING && self.edge_separation > VISIBLE
    }

    /// Whether the subspace of the vectors of one side but the first and last r stays, and those turn.
    pub fn vectors_are_confined(&self, side: Side) -> bool {
        self.middle_angles[side as usize] < Self::ROUNDING && self.edge_angles[side as usize] > VISIBLE
    }

    /// Whether the singular values but the first and last r stay as they are.
    pub fn values_stay(&self) -> bool {
        self.middle_change < VISIBLE
    }

    /// How far the first and last r singular values part from the others, and those from each other.
    pub fn of_values(&self) -> String {
        format!(
            "the first and last r part by at least {:.0} %, the others by at most {:.0e}",
            100.0 * self.edge_separation,
            self.middle_spread
        )
    }

    /// How far the singular values change since the start.
    pub fn since_the_start(&self) -> String {
        let (middle, all) = (100.0 * self.middle_change, 100.0 * self.largest_change);
        format!("they change, all alike, by {middle:.1} %; the largest change of any is {all:.0} %")
    }

    /// How far the vectors of one side turn.
    pub fn of_vectors(&self, side: Side) -> String {
        let angles = [self.edge_angles, self.middle_angles].map(|angles| angles[side as usize].to_degrees());
        format!(
            "the first and last r turn by at least {:.0}°, the subspace of the others by at most {:.0e}°",
            angles[0], angles[1]
        )
    }

    /// The worst of two: of what should not move the most, of what should the least.
    pub fn worst(self, other: Self) -> Self {
        let pair = |a: [f64; 2], b: [f64; 2], pick: fn(f64, f64) -> f64| [pick(a[0], b[0]), pick(a[1], b[1])];
        Self {
            middle_spread: greater(self.middle_spread, other.middle_spread),
            middle_change: greater(self.middle_change, other.middle_change),
            largest_change: greater(self.largest_change, other.largest_change),
            edge_separation: lesser(self.edge_separation, other.edge_separation),
            middle_angles: pair(self.middle_angles, other.middle_angles, greater),
            edge_angles: pair(self.edge_angles, other.edge_angles, lesser),
        }
    }
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, greater)
}

fn least(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::INFINITY, lesser)
}

/// NaN if one of them is, unlike `f64::max`: what cannot be measured must not pass for small.
fn greater(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// NaN if one of them is.
fn lesser(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}
