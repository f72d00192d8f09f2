//! Criterion's estimates, collected into `step.csv`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::case::CASES;
use crate::machine::Machine;
use crate::{BenchError, files};

/// A criterion benchmark and the ids it measures.
#[derive(Debug, Clone)]
pub struct Suite {
    /// What measures them.
    pub command: &'static str,
    /// `group/name`.
    pub ids: Vec<&'static str>,
}

/// All that `step.csv` holds.
pub fn suites() -> Vec<Suite> {
    vec![
        Suite { command: "cargo bench -p dynamics --bench step", ids: CASES.map(|case| case.id).to_vec() },
        Suite { command: "cargo bench -p adaptation --bench lora_step", ids: vec!["lora-step/128", "lora-step/48"] },
        Suite { command: "cargo bench -p adaptation --bench encoder_forward", ids: vec!["encoder-forward/128"] },
    ]
}

/// A row of `step.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// The benchmark.
    pub id: String,
    /// Seconds of an iteration: the median.
    pub median_seconds: f64,
    /// The lower end of its confidence interval (95 %).
    pub low_seconds: f64,
    /// The upper end.
    pub high_seconds: f64,
    /// When it was measured, UTC.
    pub measured: String,
    /// See [`Machine`].
    pub cpu: String,
    /// See [`Machine`].
    pub threads: usize,
    /// See [`Machine`].
    pub rustc: String,
    /// See [`Machine`].
    pub revision: String,
}

/// What of `estimates.json` is used; criterion writes nanoseconds.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// Where criterion writes: below `CRITERION_HOME`, or below cargo's target directory.
pub fn criterion_directory() -> PathBuf {
    match std::env::var_os("CRITERION_HOME") {
        Some(home) => PathBuf::from(home),
        None => target_directory().join("criterion"),
    }
}

/// Cargo's target directory: `CARGO_TARGET_DIR`, or `target` in the workspace.
pub fn target_directory() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => PathBuf::from(target),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    }
}

/// The rows of all suites, from criterion's directory.
///
/// # Errors
/// If something has not been measured, or a file does not read as estimates.
pub fn collect(directory: &Path, suites: &[Suite], machine: &Machine) -> Result<Vec<StepRow>, BenchError> {
    let mut rows = Vec::new();
    for suite in suites {
        let (found, missing): (Vec<&str>, _) = suite.ids.iter().partition(|id| estimates(directory, id).is_file());
        if !missing.is_empty() {
            let ids = missing.into_iter().map(str::to_owned).collect();
            let (directory, command) = (directory.to_owned(), suite.command.to_owned());
            return Err(BenchError::MissingEstimates { ids, directory, command });
        }
        for id in found {
            rows.push(row(&estimates(directory, id), id, machine)?);
        }
    }
    Ok(rows)
}

fn estimates(directory: &Path, id: &str) -> PathBuf {
    directory.join(id).join("new").join("estimates.json")
}

fn row(path: &Path, id: &str, machine: &Machine) -> Result<StepRow, BenchError> {
    let text = files::read(path)?;
    let Estimates { median } =
        serde_json::from_str(&text).map_err(|source| BenchError::Estimates { path: path.to_owned(), source })?;
    let unreadable = |source| BenchError::Read { path: path.to_owned(), source };
    let written = fs::metadata(path).and_then(|metadata| metadata.modified()).map_err(unreadable)?;
    let Machine { cpu, threads, rustc, revision } = machine.clone();
    let seconds = |nanoseconds: f64| nanoseconds * 1e-9;
    Ok(StepRow {
        id: id.to_owned(),
        median_seconds: seconds(median.point_estimate),
        low_seconds: seconds(median.confidence_interval.lower_bound),
        high_seconds: seconds(median.confidence_interval.upper_bound),
        measured: humantime::format_rfc3339_seconds(written).to_string(),
        cpu,
        threads,
        rustc,
        revision,
    })
}

/// What makes `step.csv`.
pub const COMMAND: &str = "just bench";

/// The rows of `step.csv`, complete.
///
/// # Errors
/// If the file cannot be read, or an id is missing.
pub fn read(path: &Path) -> Result<Vec<StepRow>, BenchError> {
    let rows: Vec<StepRow> = files::read_table(path)?;
    let missing = suites().into_iter().flat_map(|suite| suite.ids).find(|id| rows.iter().all(|row| row.id != *id));
    match missing {
        Some(id) => Err(BenchError::MissingRow { path: path.to_owned(), row: id.to_owned(), command: COMMAND }),
        None => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"median":{"confidence_interval":{"confidence_level":0.95,"lower_bound":1e6,"upper_bound":3e6},
        "point_estimate":2e6,"standard_error":1.0},"mean":{}}"#;

    fn machine() -> Machine {
        Machine { cpu: "c".into(), threads: 2, rustc: "r".into(), revision: "g".into() }
    }

    fn suite() -> Suite {
        Suite { command: "cargo bench --bench it", ids: vec!["group/one", "group/two"] }
    }

    fn put(directory: &Path, id: &str, text: &str) {
        let path = estimates(directory, id);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn estimates_become_seconds() {
        let directory = tempfile::tempdir().unwrap();
        put(directory.path(), "group/one", JSON);
        put(directory.path(), "group/two", JSON);
        let rows = collect(directory.path(), &[suite()], &machine()).unwrap();
        assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["group/one", "group/two"]);
        let row = &rows[1];
        assert_eq!((row.low_seconds, row.median_seconds, row.high_seconds), (1e-3, 2e-3, 3e-3));
        assert!(row.measured.ends_with('Z'));
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_makes_it() {
        let directory = tempfile::tempdir().unwrap();
        put(directory.path(), "group/one", JSON);
        let error = collect(directory.path(), &[suite()], &machine()).unwrap_err().to_string();
        assert!(error.contains("group/two") && !error.contains("group/one"), "{error}");
        assert!(error.ends_with("cargo bench --bench it"), "{error}");
    }

    #[test]
    fn a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        put(directory.path(), "group/one", JSON);
        put(directory.path(), "group/two", "{}");
        let error = collect(directory.path(), &[suite()], &machine()).unwrap_err().to_string();
        assert!(error.contains("two") && error.contains("estimates"), "{error}");
    }
}
