//! Trials that need more memory than there is.

use std::process::Command;

use crate::place::*;

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
