//! Several processes at work on one experiment: shares, leases, deaths, takeovers.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::place::*;

/// The tables and drawings, but not what the clock says.
fn stable(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let mut names = place.files();
    // What a killed process leaves of its look whether it may write here is removed by the next start.
    let left = |name: &str| name.contains("/.probe.partial-");
    names.retain(|name| !name.contains(".store/") && !name.contains("timing") && !name.contains("meta") && !left(name));
    names.into_iter().map(|name| (name.clone(), fs::read(place.path(&name)).unwrap())).collect()
}

/// What one process makes of these settings.
fn expected(arguments: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let place = Place::new();
    assert_eq!(place.run(arguments).code, Some(0));
    stable(&place)
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").args(["-c", "kill -$0 $1", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn end(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
}

fn wait_for(what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it never happens");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A lease as another machine's process would have written it.
fn foreign_lease(place: &Place, trial: &str, beat_seconds: f64, revision: &str) -> PathBuf {
    let directory = place.path("results/quick/.store/toy-decay").join(&trial[..2]);
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join(format!("{trial}.lease"));
    let text = format!(
        "host = \"far\"\nmachine = \"another\"\nnumber = 12\nstarted = \"1\"\nrevision = \"{revision}\"\nserial = 1\n\
         since = \"2031-01-01T00:00:00Z\"\nbeat_seconds = {beat_seconds:?}\nbeats = \"0000000000\"\n"
    );
    fs::write(&path, text).unwrap();
    path
}

/// The keys of the plan.
fn keys(arguments: &[&str]) -> Vec<String> {
    let place = Place::new();
    place.run(arguments);
    place.stored().iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn several_processes_do_one_experiment_together_and_each_trial_once() {
    let slow = ["--set", "pause_ms=150", "--set", "steps=[0.1,0.5,0.9,1.5]", "--threads", "1"];
    let place = Place::new();
    let workers = [(); 3].map(|()| place.start(&slow));
    let ran = workers.map(end);
    let run: Vec<usize> = ran.iter().map(|ran| ran.decay().0).collect();
    assert!(ran.iter().all(|ran| ran.code == Some(0)), "{}", ran[0].stderr);
    assert_eq!(run.iter().sum::<usize>(), 12, "{run:?}");
    assert!(run.iter().filter(|run| **run > 0).count() > 1, "{run:?}");
    assert_eq!(stable(&place), expected(&slow[2..4]));
    assert_eq!((place.in_store("lease").len(), place.stored().len()), (0, 12));
}

#[test]
fn shares_make_no_tables_and_together_all_trials() {
    let place = Place::new();
    let refine = ["--trials", "1", "--set", "steps=[0.3,0.9,0.6]", "--set", "refine=true"];
    let share = |shard: &'static str| [&refine[..], &["--shard", shard]].concat();
    let first = place.run(&share("1/2"));
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(
        first.stdout.contains("toy-decay, shard 1/2: 1 run, 0 stored before, 0 failed\n")
            && first.stdout.contains("the second stage waits for 2 trials of the first"),
        "{}",
        first.stdout
    );
    assert!(place.files().iter().all(|name| name.contains(".store/")), "{:?}", place.files());
    let second = place.run(&share("2/2"));
    assert!(second.stdout.contains("shard 2/2: 2 run, 0 stored before"), "{}", second.stdout);
    // The only trial of the second stage belongs to the first share.
    let again = place.run(&share("1/2"));
    assert!(again.stdout.contains("shard 1/2: 1 run, 1 stored before"), "{}", again.stdout);
    assert_eq!(place.run(&refine).decay(), (0, 4, 0));
    assert_eq!(stable(&place), expected(&refine));
}

#[test]
fn a_share_can_wait_for_the_others() {
    let place = Place::new();
    let share = |shard: &'static str| ["--set", "refine=true", "--set", "pause_ms=50", "--shard", shard, "--wait"];
    let workers = ["1/2", "2/2"].map(|shard| place.start(&share(shard)));
    let ran = workers.map(end);
    assert!(ran.iter().all(|ran| ran.code == Some(0) && !ran.stdout.contains("waits")), "{}", ran[0].stderr);
    assert_eq!(place.run(&["--set", "refine=true"]).decay().0, 0);
}

/// A killed worker's trials are done by the other, whenever the kill comes.
#[test]
fn a_worker_killed_at_any_moment_changes_no_byte() {
    let settings = ["--set", "pause_ms=15", "--set", "steps=[0.1,0.5,0.9,1.5]"];
    let run = [&settings[..], &["--threads", "2", "--quiet"]].concat();
    let expected = expected(&settings[2..]);
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    for round in 0..20 {
        let place = Place::new();
        let [mut victim, other] = [(); 2].map(|()| place.start(&run));
        // xorshift: the moments are the same in every run of the test, but spread over all of the work.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        thread::sleep(Duration::from_micros(state % 70_000));
        victim.kill().unwrap();
        victim.wait().unwrap();
        let ran = end(other);
        assert_eq!(ran.code, Some(0), "round {round}: {}", ran.stderr);
        assert_eq!(stable(&place), expected, "round {round}");
        assert_eq!(place.in_store("lease").len(), 0, "round {round}");
    }
}

#[test]
fn a_trial_of_a_machine_that_is_silent_is_taken_over_and_the_other_code_is_named() {
    let trial = keys(&["--trials", "1"]).remove(0);
    let place = Place::new();
    let lease = foreign_lease(&place, &trial, 0.1, "0123abc");
    let begin = Instant::now();
    let ran = place.run(&["--trials", "1"]);
    assert_eq!((ran.code, ran.decay()), (Some(0), (3, 0, 0)), "{}", ran.stderr);
    assert!(begin.elapsed() > Duration::from_millis(600) && !lease.exists());
    for text in [
        "warning: process 12 on far works on this store with revision 0123abc of the program, this process with ",
        "toy-decay: 1 trials are run by other processes: waiting for them",
        "taking over a trial of process 12 on far, which gives no sign of life",
    ] {
        assert_eq!(ran.stderr.matches(text).count(), 1, "{text}: {}", ran.stderr);
    }
}

#[test]
fn a_stopped_worker_that_wakes_harms_nothing() {
    let settings = ["--trials", "1", "--set", "steps=[0.5]"];
    let slow = [&settings[..], &["--set", "pause_ms=3000", "--lease", "0.3", "--quiet"]].concat();
    let place = Place::new();
    let sleeper = place.start(&slow);
    wait_for(|| !place.in_store("lease").is_empty());
    signal(&sleeper, "STOP");
    // On one machine the process is seen to be alive, stopped though it is: it counts that its lease does not change.
    let other = place.run(&[&settings[..], &["--lease", "0.3"]].concat());
    assert_eq!((other.code, other.decay()), (Some(0), (1, 0, 0)), "{}", other.stderr);
    let entry = fs::read(&place.stored()[0]).unwrap();
    let tables = stable(&place);
    signal(&sleeper, "CONT");
    let woken = end(sleeper);
    assert_eq!(woken.code, Some(0), "{}", woken.stderr);
    assert_eq!((fs::read(&place.stored()[0]).unwrap(), stable(&place)), (entry, tables));
}

/// Leases are compared with what was seen, not with dates.
#[cfg(target_os = "linux")]
#[test]
fn clocks_that_differ_between_workers_matter_not() {
    let slow = ["--set", "pause_ms=150", "--threads", "1", "--lease", "10"];
    let place = Place::new();
    let mut late = place.command("toy-decay", &slow);
    late.env("LD_PRELOAD", example("libwrong_clock.so")).env("CLOCK_SECONDS", "1000000000");
    let workers = [late.spawn().unwrap(), place.start(&slow)];
    let ran = workers.map(end);
    assert!(ran.iter().all(|ran| ran.code == Some(0) && !ran.stderr.contains("taking over")), "{}", ran[1].stderr);
    assert_eq!(ran.iter().map(|ran| ran.decay().0).sum::<usize>(), 9);
}

#[test]
fn status_tells_finished_running_waiting_and_failed() {
    let place = Place::new();
    let settings = ["--trials", "1", "--set", "steps=[0.1, 2.5, 0.5, 0.9]", "--set", "refine=true"];
    let status = || place.run(&[&settings[..], &["--status"]].concat());
    assert!(status().stdout.starts_with("toy-decay: 4 trials: 0 finished, 0 running, 4 waiting, 0 failed\n"));
    assert!(!place.path("results").exists(), "a look creates nothing");
    place.run(&["--trials", "1", "--set", "steps=[0.5, 2.5]"]);
    let slow = [&settings[..], &["--threads", "1", "--set", "pause_ms=10000"]].concat();
    let mut child = place.start(&slow);
    wait_for(|| !place.in_store("lease").is_empty());
    let said = status().stdout;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "toy-decay: 4 trials: 1 finished, 1 running, 1 waiting, 1 failed");
    let running = format!("  running   step 0.1, trial 1: process {} on ", child.id());
    assert!(lines[1].starts_with(&running) && lines[1].contains(", since 20"), "{said}");
    assert_eq!(lines[2], "  failed    step 2.5, trial 1: diverged at iteration 18 (loss 7.4e6)");
    assert_eq!(
        lines[3..],
        [
            "  finished  step 0.5, trial 1",
            "  waiting   step 0.9, trial 1",
            "toy-decay, second stage: waits for the first"
        ]
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(status().stdout.contains("1 finished, 0 running, 2 waiting, 1 failed"), "{}", status().stdout);
    place.run(&settings);
    assert!(status().stdout.contains("\ntoy-decay, second stage: 1 trials: 1 finished"), "{}", status().stdout);
}

#[test]
fn a_trial_that_diverged_is_not_run_again_by_the_next() {
    let place = Place::new();
    let settings = ["--trials", "1", "--set", "steps=[0.5, 2.5, 1.75]"];
    let share = place.run(&[&settings[..], &["--shard", "1/1"]].concat());
    assert_eq!(share.code, Some(1));
    assert!(share.stdout.contains("1 run, 0 stored before, 2 failed"), "{}", share.stdout);
    let all = place.run(&settings);
    assert_eq!((all.code, all.decay()), (Some(1), (0, 1, 2)));
    assert!(all.stderr.contains("3 trials, 2 of them stored, 1 to run"), "{}", all.stderr);
    assert!(all.stderr.contains("error: toy-decay: step 2.5, trial 1: diverged at iteration 18"), "{}", all.stderr);
    assert!(place.run(&[&settings[..], &["--fresh"]].concat()).stderr.contains("3 trials, 0 of them stored, 3 to run"));
}

#[test]
fn a_signal_lets_trials_write_checkpoints_and_releases_their_leases() {
    let settings = ["--set", "checkpoint=true", "--threads", "2"];
    let place = Place::new();
    let child = place.start(&[&settings[..], &["--set", "pause_ms=5000"]].concat());
    wait_for(|| place.in_store("lease").len() == 2);
    thread::sleep(Duration::from_millis(1000));
    signal(&child, "TERM");
    let stopped = end(child);
    assert_eq!(stopped.code, Some(143), "{}", stopped.stderr);
    assert_eq!((place.in_store("lease").len(), place.in_store("scratch").len()), (0, 2));
    let text = fs::read_to_string(place.in_store("scratch")[0].join("x.txt")).unwrap();
    let done: u64 = text.split_once(' ').unwrap().0.parse().unwrap();
    assert!((1..50).contains(&done), "{text}");
    let ran = place.run(&settings);
    assert_eq!((ran.code, ran.decay()), (Some(0), (9, 0, 0)), "{}", ran.stderr);
    assert_eq!((stable(&place), place.in_store("scratch").len()), (expected(&[]), 0));
}

/// A limit on the size of files stands in for a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_share_whose_outcomes_cannot_be_stored_stops_and_another_does_them() {
    let place = Place::new();
    let mut shell = Command::new("sh");
    // Enough for a probe and nothing more: leases and outcomes do not fit.
    shell.args(["-c", "ulimit -f 0; exec \"$0\" --shard 1/1 --threads 1"]).arg(example("toy-decay"));
    let ran = Ran::from(shell.current_dir(&place.directory).output().unwrap());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("File too large"), "{}", ran.stderr);
    assert_eq!(place.run(&["--shard", "1/1"]).code, Some(0));
    assert_eq!(place.stored().len(), 9);
}

/// A file system on which entries would not be whole, or not be seen, is noticed before anything runs.
#[cfg(target_os = "linux")]
#[test]
fn a_file_system_that_is_not_safe_is_refused() {
    for (how, fault) in [
        ("two-steps", "shows neither the old nor the new file while one is renamed over the other (no atomic rename)"),
        ("late", "shows old content after a rename (stale metadata)"),
        ("made-twice", "makes a file that is there already (no exclusive creation)"),
    ] {
        let place = Place::new();
        let mut command = place.command("toy-decay", &["--shard", "1/1", "--quiet"]);
        command.env("LD_PRELOAD", example("libcareless_files.so")).env("CARELESS", how);
        let ran = Ran::from(command.output().unwrap());
        let message = format!(
            "error: results/quick/.store/toy-decay: its file system {fault}; finished trials would not be safe \
             there: choose --results on another one\n"
        );
        assert_eq!((ran.code, place.stored().len()), (Some(2), 0), "{how}: {}", ran.stderr);
        assert!(ran.stderr.ends_with(&message), "{how}: {}", ran.stderr);
    }
}

#[test]
fn tables_are_written_by_one_process_at_a_time() {
    let place = Place::new();
    let mut first = place.start(&["-v", "--set", "draw_pause_ms=1500"]);
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("wrote results/quick/toy-decay.claims.csv")));
    let others = [&["--trials", "2"][..], &["--plot-only"]].map(|arguments| place.run(arguments));
    for other in others {
        assert_eq!(other.code, Some(0), "{}", other.stderr);
    }
    assert!(first.wait().unwrap().success());
}

#[test]
fn nonsense_about_workers_is_refused() {
    let place = Place::new();
    for arguments in [
        &["--shard", "3/2"][..],
        &["--shard", "1/2", "--status"],
        &["--shard", "1/2", "--plot-only"],
        &["--wait"],
        &["--lease", "0"],
        &["--lease", "soon"],
        &["--status", "--pack"],
    ] {
        let ran = place.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}");
    }
    assert!(place.run(&["--shard", "0/2"]).stderr.contains("allowed: I/N, the I-th of N shares of the trials"));
    assert_eq!(place.files(), Vec::<String>::new());
}
