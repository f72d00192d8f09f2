//! The paper's reported values, read off its plots by eye (±3 %): written beside the results, drawn as a faint overlay.

use anyhow::Context;
use lab::{LabError, Results, Table};
use serde::{Deserialize, Serialize};

/// All reported values, as committed with the experiments.
const REPORTED: &str = include_str!("../../../experiments/reference.csv");

/// One reported value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceRow {
    pub series: String,
    /// What `x` is: a quantity, or `milestone`.
    pub x_name: String,
    /// Where: a number, or the milestone's name.
    pub x: String,
    /// What `y` is.
    pub y_name: String,
    pub y: f64,
}

/// `NAME.reference.csv`: the values that the paper reports for one experiment.
pub fn reference_table(experiment: &str) -> Result<Table, LabError> {
    #[derive(Deserialize)]
    struct Reported {
        figure: String,
        series: String,
        x_name: String,
        x: String,
        y_name: String,
        y: f64,
    }
    let reported: Result<Vec<Reported>, _> = csv::Reader::from_reader(REPORTED.as_bytes()).deserialize().collect();
    let rows = reported.context("experiments/reference.csv")?.into_iter().filter(|row| row.figure == experiment);
    Table::companion(
        experiment,
        "reference",
        rows.map(|Reported { series, x_name, x, y_name, y, .. }| ReferenceRow { series, x_name, x, y_name, y }),
    )
}

/// The reported values of an experiment, from its `NAME.reference.csv`.
pub fn read_reference(results: &Results, experiment: &str) -> anyhow::Result<Vec<ReferenceRow>> {
    results.read(&format!("{experiment}.reference"))
}

/// The points of one reported curve.
pub fn reference_points(rows: &[ReferenceRow], series: &str, y_name: &str) -> Vec<(f64, f64)> {
    rows.iter()
        .filter(|row| row.series == series && row.y_name == y_name)
        .filter_map(|row| Some((row.x.parse().ok()?, row.y)))
        .collect()
}
