//! `ratings` on a user's file.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Output};

/// A file of ratings: tabs, another order of columns, and one line that may be wrong.
fn file(line: &str) -> String {
    let mut text = String::from("time\tfilm\tuser\tstars\n");
    for (user, film) in
        (0..30).flat_map(|user| (0..20).map(move |film| (user, film))).filter(|(u, f)| (u + 2 * f) % 3 > 0)
    {
        let stars =
            3.0 + f64::from(user % 5 - 2) * f64::from(film % 3 - 1) / 2.0 + f64::from((7 * user + 3 * film) % 4) / 10.0;
        writeln!(text, "9\tf{film}\tu{user}\t{stars}").expect("a string");
    }
    text + line
}

fn run(directory: &Path, text: &str, arguments: &[&str]) -> Output {
    std::fs::write(directory.join("mine.tsv"), text).unwrap();
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/ratings.toml");
    let mine = r#"files.mine = { path = "mine.tsv", delimiter = "tab", columns = ["user", "film", "stars"] }"#;
    let mut command = Command::new(env!("CARGO_BIN_EXE_ratings"));
    command.current_dir(directory).arg("--config").arg(settings).args(["--profile", "smoke", "--set", mine]);
    command.args(["--set", "data=[\"mine\"]", "--set", "original.data=[]"]).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_file_of_the_users_is_completed() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &file(""), &[]);
    assert!(output.status.success(), "{}", said(&output));
    let table = std::fs::read_to_string(directory.path().join("results/smoke/ratings.csv")).unwrap();
    assert!(table.lines().skip(1).all(|line| line.starts_with("mine,")) && table.lines().count() == 27, "{table}");
    // The structure is there to be found, and every method but the biases finds it.
    let error = |method: &str| -> f64 {
        let line = table.lines().find(|line| line.contains(method)).expect(method);
        line.split(',').rev().nth(1).expect("test_rmse").parse().expect("a number")
    };
    assert!(error("\"compressed, L = 2\"") < 0.5 * error("mean and biases"), "{table}");
    assert!(error("biased ALS") < 0.5 * error("mean and biases"), "{table}");
}

#[test]
fn wrong_files_are_refused_by_name_and_line() {
    for (line, arguments, words) in [
        ("9\tf1\tu1\tmany\n", &[][..], "mine.tsv, line 402: stars is \"many\", not a number"),
        ("9\tf2\tu0\t3\n", &[], "row \"u0\", column \"f2\" is given already in line 3"),
        ("", &["--set", "files.mine.columns=[\"user\", \"film\", \"score\"]"], "it has no column \"score\""),
        ("", &["--set", "files.mine.path=\"nowhere.tsv\""], "nowhere.tsv cannot be read"),
        ("", &["--set", "files.mine.delimiter=\"::\""], "or tab"),
        ("", &["--set", "networks.rank_guesses=[11]"], "at most 10 for mine, a 30 × 20 matrix"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let output = run(directory.path(), &file(line), arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(words), "{words}: {}", said(&output));
    }
}
