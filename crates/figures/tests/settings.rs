//! The committed settings: every profile loads; what is not allowed is refused with file, key, value and what is allowed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs one experiment with nowhere to write, so that nothing but its settings can be at fault.
fn reproduce(experiment: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reproduce-all"));
    command.current_dir(repository()).args([
        "--only",
        experiment,
        "--results",
        "Cargo.toml/r",
        "--figures",
        "Cargo.toml/f",
    ]);
    command.args(arguments).output().expect("the binary starts")
}

fn error(experiment: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = reproduce(experiment, arguments);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn values_out_of_range_name_key_value_and_what_is_allowed() {
    for (experiment, setting, expected) in [
        ("completion", "problem.rank=2000", "an integer from 1 to the size (1000)"),
        ("completion", "problem.observed_fraction=0", "a number in (0, 1]"),
        ("completion", "problem.observed_fraction=1.5", "a number in (0, 1]"),
        ("completion", "rank_guess=501", "an integer from 1 to half the size (500)"),
        ("completion", "discrepant_steps=[-0.1]", "a number from 0"),
        ("completion", "depth=1", "an integer from 2"),
        ("completion", "init_scale=0", "greater than 0"),
        ("completion", "schedule.record_every=0", "an integer from 1"),
        ("completion", "initialization=guessed", "explicit"),
        ("completion", "problem.size=-5", "size"),
        ("completion", "problem.size=big", "size"),
        ("completion", "problem.sise=5", "no selected experiment has the key problem.sise"),
        ("factorization", "problem.observed_fraction=0.5", "full observation"),
        ("factorization", "problem.rank=500", "less than half the size (1000)"),
        ("depth-width-sweep", "widths=[0]", "widths"),
        ("compressed-vs-narrow", "problem.rank=0", "an integer from 1"),
        ("invariant-subspace", "trials=0", "an integer from 1"),
        ("svd-evolution", "problem.rank=20", "rank"),
        ("ablations", "vary.discrepant_steps=[-1]", "0"),
        ("scaling", "problem.target=gaussian", "\"factors\" for sizes above 5000"),
        ("scaling", "network.rank_guess=501", "an integer from 1 to half the size (500)"),
        ("scaling", "held_out_entries=1", "an integer from 2"),
        ("few-shot", "tasks=[\"stsbb\"]", "stsb"),
        ("few-shot", "examples=[0]", "an integer from 1"),
        ("few-shot", "choice.methods=[\"lora\", \"lora\"]", "each value once"),
        ("few-shot", "choice.step_sizes=[0]", "greater than 0"),
        ("few-shot", "methods.depth=2", "an integer from 3"),
        ("few-shot", "adapted=\"everything\"", "all-dense"),
        ("few-shot", "training.record_every=501", "from 1 to the steps (500)"),
        ("rank-sweep", "protocols.1.lora=0", "greater than 0"),
        ("rank-sweep", "protocols.1.lora={ stsb = 1e-3 }", "a step size for every task"),
        ("rank-sweep", "protocols.1.lora={ stbs = 1e-3, others = 1e-3 }", "movie-sentiment"),
        ("rank-sweep", "protocols.1.lora=\"large\"", "lora = \"large\" is not allowed; allowed: a number, or a table"),
        ("learned-ranks", "protocols.1.name=\"paper's step size\"", "each name once"),
        ("step-size", "methods.names=[]", "at least one value"),
        ("lora-compressed-vs-narrow", "rank=7", "an even integer from 2"),
        ("lora-compressed-vs-narrow", "adapted=all-dense", "embeddings cannot be adapted at full width"),
        ("adaptation-subspaces", "adapted=all-dense", "embeddings cannot be adapted at full width"),
        ("adaptation-subspaces", "final_step_size=1", "a number from 0 to step_size"),
        ("adaptation-subspaces", "training.checkpoint_every=0", "an integer from 1"),
        ("adaptation-subspaces", "kept_steps=[0, 10]", "ends with the steps (2000)"),
        ("glue-table", "encoder.pooling=\"max\"", "mean"),
    ] {
        let (code, text) = error(experiment, &["--profile", "paper", "--set", setting]);
        assert_eq!(code, Some(2), "{experiment} {setting}: {text}");
        let key = setting.split('=').next().expect("a key");
        assert!(text.contains(key.rsplit('.').next().expect("a name")) && text.contains(expected), "{setting}: {text}");
    }
}

#[test]
fn every_committed_profile_loads() {
    for profile in ["paper", "quick", "smoke"] {
        for entry in std::fs::read_dir(repository().join("experiments")).expect("experiments") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
                // The settings are read before the directories are tried: failing there (1) is having loaded them.
                let (code, text) = error(&name, &["--profile", profile]);
                assert_eq!(code, Some(1), "{name} {profile}: {text}");
                assert!(text.contains("Cargo.toml"), "{name} {profile}: {text}");
            }
        }
    }
}

/// The compressed networks made without their originals, wherever there are any.
#[test]
fn networks_may_be_sampled() {
    let directory = tempfile::tempdir().expect("a directory");
    for (experiment, setting) in [
        ("completion", "initialization=sampled"),
        ("compressed-vs-narrow", "initialization=sampled"),
        ("ablations", "base.initialization=sampled"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_reproduce-all"))
            .current_dir(repository())
            .args(["--only", experiment, "--profile", "smoke", "--set", setting, "--results"])
            .arg(directory.path().join("r"))
            .arg("--figures")
            .arg(directory.path().join("f"))
            .output()
            .expect("the binary starts");
        assert!(output.status.success(), "{experiment}: {}", String::from_utf8_lossy(&output.stderr));
        let table = directory.path().join(format!("r/smoke/{experiment}.csv"));
        let table = std::fs::read_to_string(table).expect("a table");
        assert!(table.lines().any(|row| row.contains("compressed")), "{experiment}");
    }
    let (code, text) =
        error("completion", &["--set", "initialization=sampled", "--set", "problem.observed_fraction=1"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("\"explicit\" under full observation"), "{text}");
}

#[test]
fn a_diverging_trial_is_named_and_the_others_finish() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new(env!("CARGO_BIN_EXE_reproduce-all"))
        .current_dir(repository())
        .args(["--only", "completion", "--profile", "smoke", "--set", "step_size=1e5", "--results"])
        .arg(directory.path().join("r"))
        .arg("--figures")
        .arg(directory.path().join("f"))
        .output()
        .expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("original, trial 0") && text.contains("diverged at iteration"), "{text}");
}

/// The smoke profile of one experiment into a directory.
fn smoke(experiment: &str, directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reproduce-all"));
    command.current_dir(repository()).args(["--only", experiment, "--profile", "smoke"]).args(arguments);
    command.arg("--results").arg(directory.join("r")).arg("--figures").arg(directory.join("f"));
    command.output().expect("the binary starts")
}

#[test]
fn settings_that_do_not_fit_encoder_or_data_are_refused_before_anything_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let hidden = "an integer from 1 to the hidden size of tiny-random (24)";
    for (experiment, setting, expected) in [
        ("few-shot", "methods.rank=25", hidden),
        ("step-size", "methods.rank=25", hidden),
        ("learned-ranks", "rank=25", hidden),
        ("rank-sweep", "ranks=[2,25]", hidden),
        ("lora-compressed-vs-narrow", "rank=26", hidden),
        ("adaptation-subspaces", "subspace=25", hidden),
        ("glue-table", "examples=100000", "of the training pool of made-up"),
        ("few-shot", "choice.validation_examples=100000", "without the 1000"),
    ] {
        let output = smoke(experiment, directory.path(), &["--set", setting]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{experiment} {setting}: {text}");
        let place = format!("experiments/{experiment}.toml: ");
        assert!(text.contains(&place) && text.contains(expected), "{experiment} {setting}: {text}");
    }
}

#[test]
fn a_step_size_that_diverged_is_not_chosen() {
    let directory = tempfile::tempdir().expect("a directory");
    let grid = ["--set", "choice.step_sizes=[1e-3,1e25]", "--set", "examples=[8]", "--trials", "1"];
    let output = smoke("few-shot", directory.path(), &grid);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = directory.path().join("r/smoke/few-shot.selection.csv");
    let mut reader = csv::Reader::from_path(table).expect("a table");
    let headers = reader.headers().expect("a header").clone();
    let at = |name: &str| headers.iter().position(|header| header == name).expect("a column");
    let (diverged, chosen) = (at("diverged_at_step"), at("chosen"));
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert!(rows.iter().any(|row| !row[diverged].is_empty()), "1e25 is far too large");
    assert!(rows.iter().all(|row| row[diverged].is_empty() == (&row[chosen] == "true")));
}
