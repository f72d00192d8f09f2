//! Several experiments behind one binary.

use std::fs;

use crate::place::*;

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
    place.run_all(&["--only", "toy-decay"]);
    let said = "the last run of toy-decay ended with an error (toy-decay: no trial finished";
    assert!(!place.read("results/quick/report.html").contains(said));
    let ran = place.run_all(&["--set", "steps=[3]"]);
    assert!(place.read("results/quick/report.html").contains(said), "what it shows is of the run before");
    assert_eq!(ran.code, Some(1));
    assert_eq!((ran.decay(), ran.counts("toy-power")), ((0, 0, 3), (4, 0, 0)));
    assert!(place.path("results/quick/toy-power.csv").exists());
}

#[test]
fn all_goes_on_after_an_experiment_that_cannot_be_run_or_drawn() {
    let place = Place::new();
    fs::create_dir_all(place.path("results/quick/.store")).unwrap();
    fs::write(place.path("results/quick/.store/toy-decay"), "").unwrap();
    let ran = place.run_all(&["--quiet"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("error: cannot write results/quick/.store/toy-decay: "), "{}", ran.stderr);
    assert!(place.path("results/quick/toy-power.csv").exists());

    let place = Place::new();
    place.run_all(&[]);
    fs::write(place.path("results/quick/toy-decay.csv"), "label,step,x\na,1,2\n").unwrap();
    fs::remove_file(place.path("results/quick/toy-power.claims.csv")).unwrap();
    let ran = place.run_all(&["--plot-only", "--quiet"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("error: results/quick/toy-decay.csv is not as its run"), "{}", ran.stderr);
    assert!(place.path("results/quick/toy-power.claims.csv").exists());

    fs::write(place.path("results/quick/toy-decay.csv"), "label,step,x\na,1,two\n").unwrap();
    let ran = place.run_all(&["--plot-only", "--accept-edited", "--quiet"]);
    assert_eq!(ran.code, Some(2));
    let fault =
        "toy-decay.csv is no table of this version, or damaged: line 2, column x: \"two\": invalid float literal";
    assert_eq!(ran.stderr.matches(fault).count(), 1, "{}", ran.stderr);
}

#[test]
fn a_report_needs_results() {
    let place = Place::new();
    let refused = |others: &str| {
        let message = format!("results/quik: there are no results of this profile; profiles with results: {others}");
        place.run_all(&["--report", "--profile", "quik"]).assert_refused(&message);
    };
    refused("none");
    place.run_all(&["--only", "toy-power"]);
    refused("quick");
    let ran = place.run_all(&["--report", "--seed", "3"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("'--report' cannot be used with"), "{}", ran.stderr);
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
fn all_runs_shares_of_every_experiment_and_tells_how_they_stand() {
    let place = Place::new();
    let shares = ["1/2", "2/2"].map(|shard| place.run_all(&["--shard", shard]));
    for share in &shares {
        assert!(share.code == Some(0) && share.stdout.contains("toy-power, shard "), "{}", share.stderr);
    }
    assert!(
        place.files().iter().all(|name| name.contains(".store/")),
        "neither tables nor a report: {:?}",
        place.files()
    );
    let status = place.run_all(&["--status"]).stdout;
    assert!(status.contains("toy-decay: 9 trials: 9 finished") && status.contains("toy-power: 4 trials: 4 finished"));
    let ran = place.run_all(&[]);
    assert_eq!((ran.decay(), ran.counts("toy-power")), ((0, 9, 0), (0, 4, 0)), "{}", ran.stderr);
}
