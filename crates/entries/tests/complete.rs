//! The program `complete`, as a user runs it.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::example::sample;

/// A directory with `ratings.csv` and a list of pairs.
fn folder(ratings: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ratings.csv"), ratings).unwrap();
    fs::write(folder.path().join("pairs.csv"), "user,film\nu3,\"film, 4\"\nu3,nobody\nnobody,nothing\n").unwrap();
    folder
}

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_complete"));
    command.current_dir(folder.path()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_matrix_is_completed() {
    let (csv, known) = sample();
    let folder = folder(&csv);
    let output = run(&folder, &["ratings.csv", "--rank", "1,3", "--output", "all.csv"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for words in [
        "known entries of a 60 × 40 matrix",
        "rank 1, about the mean: validation error",
        "\nrank 3, about",
        "held-out error",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    let written = fs::read_to_string(folder.path().join("all.csv")).unwrap();
    assert_eq!(written.lines().count(), 1 + 60 * 40 - known);
    assert!(written.starts_with("user,film,stars\n"));

    // The same bytes on one thread, and for pairs alone the same values.
    let again = run(&folder, &["ratings.csv", "--rank", "1,3", "--output", "one.csv", "--threads", "1", "--quiet"]);
    assert_eq!(fs::read_to_string(folder.path().join("one.csv")).unwrap(), written);
    assert_eq!(text(&again.stdout).lines().count(), 2, "quiet: which settings, and the error");
    let listed = run(&folder, &["ratings.csv", "--rank", "3,1", "--predict", "pairs.csv", "--output", "some.csv"]);
    assert!(text(&listed.stderr).contains("warning: 2 pairs have a row or a column without a known entry"));
    let some = fs::read_to_string(folder.path().join("some.csv")).unwrap();
    assert_eq!(some.lines().count(), 4);
    let pair = some.lines().nth(1).unwrap();
    assert!(pair.starts_with("u3,\"film, 4\",") && (written.contains(pair) || csv.contains("u3,\"film, 4\",")));
}

#[test]
fn the_error_on_held_out_entries_is_small() {
    let folder = folder(&sample().0);
    let output = run(&folder, &["ratings.csv", "--rank", "3", "--output", "all.csv", "-q"]);
    let said = text(&output.stdout);
    let error: f64 = said.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(error < 0.05, "{said}");
}

#[test]
fn wrong_input_is_refused_and_nothing_is_written() {
    let (csv, _) = sample();
    let repeated = format!("{csv}{}\n", csv.lines().nth(1).unwrap());
    let one_row: String = csv
        .lines()
        .take(1)
        .chain(csv.lines().filter(|line| line.starts_with("u0,")))
        .fold(String::new(), |all, line| all + line + "\n");
    let constant: String = csv.lines().enumerate().fold(String::new(), |all, (n, line)| match n {
        0 => all + line + "\n",
        _ => all + line.rsplit_once(',').unwrap().0 + ",3\n",
    });
    let numbers = "u,f,r\n0,0,1\n1,1,2\n90000000,1,3\n".to_owned();
    let few: String = csv.lines().take(5).fold(String::new(), |all, line| all + line + "\n");
    for (ratings, arguments, words) in [
        (
            &csv,
            &["--rank", "21"][..],
            "--rank 21 is not allowed; allowed: from 1 to 20, half the shorter side of the 60 × 40 matrix",
        ),
        (&csv, &["--rank", "0"], "--rank 0 is not allowed"),
        (&csv, &["--rank", "2", "--depth", "1"], "--depth 1 is not allowed; allowed: a whole number from 2"),
        (&csv, &["--rank", "2", "--test", "1.5"], "--test 1.5 is not allowed; allowed: a number between 0 and 1"),
        (&csv, &["--rank", "2", "--test", "NaN"], "--test NaN is not allowed"),
        (&csv, &["--rank", "2", "--test", "0.5", "--validation", "0.5"], "leave nothing to train on"),
        (&csv, &["--rank", "2", "--step-size", "-1"], "--step-size -1 is not allowed; allowed: a number above 0"),
        (&csv, &["--rank", "2", "--step-size", "1e6"], "(a smaller --step-size may help): diverged"),
        (
            &csv,
            &["--rank", "2", "--columns", "user,film,score"],
            "it has no column \"score\"; allowed: a number from 1 to 3 or one of user, film, stars",
        ),
        (&csv, &["--rank", "2", "--columns", "1,2"], "allowed: three columns, separated by commas"),
        (&csv, &["--rank", "2", "--predict", "nowhere.csv"], "nowhere.csv cannot be read"),
        (&csv, &["--rank", "2", "--predict", "ratings.csv", "--output", "./ratings.csv"], "is also what is read"),
        (&csv, &["--rank", "2", "--output", "nowhere/out.csv"], "there is no directory nowhere"),
        (&repeated, &["--rank", "2"], "is given already in line 2"),
        (
            &numbers,
            &["--rank", "1", "--index", "from0"],
            "numbers go up to 90000001, and there are 3 entries; with --index names",
        ),
        (&one_row, &["--rank", "1"], "a 1 × "),
        (&constant, &["--rank", "2"], "known values are 3: there is nothing to learn from them"),
        (&few, &["--rank", "1"], "ratings.csv: "),
        (&csv.replacen(",\"film, 3\",", ",\"film, 3\",x", 1), &["--rank", "2"], "not a number"),
    ] {
        let folder = folder(ratings);
        let before = fs::read_dir(folder.path()).unwrap().count();
        let usual: &[&str] = if arguments.contains(&"--output") { &[] } else { &["--output", "out.csv"] };
        let arguments = [&["ratings.csv"][..], arguments, usual].concat();
        let output = run(&folder, &arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before, "{arguments:?} left a file");
    }
}
