//! The smoke profile through the real binary: every table and the report are read, every picture looked at; the bytes depend neither on
//! the number of threads, nor on a second run, nor on being killed.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use charts::Hue;

/// Each drawing with the hues of the series that must be seen in it (surfaces are coloured by value).
const DRAWINGS: [(&str, &[Hue]); 23] = [
    ("ablations", &[Hue::Blue, Hue::Vermilion]),
    ("adaptation-subspaces", &[Hue::Wine]),
    ("completion", &[Hue::Blue, Hue::Vermilion, Hue::Brown, Hue::Pink]),
    ("compressed-vs-narrow", &[Hue::Green, Hue::Vermilion, Hue::Pink]),
    ("costs", &[Hue::Wine]),
    ("depth-width-sweep", &[Hue::Sky, Hue::Indigo]),
    ("factorization", &[Hue::Blue, Hue::Brown]),
    ("few-shot", &[Hue::Forest, Hue::Sand, Hue::Wine, Hue::Lavender]),
    ("glue-table", &[Hue::Forest, Hue::Wine]),
    ("invariant-subspace", &[Hue::Ultramarine, Hue::Forest, Hue::Sand, Hue::Lavender, Hue::Grey, Hue::Silver]),
    ("learned-ranks", &[Hue::Forest, Hue::Wine]),
    ("lora-compressed-vs-narrow", &[Hue::Blue, Hue::Vermilion, Hue::Green]),
    ("nlg", &[Hue::Forest, Hue::Sand, Hue::Wine, Hue::Lavender, Hue::Vermilion, Hue::Silver]),
    ("rank-sweep", &[Hue::Forest, Hue::Lavender]),
    ("ratings", &[Hue::Blue, Hue::Vermilion, Hue::Brown, Hue::Green, Hue::Pink]),
    ("scaling", &[Hue::Blue, Hue::Vermilion, Hue::Orange]),
    ("sensing", &[Hue::Vermilion, Hue::Brown, Hue::Pink]),
    ("step-size", &[Hue::Forest, Hue::Lavender]),
    ("svd-evolution", &[]),
    ("svd-evolution-layers", &[]),
    ("svd-evolution-variants", &[]),
    ("training-length", &[Hue::Forest, Hue::Wine]),
    ("what-matters", &[Hue::Forest, Hue::Sand, Hue::Wine, Hue::Lavender]),
];

/// Main tables with a column each must have and the least number of rows.
const TABLES: [(&str, &str, usize); 21] = [
    ("ablations", "recovery_error", 20),
    ("adaptation-subspaces", "mean_cosine", 90),
    ("completion", "recovery_error", 40),
    ("compressed-vs-narrow", "iterations", 6),
    ("costs", "optimizer_mib", 10),
    ("depth-width-sweep", "recovery_error", 6),
    ("factorization", "training_loss", 40),
    ("few-shot", "training_loss", 32),
    ("glue-table", "deep_lora_deviation_percent", 1),
    ("invariant-subspace", "block_residual", 40),
    ("learned-ranks", "spectral_norm", 90),
    ("lora-compressed-vs-narrow", "training_loss", 18),
    ("nlg", "missing_slots", 22),
    ("rank-sweep", "training_loss", 12),
    ("ratings", "test_rmse", 28),
    ("scaling", "held_out_error", 40),
    ("sensing", "relative_error", 100),
    ("step-size", "training_loss", 8),
    ("svd-evolution", "singular_value", 100),
    ("training-length", "training_loss", 18),
    ("what-matters", "logit_bound", 32),
];

fn reproduce_all(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reproduce-all"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).args(["--profile", "smoke"]);
    command.arg("--results").arg(directory.join("results")).arg("--figures").arg(directory.join("figures"));
    command.args(arguments);
    command
}

fn run(directory: &Path, arguments: &[&str]) -> String {
    let output = reproduce_all(directory, arguments).output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Every CSV but the clock's and the claims, which may quote the clock, by name.
fn tables(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory.join("results/smoke")).expect("results");
    entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path))
        .filter(|(name, _)| name.ends_with(".csv") && !name.contains(".timing.") && !name.contains(".claims."))
        .map(|(name, path)| (name, fs::read(path).expect("a table")))
        .collect()
}

fn assert_same_tables(one: &Path, other: &Path) {
    let (one, other) = (tables(one), tables(other));
    assert!(one.len() >= TABLES.len());
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in one {
        assert!(bytes == other[&name], "{name} differs");
    }
}

#[test]
fn every_table_is_filled_every_picture_shows_its_series_and_the_report_is_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    run(directory.path(), &[]);
    for (name, column, rows) in TABLES {
        check_table(&directory.path().join(format!("results/smoke/{name}.csv")), column, rows);
        let meta = fs::read_to_string(directory.path().join(format!("results/smoke/{name}.meta.toml"))).expect("meta");
        let meta: toml::Table = meta.parse().expect("provenance is TOML");
        assert_eq!(meta["profile"].as_str(), Some("smoke"));
    }
    for (name, hues) in DRAWINGS {
        let file = directory.path().join(format!("figures/smoke/{name}"));
        check_picture(&file, hues);
    }
    crate::report::check(&directory.path().join("results/smoke"));
}

fn check_table(path: &Path, column: &str, rows: usize) {
    let mut reader = csv::Reader::from_path(path).expect("a table");
    let at = reader.headers().expect("a header").iter().position(|name| name == column);
    let at = at.unwrap_or_else(|| panic!("{} has no column {column}", path.display()));
    let values: Vec<f64> = reader
        .records()
        .map(|record| record.expect("a row")[at].to_owned())
        .filter(|cell| !cell.is_empty())
        .map(|cell| cell.parse().expect("a number"))
        .collect();
    assert!(values.len() >= rows, "{}: {} values of {column}", path.display(), values.len());
    assert!(values.iter().all(|value| value.is_finite() && *value >= 0.0), "{}", path.display());
    assert!(values.iter().any(|value| *value > 0.0), "{}", path.display());
}

/// Decodes the PNG: twice the size of the SVG, many colours, and those of every series among them.
fn check_picture(file: &Path, hues: &[Hue]) {
    let png = File::open(file.with_extension("png")).expect("a PNG");
    let mut decoder = png::Decoder::new(BufReader::new(png));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().expect("a PNG header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let frame = reader.next_frame(&mut pixels).expect("pixels");
    let svg = fs::read_to_string(file.with_extension("svg")).expect("an SVG");
    let (width, height) = svg_size(&svg);
    assert_eq!((f64::from(frame.width), f64::from(frame.height)), (2.0 * width, 2.0 * height), "{}", file.display());

    let samples = frame.color_type.samples();
    assert!(samples >= 3, "{}: {:?}", file.display(), frame.color_type);
    let colours: HashSet<_> = pixels[..frame.buffer_size()].chunks(samples).map(|p| (p[0], p[1], p[2])).collect();
    assert!(colours.len() > 30, "{}: {} colours", file.display(), colours.len());
    for &hue in hues {
        assert!(colours.contains(&charts::palette(hue)), "{}: {hue:?} is missing", file.display());
    }
}

/// Width and height of an SVG, by its `viewBox` in tenths of a pixel or its attributes.
fn svg_size(svg: &str) -> (f64, f64) {
    let attribute = |name: &str| {
        let rest = &svg[svg.find(&format!(" {name}=\"")).expect("an attribute") + name.len() + 3..];
        rest[..rest.find('"').expect("its end")].trim_end_matches("px").parse::<f64>().expect("a number")
    };
    (attribute("width"), attribute("height"))
}

#[test]
fn bytes_do_not_depend_on_threads_and_a_second_run_reuses() {
    let (one, two) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    run(one.path(), &["--threads", "1"]);
    run(two.path(), &["--threads", "2"]);
    assert_same_tables(one.path(), two.path());
    let before = tables(one.path());
    let closing = run(one.path(), &[]);
    let reused = closing.lines().find(|line| line.starts_with("ablations")).expect("a row for ablations");
    assert_eq!(reused.split_whitespace().nth(1), Some("0"), "{closing}");
    assert!(before == tables(one.path()), "a second run changed a table");
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let (killed, whole) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    run(whole.path(), &[]);
    for milliseconds in [150, 400, 900] {
        let mut child =
            reproduce_all(killed.path(), &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a child");
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().expect("SIGKILL");
        child.wait().expect("an end");
    }
    run(killed.path(), &[]);
    assert_same_tables(killed.path(), whole.path());
}

/// Settings of a fine-tuning run that is long enough to be killed in its middle, where the last record is some steps back.
const LONG: [&str; 10] = [
    "--profile",
    "smoke",
    "--set",
    "training.steps=600",
    "--set",
    "training.record_every=7",
    "--set",
    "experiment.kept_steps=[0,1,3,600]",
    "--set",
    "trials=1",
];

fn fine_tuning(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adaptation-subspaces"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).args(LONG).args(arguments);
    command.arg("--results").arg(directory.join("results")).arg("--figures").arg(directory.join("figures"));
    command
}

fn checkpoints(directory: &Path) -> Vec<PathBuf> {
    in_store(directory).into_iter().map(|path| path.join("checkpoint.toml")).filter(|path| path.exists()).collect()
}

/// What is in the store of the long run, in directories by two letters.
fn in_store(directory: &Path) -> Vec<PathBuf> {
    let entries = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    entries(directory.join("results/smoke/.store/adaptation-subspaces")).flat_map(entries).collect()
}

/// Kills a run after its first checkpoint, does something to that, and runs it again: what it then says.
fn killed_and_run_again(directory: &Path, meanwhile: impl Fn(&Path)) -> String {
    let often = ["--set", "training.checkpoint_every=10"];
    let mut child =
        fine_tuning(directory, &often).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a child");
    while checkpoints(directory).is_empty() {
        assert!(child.try_wait().expect("a state").is_none(), "it ended before its first checkpoint was seen");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("an end");
    meanwhile(&checkpoints(directory)[0]);
    let output = fine_tuning(directory, &often).output().expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(checkpoints(directory).is_empty(), "the checkpoint is removed at the end");
    text
}

/// Sends SIGTERM to a run, this long after it has begun.
#[cfg(unix)]
fn stop_after(wait: Duration, directory: &Path) {
    let child = fine_tuning(directory, &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a child");
    while !in_store(directory).iter().any(|path| path.extension().is_some_and(|end| end == "lease")) {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(wait);
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(143), "{}", String::from_utf8_lossy(&output.stderr));
}

/// SIGTERM is enough for a checkpoint, also where the settings ask for none.
#[cfg(unix)]
#[test]
fn a_fine_tuning_run_that_is_stopped_goes_on_where_it_was() {
    let [whole, stopped] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    assert!(fine_tuning(whole.path(), &[]).output().expect("the binary starts").status.success());
    // Once more and later, if it had not taken a step yet.
    for wait in [50, 100, 200, 400] {
        stop_after(Duration::from_millis(wait), stopped.path());
        if !checkpoints(stopped.path()).is_empty() {
            break;
        }
    }
    let output = fine_tuning(stopped.path(), &[]).output().expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("goes on after step "), "{text}");
    assert!(tables(stopped.path()) == tables(whole.path()));
}

#[test]
fn a_killed_fine_tuning_run_goes_on_from_its_checkpoint() {
    let [whole, killed, damaged] = [(); 3].map(|()| tempfile::tempdir().expect("a directory"));
    assert!(fine_tuning(whole.path(), &[]).output().expect("the binary starts").status.success());
    let text = killed_and_run_again(killed.path(), |_| {});
    assert!(text.contains("goes on after step "), "{text}");
    assert!(tables(killed.path()) == tables(whole.path()));
    let text = killed_and_run_again(damaged.path(), |path| fs::write(path, "rubbish").expect("a write"));
    assert!(text.contains("damaged checkpoint") && text.contains("starting it again"), "{text}");
    assert!(tables(damaged.path()) == tables(whole.path()));
}
