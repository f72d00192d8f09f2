//! The README's performance table, written between two marks from `step.csv`, `peers.csv` and `machine.csv`.

use std::path::Path;

use crate::case::CASES;
use crate::chart::{seconds, times};
use crate::encoder::STEPS;
use crate::estimates::StepRow;
use crate::machine::MachineRow;
use crate::peers::{OURS, PeerRow};
use crate::{BenchError, files};

/// The line before the tables made from a directory.
pub fn mark(results: &Path) -> String {
    format!("<!-- performance: from {} by just bench-table -->", results.display())
}

/// The line after them.
const TO: &str = "<!-- /performance -->";

/// The tables and what they were measured with, as Markdown.
pub fn tables(steps: &[StepRow], peers: &[PeerRow], machine: &MachineRow) -> String {
    let names = matrix_peers(peers);
    let heads: String = names.iter().map(|name| format!(" {name} |")).collect();
    let mut lines = vec![format!("| iteration | network | floor | here |{heads} least ratio |")];
    lines.push(format!("|{}", "---|".repeat(names.len() + 5)));
    for case in CASES {
        let here = steps.iter().find(|row| row.id == case.id).map_or(String::new(), |row| seconds(row.median_seconds));
        lines.push(row(case.id, &case.description(), &here, &names, peers));
    }
    lines.push(String::new());
    lines.push("| training step of LoRA | batch | floor | here | PyTorch with PEFT | ratio |".to_owned());
    lines.push("|---|---|---|---|---|---|".to_owned());
    for step in STEPS {
        let ours = peers.iter().find(|row| row.id == step.id && row.peer == OURS);
        let here = ours.map_or(String::new(), |row| seconds(row.median_seconds));
        lines.push(row(step.id, step.description, &here, &["PyTorch"], peers));
    }
    lines.push(String::new());
    let others = steps.iter().filter(|row| CASES.iter().all(|case| case.id != row.id));
    let others: Vec<String> = others.map(|row| format!("`{}` {}", row.id, seconds(row.median_seconds))).collect();
    lines.push(format!("By criterion: {}.", others.join(", ")));
    lines.push(String::new());
    lines.push(measured_with(steps, peers, machine));
    lines.join("\n")
}

/// The peers of the matrix cases, in the order they come.
fn matrix_peers(peers: &[PeerRow]) -> Vec<&str> {
    let mut names = Vec::new();
    for row in peers.iter().filter(|row| row.peer != OURS && CASES.iter().any(|case| case.id == row.id)) {
        if !names.contains(&row.peer.as_str()) {
            names.push(row.peer.as_str());
        }
    }
    names
}

/// One line: what, its floor, our time, each peer's, the least ratio.
fn row(id: &str, description: &str, here: &str, names: &[&str], peers: &[PeerRow]) -> String {
    let of_case = || peers.iter().filter(|row| row.id == id && row.peer != OURS);
    let cell = |name: &&str| match of_case().find(|row| row.peer == **name) {
        Some(row) => format!(" {} ({}) |", seconds(row.median_seconds), times(row.ratio)),
        None => " |".to_owned(),
    };
    let cells: String = names.iter().map(cell).collect();
    let least = of_case().map(|row| row.ratio).fold(f64::INFINITY, f64::min);
    let floor = of_case().next().map_or(String::new(), |row| seconds(row.floor_seconds));
    format!("| `{id}` | {description} | {floor} | {here} |{cells} {} |", times(least))
}

fn measured_with(steps: &[StepRow], peers: &[PeerRow], machine: &MachineRow) -> String {
    let mut versions = Vec::new();
    for row in peers.iter().rev().filter(|row| row.peer != OURS) {
        if versions.iter().all(|(name, _)| *name != row.peer) {
            versions.push((row.peer.clone(), row.version.clone()));
        }
    }
    let versions: Vec<String> = versions.into_iter().rev().map(|(name, version)| format!("{name} {version}")).collect();
    format!(
        "Measured on {} threads of an {}: iterations here at revision {}, the peers beside revision {}, in one run; {}; {}. \
         Large products reach {:.0} GFLOP/s there in f64 and {:.0} in f32 (this project's), reads from the second cache \
         {:.0} GB/s.",
        machine.threads,
        machine.cpu,
        steps.first().map_or("", |row| &row.revision),
        machine.revision,
        versions.join(", "),
        machine.rustc,
        machine.gemm_f64_flop_per_second * 1e-9,
        machine.gemm_f32_flop_per_second * 1e-9,
        machine.cache_read_bytes_per_second * 1e-9,
    )
}

/// Replaces what is between the mark of the directory `results` and the next end in a file.
///
/// # Errors
/// If the marks are not there, or the file cannot be written.
pub fn replace(path: &Path, results: &Path, table: &str) -> Result<(), BenchError> {
    let text = files::read(path)?;
    let missing = |marker: &str| BenchError::Marker { path: path.to_owned(), marker: marker.to_owned() };
    let mark = mark(results);
    let from = text.find(&mark).ok_or_else(|| missing(&mark))? + mark.len();
    let to = from + text[from..].find(TO).ok_or_else(|| missing(TO))?;
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
        let spread = |median: f64| Spread { q1: median, median, q3: median };
        let mut steps = Vec::new();
        let mut peers = Vec::new();
        for id in CASES.iter().map(|case| case.id).chain(["lora-step/48"]) {
            let Machine { cpu, threads, rustc, revision } = machine();
            let (id, measured) = (id.to_owned(), String::new());
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
        }
        for case in CASES {
            for (name, seconds) in [(OURS, 0.08), ("NumPy", 0.2), ("JAX", 0.16)] {
                let row = PeerRow::new(case.id, (name, "1"), (spread(seconds), spread(0.08)), None, &machine());
                peers.push(PeerRow { floor_seconds: 0.072, ..row });
            }
        }
        for step in STEPS {
            for (name, seconds) in [(OURS, 0.3), ("PyTorch", 0.75)] {
                let row = PeerRow::new(step.id, (name, "2"), (spread(seconds), spread(0.3)), None, &machine());
                peers.push(PeerRow { floor_seconds: 0.25, ..row });
            }
        }
        let limits = Limits {
            gemm_f64_flop_per_second: 1e11,
            gemm_f32_flop_per_second: 2e11,
            cache_read_bytes_per_second: 2e11,
        };
        tables(&steps, &peers, &MachineRow::new(&machine(), &limits))
    }

    #[test]
    fn a_row_has_floor_time_peers_and_the_least_ratio() {
        let table = everything();
        let row = "| `original/d1000` | d = w = 1000, p = 0.2 | 72.0 ms | 80.0 ms | 200 ms (2.5 ×) | 160 ms (2.0 ×) | 2.0 × |";
        assert!(table.contains(row), "{table}");
        let row = "| `lora-step/128` | 16 sequences of 128 tokens | 250 ms | 300 ms | 750 ms (2.5 ×) | 2.5 × |";
        assert!(table.contains(row), "{table}");
        assert_eq!(table.lines().filter(|line| line.starts_with("| `")).count(), CASES.len() + STEPS.len());
        assert!(table.contains("By criterion: `lora-step/48` 80.0 ms."), "{table}");
        assert!(table.contains("NumPy 1, JAX 1, PyTorch 2; rustc 1"), "{table}");
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("README.md");
        let (one, other) = (mark(Path::new("one")), mark(Path::new("one/other")));
        let text = |new: &str| format!("before\n{one}\nold\n{TO}\nbetween\n{other}\n{new}\n{TO}\nafter\n");
        files::write(&path, text("old").as_bytes()).unwrap();
        replace(&path, Path::new("one/other"), "new").unwrap();
        assert_eq!(files::read(&path).unwrap(), text("\nnew\n"));
        let error = replace(&path, Path::new("nowhere"), "new").unwrap_err().to_string();
        assert!(error.contains("README.md has no line") && error.contains("from nowhere"), "{error}");
    }
}
