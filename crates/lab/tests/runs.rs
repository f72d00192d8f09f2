//! Running trials: plans, threads, failures, stages.

use std::fs;

use crate::place::*;

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
