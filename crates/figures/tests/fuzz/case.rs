//! A case: the place it runs in, how it is started, and how its end is judged.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dynamics::random::{Generator, stream};
use tempfile::TempDir;

/// What takes longer, of the processor's time, hangs, unless it is busy with a trial.
const LIMIT: Duration = Duration::from_secs(20);
/// So does what does nothing for so long, or is left so little of the processor by others.
const LONGEST: Duration = Duration::from_secs(120);
/// A case that is still busy with a trial after so long a time of the processor has asked for more work, which is no mistake; it is told to stop.
const PATIENCE: Duration = Duration::from_secs(4);
/// Most memory of a case, in KiB: settings may ask for as much as there is, and cases run side by side.
const MEMORY: u32 = 4 << 20;
/// Cases side by side.
const THREADS: usize = 2;

/// The experiments and their binaries.
pub(super) const EXPERIMENTS: [(&str, &str); 21] = [
    ("ablations", env!("CARGO_BIN_EXE_ablations")),
    ("adaptation-subspaces", env!("CARGO_BIN_EXE_adaptation-subspaces")),
    ("completion", env!("CARGO_BIN_EXE_completion")),
    ("compressed-vs-narrow", env!("CARGO_BIN_EXE_compressed-vs-narrow")),
    ("costs", env!("CARGO_BIN_EXE_costs")),
    ("depth-width-sweep", env!("CARGO_BIN_EXE_depth-width-sweep")),
    ("factorization", env!("CARGO_BIN_EXE_factorization")),
    ("few-shot", env!("CARGO_BIN_EXE_few-shot")),
    ("glue-table", env!("CARGO_BIN_EXE_glue-table")),
    ("invariant-subspace", env!("CARGO_BIN_EXE_invariant-subspace")),
    ("learned-ranks", env!("CARGO_BIN_EXE_learned-ranks")),
    ("lora-compressed-vs-narrow", env!("CARGO_BIN_EXE_lora-compressed-vs-narrow")),
    ("nlg", env!("CARGO_BIN_EXE_nlg")),
    ("rank-sweep", env!("CARGO_BIN_EXE_rank-sweep")),
    ("ratings", env!("CARGO_BIN_EXE_ratings")),
    ("scaling", env!("CARGO_BIN_EXE_scaling")),
    ("sensing", env!("CARGO_BIN_EXE_sensing")),
    ("step-size", env!("CARGO_BIN_EXE_step-size")),
    ("svd-evolution", env!("CARGO_BIN_EXE_svd-evolution")),
    ("training-length", env!("CARGO_BIN_EXE_training-length")),
    ("what-matters", env!("CARGO_BIN_EXE_what-matters")),
];

#[test]
fn every_experiment_is_among_them() {
    let names = EXPERIMENTS.map(|(name, _)| name);
    let mut known: Vec<_> = figures::experiments().iter().map(lab::Entry::name).collect();
    known.sort_unstable();
    assert_eq!(names.as_slice(), known);
}

pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Runs the cases of a kind side by side, in their short or long number, and fails with all that failed.
pub(super) fn for_each_case(
    kind: &str,
    [short, long]: [u64; 2],
    run: impl Fn(&Case, &mut Generator) -> Option<i32> + Sync,
) {
    let number_in = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let count = if std::env::var_os("FUZZ_LONG").is_some() { long } else { short };
    let seed = number_in("FUZZ_SEED").unwrap_or(0);
    let (first, end) = number_in("FUZZ_CASE").map_or((0, count), |number| (number, number + 1));
    let (next, failed, ended) = (AtomicU64::new(first), Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
    let run_one = |number: u64| {
        let case = Case::new(&format!("{kind} {number}"));
        let mut rng = stream(seed, &["fuzz", kind, &number.to_string()]);
        match catch_unwind(AssertUnwindSafe(|| run(&case, &mut rng))) {
            Ok(code) => *ended.lock().unwrap().entry(code).or_insert(0) += 1,
            Err(_) => failed.lock().unwrap().push(number),
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                numbers.take_while(|number| *number < end).for_each(run_one);
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort_unstable();
    println!(
        "{kind}: exit codes (none: stopped while it was busy) and how many ended so: {:?}",
        ended.into_inner().unwrap()
    );
    assert!(failed.is_empty(), "{kind}: {} of {count} fell: {failed:?}", failed.len());
}

/// A place of its own for files, and what is started there.
pub(super) struct Case {
    directory: TempDir,
    pub(super) name: String,
}

impl Case {
    pub(super) fn new(name: &str) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), name: name.to_owned() }
    }

    /// A path below the place; the place itself for "".
    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// The first part of what the last run said on standard error.
    pub(super) fn said(&self) -> String {
        let mut bytes = Vec::new();
        fs::File::open(self.path("stderr")).unwrap().take(1 << 22).read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Runs a binary within the place and judges how it ended. The exit code; `None` if it was stopped while it was busy.
    pub(super) fn run<S: AsRef<OsStr> + std::fmt::Debug>(&self, binary: &str, arguments: &[S]) -> Option<i32> {
        let file = |name: &str| fs::File::create(self.path(name)).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("ulimit -v {MEMORY} 2>/dev/null; exec \"$0\" \"$@\""), binary]).args(arguments);
        // Nothing is downloaded: there is no hub, no pip, and nothing in the cache.
        command.env("PATH", "").env("HF_HUB_OFFLINE", "1").env("COMPRESSIBLE_DYNAMICS_CACHE", self.path("cache"));
        command.current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        let started = Instant::now();
        let (code, stopped) = self.end(&mut command.spawn().unwrap());
        let said = self.said();
        let shown = said.chars().rev().take(3000).collect::<Vec<_>>().into_iter().rev().collect::<String>();
        let about = || format!("{} after {:.1?}: {binary} {arguments:?}\n{shown}", self.name, started.elapsed());
        match (code, stopped) {
            (Some(143), true) => assert!(said.contains("stopped by SIGTERM: "), "says not why it stopped: {}", about()),
            (Some(code), _) => assert!((0..=2).contains(&code), "ended with code {code}: {}", about()),
            (None, _) => panic!("hangs or was killed: {}", about()),
        }
        assert!(code == Some(0) || !said.trim().is_empty(), "says nothing: {}", about());
        for word in ["panicked", "RUST_BACKTRACE", "/registry/src/", "memory allocation of"] {
            assert!(!said.contains(word), "says {word:?}: {}", about());
        }
        assert!(said.lines().all(|line| line.len() < 4000), "a line of more than 4000 bytes: {}", about());
        for table in tables(&self.path("results")) {
            assert!(fs::metadata(&table).unwrap().len() > 0, "{} is empty: {}", table.display(), about());
        }
        code.filter(|_| !stopped)
    }

    /// Waits for the end. The exit code, `None` if it was ended by a signal or did not end in time, and whether it was asked
    /// to stop since it was busy.
    fn end(&self, child: &mut Child) -> (Option<i32>, bool) {
        let (started, mut stopped) = (Instant::now(), false);
        let process = child.id();
        let is_over = |limit: Duration| {
            let elapsed = started.elapsed();
            elapsed > LONGEST || elapsed > limit && processor_time(process).is_none_or(|time| time > limit)
        };
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return (status.code(), stopped);
            }
            if !stopped && is_over(PATIENCE) && is_busy(&self.said()) {
                let _ = Command::new("sh").args(["-c", "kill -TERM $0", &process.to_string()]).status();
                stopped = true;
            }
            if is_over(LIMIT) {
                child.kill().unwrap();
                child.wait().unwrap();
                return (None, stopped);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The time of the processor that a process has taken; `None` where the system does not tell.
fn processor_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which is in parentheses: the state, ten numbers, and the hundredths of a second outside and inside the kernel.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let hundredths = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(10 * hundredths))
}

/// Whether a trial was started that has not ended.
fn is_busy(said: &str) -> bool {
    let started = said.lines().filter(|line| line.ends_with(": started")).count();
    let ended = said.lines().filter(|line| line.contains(": finished in") || line.contains("error: ")).count();
    started > ended
}

fn tables(directory: &Path) -> Vec<PathBuf> {
    let profiles = fs::read_dir(directory).into_iter().flatten().flatten();
    let entries = profiles.flat_map(|entry| fs::read_dir(entry.path()).into_iter().flatten().flatten());
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "csv")).collect()
}
