//! Mutated settings, command lines, encoders, data and tables through the real binaries: each ends with a code of 0, 1 or 2 and a
//! sentence, never with a panic, a hang or an empty table. A short form runs with the tests; `just fuzz` runs the long one.
//!
//! Every case has a number that makes it again, which the failure names: `FUZZ_CASE=17` runs number 17 of each kind alone,
//! `FUZZ_SEED=1` makes other cases.
#![cfg(unix)]

mod case;
mod inputs;
mod mutations;

use std::fs;
use std::path::PathBuf;

use dynamics::random::Generator;
use rand::RngExt;
use rand::seq::IndexedRandom;

use case::{Case, EXPERIMENTS, for_each_case, repository};
use inputs::{ENCODERS, TASKS, few_shot, write_encoder, write_task};
use mutations::{
    VALUES, mutated_bytes, mutated_config, mutated_results, mutated_settings, mutated_table, mutated_weights,
};

#[test]
fn settings() {
    for_each_case("settings", [24, 500], |case, rng| {
        let (name, binary) = *EXPERIMENTS.choose(rng).unwrap();
        let text = fs::read_to_string(repository().join(format!("experiments/{name}.toml"))).unwrap();
        fs::write(case.path(&format!("{name}.toml")), mutated_settings(&text, rng)).unwrap();
        let file = case.path(&format!("{name}.toml")).to_string_lossy().into_owned();
        let directory = case.path("").to_string_lossy().into_owned();
        let code = if rng.random() {
            case.run(binary, &["--profile", "smoke", "--threads", "1", "--config", &file])
        } else {
            let all = env!("CARGO_BIN_EXE_reproduce-all");
            case.run(all, &["--profile", "smoke", "--threads", "1", "--only", name, "--experiments", &directory])
        };
        // What has been run can be drawn again.
        if code == Some(0) {
            let again = case.run(binary, &["--profile", "smoke", "--plot-only"]);
            assert_eq!(again, Some(0), "{} is not drawn again: {}", case.name, case.said());
        }
        code
    });
}

/// Options of every binary, of `reproduce-all` alone, and of the others alone.
const OPTIONS: [&[&str]; 3] = [
    &[
        "--profile",
        "--set",
        "--seed",
        "--trials",
        "--threads",
        "--results",
        "--figures",
        "--data-dir",
        "--fresh",
        "--force",
        "--plot-only",
        "--accept-edited",
        "--quiet",
        "--verbose",
        "--help",
        "--version",
    ],
    &["--only", "--skip", "--list", "--report", "--experiments"],
    &["--config", "--settings"],
];

/// Keys of some settings, and of none.
const KEYS: [&str; 12] = [
    "problem.size",
    "trials",
    "seed",
    "step_size",
    "step_sizes.0",
    "methods.depth",
    "training.steps",
    "problem",
    "a.b.c",
    "",
    "\u{7}",
    "encoder",
];

/// An option, an option with a value, or a setting.
fn push_arguments(arguments: &mut Vec<String>, own: &[&str], rng: &mut Generator) {
    let options = [OPTIONS[0], own].concat();
    let values = [&VALUES[..], &["smoke", "few-shot", "completion,scaling", ".", "/dev/null", "--"]].concat();
    let (option, value) = (*options.choose(rng).unwrap(), *values.choose(rng).unwrap());
    match rng.random_range(0..5) {
        0 => arguments.push(option.to_owned()),
        1 => arguments.extend([option.to_owned(), value.to_owned()]),
        2 => arguments.push(format!("{option}={value}")),
        3 => arguments.push(value.to_owned()),
        _ => arguments.extend(["--set".to_owned(), format!("{}={value}", KEYS.choose(rng).unwrap())]),
    }
}

#[test]
fn command_lines() {
    for_each_case("command line", [24, 200], |case, rng| {
        let (name, single) = *EXPERIMENTS.choose(rng).unwrap();
        let mut arguments = Vec::new();
        let (binary, own) =
            if rng.random() { (single, OPTIONS[2]) } else { (env!("CARGO_BIN_EXE_reproduce-all"), OPTIONS[1]) };
        for _ in 0..rng.random_range(1..4) {
            push_arguments(&mut arguments, own, rng);
        }
        // Most get as far as running something small: these are left to the mutations now and then.
        let mut given = |option: &str, value: String, rng: &mut Generator| {
            if !arguments.iter().any(|argument| argument.starts_with(option)) && rng.random_range(0..10) > 0 {
                arguments.splice(0..0, [option.to_owned(), value]);
            }
        };
        let experiments = repository().join("experiments");
        given("--profile", "smoke".into(), rng);
        if binary == single {
            given("--config", experiments.join(format!("{name}.toml")).to_string_lossy().into_owned(), rng);
        } else {
            given("--only", name.into(), rng);
            given("--experiments", experiments.to_string_lossy().into_owned(), rng);
        }
        // Who forces a run without the memory for it has been told.
        let is_large = |text: &String| text.bytes().filter(u8::is_ascii_digit).count() > 6;
        if arguments.iter().any(is_large) {
            arguments.retain(|argument| !argument.starts_with("--force"));
        }
        case.run(binary, &arguments)
    });
}

#[test]
fn unharmed_encoders_and_data_are_taken() {
    let mut pairs: Vec<_> = ENCODERS.into_iter().map(|form| (form, TASKS[0])).collect();
    pairs.extend(TASKS.into_iter().map(|task| (ENCODERS[0], task)));
    for (form, task) in pairs {
        let case = Case::new(&format!("{form:?} with {task:?}"));
        write_encoder(&case.path("encoder"), form);
        write_task(&case.path("data"), task);
        let code = case.run(env!("CARGO_BIN_EXE_few-shot"), &few_shot(&case, task));
        assert_eq!(code, Some(0), "{form:?}, {task:?}: {}", case.said());
    }
}

#[test]
fn encoders() {
    for_each_case("encoder", [12, 100], |case, rng| {
        let (encoder, task) = (case.path("encoder"), TASKS[0]);
        write_encoder(&encoder, *ENCODERS.choose(rng).unwrap());
        write_task(&case.path("data"), task);
        let mut files: Vec<_> = fs::read_dir(&encoder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let path = files.choose(rng).unwrap();
        let bytes = fs::read(path).unwrap();
        let kind = path.extension().unwrap().to_string_lossy().into_owned();
        let mutated = match (kind.as_str(), rng.random_range(0..3)) {
            ("json", 0 | 1) => mutated_config(&String::from_utf8(bytes).unwrap(), rng).into_bytes(),
            ("safetensors", 0 | 1) => mutated_weights(&bytes, rng),
            _ => mutated_bytes(bytes, rng),
        };
        fs::write(path, mutated).unwrap();
        case.run(env!("CARGO_BIN_EXE_few-shot"), &few_shot(case, task))
    });
}

#[test]
fn data() {
    for_each_case("data", [16, 200], |case, rng| {
        let task = *TASKS.choose(rng).unwrap();
        write_encoder(&case.path("encoder"), ENCODERS[0]);
        let files = write_task(&case.path("data"), task);
        let path = files.choose(rng).unwrap();
        let bytes = fs::read(path).unwrap();
        let is_text = path.extension().is_some_and(|end| end != "parquet");
        let mutated = if is_text && rng.random() { mutated_table(bytes, rng) } else { mutated_bytes(bytes, rng) };
        fs::write(path, mutated).unwrap();
        case.run(env!("CARGO_BIN_EXE_few-shot"), &few_shot(case, task))
    });
}

#[test]
fn tables() {
    for_each_case("tables", [12, 200], |case, rng| {
        let (name, binary) = *EXPERIMENTS.choose(rng).unwrap();
        let config = repository().join(format!("experiments/{name}.toml")).to_string_lossy().into_owned();
        let made = case.run(binary, &["--profile", "smoke", "--config", &config, "--trials", "2"])?;
        assert_eq!(made, 0, "{}", case.said());
        let entries = fs::read_dir(case.path("results/smoke")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
        files.sort();
        let path = files.choose(rng).unwrap();
        let text = fs::read_to_string(path).unwrap();
        let changed = match (path.extension().is_some_and(|end| end == "csv"), rng.random_range(0..4)) {
            (_, 0) => mutated_bytes(text.into_bytes(), rng),
            (true, _) => mutated_results(&text, rng).into_bytes(),
            (false, _) => mutated_settings(&text, rng).into_bytes(),
        };
        // An empty file is for the other tests: here it would look as if the run had left it.
        fs::write(path, if changed.is_empty() { b"\n".to_vec() } else { changed }).unwrap();
        case.run(binary, &["--profile", "smoke", "--plot-only", "--accept-edited"])
    });
}
