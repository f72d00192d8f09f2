//! Rows of the CSV file made from the evolution's trials.

use serde::{Deserialize, Serialize};

use super::EvolutionOutcome;

/// One singular value and its vectors at one iteration: a row of the table of `svd-evolution`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvolutionRow {
    pub variant: String,
    pub trial: usize,
    /// Layer, from 1.
    pub layer: usize,
    pub iteration: u64,
    /// Place among the layer's singular values, the largest first, from 1.
    pub index: usize,
    pub singular_value: f64,
    /// Angle in radians from the right singular vector of iteration 1 (0 at iteration 0, where vectors are arbitrary).
    /// All but the first and last r vectors share the largest principal angle between the subspaces they span.
    pub right_angle_rad: f64,
    pub left_angle_rad: f64,
}

/// The rows of one run of a variant.
pub fn evolution_rows(variant: &str, trial: usize, outcome: &EvolutionOutcome) -> Vec<EvolutionRow> {
    let mut rows = Vec::new();
    for (l, evolution) in outcome.layers.iter().enumerate() {
        for (t, values) in evolution.values.iter().enumerate() {
            rows.extend(values.iter().enumerate().map(|(i, &singular_value)| EvolutionRow {
                variant: variant.to_owned(),
                trial,
                layer: l + 1,
                iteration: t as u64,
                index: i + 1,
                singular_value,
                right_angle_rad: evolution.right_angles[t][i],
                left_angle_rad: evolution.left_angles[t][i],
            }));
        }
    }
    rows
}

/// A quantity of some rows of one layer and run as `[i][t]`, by index and iteration; NaN where there is no row.
pub fn by_index<'a>(rows: impl Iterator<Item = &'a EvolutionRow>, value: fn(&EvolutionRow) -> f64) -> Vec<Vec<f64>> {
    let mut grid: Vec<Vec<f64>> = Vec::new();
    for row in rows {
        let (i, t) = (row.index - 1, row.iteration as usize);
        grid.resize_with(grid.len().max(i + 1), Vec::new);
        let columns = grid[i].len().max(t + 1);
        grid[i].resize(columns, f64::NAN);
        grid[i][t] = value(row);
    }
    grid
}
