//! The tables of the documents, and the places in the documents where they stand.

use std::fmt::Write as _;

use crate::case;
use crate::record::{PeerRow, Run};
use crate::samples::OURS;
use crate::text::{distinct, seconds, times};

/// README's part: the newest run.
pub fn newest(run: &Run) -> String {
    format!("Run `{}`: {}.\n\n{}", run.name, machine(run), short_table(run))
}

/// A line per case: floor, our time, and the fastest peer with its ratio; all of one run.
fn short_table(run: &Run) -> String {
    let mut text = "| case | what | floor | here | the fastest other |\n|---|---|---|---|---|".to_owned();
    for id in distinct(run.rows.iter().map(|row| row.id.as_str())) {
        let rows: Vec<&PeerRow> = run.rows.iter().filter(|row| row.id == id).collect();
        let what = case::find(id).map_or(String::new(), |case| case.description());
        let [ours, theirs] =
            [true, false].map(|is_ours| rows.iter().copied().filter(move |row| (row.peer == OURS) == is_ours));
        let here: String = ours.map(|row| seconds(row.median_seconds)).collect();
        let fastest = theirs.min_by(|a, b| a.ratio.total_cmp(&b.ratio));
        let fastest = fastest.map_or(String::new(), |row| format!("{} {}", times(row.ratio), row.peer));
        let _ = write!(text, "\n| `{id}` | {what} | {} | {here} | {fastest} |", seconds(rows[0].floor_seconds));
    }
    text
}

/// The part of `docs/performance.md`: every run with its chart, which is in `figures` as seen from there.
pub fn all(runs: &[Run], figures: &str) -> String {
    let sections = runs.iter().map(|run| {
        let name = &run.name;
        format!("## {name}\n\n{}\n\n{}\n\n![{name}]({figures}/{name}.png)", measured_with(run), table(run))
    });
    sections.collect::<Vec<_>>().join("\n\n")
}

/// A line per case: floor, our time, each peer's with its ratio, the least ratio; all of one run.
fn table(run: &Run) -> String {
    let peers = distinct(run.rows.iter().map(|row| row.peer.as_str()).filter(|peer| *peer != OURS));
    let mut text = format!("| case | what | floor | here | {} | least ratio |\n", peers.join(" | "));
    let _ = write!(text, "|{}", "---|".repeat(peers.len() + 5));
    for id in distinct(run.rows.iter().map(|row| row.id.as_str())) {
        let rows: Vec<&PeerRow> = run.rows.iter().filter(|row| row.id == id).collect();
        let what = case::find(id).map_or(String::new(), |case| case.description());
        let _ = write!(text, "\n| `{id}` | {what} | {} |", seconds(rows[0].floor_seconds));
        for name in [OURS].iter().chain(&peers) {
            match rows.iter().find(|row| row.peer == *name) {
                Some(row) if row.peer == OURS => _ = write!(text, " {} |", seconds(row.median_seconds)),
                Some(row) => _ = write!(text, " {} ({}) |", seconds(row.median_seconds), times(row.ratio)),
                None => text.push_str(" |"),
            }
        }
        let theirs = rows.iter().filter(|row| row.peer != OURS);
        let _ = write!(text, " {} |", times(theirs.map(|row| row.ratio).fold(f64::INFINITY, f64::min)));
    }
    text
}

fn machine(run: &Run) -> String {
    format!("{}, {} threads", run.machine.cpu, run.machine.threads)
}

fn measured_with(run: &Run) -> String {
    let machine_row = &run.machine;
    let versions = run.rows.iter().rev().filter(|row| row.peer != OURS);
    let mut versions: Vec<(&str, &str)> = versions.map(|row| (row.peer.as_str(), row.version.as_str())).collect();
    // The last row of a peer is the one that says most: PyTorch's names PEFT too.
    let peers = distinct(run.rows.iter().map(|row| row.peer.as_str()).filter(|peer| *peer != OURS));
    versions.sort_by_key(|(peer, _)| peers.iter().position(|name| name == peer));
    versions.dedup_by_key(|(peer, _)| *peer);
    let versions: Vec<String> = versions.iter().map(|(peer, version)| format!("{peer} {version}")).collect();
    let lines = [
        format!("- machine: {}", machine(run)),
        format!("- command: `{}`, started {}", machine_row.command, machine_row.started),
        format!("- revision: {}", machine_row.revision),
        format!("- versions: {}; {}", machine_row.rustc, versions.join("; ")),
        format!(
            "- limits: a large product reaches {:.0} GFLOP/s in `f64` and {:.0} in `f32`; reads from the second cache reach \
             {:.0} GB/s{}",
            machine_row.gemm_f64_flop_per_second * 1e-9,
            machine_row.gemm_f32_flop_per_second * 1e-9,
            machine_row.cache_read_bytes_per_second * 1e-9,
            machine_row
                .memory_bytes_per_second
                .map_or(String::new(), |rate| format!(", memory is read and written at {:.0} GB/s", rate * 1e-9)),
        ),
    ];
    lines.join("\n")
}

/// The line before the part `name` of a document.
pub fn mark(name: &str) -> String {
    format!("<!-- {name}: by just bench-table -->")
}

/// `document` with the part `name` replaced; nothing if it has no such part.
pub fn replaced(document: &str, name: &str, part: &str) -> Option<String> {
    let (mark, end) = (mark(name), format!("<!-- /{name} -->"));
    let (before, rest) = document.split_once(&mark)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{mark}\n\n{part}\n\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;

    #[test]
    fn a_line_has_floor_time_peers_and_the_least_ratio() {
        let table = table(&record::tests::run("2026-11-24"));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert_eq!(lines[0], "| case | what | floor | here | NumPy | JAX | PyTorch | least ratio |");
        let line = "| `original/d1000` | d = w = 1000, p = 0.2 | 72.0 ms | 80.0 ms | 200 ms (2.5 ×) | 160 ms (2.0 ×) | | 2.0 × |";
        assert_eq!(lines[2], line);
        assert!(lines[3].ends_with("| 250 ms | 300 ms | | | 750 ms (2.5 ×) | 2.5 × |"), "{table}");
    }

    #[test]
    fn a_short_line_has_the_fastest_peer() {
        let text = newest(&record::tests::run("2026-11-24"));
        let line = "| `original/d1000` | d = w = 1000, p = 0.2 | 72.0 ms | 80.0 ms | 2.0 × JAX |";
        assert!(text.lines().any(|found| found == line), "{text}");
    }

    #[test]
    fn a_run_names_machine_command_revision_and_versions() {
        let mut run = record::tests::run("2026-11-24");
        run.rows.last_mut().unwrap().version = "2 (PEFT 3)".into();
        let text = all(&[run], "../figures/bench");
        for part in [
            "## name\n\n- machine: processor with AVX2, 2 threads\n- command: `just bench-peers`, started 2026-11-24",
            "- revision: abc\n- versions: rustc 1; NumPy 0.1.0; JAX 0.1.0; PyTorch 2 (PEFT 3)\n",
            "100 GFLOP/s in `f64` and 200 in `f32`; reads from the second cache reach 300 GB/s",
            "![name](../figures/bench/name.png)",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn only_the_named_part_changes() {
        let document = |part: &str| format!("before\n{}\n{part}\n<!-- /runs -->\nafter\n", mark("runs"));
        assert_eq!(replaced(&document("old"), "runs", "new").unwrap(), document("\nnew\n"));
        assert_eq!(replaced(&document("old"), "other", "new"), None);
    }
}
