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
        ("completion", "problem.rank=2000", "a whole number from 1 to the size (1000)"),
        ("completion", "problem.observed_fraction=0", "a number in (0, 1]"),
        ("completion", "problem.observed_fraction=1.5", "a number in (0, 1]"),
        ("completion", "problem.observed_fraction=1", "above 0 and below 1: with all entries observed"),
        ("depth-width-sweep", "problem.observed_fraction=1", "above 0 and below 1"),
        ("compressed-vs-narrow", "problem.observed_fraction=1", "above 0 and below 1"),
        (
            "ablations",
            "vary.observed_fractions=[0.5, 1]",
            "vary.observed_fractions.1 = 1 is not allowed; allowed: above 0",
        ),
        (
            "ratings",
            "files.movielens-100k.path=\"mine.csv\"",
            "files.movielens-100k = movielens-100k is not allowed; allowed: a name",
        ),
        ("completion", "rank_guess=501", "a whole number from 1 to half the size (500)"),
        ("completion", "discrepant_steps=[-0.1]", "a number from 0"),
        ("completion", "depth=1", "a whole number from 2 to 10000"),
        ("completion", "init_scale=0", "greater than 0"),
        ("completion", "schedule.record_every=0", "a whole number from 1"),
        ("completion", "initialization=guessed", "explicit"),
        ("completion", "problem.size=-5", "size"),
        ("completion", "problem.size=big", "size"),
        ("completion", "problem.sise=5", "no selected experiment has the key problem.sise"),
        ("factorization", "problem.observed_fraction=0.5", "full observation"),
        ("factorization", "problem.rank=500", "less than half the size (1000)"),
        ("factorization", "problem.rank=7", "allowed: 10 with problem.draw = \"authors\", and any with \"seeded\""),
        ("depth-width-sweep", "widths=[0]", "widths"),
        ("compressed-vs-narrow", "problem.rank=0", "a whole number from 1"),
        ("invariant-subspace", "trials=0", "a whole number from 1"),
        ("svd-evolution", "problem.rank=20", "rank"),
        ("svd-evolution", "variants=[]", "at least one table"),
        (
            "ablations",
            "vary.init_scales=[1e-2, 1e-3, 1e-2]",
            "init_scales.2 = 0.01 is not allowed; allowed: each value once",
        ),
        ("ablations", "vary.discrepant_steps=[-1]", "0"),
        (
            "ratings",
            "data=[\"netflix\"]",
            "movielens-100k, filmtrust, made-up, or a name NAME with a section [files.NAME]",
        ),
        ("ratings", "test_fraction=0.9", "leaves something to train on"),
        ("ratings", "networks.names=[\"original\"]", "compressed"),
        ("ratings", "networks.depths.1.depth=2", "each depth once"),
        ("ratings", "als.regularizations=[0]", "a number greater than 0"),
        ("ratings", "original.data=[\"made-up\"]", "names of data (movielens-100k, filmtrust), or an empty list"),
        ("ratings", "validation_fraction=0", "a number in (0, 1)"),
        ("scaling", "problem.target=gaussian", "\"factors\" for sizes above 5000"),
        ("scaling", "network.rank_guess=501", "a whole number from 1 to half the size (500)"),
        ("scaling", "held_out_entries=1", "a whole number from 2"),
        (
            "scaling",
            "sizes=[{ size = 3000 }]",
            "sizes.0 = { size = 3000 } is not allowed; allowed: a table with one of sampled",
        ),
        ("sensing", "problem.measurements=0", "a whole number from 1"),
        ("sensing", "problem.rank=101", "a whole number from 1 to half the size (100)"),
        ("nlg", "training.batch=17", "a whole number from 1 to the examples (16)"),
        ("nlg", "training.validate_every=401", "a whole number from 1 to the steps (400)"),
        ("nlg", "models=[\"tiny-llama\", \"smollm2-135m-instruct\"]", "only among themselves"),
        ("nlg", "template.separator=\"\"", "a text that is not empty"),
        ("nlg", "data.version=\"newest\"", "original"),
        ("nlg", "examples=1000001", "a whole number from 1 to 1000000"),
        ("nlg", "rank=9", "rank = 9 is not allowed; allowed: an even whole number"),
        ("nlg", "step_size=1e-46", "from 1.2e-38 to 3.4e38"),
        ("nlg", "generation.beams=101", "a whole number from 1 to 100"),
        ("nlg", "generation.most_tokens=1001", "a whole number from 1 to 1000"),
        ("nlg", "methods.depth=2", "a whole number from 3"),
        ("few-shot", "tasks=[\"stsbb\"]", "stsb"),
        ("few-shot", "examples=[0]", "a whole number from 1"),
        ("few-shot", "examples=[16, 16]", "value once"),
        ("few-shot", "band=\"wide\"", "half-deviation"),
        ("few-shot", "methods.names=[\"lora\", \"lora\"]", "each value once"),
        ("few-shot", "ranks=[4, 8]", "a list of one: the figure has no axis for it"),
        ("few-shot", "head.deviation=0", "\"lecun\" (1/√hidden), or a number greater than 0"),
        ("few-shot", "head.draws=0", "a whole number from 1 to 1000, each crossed with all trials"),
        ("few-shot", "encoder.pooler_scale=0", "greater than 0"),
        ("few-shot", "training.batch=17", "from 1 to 16 (the fewest examples: an incomplete batch is left out)"),
        ("few-shot", "training.sampling=\"both\"", "with-replacement"),
        ("few-shot", "training.epsilon=0", "greater than 0"),
        ("few-shot", "training.epsilon=1e-60", "from 1.2e-38 to 3.4e38"),
        ("few-shot", "head.deviation=1e-60", "greater than 0"),
        ("few-shot", "experiment.x=1", "no selected experiment has the key experiment.x"),
        ("few-shot", "methods.depth=2", "a whole number from 3"),
        ("few-shot", "adapted=\"everything\"", "all-dense"),
        ("few-shot", "training.record_every=501", "from 1 to the steps (500)"),
        ("rank-sweep", "step_sizes=[0]", "greater than 0"),
        ("glue-table", "training.steps_of={ stbs = 100 }", "movie-sentiment"),
        ("what-matters", "experiment.networks.1.name=\"random pooler, LeCun\"", "each once"),
        ("what-matters", "experiment.epsilons=[1e-6, 0]", "greater than 0"),
        ("what-matters", "experiment.epsilons=[1e-6, 1e-46]", "from 1.2e-38 to 3.4e38"),
        ("step-size", "methods.names=[]", "at least one value"),
        ("step-size", "methods.sine_frequency=0", "greater than 0"),
        ("step-size", "methods.adalora.initial_ranks=0.5", "a number from 1"),
        ("step-size", "methods.adalora.warmup=1", "a number in [0, 1)"),
        ("step-size", "methods.adalora.final_phase=0.8", "a number above 0 and, with warmup (0.2), below 1"),
        ("step-size", "methods.adalora.interval=0", "a whole number from 1"),
        ("step-size", "methods.adalora.beta1=1", "a number in (0, 1)"),
        ("step-size", "methods.adalora.orthogonality=-1", "a number from 0"),
        ("lora-compressed-vs-narrow", "methods.discrepant_step=-1", "a number from 0"),
        ("lora-compressed-vs-narrow", "ranks=[7]", "an even whole number from 2"),
        ("adaptation-subspaces", "methods.names=[\"lora\"]", "the figure is about it alone"),
        ("adaptation-subspaces", "experiment.final_step_size=1", "a number from 0 to the step size"),
        ("adaptation-subspaces", "training.checkpoint_every=0", "a whole number from 1"),
        ("adaptation-subspaces", "experiment.kept_steps=[0, 10]", "ends with the steps (2000)"),
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
            // The statements to be tested stand beside the settings.
            let is_settings =
                path.extension().is_some_and(|extension| extension == "toml") && !path.ends_with("claims.toml");
            if is_settings {
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
}

#[test]
fn a_rank_guess_below_the_rank_tests_no_claim() {
    let directory = tempfile::tempdir().expect("a directory");
    for (experiment, settings) in [
        ("sensing", &["problem.rank=2", "rank_guess=1"][..]),
        ("completion", &["problem.rank=2", "rank_guess=1", "schedule.max_iterations=20"]),
    ] {
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let output = smoke(experiment, directory.path(), &settings);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let claims = directory.path().join(format!("r/smoke/{experiment}.claims.csv"));
        let claims = std::fs::read_to_string(claims).expect("a table of claims");
        let untested = claims.matches("not tested,rank_guess is below the rank").count();
        assert_eq!(untested, claims.lines().count() - 1, "{claims}");
    }
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
    let hidden = "a whole number from 1 to the hidden size of tiny-random (24)";
    for (experiment, setting, expected) in [
        ("few-shot", "ranks=[25]", hidden),
        ("rank-sweep", "ranks=[2,25]", hidden),
        ("step-size", "methods.adalora.initial_ranks=100", "so small that the initial rank (200)"),
        ("lora-compressed-vs-narrow", "ranks=[26]", hidden),
        ("adaptation-subspaces", "experiment.subspace=25", hidden),
    ] {
        let output = smoke(experiment, directory.path(), &["--set", setting]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{experiment} {setting}: {text}");
        let place = format!("experiments/{experiment}.toml with --set {setting}: ");
        assert!(text.contains(&place) && text.contains(expected), "{experiment} {setting}: {text}");
    }
}

/// A pool can only be too small where its examples are all to be different.
#[test]
fn more_examples_than_a_pool_has_need_replacement() {
    let directory = tempfile::tempdir().expect("a directory");
    let many = ["--trials", "1", "--set", "examples=[400]", "--set", "methods.names=[\"lora\"]"];
    let output = smoke("few-shot", directory.path(), &many);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let without = [&many[..], &["--set", "training.sampling=\"without-replacement\""]].concat();
    let output = smoke("few-shot", directory.path(), &without);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("examples.0 = 400") && text.contains("of the training pool of made-up"), "{text}");
}

/// Pooler and head are the same for every method and seed, one for each draw asked for; "per-trial" gives every trial its own.
#[test]
fn as_many_heads_are_drawn_as_asked_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let reach = |draws: &str| -> Vec<(String, String, String)> {
        let output = smoke("few-shot", directory.path(), &["--set", &format!("head.draws={draws}")]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rows = rows(directory.path(), "few-shot");
        rows.iter().map(|row| (row["head_draw"].clone(), row["trial"].clone(), row["logit_bound"].clone())).collect()
    };
    let bounds = |found: &[(String, String, String)]| -> std::collections::HashSet<(String, String)> {
        found.iter().map(|(draw, _, bound)| (draw.clone(), bound.clone())).collect()
    };
    let three = reach("3");
    assert_eq!((bounds(&three).len(), three.len()), (3, 3 * 2 * 2 * 4));
    let own = reach("\"per-trial\"");
    assert_eq!((bounds(&own).len(), own.len()), (2, 2 * 2 * 4));
    assert!(own.iter().all(|(draw, trial, _)| draw == trial));
}

/// What is too large is refused in one sentence with what is allowed, before anything is allocated.
#[test]
fn sizes_without_end_are_refused_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let trials = "from 1 to 10000";
    let steps = "a whole number from 1 to 1000000000";
    for (experiment, setting, expected) in [
        ("completion", "trials=1000000000", trials),
        ("completion", "trials=9223372036854775807", trials),
        ("completion", "problem.size=100000", "mostly because of problem.size"),
        ("completion", "problem.size=10000000000000", "a whole number from 1 to 4294967295"),
        ("completion", "problem.size=9223372036854775807", "a whole number from 1 to 4294967295"),
        ("completion", "rank_guess=9223372036854775807", "to half the size (15)"),
        ("completion", "depth=1000000000", "a whole number from 2 to 10000"),
        ("depth-width-sweep", "widths=[1000000000000]", "mostly because of width"),
        ("ablations", "trials=10000", "at most 100000 runs"),
        ("compressed-vs-narrow", "trials=10000000000", trials),
        ("invariant-subspace", "cases.0.size=1000000000", "mostly because of cases.size"),
        ("svd-evolution", "iterations=1000000000000000", steps),
        ("svd-evolution", "iterations=1000000000", "mostly because of iterations"),
        ("completion", "schedule.max_iterations=1000000000000", steps),
        ("invariant-subspace", "max_iterations=1000000000000", steps),
        ("invariant-subspace", "cases.0.iterations=1000000000000", steps),
        ("scaling", "sizes.0.sampled=1000000000000", steps),
        ("few-shot", "training.steps=9200000000000000000", steps),
        ("scaling", "held_out_entries=1000000000000000", "a whole number from 2 to 100000000"),
        ("scaling", "held_out_entries=1000000000", "a whole number from 2 to 100000000"),
        ("scaling", "sizes=[{ size = 4000000000, sampled = 1 }]", "mostly because of sizes"),
        ("scaling", "equivalence.draws=1000000000000", trials),
        ("sensing", "problem.measurements=1000000000000", "mostly because of problem.measurements"),
        ("sensing", "problem.size=1000000", "mostly because of problem.measurements"),
        ("scaling", "equivalence.problem.size=1000000", "equivalence.problem.size"),
        ("few-shot", "training.batch=1000000000", "a whole number from 1 to 8"),
        ("few-shot", "methods.depth=1000000000", "a whole number from 2 to 10000"),
        ("few-shot", "head.draws=9223372036854775807", "a whole number from 1 to 1000"),
        ("step-size", "trials=9223372036854775807", trials),
        ("adaptation-subspaces", "methods.depth=1000000000", "a whole number from 2 to 10000"),
    ] {
        let started = std::time::Instant::now();
        let output = smoke(experiment, directory.path(), &["-q", "--set", setting]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{experiment} {setting}: {text}");
        assert!(text.contains(experiment) && text.contains(expected), "{experiment} {setting}: {text}");
        assert_eq!(text.lines().count(), 1, "{experiment} {setting}: {text}");
        assert!(started.elapsed().as_secs() < 10, "{experiment} {setting}: {:?}", started.elapsed());
    }
}

/// Four thousand million rows do not fit; what comes after them in the list is run.
#[test]
fn the_experiments_after_one_that_is_too_large_are_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let arguments =
        ["-q", "--set", "held_out_entries=100000000", "--set", "sizes=[{ size = 4000000000, sampled = 1 }]"];
    let output = smoke("scaling,depth-width-sweep", directory.path(), &arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("scaling: the trial \"") && text.contains("--force"), "{text}");
    assert!(!directory.path().join("r/smoke/scaling.csv").exists());
    assert!(directory.path().join("r/smoke/depth-width-sweep.csv").exists(), "{text}");
}

/// Under a limit of the address space, as a shell or a batch system sets it.
#[cfg(target_os = "linux")]
#[test]
fn the_limit_of_the_address_space_counts() {
    let directory = tempfile::tempdir().expect("a directory");
    let binary = env!("CARGO_BIN_EXE_reproduce-all");
    let text = format!(
        "ulimit -v 2000000 && exec {binary:?} -q --threads 1 --only scaling --results {directory:?}/r --figures {directory:?}/f \
         --set 'sizes=[{{ size = 1_000_000, sampled = 60 }}]'",
        directory = directory.path().to_str().expect("text").trim_matches('"'),
    );
    let output = Command::new("sh").current_dir(repository()).args(["-c", &text]).output().expect("a shell");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("scaling: the trial") && text.contains("sizes") && text.contains("ulimit -v"), "{text}");
}

#[test]
fn values_that_cannot_be_meant_are_refused_with_the_reason() {
    for (experiment, settings, expected) in [
        (
            "completion",
            &["init_scale=1e-320", "depth=1000"][..],
            "L = 1000, is from 2.2e-308 to 1.8e308; that of this one underflows",
        ),
        ("completion", &["init_scale=10", "depth=1000"], "that of this one overflows"),
        ("few-shot", &["methods.init_scale=1e-20"], "from 1.2e-38 to 3.4e38; that of this one underflows"),
        ("ablations", &["vary.init_scales.0=1e-200"], "vary.init_scales.0 = 1e-200"),
        ("completion", &["schedule.tolerance=1e308"], "the loss that training starts at is below that"),
        ("completion", &["original_tolerance=1"], "a number from 0 to below 1"),
        ("ablations", &["schedule.tolerance=2"], "a number from 0 to below 1"),
        ("scaling", &["tolerance=1e308"], "below 1, the training loss at the start"),
        ("svd-evolution", &["variants.0.name=\"a\\u0007\""], "text without control characters"),
        ("what-matters", &["experiment.networks.0.name=\"a\\nb\""], "text without control characters"),
        ("completion", &["problem.rank=\"many\""], "a whole number from 1"),
        (
            "few-shot",
            &["methods.names=[\"compressed\"]"],
            "methods.discrepant_step = missing is not allowed; allowed: a number",
        ),
        ("few-shot", &["methods.names=[\"adalora\"]"], "methods.adalora = missing is not allowed; allowed: a table"),
        ("few-shot", &["sources.x=3"], "a table"),
        ("few-shot", &["sources.x={ hub = 3 }"], "a table"),
        (
            "few-shot",
            &[
                "sources.x={ path = { directory = \"a\" }, hub = { repository = \"a/b\", revision = \"1\", files = {} } }",
            ],
            "a table with exactly one of pypi, hub, joined and path",
        ),
    ] {
        let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let (code, text) = error(experiment, &arguments);
        assert_eq!(code, Some(2), "{experiment} {settings:?}: {text}");
        assert!(text.contains(expected), "{experiment} {settings:?}: {text}");
        assert!(!text.contains("struct ") && !text.contains("usize") && text.lines().count() == 1, "{text}");
    }
}

/// Tables given on the command line are merged, as those of profiles are.
#[test]
fn a_table_on_the_command_line_leaves_the_other_keys() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = smoke("depth-width-sweep", directory.path(), &["--set", "schedule={ max_iterations = 20 }"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let meta = std::fs::read_to_string(directory.path().join("r/smoke/depth-width-sweep.meta.toml")).expect("a file");
    assert!(meta.contains("max_iterations = 20\n") && meta.contains("record_every = 100"), "{meta}");
}

/// The rows of a table by the names of its columns.
fn rows(directory: &Path, table: &str) -> Vec<std::collections::HashMap<String, String>> {
    let path = directory.join(format!("r/smoke/{table}.csv"));
    let mut reader = csv::Reader::from_path(path).expect("a table");
    assert!(!reader.headers().expect("a header").is_empty(), "{table} has no header");
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

#[test]
fn diverged_runs_are_rows_and_their_difference_is_empty() {
    let directory = tempfile::tempdir().expect("a directory");
    let sets = ["--set", "step_sizes=[1e30]", "--set", "examples=[8]"];
    let output = smoke("few-shot", directory.path(), &sets);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let runs = rows(directory.path(), "few-shot");
    assert!(runs.len() >= 4 && runs.iter().all(|row| row["score"].is_empty() && !row["diverged_at_step"].is_empty()));
    for row in rows(directory.path(), "few-shot.differences") {
        assert_eq!((row["pairs"].as_str(), row["unpaired"].as_str()), ("0", "0"));
        assert!(row["undefined"] != "0" || row["not_trained"] != "0", "{row:?}");
        assert_eq!((row["mean"].as_str(), row["low"].as_str(), row["high"].as_str()), ("", "", ""));
    }
    let claims = rows(directory.path(), "few-shot.claims");
    assert!(claims.iter().all(|row| row["verdict"] == "not tested"), "{claims:?}");
}

#[test]
fn a_run_that_diverges_has_the_costs_of_the_steps_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = smoke("costs", directory.path(), &["--set", "step_sizes=[1e30]"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("its costs are of the steps before"), "{said}");
    let costs = rows(directory.path(), "costs.timing");
    assert!(!costs.is_empty() && costs.iter().all(|row| !row["seconds_per_step"].is_empty()), "{costs:?}");
}

#[test]
fn an_interval_of_one_trial_is_empty() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = smoke("rank-sweep", directory.path(), &["--trials", "1", "--set", "ranks=[2]"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let differences = rows(directory.path(), "rank-sweep.differences");
    assert!(!differences.is_empty());
    for row in differences {
        let pairs = ["pairs", "not_trained"].map(|column| row[column].parse::<usize>().expect("a number"));
        assert_eq!((pairs.iter().sum(), row["low"].as_str(), row["high"].as_str()), (1, "", ""));
    }
}

/// What fits no data is known only when there is data; it is refused with the place it was written at all the same.
#[test]
fn values_that_do_not_fit_the_data_name_where_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let [results, figures] = ["r", "f"].map(|name| folder.path().join(name).display().to_string());
    for (setting, expected) in [
        ("als.ranks=[2, 41]", "als.ranks.1 = 41 is not allowed; allowed: at most 40 for made-up, a 60 × 40 matrix"),
        ("networks.rank_guesses=[21]", "networks.rank_guesses.0 = 21 is not allowed; allowed: at most 20 for made-up"),
        ("soft_impute.rank=41", "soft_impute.rank = 41 is not allowed; allowed: at most 40 for made-up"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ratings"));
        command.current_dir(repository()).args(["--profile", "smoke", "--results", &results, "--figures", &figures]);
        let output = command.args(["--set", setting]).output().expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{setting}: {said}");
        assert!(said.contains(&format!("ratings.toml with --set {setting}: {expected}")), "{setting}: {said}");
    }
}
