//! The command line of one experiment.

use std::fs;
use std::process::Command;

use crate::place::*;

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
    place.run(&["--config", "experiments"]).assert_refused("cannot read experiments: it is a directory, not a file");
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
    let said = (quiet.stdout.as_str(), without_revision(&quiet.stderr));
    assert_eq!((quiet.code, said), (Some(0), ("", "")));
    let normal = place.run(&["--fresh"]);
    let finished: Vec<_> = normal.stderr.lines().filter(|line| line.contains(": finished in ")).collect();
    assert_eq!(finished.len(), 9, "{}", normal.stderr);
    // On a busy machine the ninth may say so before the eighth.
    let ninth = finished.iter().find(|line| line.ends_with("(9/9)")).expect("a ninth");
    let (stamp, rest) = ninth.split_once(' ').unwrap();
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
