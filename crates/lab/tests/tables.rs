//! Tables and figures: written whole, checked before they are drawn again.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::place::*;

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
    let full_disk = |arguments: &str| {
        let script = format!("ulimit -f 1; exec \"$0\" {arguments}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).arg(example("toy-decay")).current_dir(&place.directory);
        Ran::from(shell.output().unwrap())
    };
    let ran = full_disk("--trials 60 --quiet");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("error: cannot write results/quick/toy-decay.csv: File too large"), "{}", ran.stderr);
    let mut after = place.files();
    after.retain(|name| !name.ends_with(".trial"));
    assert_eq!(after, before.into_iter().filter(|name| !name.ends_with(".trial")).collect::<Vec<_>>());
    assert_eq!(place.table(), table, "the table of the earlier run is untouched");
    // The tables fit, what is written after them does not.
    let ran = full_disk("--trials 1 --set iterations=20");
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("error: cannot write results/quick/toy-decay.meta.toml: File too large"),
        "{}",
        ran.stderr
    );
    assert_eq!(place.table(), table);
    assert_eq!(place.run(&["--plot-only"]).code, Some(0));
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
    let drawn = place.read("figures/quick/toy-decay.svg");
    let ran = place.run(&["--plot-only"]);
    assert_eq!(ran.code, Some(2));
    let message = "error: results/quick/toy-decay.csv is not as its run wrote it (1 row instead of 9); if you edited it, \
        pass --accept-edited to draw it all the same, else make it again with: ";
    assert!(ran.stderr.contains(&format!("{message}{command}\n")), "{}", ran.stderr);
    assert_eq!(place.read("figures/quick/toy-decay.svg"), drawn);
    let ran = place.run(&["--plot-only", "--accept-edited"]);
    assert_eq!((ran.code, ran.decay()), (Some(0), (0, 0, 0)), "{}", ran.stderr);
    let message =
        "warning: results/quick/toy-decay.csv is not as its run wrote it (1 row instead of 9); drawn all the same";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
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
    for arguments in [&["--plot-only"][..], &["--plot-only", "--accept-edited"]] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, Some(2));
        let message = "results/quick/toy-decay.meta.toml: no such file: the run that wrote the tables beside it did not \
            finish; make them with: cargo run --release --bin toy-decay -- --profile quick\n";
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
    assert_eq!(place.read("figures/quick/toy-decay.svg"), drawn);
}

/// What a run leaves that is killed while its tables replace those of another.
#[test]
fn tables_of_two_runs_are_not_drawn_together() {
    let place = Place::new();
    place.run(&[]);
    let (first, drawn) = (place.table(), place.read("figures/quick/toy-decay.svg"));
    place.run(&["--set", "iterations=20"]);
    let second = place.table();
    assert!(first != second && first.lines().count() == second.lines().count());
    fs::write(place.path("results/quick/toy-decay.csv"), first).unwrap();
    let ran = place.run(&["--plot-only"]);
    assert_eq!(ran.code, Some(2));
    let message = "results/quick/toy-decay.csv is not as its run wrote it (9 rows, as then, but other content)";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
    assert!(place.read("figures/quick/toy-decay.svg") != drawn);

    // Its own table again, but no longer its companion; a number cut short.
    fs::write(place.path("results/quick/toy-decay.csv"), &second[..second.len() - 3]).unwrap();
    fs::remove_file(place.path("results/quick/toy-decay.timing.csv")).unwrap();
    let ran = place.run(&["--plot-only"]);
    assert_eq!(ran.code, Some(2));
    let message = "results/quick/toy-decay.timing.csv is not as its run wrote it (it is missing)";
    assert!(
        ran.stderr.contains("results/quick/toy-decay.csv is not") && ran.stderr.contains(message),
        "{}",
        ran.stderr
    );
}

/// The second table cannot replace a directory, so the run ends between its tables.
#[test]
fn a_run_that_ends_between_its_tables_leaves_no_seal() {
    let place = Place::new();
    place.run(&[]);
    let timing = place.path("results/quick/toy-decay.timing.csv");
    fs::remove_file(&timing).unwrap();
    fs::create_dir(&timing).unwrap();
    let ran = place.run(&["--set", "iterations=20"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("error: cannot write results/quick/toy-decay.timing.csv: "), "{}", ran.stderr);
    fs::remove_dir(&timing).unwrap();
    let ran = place.run(&["--plot-only"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("the run that wrote the tables beside it did not finish"), "{}", ran.stderr);
    assert_eq!(place.run(&[]).code, Some(0));
    assert_eq!(place.run(&["--plot-only"]).code, Some(0));
}

#[test]
fn tables_of_before_there_were_hashes_are_drawn_with_a_warning() {
    let place = Place::new();
    place.run(&[]);
    let path = place.path("results/quick/toy-decay.meta.toml");
    let mut meta: toml::Table = place.read("results/quick/toy-decay.meta.toml").parse().unwrap();
    meta["tables"]["toy-decay.csv"]["rows"] = "nine".into();
    fs::write(&path, meta.to_string()).unwrap();
    let ran = place.run(&["--plot-only"]);
    assert_eq!(ran.code, Some(2));
    let message = "error: results/quick/toy-decay.meta.toml: its section [tables] is damaged: each file has rows";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
    meta.remove("tables").unwrap();
    fs::write(&path, meta.to_string()).unwrap();
    let ran = place.run(&["--plot-only"]);
    assert_eq!(ran.code, Some(0));
    let message = "warning: results/quick/toy-decay.meta.toml has no hashes of its tables (an earlier version wrote it): \
        they are drawn unchecked\n";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
}

#[test]
fn a_table_without_rows_has_its_header_and_is_drawn_again() {
    let place = Place::new();
    assert_eq!(place.run(&["--set", "steps=[]"]).code, Some(0));
    assert_eq!(place.table(), "label,step,x\n");
    assert_eq!(place.read("results/quick/toy-decay.timing.csv"), "label,seconds\n");
    let ran = place.run(&["--plot-only"]);
    assert_eq!((ran.code, ran.decay()), (Some(0), (0, 0, 0)), "{}", ran.stderr);
}

/// A folder of somebody else's, or on a read-only disk: figures can still be drawn from it.
#[cfg(unix)]
#[test]
fn plot_only_of_a_read_only_folder_draws_the_figures() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    let place = Place::new();
    place.run(&["--results", "shared"]);
    let claims = place.read("shared/quick/toy-decay.claims.csv");
    fs::remove_dir_all(place.path("figures")).unwrap();
    let mode = |path: PathBuf, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(place.path("."), 0o777);
    for directory in ["shared/quick/.store/toy-decay", "shared/quick/.store", "shared/quick", "shared"] {
        mode(place.path(directory), 0o555);
    }
    // Nothing is read-only to root, so another user draws.
    let draw = |binary: &str, arguments: &[&str]| {
        let program = place.path(binary);
        fs::copy(example(binary), &program).unwrap();
        let mut command = Command::new(program);
        command.args(["--plot-only", "--results", "shared"]).args(arguments).current_dir(&place.directory);
        if fs::metadata(place.path(".")).unwrap().uid() == 0 {
            command.uid(65_534).gid(65_534);
        }
        // A child that another test starts while the copy is written holds it open for a moment.
        let output = loop {
            match command.output() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    sleep(Duration::from_millis(10))
                }
                output => break output.unwrap(),
            }
        };
        Ran::from(output)
    };
    let all = draw("toy-all", &["--only", "toy-decay"]);
    assert_eq!(all.code, Some(0), "{}", all.stderr);
    let message = "warning: no report: shared/quick/report.html may not be written\n";
    assert!(all.stderr.contains(message), "{}", all.stderr);
    assert!(all.stdout.contains("toy-decay") && !all.stdout.contains("report:"), "{}", all.stdout);
    let ran = draw("toy-decay", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let message = "warning: cannot write shared/quick/toy-decay.claims.csv (Permission denied (os error 13)): \
        the claims are only shown\n";
    assert!(ran.stderr.contains(message), "{}", ran.stderr);
    assert!(ran.stdout.contains("claims: 0 holds, 1 differs"), "{}", ran.stdout);
    assert!(place.path("figures/quick/toy-decay.svg").exists());
    assert_eq!(place.read("shared/quick/toy-decay.claims.csv"), claims);
    for directory in ["shared", "shared/quick", "shared/quick/.store", "shared/quick/.store/toy-decay"] {
        mode(place.path(directory), 0o755);
    }
}

/// To open a FIFO waits for its other end, for ever.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_by_name() {
    let place = Place::new();
    let fifo = |path: &str| {
        let _ = fs::remove_file(place.path(path));
        assert!(Command::new("mkfifo").arg(place.path(path)).status().unwrap().success());
    };
    place.run(&[]);
    fifo("settings.toml");
    place
        .run(&["--config", "settings.toml"])
        .assert_refused("cannot read settings.toml: it is a FIFO (named pipe), not a file");
    place.run(&["--config", "/dev/null"]).assert_refused("cannot read /dev/null: it is a device, not a file");
    for file in
        ["results/quick/toy-decay.timing.csv", "results/quick/toy-decay.meta.toml", "results/quick/toy-decay.csv"]
    {
        fifo(file);
        let ran = place.run(&["--plot-only"]);
        let message = format!("error: cannot read {file}: it is a FIFO (named pipe), not a file\n");
        assert!(ran.code != Some(0) && ran.stderr.contains(&message), "{}", ran.stderr);
    }
    let stored = place.stored();
    let name = |path: &PathBuf| path.strip_prefix(&place.directory).unwrap().display().to_string();
    fifo(&name(&stored[0]));
    fs::remove_file(&stored[1]).unwrap();
    fs::create_dir(&stored[1]).unwrap();
    let ran = place.run(&[]);
    assert_eq!((ran.code, ran.decay()), (Some(0), (2, 7, 0)), "{}", ran.stderr);
    for (path, what) in [(&stored[0], "a FIFO (named pipe)"), (&stored[1], "a directory")] {
        let message = format!("the stored trial {} cannot be read (it is {what}, not a file); running it", name(path));
        assert!(ran.stderr.contains(&message), "{}", ran.stderr);
    }
    fifo("results/quick/.store/toy-decay/lock");
    let ran = place.run(&[]);
    let message = "error: cannot write results/quick/.store/toy-decay/lock: it is a FIFO (named pipe), not a file\n";
    assert!(ran.code == Some(1) && ran.stderr.contains(message), "{}", ran.stderr);
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
    for (text, what) in [("", "header"), ("label,step,x\n", "rows")] {
        fs::write(place.path("my tables/quick/toy-decay.csv"), text).unwrap();
        let ran = place.run(&["--plot-only", "--accept-edited", "--results", "my tables"]);
        assert_eq!(ran.code, Some(2));
        let message = format!(
            "my tables/quick/toy-decay.csv: the table has no {what}; make it again with: \
             cargo run --release --bin toy-decay -- --profile quick --results \"my tables\"\n"
        );
        assert!(ran.stderr.contains(&message), "{}", ran.stderr);
        let after = (place.read("figures/quick/toy-decay.svg"), place.read("my tables/quick/toy-decay.claims.csv"));
        assert_eq!(after, before);
    }
    let ran = place.run(&["--plot-only", "--results", "other", "--figures", "pictures", "--profile", "smoke"]);
    assert!(ran.stderr.contains("toy-decay -- --profile smoke --results other --figures pictures\n"), "{}", ran.stderr);
    assert!(!place.path("other").exists(), "a mistyped directory is not made");
}
