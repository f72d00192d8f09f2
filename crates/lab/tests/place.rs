//! A place in which the real binaries run as a user runs them: the toy experiments of `examples/`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::{env, fs};

/// A directory with `experiments/*.toml`, in which binaries run.
pub struct Place {
    pub directory: tempfile::TempDir,
}

/// What a run said and did.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(place.path("experiments")).unwrap();
        let decay = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/toy-decay.toml");
        fs::copy(decay, place.path("experiments/toy-decay.toml")).unwrap();
        let power = "seed = 1\ntrials = 4\npower = 2\n[profiles.quick]\n";
        fs::write(place.path("experiments/toy-power.toml"), power).unwrap();
        place
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    pub fn command(&self, binary: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(example(binary));
        command.args(arguments).current_dir(&self.directory).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command("toy-decay", arguments).output().unwrap())
    }

    pub fn run_all(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command("toy-all", arguments).output().unwrap())
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command("toy-decay", arguments).spawn().unwrap()
    }

    pub fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap()
    }

    pub fn table(&self) -> String {
        self.read("results/quick/toy-decay.csv")
    }

    /// Stored trials of the profile quick.
    pub fn stored(&self) -> Vec<PathBuf> {
        self.in_store("trial")
    }

    /// Files of the store of toy-decay, profile quick, by their extension.
    pub fn in_store(&self, extension: &str) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        // Files come and go while a run goes on.
        for directory in fs::read_dir(self.path("results/quick/.store/toy-decay")).into_iter().flatten().flatten() {
            let entries = fs::read_dir(directory.path()).into_iter().flatten().flatten();
            paths.extend(entries.map(|entry| entry.path()));
        }
        paths.retain(|path| path.extension().is_some_and(|found| found == extension));
        paths.sort();
        paths
    }

    /// Every file below the directory, hidden ones too, except settings, locks and the reasons of failures.
    pub fn files(&self) -> Vec<String> {
        fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(self.directory.path(), &mut found);
        let relative = |path: PathBuf| path.strip_prefix(&self.directory).unwrap().display().to_string();
        let mut names: Vec<_> = found.into_iter().map(relative).collect();
        names
            .retain(|name| !name.starts_with("experiments/") && !name.ends_with("/lock") && !name.ends_with(".failed"));
        names.sort();
        names
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Trials run, reused and failed, from the closing table.
    pub fn counts(&self, experiment: &str) -> (usize, usize, usize) {
        let row = self.stdout.lines().find(|line| line.starts_with(experiment));
        let row = row.unwrap_or_else(|| panic!("no row for {experiment}:\n{}\n{}", self.stdout, self.stderr));
        let numbers: Vec<usize> = row.split_whitespace().skip(1).take(3).map(|n| n.parse().unwrap()).collect();
        (numbers[0], numbers[1], numbers[2])
    }

    pub fn decay(&self) -> (usize, usize, usize) {
        self.counts("toy-decay")
    }

    /// Asserts exit code 2, nothing on stdout and exactly this one message.
    pub fn assert_refused(&self, message: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{}", self.stderr);
        assert_eq!(self.stderr, format!("error: {message}\n"));
    }
}

/// `cargo test` builds the examples of the package beside its tests.
pub fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: cargo build --examples", path.display());
    path
}

/// What a run warns of whose code was compiled outside its git repository.
pub const REVISION_UNKNOWN: &str = "warning: NAME.meta.toml will not say which revision of the code ran: ";

/// The lines of `stderr` after that warning, if it is there.
pub fn without_revision(stderr: &str) -> &str {
    match stderr.split_once('\n') {
        Some((first, rest)) if first.contains(REVISION_UNKNOWN) => rest,
        _ => stderr,
    }
}
