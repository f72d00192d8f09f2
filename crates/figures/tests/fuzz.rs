//! Mutated settings, command lines, encoders and data through the real binary: it ends with a code of 0, 1 or 2 and a
//! sentence, never with a panic, a hang or an empty table. A short form runs with the tests; `just fuzz` runs the long one.
//!
//! Every case has a number that makes it again: the failure names it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dynamics::random::{Generator, stream};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// No case may take longer, unless it is busy with a trial.
const LIMIT: Duration = Duration::from_secs(20);

/// What a mistake looks like as a value of TOML.
const VALUES: [&str; 22] = [
    "0",
    "-1",
    "1",
    "2",
    "7",
    "1e308",
    "-1e308",
    "5e-324",
    "1e-320",
    "nan",
    "inf",
    "9223372036854775807",
    "1000000000",
    "1000000000000",
    "0.5",
    "\"\"",
    "\"text\"",
    "\"a\\u0007b\"",
    "true",
    "[]",
    "{}",
    "[[1], 2]",
];

/// Numbers of settings files, command lines, encoders and data files.
fn counts() -> [u64; 4] {
    if std::env::var_os("FUZZ_LONG").is_some() { [500, 200, 100, 200] } else { [24, 16, 10, 12] }
}

/// The place a case runs in, and how it is told to run.
struct Case {
    directory: tempfile::TempDir,
    name: String,
}

impl Case {
    fn new(kind: &str, number: u64) -> (Self, Generator) {
        let case = Self { directory: tempfile::tempdir().unwrap(), name: format!("{kind} {number}") };
        (case, stream(0, &["fuzz", kind, &number.to_string()]))
    }

    fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// Runs `reproduce-all` and judges how it ended.
    fn run(&self, arguments: &[String]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reproduce-all"));
        command.current_dir(repository()).args(["--profile", "smoke"]).args(arguments);
        command.arg("--results").arg(self.path("results")).arg("--figures").arg(self.path("figures"));
        self.judge(command, arguments);
    }

    fn judge(&self, mut command: Command, arguments: &[String]) {
        let (out, err) = (self.path("stdout"), self.path("stderr"));
        command.stdin(Stdio::null()).stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let code = wait(&mut child);
        let mut stderr = String::new();
        let _ = fs::File::open(&err).unwrap().take(1 << 20).read_to_string(&mut stderr);
        let shown: String = stderr.chars().rev().take(3000).collect::<Vec<_>>().into_iter().rev().collect();
        let about = format!("{}: {arguments:?}\n{shown}", self.name);
        match code {
            Some(code) => assert!((0..=2).contains(&code), "ended with code {code}: {about}"),
            // Some mutations ask for more work, which is no hang; after the last trial there is nothing to be busy with.
            None => assert!(is_busy(&stderr), "hangs: {about}"),
        }
        assert!(!stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"), "a panic: {about}");
        assert!(stderr.lines().all(|line| line.len() < 4000), "a line of more than 4000 bytes: {about}");
        for table in tables(&self.path("results")) {
            assert!(fs::metadata(&table).unwrap().len() > 0, "{} is empty: {about}", table.display());
        }
    }
}

/// The exit code; `None` if it was still running at the limit, or ended by a signal then.
fn wait(child: &mut Child) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or(-1));
        }
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a trial was started that has not ended.
fn is_busy(stderr: &str) -> bool {
    let started = stderr.lines().filter(|line| line.ends_with(": started")).count();
    let ended = stderr.lines().filter(|line| line.contains(": finished in") || line.contains("error")).count();
    started > ended
}

fn tables(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("smoke")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "csv")).collect()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn experiments() -> Vec<&'static str> {
    figures::experiments().iter().map(lab::Entry::name).collect()
}

/// A settings file with one to three mistakes.
fn mutated_settings(text: &str, rng: &mut Generator) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..rng.random_range(1..=3) {
        let at = rng.random_range(0..lines.len());
        let value = VALUES.choose(rng).unwrap();
        match rng.random_range(0..9) {
            0..=4 => {
                let keys: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].contains(" = ")).collect();
                let Some(&at) = keys.choose(rng) else { continue };
                let key = lines[at].split(" = ").next().unwrap_or_default().to_owned();
                lines[at] = format!("{key} = {value}");
            }
            5 => drop(lines.remove(at)),
            6 => lines.insert(at, lines[at].clone()),
            7 => lines.insert(at, format!("surprise_{at} = {value}")),
            _ => {
                let mut bytes = lines[at].clone().into_bytes();
                if !bytes.is_empty() {
                    let byte = rng.random_range(0..bytes.len());
                    bytes[byte] = rng.random_range(1..128);
                }
                lines[at] = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
    }
    lines.join("\n")
}

#[test]
fn settings() {
    for number in 0..counts()[0] {
        let (case, mut rng) = Case::new("settings", number);
        let name = *experiments().choose(&mut rng).unwrap();
        let text = fs::read_to_string(repository().join(format!("experiments/{name}.toml"))).unwrap();
        fs::create_dir(case.path("experiments")).unwrap();
        fs::write(case.path(&format!("experiments/{name}.toml")), mutated_settings(&text, &mut rng)).unwrap();
        let experiments = case.path("experiments").to_string_lossy().into_owned();
        case.run(&["--only".into(), name.into(), "--experiments".into(), experiments]);
    }
}

#[test]
fn command_lines() {
    let options = [
        "--profile",
        "--set",
        "--seed",
        "--trials",
        "--threads",
        "--results",
        "--figures",
        "--data-dir",
        "--fresh",
        "--plot-only",
        "--quiet",
        "--verbose",
        "--only",
        "--skip",
        "--list",
        "--experiments",
        "--report",
        "--force",
        "--accept-edited",
        "--help",
    ];
    for number in 0..counts()[1] {
        let (case, mut rng) = Case::new("command line", number);
        let keys = [
            "problem.size",
            "trials",
            "seed",
            "step_sizes.0",
            "methods.depth",
            "problem",
            "a.b.c",
            "",
            "\u{7}",
            "encoder",
        ];
        let mut arguments = vec!["--only".to_owned(), (*experiments().choose(&mut rng).unwrap()).to_owned()];
        for _ in 0..rng.random_range(1..4) {
            match rng.random_range(0..3) {
                0 => arguments.push((*options.choose(&mut rng).unwrap()).to_owned()),
                1 => {
                    arguments.push((*options.choose(&mut rng).unwrap()).to_owned());
                    arguments.push((*VALUES.choose(&mut rng).unwrap()).to_owned());
                }
                _ => {
                    let (key, value) = (keys.choose(&mut rng).unwrap(), VALUES.choose(&mut rng).unwrap());
                    arguments.extend(["--set".to_owned(), format!("{key}={value}")]);
                }
            }
        }
        // Results and figures that are given here would be written there: the place of the case is the working directory.
        let mut command = Command::new(env!("CARGO_BIN_EXE_reproduce-all"));
        fs::create_dir(case.path("here")).unwrap();
        let experiments = repository().join("experiments");
        command.current_dir(case.path("here")).arg("--experiments").arg(experiments).args([
            "--results",
            "r",
            "--figures",
            "f",
        ]);
        command.args(["--profile", "smoke"]).args(&arguments);
        case.judge(command, &arguments);
    }
}

/// Few-shot on the tiny encoder of `encoder` with the data of `data`.
fn few_shot(encoder: &Path, data: &Path) -> Vec<String> {
    let set = |text: String| ["--set".to_owned(), text];
    let mut arguments = vec!["--only".to_owned(), "few-shot".to_owned(), "--data-dir".to_owned()];
    arguments.push(data.to_string_lossy().into_owned());
    arguments.extend(set("tasks=[\"stsb\"]".into()));
    arguments.extend(set("encoder.source=\"mine\"".into()));
    arguments.extend(set(format!("sources.mine.path.directory={:?}", encoder.to_string_lossy())));
    arguments.extend(set("examples=[8]".into()));
    arguments.extend(set("choice.methods=[]".into()));
    arguments
}

fn copy_encoder(to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../adaptation/tests/fixtures/tiny-bert");
    fs::create_dir(to).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

/// The STS benchmark in small: 40 lines of training, 20 of dev.
fn write_data(to: &Path) {
    fs::create_dir_all(to.join("stsb")).unwrap();
    for (file, lines) in [("sts-train.csv", 40), ("sts-dev.csv", 20), ("sts-test.csv", 20)] {
        let line = |i: usize| {
            let words = ["a man", "the cat", "plays music", "is running", "two dogs"];
            let (first, second) = (words[i % 5], words[(i * 7 + 2) % 5]);
            format!("genre\tfile\tyear\t{i}\t{:.2}\t{first} {second}\t{second} {first}\n", (i % 11) as f64 / 2.0)
        };
        fs::write(to.join("stsb").join(file), (0..lines).map(line).collect::<String>()).unwrap();
    }
}

/// Bytes with one to four mistakes: some changed, a part cut, doubled or replaced.
fn mutated_bytes(mut bytes: Vec<u8>, rng: &mut Generator) -> Vec<u8> {
    for _ in 0..rng.random_range(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..7) {
            0..=2 => bytes[at] = rng.next_u32() as u8,
            3 => bytes.truncate(at),
            4 => {
                let part = bytes[at..(at + 200).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            5 => drop(bytes.splice(at..(at + 50).min(bytes.len()), [])),
            _ => {
                let inserted = [
                    &b"\r"[..],
                    b"\n",
                    b"\t",
                    b"\0",
                    b"\xff\xfe",
                    b"\xef\xbb\xbf",
                    b"nan",
                    b"1e999",
                    b"\"",
                    b"{",
                    b"-",
                ];
                bytes.splice(at..at, inserted.choose(rng).unwrap().iter().copied());
            }
        }
    }
    bytes
}

/// A configuration with one value replaced.
fn mutated_config(text: &str, rng: &mut Generator) -> String {
    let values =
        ["0", "-1", "1e300", "null", "\"roberta\"", "true", "[]", "{\"0\": [1]}", "4294967296", "0.5", "\"gelu_new\""];
    let lines: Vec<&str> = text.lines().collect();
    let keys: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].contains("\": ")).collect();
    let (at, value) = (*keys.choose(rng).unwrap(), values.choose(rng).unwrap());
    let changed = |(i, line): (usize, &&str)| match line.split_once(": ") {
        Some((key, _)) if i == at => format!("{key}: {value}{}", if line.ends_with(',') { "," } else { "" }),
        _ => (*line).to_owned(),
    };
    lines.iter().enumerate().map(changed).collect::<Vec<_>>().join("\n")
}

#[test]
fn encoders() {
    for number in 0..counts()[2] {
        let (case, mut rng) = Case::new("encoder", number);
        let (encoder, data) = (case.path("encoder"), case.path("data"));
        copy_encoder(&encoder);
        write_data(&data);
        let file = *["config.json", "config.json", "model.safetensors", "tokenizer.json"].choose(&mut rng).unwrap();
        let path = encoder.join(file);
        let bytes = fs::read(&path).unwrap();
        let mutated = match (file, rng.random_range(0..3)) {
            ("config.json", 0 | 1) => mutated_config(&String::from_utf8(bytes).unwrap(), &mut rng).into_bytes(),
            _ => mutated_bytes(bytes, &mut rng),
        };
        fs::write(path, mutated).unwrap();
        case.run(&few_shot(&encoder, &data));
    }
}

#[test]
fn data() {
    for number in 0..counts()[3] {
        let (case, mut rng) = Case::new("data", number);
        let (encoder, data) = (case.path("encoder"), case.path("data"));
        copy_encoder(&encoder);
        write_data(&data);
        let path = data.join("stsb").join(*["sts-train.csv", "sts-dev.csv"].choose(&mut rng).unwrap());
        let bytes = fs::read(&path).unwrap();
        let mutated = match rng.random_range(0..8) {
            0 => bytes.iter().map(|&byte| if byte == b'\n' { b'\r' } else { byte }).collect(),
            1 => [vec![b'x'; 1 << 20], bytes].concat(),
            2 => Vec::new(),
            _ => mutated_bytes(bytes, &mut rng),
        };
        fs::write(path, mutated).unwrap();
        case.run(&few_shot(&encoder, &data));
    }
}
