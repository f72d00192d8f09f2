//! Stored trials: killed runs, damage, packing.

use std::collections::BTreeMap;
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
    let last_lease = place.in_store("lease").pop().expect("a killed process leaves its leases");
    // What a kill in the middle of a write leaves.
    let lease: toml::Table = fs::read_to_string(&last_lease).unwrap().parse().unwrap();
    let dead = format!("partial-{}-4294967295", lease["machine"].as_str().unwrap());
    fs::write(place.path(&format!("results/quick/.store/toy-decay/.0.trial.{dead}")), "LABTR").unwrap();
    fs::write(place.path(&format!("results/quick/.toy-decay.csv.{dead}")), "label,st").unwrap();
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

const PACK: &str = "results/quick/toy-decay.trials";

/// As in a new clone: without what is not committed.
fn lose_the_store(place: &Place) {
    fs::remove_dir_all(place.path("results/quick/.store")).unwrap();
}

#[test]
fn packed_trials_survive_the_store() {
    let place = Place::new();
    let refine = ["--trials", "1", "--set", "steps=[0.3, 0.9, 0.6]", "--set", "refine=true"];
    let refine_and = |option| [&refine[..], &[option]].concat();
    assert_eq!(place.run(&refine).decay(), (4, 0, 0));
    let bytes = |name: &str| fs::read(place.path(&format!("results/quick/{name}"))).unwrap();
    let tables = || ["toy-decay.csv", "toy-decay.timing.csv", "toy-decay.claims.csv"].map(bytes);
    let expected = tables();
    let packed = place.run(&refine_and("--pack"));
    assert_eq!(packed.code, Some(0), "{}", packed.stderr);
    let size = fs::metadata(place.path(PACK)).unwrap().len();
    assert_eq!(packed.stdout, format!("toy-decay: 4 of 4 trials packed into {PACK} ({size} B)\n"));
    let pack = fs::read(place.path(PACK)).unwrap();

    lose_the_store(&place);
    let ran = place.run(&refine);
    assert_eq!((ran.code, ran.decay()), (Some(0), (0, 4, 0)), "{}", ran.stderr);
    assert_eq!((tables(), place.stored().len()), (expected, 0));
    assert_eq!(fs::read(place.path(PACK)).unwrap(), pack);
    assert_eq!(place.run(&refine_and("--fresh")).decay(), (4, 0, 0));
}

#[test]
fn a_run_keeps_the_pack_up_to_date_if_there_is_one() {
    let place = Place::new();
    place.run(&["--trials", "1"]);
    assert!(!place.path(PACK).exists(), "packing is asked for, once");
    place.run(&["--trials", "1", "--pack"]);
    let ran = place.run(&["--trials", "2"]);
    assert!(ran.stdout.contains(&format!("  {PACK}\n")), "{}", ran.stdout);
    lose_the_store(&place);
    assert_eq!(place.run(&["--trials", "2"]).decay(), (0, 6, 0));
    // A run with other settings costs nothing of it.
    let pack = fs::read(place.path(PACK)).unwrap();
    assert_eq!(place.run(&["--trials", "1"]).decay(), (0, 3, 0));
    assert_eq!(fs::read(place.path(PACK)).unwrap(), pack);
    assert_eq!(place.run(&["--trials", "2"]).decay(), (0, 6, 0));
    let packed = place.run(&["--trials", "1", "--pack"]);
    let end = format!("3 of 3 trials in {PACK}, as before; beside them 3 of other settings, packed before\n");
    assert!(packed.stdout.ends_with(&end), "{}", packed.stdout);
}

#[test]
fn a_run_that_was_killed_or_goes_on_can_be_packed() {
    let place = Place::new();
    let slow = ["--set", "pause_ms=200", "--threads", "1"];
    let mut child = place.start(&slow);
    while place.stored().len() < 2 {
        thread::sleep(Duration::from_millis(1));
    }
    let packed = place.run_all(&["--only", "toy-decay", "--pack"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(packed.code, Some(0), "{}", packed.stderr);
    // The second stage is not known yet, so it does not say of how many. The run may have finished another in the meantime.
    let number = packed.stdout.strip_prefix("toy-decay: ").and_then(|rest| rest.split_once(" trials packed into "));
    let number: usize = number.unwrap_or_else(|| panic!("{}", packed.stdout)).0.parse().unwrap();
    assert!((2..9).contains(&number), "{number}");
    lose_the_store(&place);
    assert_eq!(place.run(&[]).decay(), (9 - number, number, 0));
}

#[test]
fn a_damaged_pack_costs_the_damaged_trials_alone() {
    let place = Place::new();
    place.run(&[]);
    let table = place.table();
    place.run(&["--pack"]);
    lose_the_store(&place);
    let good = fs::read(place.path(PACK)).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs::write(place.path(PACK), &bad).unwrap();
    let ran = place.run(&[]);
    assert_eq!((ran.code, ran.decay()), (Some(0), (1, 8, 0)));
    let warning = format!("{PACK} is damaged: 8 of its 9 trials are whole, the others are lost\n");
    assert_eq!(ran.stderr.matches(&warning).count(), 1, "{}", ran.stderr);
    assert_eq!(place.table(), table);
    // The run has mended it.
    lose_the_store(&place);
    assert_eq!(place.run(&[]).decay(), (0, 9, 0));

    // What is no pack is kept: it may be a pointer of git-lfs, or of another version. An empty file is nothing to keep.
    for (text, is_kept) in [("version https://git-lfs.github.com/spec/v1\n", true), ("", false)] {
        fs::write(place.path(PACK), text).unwrap();
        let ran = place.run(&["--set", "iterations=51"]);
        assert!(ran.code == Some(0) && ran.stderr.contains("is no file of packed trials"), "{}", ran.stderr);
        assert_eq!(fs::read(place.path(PACK)).unwrap() == text.as_bytes(), is_kept);
        if is_kept {
            let packed = place.run(&["--pack"]);
            let message = "is no file of packed trials; it is ignored, and not replaced: move it away";
            assert!(packed.code == Some(2) && packed.stderr.contains(message), "{}", packed.stderr);
        }
    }
}

#[test]
fn packing_without_a_plan_keeps_everything_and_says_so() {
    let place = Place::new();
    place.run(&["--trials", "1"]);
    place.run(&["--trials", "1", "--set", "iterations=51"]);
    let some = place.run(&["--trials", "1", "--pack"]);
    assert!(some.stdout.starts_with("toy-decay: 3 of 3 trials packed into "), "{}", some.stdout);
    assert!(some.stdout.ends_with("; 3 left out, which these settings do not have\n"), "{}", some.stdout);
    let all = place.run(&["--pack", "--set", "wants_data=true"]);
    assert_eq!(all.code, Some(0), "{}", all.stderr);
    assert!(
        all.stderr.contains("no whole plan, so all stored trials are packed") && all.stderr.contains("no start.txt")
    );
    assert!(all.stdout.starts_with("toy-decay: 6 trials packed into "), "{}", all.stdout);
    let none = Place::new().run(&["--pack"]);
    assert_eq!(
        (none.code, none.stdout.as_str()),
        (Some(0), "toy-decay: nothing packed, no trial of this plan is stored\n")
    );
}
