//! The real binaries: what they say about bad input, and that the documents are what the kept runs make.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a binary in the workspace's directory.
fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).current_dir(workspace()).output().expect("the binary starts")
}

fn peers(arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_bench-peers"), arguments)
}

fn table(arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_bench-table"), arguments)
}

/// Exit code and the last line of what was said.
#[track_caller]
fn fails(output: &Output, code: i32, said: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(said), "{text}");
}

#[test]
fn the_documents_are_what_the_kept_runs_make() {
    let output = table(&["--check"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_stale_document_is_named_and_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let (readme, document, figures) = (place("README.md"), place("performance.md"), place("figures"));
    let (runs, name) = (place("runs"), "2026-11-25-zen-3");
    std::fs::create_dir_all(format!("{runs}/{name}")).unwrap();
    for file in ["machine.csv", "peers.csv"] {
        std::fs::copy(workspace().join("results/bench/runs").join(name).join(file), format!("{runs}/{name}/{file}"))
            .unwrap();
    }
    std::fs::write(&readme, "# A\n<!-- performance: by just bench-table -->\nold\n<!-- /performance -->\nend\n")
        .unwrap();
    std::fs::write(&document, "# B\n<!-- runs: by just bench-table -->\n<!-- /runs -->\n").unwrap();
    let places = ["--results", &runs, "--readme", &readme, "--document", &document, "--figures", &figures];
    let check = || table(&[&places[..], &["--check"]].concat());
    fails(&check(), 1, "README.md is not what the kept runs make; make it with: just bench-table");
    assert!(table(&places).status.success());
    assert!(check().status.success());
    let text = std::fs::read_to_string(&readme).unwrap();
    assert!(text.starts_with("# A\n") && text.ends_with("\nend\n") && !text.contains("old"), "{text}");
    assert!(text.contains(name) && text.contains("`compressed-fixed/d1000-r5`"), "{text}");
    std::fs::remove_file(format!("{figures}/{name}.svg")).unwrap();
    fails(&check(), 1, "2026-11-25-zen-3.svg is not what the kept runs make");
    std::fs::write(&document, "# B\n").unwrap();
    fails(&check(), 2, "performance.md has no line \"<!-- runs: by just bench-table -->\" with its end");
}

#[test]
fn without_runs_the_command_that_makes_one_is_named() {
    fails(&table(&["--results", "nowhere"]), 2, "there is no run in nowhere; make one with: just bench-peers");
}

#[test]
fn bad_arguments_are_refused_before_anything_is_measured() {
    fails(
        &peers(&["--only", "original/d10"]),
        2,
        "--only original/d10: there is no such case; known: original/d1000, ",
    );
    fails(&peers(&["--machine", "Zen 5"]), 2, "--machine \"Zen 5\": a machine's name is made of small letters");
    fails(&peers(&["--sample-seconds", "-1"]), 2, "a number of seconds above 0 is needed");
    fails(&peers(&["--rounds", "0"]), 2, "--rounds");
    fails(&peers(&["--python", "no-such-python"]), 2, "cannot run no-such-python");
}
