//! What the system does to a process: signals, full and closed outputs, clocks. Several processes are in `workers.rs`.
#![cfg(unix)]

use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::place::*;

fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").args(["-c", "kill -$0 $1", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_signal_ends_a_run_with_what_is_stored_and_how_to_go_on() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        let slow = ["--set", "pause_ms=50", "--threads", "2", "--quiet"];
        let child = place.start(&slow);
        while place.stored().len() < 3 {
            thread::sleep(Duration::from_millis(1));
        }
        signal(&child, name);
        let ran = Ran::from(child.wait_with_output().unwrap());
        let stored = place.stored().len();
        assert!(ran.code == Some(code) && (3..9).contains(&stored), "{:?}: {}", ran.code, ran.stderr);
        let start = format!("stopped by SIG{name}: toy-decay: ");
        let end = " trials of this run stored in results/quick/.store/toy-decay; the same command without --fresh goes on from \
            there, and from the checkpoints of trials that make some\n";
        let said = without_revision(&ran.stderr).strip_prefix(&start).and_then(|rest| rest.strip_suffix(end));
        let said: usize = said.unwrap_or_else(|| panic!("{}", ran.stderr)).parse().unwrap();
        assert!(said <= stored && stored <= said + 2, "{said} of {stored}");
        assert_eq!(place.run(&slow[..4]).decay(), (9 - stored, stored, 0));
    }
}

/// What it had not come to is run by the next command too, and is not taken from before.
#[test]
fn a_fresh_run_that_is_stopped_is_completed_by_fresh_trials() {
    let place = Place::new();
    let slow = ["--set", "pause_ms=50", "--threads", "2"];
    assert_eq!(place.run(&slow).decay(), (9, 0, 0));
    place.run(&[&slow[..], &["--pack"]].concat());
    let mut child = place.start(&[&slow[..], &["--fresh"]].concat());
    let stale = || place.in_store("stale").len();
    let mut wait_until = |is_so: &dyn Fn() -> bool| {
        while !is_so() {
            assert_eq!(child.try_wait().unwrap(), None, "it must still run");
            thread::sleep(Duration::from_millis(1));
        }
    };
    wait_until(&|| stale() == 9);
    wait_until(&|| stale() <= 6);
    signal(&child, "TERM");
    let stopped = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(stopped.code, Some(143), "{}", stopped.stderr);
    let left = stale();
    assert!((1..=6).contains(&left), "{left}");
    assert_eq!(place.run(&slow).decay(), (left, 9 - left, 0));
    assert_eq!((stale(), place.run(&slow).decay()), (0, (0, 9, 0)));
}

/// Nobody reads stderr, so the first signal's line waits with all the others.
#[cfg(target_os = "linux")]
#[test]
fn a_second_signal_ends_a_run_at_once() {
    let place = Place::new();
    let (unread, mut stderr) = std::io::pipe().unwrap();
    // Almost all that a pipe holds.
    stderr.write_all(&[b'.'; 65_000]).unwrap();
    let mut child = place.command("toy-decay", &["-v", "--trials", "30"]).stderr(stderr).spawn().unwrap();
    while place.stored().len() < 2 {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(60));
    signal(&child, "INT");
    thread::sleep(Duration::from_millis(60));
    assert_eq!(child.try_wait().unwrap(), None);
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(unread);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error() {
    let place = Place::new();
    let message = "error: cannot write to standard output: No space left on device (os error 28)\n";
    for (binary, argument) in [
        ("toy-all", "--list"),
        ("toy-all", "--help"),
        ("toy-decay", "--version"),
        ("toy-decay", "--trials=1"),
        ("toy-all", "--trials=1"),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = Ran::from(place.command(binary, &[argument]).stdout(full).output().unwrap());
        assert_eq!(ran.code, Some(1), "{argument}: {}", ran.stderr);
        assert!(ran.stderr.ends_with(message), "{argument}: {}", ran.stderr);
    }
    // A failed run has told of its failure, and this one too.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ran = Ran::from(place.command("toy-decay", &["--plot-only", "--results=x"]).stdout(full).output().unwrap());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.ends_with(message) && ran.stderr.contains("x/quick/toy-decay.csv: no such"), "{}", ran.stderr);
}

#[test]
fn a_reader_who_has_read_enough_ends_nothing() {
    let place = Place::new();
    for (binary, argument) in [("toy-all", "--list"), ("toy-all", "--help"), ("toy-decay", "--trials=1")] {
        let mut child = place.command(binary, &[argument]).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(0), "{argument}: {}", ran.stderr);
        assert!(!ran.stderr.contains("error"), "{argument}: {}", ran.stderr);
    }
}

/// The clock of a machine that has lost its battery, or that somebody set.
#[cfg(target_os = "linux")]
#[test]
fn a_wrong_clock_ends_nothing() {
    for (seconds, started) in [
        ("1000000000", "2001-09-09T01:46:40Z"),
        ("-1", "before the year 1970"),
        ("-9000000000000000000", "before the year 1970"),
        ("253402300800", "after the year 9999"),
        ("9000000000000000000", "after the year 9999"),
    ] {
        let place = Place::new();
        let mut command = place.command("toy-decay", &["--trials=1"]);
        command.env("LD_PRELOAD", example("libwrong_clock.so")).env("CLOCK_SECONDS", seconds);
        let ran = Ran::from(command.output().unwrap());
        assert_eq!(ran.code, Some(0), "{seconds}: {}", ran.stderr);
        assert!(ran.stderr.lines().all(|line| line.starts_with(&format!("{started} "))), "{}", ran.stderr);
        let meta: toml::Table = place.read("results/quick/toy-decay.meta.toml").parse().unwrap();
        assert_eq!(meta["started"].as_str(), Some(started));
    }
}
