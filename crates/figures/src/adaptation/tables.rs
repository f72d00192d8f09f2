//! The tables of experiments whose rows are runs.

use lab::{LabError, Table};

use super::differences::differences;
use super::rows::{FinishedRun, RunRow, timing_table};

/// `NAME.csv` with a row for every run, the differences of the methods, and the seconds.
///
/// # Errors
/// If a table cannot be made.
pub fn run_tables(name: &str, finished: &[FinishedRun]) -> Result<Vec<Table>, LabError> {
    let rows: Vec<RunRow> = finished.iter().map(RunRow::of).collect();
    Ok(vec![
        Table::companion(name, "differences", differences(&rows))?,
        Table::new(name, rows)?,
        timing_table(name, finished)?,
    ])
}
