//! Trajectories of end-to-end products in the principal components of the original's last records.

use anyhow::Context;
use dynamics::trajectory::{PrincipalComponents, Snapshot};
use serde::{Deserialize, Serialize};

use super::MatrixOutcome;

/// One recorded product in three principal components: a row of `NAME.trajectory.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryRow {
    pub network: String,
    pub trial: usize,
    pub iteration: u64,
    /// Coordinates along the first three components, in units of the target's entries (Frobenius norm).
    pub component_1: f64,
    pub component_2: f64,
    pub component_3: f64,
    /// Frobenius distance to the original's product at the same iteration; empty where the original has no record.
    pub distance_to_original: Option<f64>,
}

/// The trajectories of several networks of one trial, within the last `records` recorded iterations of the original:
/// the principal components are those of the original's products there.
pub fn trajectory_rows(
    trial: usize,
    records: usize,
    original: &MatrixOutcome,
    networks: &[(&str, &MatrixOutcome)],
) -> anyhow::Result<Vec<TrajectoryRow>> {
    let window = &original.products[original.products.len().saturating_sub(records)..];
    let (Some(first), Some(last)) = (window.first(), window.last()) else {
        return Ok(Vec::new());
    };
    let range = first.iteration..=last.iteration;
    let reference: Vec<Snapshot> = window.iter().map(|product| product.snapshot()).collect();
    let components = PrincipalComponents::new(&reference, 3).context("principal components of the original")?;
    let mut rows = Vec::new();
    for (network, outcome) in networks {
        for product in outcome.products.iter().filter(|product| range.contains(&product.iteration)) {
            let snapshot = product.snapshot();
            let at = components.coordinates(&snapshot);
            let same = window.iter().position(|record| record.iteration == product.iteration);
            rows.push(TrajectoryRow {
                network: (*network).to_owned(),
                trial,
                iteration: product.iteration,
                component_1: at[0],
                component_2: at[1],
                component_3: at[2],
                distance_to_original: same.map(|k| snapshot.distance(&reference[k])),
            });
        }
    }
    Ok(rows)
}
