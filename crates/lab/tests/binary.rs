//! The real binaries, run as a user runs them: the toy experiments of `examples/`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

/// A directory with `experiments/*.toml`, in which binaries run.
struct Place {
    directory: tempfile::TempDir,
}

/// What a run said and did.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(place.path("experiments")).unwrap();
        let decay = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/toy-decay.toml");
        fs::copy(decay, place.path("experiments/toy-decay.toml")).unwrap();
        let power = "seed = 1\ntrials = 4\npower = 2\n[profiles.quick]\n";
        fs::write(place.path("experiments/toy-power.toml"), power).unwrap();
        place
    }

    fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    fn command(&self, binary: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(example(binary));
        command.args(arguments).current_dir(&self.directory).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command("toy-decay", arguments).output().unwrap())
    }

    fn run_all(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command("toy-all", arguments).output().unwrap())
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.command("toy-decay", arguments).spawn().unwrap()
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap()
    }

    fn table(&self) -> String {
        self.read("results/quick/toy-decay.csv")
    }

    /// Stored trials of the profile quick.
    fn stored(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path("results/quick/.store/toy-decay")) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "trial"));
        paths.sort();
        paths
    }

    /// Every file below the directory, hidden ones too, except settings and locks.
    fn files(&self) -> Vec<String> {
        fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(self.directory.path(), &mut found);
        let relative = |path: PathBuf| path.strip_prefix(&self.directory).unwrap().display().to_string();
        let mut names: Vec<_> = found.into_iter().map(relative).collect();
        names.retain(|name| !name.starts_with("experiments/") && !name.ends_with("/lock"));
        names.sort();
        names
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Trials run, reused and failed, from the closing table.
    fn counts(&self, experiment: &str) -> (usize, usize, usize) {
        let row = self.stdout.lines().find(|line| line.starts_with(experiment));
        let row = row.unwrap_or_else(|| panic!("no row for {experiment}:\n{}\n{}", self.stdout, self.stderr));
        let numbers: Vec<usize> = row.split_whitespace().skip(1).take(3).map(|n| n.parse().unwrap()).collect();
        (numbers[0], numbers[1], numbers[2])
    }

    fn decay(&self) -> (usize, usize, usize) {
        self.counts("toy-decay")
    }

    /// Asserts exit code 2, nothing on stdout and exactly this one message.
    fn assert_refused(&self, message: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{}", self.stderr);
        assert_eq!(self.stderr, format!("error: {message}\n"));
    }
}

/// `cargo test` builds the examples of the package beside its tests.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: cargo build --examples", path.display());
    path
}

#[test]
fn a_run_writes_every_file() {
    let place = Place::new();
    let ran = place.run(&[]);
    assert_eq!((ran.code, ran.decay()), (Some(0), (9, 0, 0)), "{}", ran.stderr);
    let mut files = place.files();
    files.retain(|name| !name.ends_with(".trial"));
    let expected = [
        "figures/quick/toy-decay.png",
        "figures/quick/toy-decay.svg",
        "results/quick/toy-decay.claims.csv",
        "results/quick/toy-decay.csv",
        "results/quick/toy-decay.meta.toml",
        "results/quick/toy-decay.timing.csv",
    ];
    assert_eq!(files, expected);
    assert!(expected.iter().all(|file| ran.stdout.contains(file)), "{}", ran.stdout);
    let table = place.table();
    let labels: Vec<&str> = table.lines().skip(1).map(|line| line.split('"').nth(1).unwrap()).collect();
    let steps = ["0.1", "0.5", "0.9"].iter();
    let planned: Vec<_> = steps.flat_map(|s| (1..=3).map(move |t| format!("step {s}, trial {t}"))).collect();
    assert_eq!(labels, planned);
    let claims = place.read("results/quick/toy-decay.claims.csv");
    let header = "id,case,claim,source,paper,measured,n,low,high,adjusted_p,verdict,reason\n";
    let row = "toy-decay/ends-near-zero,,Descent ends near zero,not in the paper,,at most 1.3e-2,9,,,,differs,in 6 of 9 trials only\n";
    assert_eq!(claims, format!("{header}{row}"));
    assert!(ran.stdout.contains("claims: 0 holds, 1 differs, 0 inconclusive, 0 not tested"), "{}", ran.stdout);
}

#[test]
fn provenance_says_what_it_was_made_with() {
    let place = Place::new();
    let arguments = ["--seed", "7", "--set", "start.scale=3", "--threads", "1", "--profile", "smoke"];
    // Without git on the path, the revision is unknown and everything else goes on.
    let output = place.command("toy-decay", &arguments).env("PATH", "").output().unwrap();
    assert_eq!(Ran::from(output).code, Some(0));
    let meta: toml::Table = place.read("results/smoke/toy-decay.meta.toml").parse().unwrap();
    let text = |section: &str, key: &str| meta[section][key].as_str().unwrap().to_owned();
    assert_eq!(meta["experiment"].as_str(), Some("toy-decay"));
    assert_eq!(meta["profile"].as_str(), Some("smoke"));
    let overrides: Vec<_> = meta["overrides"].as_array().unwrap().iter().map(|o| o.as_str().unwrap()).collect();
    assert_eq!(overrides, ["--seed 7", "--set start.scale=3"]);
    assert_eq!(meta["settings"]["seed"].as_integer(), Some(7));
    assert_eq!(meta["settings"]["start"]["scale"].as_float(), Some(3.0));
    assert_eq!(meta["settings"]["trials"].as_integer(), Some(1));
    assert_eq!(meta["run"]["trials_run"].as_integer(), Some(3));
    assert_eq!(meta["machine"]["threads"].as_integer(), Some(1));
    assert_eq!(text("machine", "git_revision"), "unknown");
    assert!(meta["machine"].get("git_dirty").is_none(), "nobody knows whether anything differs");
    assert!(!text("machine", "cpu").is_empty());
    assert_eq!(text("crates", "lab"), env!("CARGO_PKG_VERSION"));
    assert!(meta["started"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn finished_trials_are_reused_and_a_change_reruns_only_what_it_touches() {
    let place = Place::new();
    assert_eq!(place.run(&[]).decay(), (9, 0, 0));
    let table = place.table();
    assert_eq!(place.run(&[]).decay(), (0, 9, 0));
    assert_eq!(place.table(), table);
    assert_eq!(place.run(&["--set", "steps=[0.1, 0.5, 0.8]"]).decay(), (3, 6, 0));
    assert_eq!(place.run(&["--trials", "4"]).decay(), (3, 9, 0));
    assert_eq!(place.run(&["--seed", "100"]).decay(), (9, 0, 0));
    assert_eq!(place.run(&["--set", "iterations=51"]).decay(), (9, 0, 0));
    assert_eq!(place.run(&["--fresh"]).decay(), (9, 0, 0));
    assert_eq!(place.table(), table);
    // The same change, in the file.
    let toml = place.path("experiments/toy-decay.toml");
    fs::write(&toml, fs::read_to_string(&toml).unwrap().replace("0.9]", "0.95]")).unwrap();
    assert_eq!(place.run(&[]).decay(), (3, 6, 0));
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let tables: Vec<String> = ["1", "2", "7"]
        .map(|threads| {
            let place = Place::new();
            let arguments = ["--threads", threads, "--set", "pause_ms=10", "--set", "steps=[0.9,0.1,1.5,0.5,1.9]"];
            assert_eq!(place.run(&arguments).code, Some(0));
            place.table() + &place.read("figures/quick/toy-decay.svg")
        })
        .into();
    assert_eq!(tables[0], tables[1]);
    assert_eq!(tables[0], tables[2]);
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let slow = ["--set", "pause_ms=80", "--set", "steps=[0.1,0.5,0.9,1.5]", "--threads", "2"];
    let uninterrupted = Place::new();
    assert_eq!(uninterrupted.run(&slow).decay(), (12, 0, 0));

    let place = Place::new();
    for wait in [0, 3, 10, 30] {
        let mut child = place.start(&slow);
        thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // At the moment a trial is stored, and some time after.
    for wait in [0, 0, 20, 50] {
        let before = place.stored().len();
        let mut child = place.start(&slow);
        while place.stored().len() == before {
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(!place.path("results/quick/toy-decay.csv").exists(), "the test must kill before the end");
    let kept = place.stored().len();
    // What a kill in the middle of a write leaves.
    let half = place.path("results/quick/.store/toy-decay/.0.trial.partial-1");
    fs::write(&half, "LABTR").unwrap();
    fs::write(place.path("results/quick/.toy-decay.csv.partial-1"), "label,st").unwrap();
    let last = place.run(&slow);
    assert_eq!((last.code, last.decay()), (Some(0), (12 - kept, kept, 0)), "{}", last.stderr);
    let stable = |place: &Place| {
        let names = place.files().into_iter().filter(|n| !n.contains("timing") && !n.contains("meta"));
        names.filter(|n| !n.ends_with(".trial")).map(|n| (n.clone(), fs::read(place.path(&n)).unwrap())).collect()
    };
    let (resumed, expected): (BTreeMap<_, _>, BTreeMap<_, _>) = (stable(&place), stable(&uninterrupted));
    assert_eq!(resumed, expected);
}

#[test]
fn trials_that_are_the_same_run_once() {
    // Without random starts the three trials of a step size differ by their labels alone.
    let arguments = ["--set", "start.kind=fixed", "--set", "steps=[0.5,0.1]", "--threads", "4"];
    let place = Place::new();
    assert_eq!(place.run(&arguments).decay(), (2, 4, 0));
    assert_eq!((place.stored().len(), place.table().lines().count()), (2, 7));
    let diverging = place.run(&["--set", "start.kind=fixed", "--set", "steps=[5.0]"]);
    assert_eq!((diverging.code, diverging.decay()), (Some(1), (0, 0, 3)), "{}", diverging.stderr);
}

#[test]
fn a_damaged_entry_is_named_and_run_again() {
    let place = Place::new();
    place.run(&[]);
    let table = place.table();
    let stored = place.stored();
    assert_eq!(stored.len(), 9);
    let mut flipped = fs::read(&stored[0]).unwrap();
    *flipped.last_mut().unwrap() ^= 0x10;
    fs::write(&stored[0], flipped).unwrap();
    let cut = fs::read(&stored[1]).unwrap();
    fs::write(&stored[1], &cut[..cut.len() / 2]).unwrap();
    fs::remove_file(&stored[2]).unwrap();
    let ran = place.run(&[]);
    assert_eq!((ran.code, ran.decay()), (Some(0), (3, 6, 0)));
    let warnings: Vec<_> = ran.stderr.lines().filter(|line| line.contains("warning: ")).collect();
    assert_eq!(warnings.len(), 2, "{}", ran.stderr);
    for path in &stored[..2] {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(warnings.iter().any(|line| line.contains(name) && line.contains("is damaged")), "{warnings:?}");
    }
    assert_eq!(place.table(), table);
    assert_eq!(place.run(&[]).decay(), (0, 9, 0));
}

#[test]
fn bad_trials_are_named_and_the_others_finish() {
    let place = Place::new();
    let ran = place.run(&["--trials", "1", "--set", "steps=[0.1, 2.5, 1.75, 0.5]", "--set", "start.kind=fixed"]);
    assert_eq!((ran.code, ran.decay()), (Some(1), (2, 0, 2)), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("error: toy-decay: step 2.5, trial 1: diverged at iteration 18 (loss 4.4e6)\n"),
        "{}",
        ran.stderr
    );
    let panicked = ran.stderr.lines().find(|line| line.contains("step 1.75, trial 1: failed: panicked at "));
    assert!(panicked.is_some_and(|line| line.ends_with("the toy panics at step 1.75")), "{}", ran.stderr);
    assert!(ran.stdout.contains("  failed: toy-decay: step 2.5, trial 1: diverged at iteration 18"), "{}", ran.stdout);
    assert_eq!(place.table().lines().count(), 3);
    assert!(place.path("figures/quick/toy-decay.svg").exists());
    let meta: toml::Table = place.read("results/quick/toy-decay.meta.toml").parse().unwrap();
    assert_eq!(meta["run"]["failures"].as_array().unwrap().len(), 2);
}

#[test]
fn nothing_is_written_when_every_trial_fails() {
    let place = Place::new();
    let ran = place.run(&["--set", "steps=[2.5, 3]"]);
    assert_eq!((ran.code, ran.decay()), (Some(1), (0, 0, 6)));
    assert!(ran.stderr.contains("error: toy-decay: no trial finished"), "{}", ran.stderr);
    assert_eq!(place.files(), Vec::<String>::new());
}

#[test]
fn a_second_stage_is_planned_from_the_first_and_stored_like_it() {
    let place = Place::new();
    let refine = ["--trials", "1", "--set", "steps=[0.3, 0.9, 0.6]", "--set", "refine=true"];
    assert_eq!(place.run(&refine).decay(), (4, 0, 0));
    assert!(place.table().contains("\nrefined,0.75,"), "{}", place.table());
    let table = place.table();
    assert_eq!(place.run(&refine).decay(), (0, 4, 0));
    assert_eq!(place.table(), table);
}

#[test]
fn inputs_are_gathered_before_anything_runs() {
    let place = Place::new();
    let ran = place.run(&["--set", "wants_data=true"]);
    assert_eq!((ran.code, place.stored()), (Some(2), Vec::new()));
    let message = "toy-decay: gathering its inputs: there is no start.txt; pass its directory with --data-dir";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
    let ran = place.run(&["--data-dir", "nowhere"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--data-dir") && ran.stderr.contains("there is no such directory"), "{}", ran.stderr);
    fs::create_dir(place.path("data")).unwrap();
    fs::write(place.path("data/start.txt"), "2").unwrap();
    assert_eq!(place.run(&["--set", "wants_data=true", "--data-dir", "data"]).code, Some(0));
}

#[test]
fn an_unwritable_directory_is_found_before_anything_runs() {
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    for (option, other) in [("--results", "figures"), ("--figures", "results")] {
        let ran = place.run(&[option, "file/below"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
        assert_eq!(ran.stderr, "error: cannot write file/below/quick: Not a directory (os error 20)\n");
        assert!(!place.path(other).join("quick/toy-decay.csv").exists());
    }
    assert_eq!(place.stored(), Vec::<PathBuf>::new());
}

/// A limit on file size stands in for a full disk: the write fails after its first kilobyte.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let place = Place::new();
    assert_eq!(place.run(&["--trials", "1"]).code, Some(0));
    let before: Vec<_> = place.files();
    let table = place.table();
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" --trials 60 --quiet";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(example("toy-decay")).current_dir(&place.directory);
    let ran = Ran::from(shell.output().unwrap());
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("error: cannot write results/quick/toy-decay.csv: File too large"), "{}", ran.stderr);
    let mut after = place.files();
    after.retain(|name| !name.ends_with(".trial"));
    assert_eq!(after, before.into_iter().filter(|name| !name.ends_with(".trial")).collect::<Vec<_>>());
    assert_eq!(place.table(), table, "the table of the earlier run is untouched");
}

#[test]
fn plot_only_needs_tables_and_runs_nothing() {
    let place = Place::new();
    let command = "cargo run --release --bin toy-decay -- --profile quick";
    let ran = place.run(&["--plot-only"]);
    assert_eq!(ran.code, Some(2));
    let message = format!("results/quick/toy-decay.csv: no such file; make it with: {command}");
    assert!(ran.stderr.contains(&message), "{}", ran.stderr);

    place.run(&[]);
    fs::write(place.path("results/quick/toy-decay.csv"), "label,step,x\nby hand,0.25,1e-9\n").unwrap();
    fs::remove_dir_all(place.path("results/quick/.store")).unwrap();
    let ran = place.run(&["--plot-only"]);
    assert_eq!((ran.code, ran.decay()), (Some(0), (0, 0, 0)), "{}", ran.stderr);
    assert!(place.read("figures/quick/toy-decay.svg").contains("cx=\"0.25\""));
    assert!(place.read("results/quick/toy-decay.claims.csv").contains("1.0e-9,1,,,,holds"));
    assert_eq!(place.stored(), Vec::<PathBuf>::new());
}

#[test]
fn plot_only_uses_the_settings_the_tables_were_made_with() {
    let place = Place::new();
    place.run(&["--set", "iterations=77"]);
    let drawn = place.read("figures/quick/toy-decay.svg");
    assert!(drawn.contains("77 iterations"));
    fs::remove_dir_all(place.path("figures")).unwrap();
    // Not even needed: neither the file's values nor the profile's are those of the tables.
    fs::remove_file(place.path("experiments/toy-decay.toml")).unwrap();
    assert_eq!(place.run(&["--plot-only"]).code, Some(0));
    assert_eq!(place.read("figures/quick/toy-decay.svg"), drawn);

    let meta = place.read("results/quick/toy-decay.meta.toml");
    for (good, bad, message) in [
        ("iterations = 77", "iteration = 77", ": unknown key iteration (did you mean iterations?)"),
        ("trials = 3", "trials = 0", ": trials = 0 is not allowed; allowed: 1 or more"),
        ("[settings", "[setting", ": the key settings is missing"),
    ] {
        fs::write(place.path("results/quick/toy-decay.meta.toml"), meta.replace(good, bad)).unwrap();
        let ran = place.run(&["--plot-only"]);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("results/quick/toy-decay.meta.toml"), "{}", ran.stderr);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
    fs::remove_file(place.path("results/quick/toy-decay.meta.toml")).unwrap();
    let ran = place.run(&["--plot-only"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("results/quick/toy-decay.meta.toml: no such file; make it with: "), "{}", ran.stderr);
    assert_eq!(place.read("figures/quick/toy-decay.svg"), drawn);
}

#[test]
fn plot_only_takes_no_settings() {
    let place = Place::new();
    for (option, value) in [("--set", "iterations=9"), ("--seed", "9"), ("--trials", "9")] {
        let message = format!(
            "{option} {value}: --plot-only uses the settings stored with the tables (NAME.meta.toml); \
             leave out --plot-only to run with others"
        );
        place.run(&["--plot-only", option, value]).assert_refused(&message);
        place.run_all(&["--plot-only", option, value]).assert_refused(&message);
    }
    assert_eq!(place.files(), Vec::<String>::new());
}

#[test]
fn plot_only_refuses_a_table_without_rows_and_leaves_the_figures() {
    let place = Place::new();
    place.run(&["--results", "my tables"]);
    let before = (place.read("figures/quick/toy-decay.svg"), place.read("my tables/quick/toy-decay.claims.csv"));
    for text in ["", "label,step,x\n"] {
        fs::write(place.path("my tables/quick/toy-decay.csv"), text).unwrap();
        let ran = place.run(&["--plot-only", "--results", "my tables"]);
        assert_eq!(ran.code, Some(2));
        let message = "my tables/quick/toy-decay.csv: the table has no rows; make it again with: \
                       cargo run --release --bin toy-decay -- --profile quick --results \"my tables\"\n";
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
        let after = (place.read("figures/quick/toy-decay.svg"), place.read("my tables/quick/toy-decay.claims.csv"));
        assert_eq!(after, before);
    }
    let ran = place.run(&["--plot-only", "--results", "other", "--profile", "smoke"]);
    assert!(ran.stderr.contains("toy-decay -- --profile smoke --results other\n"), "{}", ran.stderr);
    assert!(!place.path("other").exists(), "a mistyped directory is not made");
}

#[test]
fn threads_are_limited() {
    let place = Place::new();
    for threads in ["0", "-1", "many", "1000000", "99999999999999999999999"] {
        let ran = place.run(&[&format!("--threads={threads}")]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("'--threads <N>': allowed: a whole number from 1 to "), "{}", ran.stderr);
    }
    assert_eq!(place.files(), Vec::<String>::new());
}

/// A limit on memory stands in for one on threads: there is no room for their stacks.
#[cfg(target_os = "linux")]
#[test]
fn threads_that_cannot_be_started_are_an_error() {
    let place = Place::new();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 200000; exec \"$0\" --threads 250"]).arg(example("toy-decay"));
    let ran = Ran::from(shell.current_dir(&place.directory).output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("error: cannot start 250 threads: Resource temporarily unavailable"), "{}", ran.stderr);
    assert!(ran.stderr.contains("; pass a smaller --threads (allowed: 1 to "), "{}", ran.stderr);
    assert_eq!(place.files(), Vec::<String>::new());
}

#[test]
fn a_profile_is_no_path() {
    let place = Place::new();
    for profile in ["", ".", "..", ".store", "../quick", "a/b", "a\\b"] {
        let ran = place.run(&["--profile", profile]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{profile}");
        assert!(ran.stderr.contains("a profile's name is a directory's"), "{}", ran.stderr);
    }
    assert_eq!(place.files(), Vec::<String>::new());
}

#[test]
fn bad_input_is_one_sentence_and_exit_code_2() {
    let place = Place::new();
    place.run(&["--set", "steps=[0.1, -1]"]).assert_refused(
        "experiments/toy-decay.toml with --set steps=[0.1, -1]: steps.1 = -1 is not allowed; allowed: greater than 0",
    );
    place
        .run(&["--trials", "0"])
        .assert_refused("experiments/toy-decay.toml with --trials 0: trials = 0 is not allowed; allowed: 1 or more");
    place
        .run(&["--profile", "fast"])
        .assert_refused("experiments/toy-decay.toml: there is no profile fast; known: paper, quick, smoke");
    place.run(&["--config", "x.toml"]).assert_refused(
        "x.toml: no such file; run from the repository root, or pass --config PATH (reproduce-all: --experiments DIR)",
    );
    place.run(&["--config", "experiments"]).assert_refused("cannot read experiments: Is a directory (os error 21)");
    fs::write(place.path("experiments/x.toml"), "seed = 1\ntrials = [\n").unwrap();
    let ran = place.run(&["--config", "experiments/x.toml"]);
    assert!(ran.code == Some(2) && ran.stderr.starts_with("error: experiments/x.toml:"), "{}", ran.stderr);
    for arguments in
        [&["--threads", "0"][..], &["--nonsense"], &["--fresh", "--plot-only"], &["-q", "-v"], &["--seed=-1"]]
    {
        let ran = place.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}");
    }
    assert_eq!(place.files(), Vec::<String>::new());
}

#[test]
fn verbosity() {
    let place = Place::new();
    let quiet = place.run(&["--quiet"]);
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
    let normal = place.run(&["--fresh"]);
    let finished: Vec<_> = normal.stderr.lines().filter(|line| line.contains(": finished in ")).collect();
    assert_eq!(finished.len(), 9, "{}", normal.stderr);
    let (stamp, rest) = finished[8].split_once(' ').unwrap();
    assert!(stamp.len() == 20 && stamp.ends_with('Z'), "{stamp}");
    assert!(rest.starts_with("toy-decay: step ") && rest.ends_with(" s (9/9)"), "{rest}");
    assert!(!normal.stderr.contains("wrote "));
    let verbose = place.run(&["-v"]);
    assert!(verbose.stderr.contains("wrote results/quick/toy-decay.csv"), "{}", verbose.stderr);
    assert!(verbose.stderr.contains("differs: Descent ends near zero"), "{}", verbose.stderr);
}

#[test]
fn help_says_what_the_experiment_is() {
    let ran = Place::new().run(&["--help"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.starts_with("Gradient descent on x²/2 (no figure of the paper)\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("steps above 2 diverge"), "{}", ran.stdout);
    assert!(ran.stdout.contains("--set 'widths=[10, 20]'"), "{}", ran.stdout);
}

#[test]
fn every_binary_says_its_version() {
    let place = Place::new();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(place.run(&["--version"]).stdout, format!("toy-decay {version}\n"));
    assert_eq!(place.run_all(&["--version"]).stdout, format!("reproduce-all {version}\n"));
}

#[test]
fn two_runs_of_one_experiment_do_not_meet() {
    let place = Place::new();
    let mut first = place.start(&["--set", "pause_ms=2000"]);
    let mut line = String::new();
    BufReader::new(first.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.ends_with("toy-decay: 9 trials, 0 of them stored, 9 to run\n"), "{line}");
    let second = place.run(&[]);
    let elsewhere = place.run(&["--results", "other"]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains("toy-decay is already running into results/quick in another process"),
        "{}",
        second.stderr
    );
    assert_eq!(elsewhere.code, Some(0));
    assert_eq!(place.run(&[]).code, Some(0), "the lock ends with its process");
}

#[test]
fn the_lock_is_held_until_the_figures_are_drawn() {
    let place = Place::new();
    let mut first = place.start(&["-v", "--set", "draw_pause_ms=20000"]);
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("wrote results/quick/toy-decay.claims.csv")));
    let others = [place.run(&[]), place.run(&["--plot-only"])];
    first.kill().unwrap();
    first.wait().unwrap();
    for other in others {
        assert_eq!(other.code, Some(1));
        assert!(other.stderr.contains("toy-decay is already running into results/quick"), "{}", other.stderr);
    }
}

#[test]
fn all_runs_every_experiment_and_sums_up() {
    let place = Place::new();
    let ran = place.run_all(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!((ran.decay(), ran.counts("toy-power")), ((9, 0, 0), (4, 0, 0)));
    assert!(
        ran.stdout.contains(
            "claims: 0 holds, 1 differs, 0 inconclusive, 1 not tested; all of them: results/quick/*.claims.csv"
        ),
        "{}",
        ran.stdout
    );
    assert_eq!(place.read("results/quick/toy-power.csv"), "value\n1.0\n4.0\n9.0\n16.0\n");
    assert_eq!(place.run_all(&[]).counts("toy-power"), (0, 4, 0));
}

#[test]
fn all_lists_and_selects() {
    let place = Place::new();
    let list = place.run_all(&["--list"]);
    assert!(list.code == Some(0) && list.stdout.contains("toy-power  Powers of whole numbers"), "{}", list.stdout);
    for arguments in [["--only", "toy-power"], ["--skip", "toy-decay"]] {
        let ran = place.run_all(&arguments);
        assert!(ran.stdout.contains("toy-power") && !ran.stdout.contains("toy-decay"), "{}", ran.stdout);
    }
    let both = place.run_all(&["--only", "toy-decay, toy-power"]);
    assert!(both.stdout.contains("toy-power") && both.stdout.contains("toy-decay"), "{}", both.stderr);
    for arguments in [&["--only", "toy-power", "--skip", "toy-power"][..], &["--skip", "toy-decay,toy-power"]] {
        place.run_all(arguments).assert_refused("--only and --skip leave no experiment; known: toy-decay, toy-power");
    }
    for option in ["--only", "--skip"] {
        let message = format!("{option} toy: there is no such experiment; known: toy-decay, toy-power");
        place.run_all(&[option, "toy-power,toy"]).assert_refused(&message);
    }
}

#[test]
fn all_gives_each_experiment_the_overrides_it_has_keys_for() {
    let place = Place::new();
    let ran = place.run_all(&["--trials", "2", "--set", "power=3"]);
    assert_eq!((ran.decay(), ran.counts("toy-power")), ((6, 0, 0), (2, 0, 0)), "{}", ran.stderr);
    assert_eq!(place.read("results/quick/toy-power.csv"), "value\n1.0\n8.0\n");
    // A key with a default, which the file does not have.
    assert_eq!(place.run_all(&["--set", "pause_ms=1"]).code, Some(0));
    place
        .run_all(&["--set", "powr=3"])
        .assert_refused("--set powr=3: no selected experiment has the key powr (did you mean power?)");
    // The first experiment has nothing like it, or the second.
    place
        .run_all(&["--set", "start.scael=3"])
        .assert_refused("--set start.scael=3: no selected experiment has the key start.scael (did you mean scale?)");
    place.run_all(&["--set", "power=-1"]).assert_refused(
        "experiments/toy-power.toml with --set power=-1: power = -1 is not allowed; allowed: 0 or more",
    );
    place
        .run_all(&["--only", "toy-decay", "--set", "power=1"])
        .assert_refused("--set power=1: no selected experiment has the key power");
}

#[test]
fn all_goes_on_after_a_failed_experiment() {
    let place = Place::new();
    let ran = place.run_all(&["--set", "steps=[3]"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!((ran.decay(), ran.counts("toy-power")), ((0, 0, 3), (4, 0, 0)));
    assert!(place.path("results/quick/toy-power.csv").exists());
}

#[test]
fn all_refuses_a_mistake_in_the_last_settings_before_anything_runs() {
    let place = Place::new();
    fs::write(place.path("experiments/toy-power.toml"), "seed = 1\ntrials = 4\npower = \"two\"\n").unwrap();
    place
        .run_all(&["--profile", "paper"])
        .assert_refused("experiments/toy-power.toml:3: power = \"two\" is not allowed; allowed: a whole number");
    assert_eq!(place.files(), Vec::<String>::new());
}

#[test]
fn a_trial_larger_than_memory_is_refused_before_any_runs() {
    let place = Place::new();
    let ran = place.run(&["-q", "--set", "ballast=1000000000000000000"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    for part in ["toy-decay: the trial \"step 0.", "needs about 888.18 PiB", "because of ballast", "may use", "--force"]
    {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    assert!(place.stored().is_empty());
    let ran = place.run(&["--force", "--set", "ballast=1000000000000000000"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // What is stored needs no memory.
    let ran = place.run(&["--set", "ballast=1000000000000000000"]);
    assert_eq!((ran.code, ran.decay().1), (Some(0), ran.decay().1 + ran.decay().0), "{}", ran.stderr);
}

#[test]
fn the_experiments_after_one_that_is_too_large_are_run() {
    let place = Place::new();
    let ran = place.run_all(&["--set", "ballast=9223372036854775807"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("toy-decay: the trial") && ran.stderr.contains("8.00 EiB"), "{}", ran.stderr);
    assert_eq!((ran.counts("toy-decay"), ran.counts("toy-power")), ((0, 0, 0), (4, 0, 0)));
}

#[cfg(target_os = "linux")]
#[test]
fn trials_side_by_side_share_the_limit_of_the_address_space() {
    let place = Place::new();
    // 1 GiB in all, of which a trial says it needs 300 MiB; four at once do not fit.
    let run = |threads: &str| {
        let binary = example("toy-decay");
        let text = format!(
            "ulimit -v 1048576 && exec {binary:?} -q --set ballast=314572800 --set 'steps=[0.1, 0.2]' --threads {threads}"
        );
        Ran::from(Command::new("sh").args(["-c", &text]).current_dir(&place.directory).output().unwrap())
    };
    let ran = run("4");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    for part in ["4 trials side by side need about 1.17 GiB", "ulimit -v", "pass a smaller --threads"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let ran = run("1");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
