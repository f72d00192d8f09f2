//! The README's performance table, written between two marks from `step.csv`, `peers.csv` and `machine.csv`.

use std::path::Path;

use crate::case::CASES;
use crate::chart::{seconds, times};
use crate::estimates::StepRow;
use crate::machine::MachineRow;
use crate::peers::{OURS, PeerRow};
use crate::{BenchError, files};

/// The line before the table.
const FROM: &str = "<!-- performance: from results/bench by just bench-table -->";
/// The line after it.
const TO: &str = "<!-- /performance -->";

/// The table and what it was measured with, as Markdown.
pub fn table(steps: &[StepRow], peers: &[PeerRow], machine: &MachineRow) -> String {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for row in peers.iter().filter(|row| CASES.iter().any(|case| case.id == row.id) && row.peer != OURS) {
        if names.iter().all(|(name, _)| *name != row.peer) {
            names.push((&row.peer, &row.version));
        }
    }
    let heads: String = names.iter().map(|(name, _)| format!(" {name} |")).collect();
    let mut lines = vec![format!("| benchmark | network | floor | here |{heads} least ratio |")];
    lines.push(format!("|{}", "---|".repeat(names.len() + 5)));
    for case in CASES {
        let step = steps.iter().find(|row| row.id == case.id);
        let floor = case.floor_seconds(&machine.limits(), machine.threads);
        let of_case = || peers.iter().filter(|row| row.id == case.id && row.peer != OURS);
        let cell = |name: &str| match of_case().find(|row| row.peer == name) {
            Some(row) => format!(" {} ({}) |", seconds(row.median_seconds), times(row.ratio)),
            None => " |".to_owned(),
        };
        let cells: String = names.iter().map(|(name, _)| cell(name)).collect();
        let least = of_case().map(|row| row.ratio).fold(f64::INFINITY, f64::min);
        let here = step.map_or(String::new(), |row| seconds(row.median_seconds));
        let (id, network) = (case.id, case.description());
        lines.push(format!("| `{id}` | {network} | {} | {here} |{cells} {} |", seconds(floor), times(least)));
    }
    let versions: Vec<String> = names.iter().map(|(name, version)| format!("{name} {version}")).collect();
    lines.push(String::new());
    lines.push(format!(
        "Measured on {} threads of an {}: \"here\" with revision {}, peers beside revision {}, in one run; {}; {}. \
         Large products there reach {:.0} GFLOP/s (f64, this project's), reads from the second cache {:.0} GB/s.",
        machine.threads,
        machine.cpu,
        steps.first().map_or("", |row| &row.revision),
        machine.revision,
        versions.join(", "),
        machine.rustc,
        machine.gemm_f64_flop_per_second * 1e-9,
        machine.cache_read_bytes_per_second * 1e-9,
    ));
    lines.join("\n")
}

/// Replaces what is between the marks of a file.
///
/// # Errors
/// If the marks are not there, or the file cannot be written.
pub fn replace(path: &Path, table: &str) -> Result<(), BenchError> {
    let text = files::read(path)?;
    let find = |marker| text.find(marker).ok_or(BenchError::Marker { path: path.to_owned(), marker });
    let (from, to) = (find(FROM)? + FROM.len(), find(TO)?);
    if to < from {
        return Err(BenchError::Marker { path: path.to_owned(), marker: FROM });
    }
    files::write(path, format!("{}\n\n{table}\n\n{}", &text[..from], &text[to..]).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Limits, Machine};
    use crate::turns::Spread;

    fn machine() -> Machine {
        Machine { cpu: "processor".into(), threads: 2, rustc: "rustc 1".into(), revision: "abc".into() }
    }

    fn everything() -> String {
        let limits = Limits {
            gemm_f64_flop_per_second: 1e11,
            gemm_f32_flop_per_second: 2e11,
            cache_read_bytes_per_second: 2e11,
        };
        let spread = |median: f64| Spread { q1: median, median, q3: median };
        let mut steps = Vec::new();
        let mut peers = Vec::new();
        for case in CASES {
            let Machine { cpu, threads, rustc, revision } = machine();
            let (id, measured) = (case.id.to_owned(), String::new());
            let (median_seconds, low_seconds, high_seconds) = (0.08, 0.07, 0.09);
            steps.push(StepRow {
                id,
                median_seconds,
                low_seconds,
                high_seconds,
                measured,
                cpu,
                threads,
                rustc,
                revision,
            });
            for (name, seconds) in [(OURS, 0.08), ("NumPy", 0.2), ("JAX", 0.16)] {
                peers.push(PeerRow::new(case.id, (name, "1"), (spread(seconds), spread(0.08)), None, &machine()));
            }
        }
        table(&steps, &peers, &MachineRow::new(&machine(), &limits))
    }

    #[test]
    fn a_row_has_floor_time_peers_and_the_least_ratio() {
        let table = everything();
        let row = "| `original/d1000` | d = w = 1000, p = 0.2 | 72.0 ms | 80.0 ms | 200 ms (2.5 ×) | 160 ms (2.0 ×) | 2.0 × |";
        assert!(table.contains(row), "{table}");
        assert_eq!(table.lines().filter(|line| line.starts_with("| `")).count(), CASES.len());
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("README.md");
        files::write(&path, format!("before\n{FROM}\nold\n{TO}\nafter\n").as_bytes()).unwrap();
        replace(&path, "new").unwrap();
        assert_eq!(files::read(&path).unwrap(), format!("before\n{FROM}\n\nnew\n\n{TO}\nafter\n"));
        files::write(&path, b"no marks").unwrap();
        assert!(replace(&path, "new").unwrap_err().to_string().contains("README.md has no line"));
    }
}
