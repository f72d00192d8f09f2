//! Stored trials: killed runs, damage, locks.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::time::Duration;
use std::{fs, thread};

use crate::place::*;

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
fn a_damaged_entry_of_two_trials_is_named_once() {
    let place = Place::new();
    let same = ["--set", "start.kind=fixed", "--set", "steps=[0.5]"];
    assert_eq!(place.run(&same).decay(), (1, 2, 0));
    let stored = place.stored();
    fs::write(&stored[0], "LABTRIAL").unwrap();
    let ran = place.run(&same);
    assert_eq!((ran.code, ran.decay()), (Some(0), (1, 2, 0)));
    assert_eq!(ran.stderr.matches("is damaged (it is cut short); running it again").count(), 1, "{}", ran.stderr);
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
