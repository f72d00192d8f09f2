//! The smallest and largest numbers on every axis, through real binaries: drawn, and soon.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Far more than drawing takes on a busy machine, far less than for ever.
const SOON: Duration = Duration::from_secs(60);

/// Runs an experiment's smoke profile with its outputs in `directory`; fails if it does not end soon.
fn draw(binary: &str, directory: &Path, arguments: &[&str]) {
    let mut command = Command::new(binary);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).args(["--profile", "smoke"]);
    command.arg("--results").arg(directory.join("results")).arg("--figures").arg(directory.join("figures"));
    let mut child =
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a state") {
            break status;
        }
        if begin.elapsed() > SOON {
            child.kill().expect("SIGKILL");
            child.wait().expect("an end");
            panic!("{arguments:?}: still running after {SOON:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{arguments:?}: {status}");
}

/// Replaces the cells of one column of a table, row by row, by `values` in turns.
fn edit(table: &Path, column: &str, values: &[&str]) {
    let mut reader = csv::Reader::from_path(table).expect("a table");
    let header = reader.headers().expect("a header").clone();
    let at = header.iter().position(|name| name == column).expect("the column");
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).expect("a header");
    for (record, value) in reader.records().zip(values.iter().cycle()) {
        let record = record.expect("a row");
        writer
            .write_record(record.iter().enumerate().map(|(i, cell)| if i == at { value } else { cell }))
            .expect("a row");
    }
    fs::write(table, writer.into_inner().expect("bytes")).expect("a write");
}

#[test]
fn step_sizes_and_scores_of_every_size_are_drawn() {
    let directory = tempfile::tempdir().expect("a directory");
    let binary = env!("CARGO_BIN_EXE_step-size");
    let figure = directory.path().join("figures/smoke/step-size.svg");
    draw(binary, directory.path(), &["--set", "step_sizes=[1e-3, 3e38]"]);
    assert!(fs::read_to_string(&figure).expect("an SVG").contains("10³⁰"));
    let table = directory.path().join("results/smoke/step-size.csv");
    for values in [&["1e308"][..], &["1e300", "1e-300"], &["5e-324", "1.7976931348623157e308"], &["5e-324"]] {
        for column in ["score", "step_size"] {
            edit(&table, column, values);
        }
        draw(binary, directory.path(), &["--plot-only", "--accept-edited"]);
        let svg = fs::read_to_string(&figure).expect("an SVG");
        assert!(svg.len() < 300_000, "{values:?}: {} bytes", svg.len());
    }
}
