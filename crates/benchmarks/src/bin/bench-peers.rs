//! Times an iteration here and in NumPy, SciPy, JAX and PyTorch, and a training step here and in PEFT, in turns, in one
//! run, and keeps the run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Once;

use adaptation::Config;
use anyhow::{Context, Result};
use benchmarks::case::{self, Case, Descent, FineTuning, Work};
use benchmarks::encoder::{self, Pretrained};
use benchmarks::environment::Environment;
use benchmarks::floor;
use benchmarks::limits::Limits;
use benchmarks::matrix::{self, SCRIPTS, Script};
use benchmarks::record::{self, MachineRow, PeerRow, RUNS, Run};
use benchmarks::samples::{Measured, Plan};
use benchmarks::text::{seconds, times};
use benchmarks::worker::Worker;
use clap::Parser;
use lab::Machine;

/// Load of the last minute up to which a machine counts as quiet.
const QUIET_LOAD: f64 = 0.5;

/// Times an iteration here and in NumPy, SciPy, JAX and PyTorch, in turns, on the same problems, after checking that
/// all of them compute the same gradients. The first time the peers are installed under cargo's target directory.
#[derive(Parser)]
struct Arguments {
    /// Samples of each contender, a round of all of them at a time.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of a sample, if an iteration is not longer.
    #[arg(long, alias = "turn", default_value_t = 0.2, value_parser = positive, allow_negative_numbers = true)]
    sample_seconds: f64,
    /// Two samples of 0.02 seconds, to see that everything works; the run is kept only if --results says where.
    #[arg(long, conflicts_with_all = ["rounds", "sample_seconds"])]
    quick: bool,
    /// Only this case (may be repeated); the run is not kept.
    #[arg(long, value_name = "CASE")]
    only: Vec<String>,
    /// What the run calls the machine, such as zen-5; the processor's name if it is not given.
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// The command that makes the peers' environment.
    #[arg(long, default_value = "python3", value_name = "COMMAND")]
    python: String,
    /// Where that environment is, or is to be made; target/peers if it is not given.
    #[arg(long, value_name = "DIRECTORY")]
    environment: Option<PathBuf>,
    /// Where runs are kept; results/bench/runs if it is not given.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "only")]
    results: Option<PathBuf>,
}

impl Arguments {
    fn plan(&self) -> Plan {
        match self.quick {
            true => Plan { rounds: 2, sample_seconds: 0.02 },
            false => Plan { rounds: self.rounds as usize, sample_seconds: self.sample_seconds },
        }
    }

    /// What to type for such a run: paths are of this machine alone.
    fn command(&self, slug: &str) -> String {
        let plan = match self.quick {
            true => "--quick".to_owned(),
            false => format!("--rounds {} --sample-seconds {}", self.rounds, self.sample_seconds),
        };
        format!("{} --machine {slug} {plan}", record::COMMAND)
    }

    /// Where the run is kept, if it is.
    fn runs(&self) -> Option<PathBuf> {
        let default = (!self.quick && self.only.is_empty()).then(|| PathBuf::from(RUNS));
        self.results.clone().or(default)
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0 && seconds.is_finite());
    seconds.ok_or_else(|| "a number of seconds above 0 is needed".to_owned())
}

fn main() -> ExitCode {
    lab::exit(run(&Arguments::parse()).map(|()| 0).map_err(Into::into))
}

fn run(arguments: &Arguments) -> Result<()> {
    // This thread is one of the pool's, as a trial's is: work handed over from outside would wake threads each time.
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global().context("cannot start threads")?;
    let cases = case::chosen(&arguments.only)?;
    let machine = Machine::survey(rayon::current_num_threads());
    let slug = record::slug(arguments.machine.as_deref(), &machine.cpu)?;
    let started = lab::now();
    warn_if_busy();
    let mut bench = Bench {
        environment: environment(arguments)?,
        threads: machine.threads,
        plan: arguments.plan(),
        scratch: tempfile::tempdir().context("cannot make a temporary directory")?,
        limits: Limits::measure(),
        measured: Vec::new(),
    };
    let (mut descents, mut steps) = (Vec::new(), Vec::new());
    for case in cases {
        match case.work {
            Work::Descent(descent) => descents.push((case, descent)),
            Work::FineTuning(step) => steps.push((case, step)),
        }
    }
    bench.descents(&descents)?;
    bench.steps(&steps)?;
    let Some(runs) = arguments.runs() else {
        return Ok(());
    };
    let machine = MachineRow::new(&machine, &bench.limits, started, arguments.command(&slug));
    let rows = bench.rows(&machine);
    let run = Run::keep(&runs, &slug, machine, rows)?;
    println!("{}; for tables and chart: just bench-table", runs.join(run.name).display());
    Ok(())
}

/// What all measurements of a run have in common, and what they gave.
struct Bench {
    environment: Environment,
    threads: usize,
    plan: Plan,
    scratch: tempfile::TempDir,
    /// The best of those measured before and between the cases: a shared machine is not always as fast.
    limits: Limits,
    /// What was measured, and the sizes of the encoder that was trained.
    measured: Vec<(Case, Vec<Measured>, Config)>,
}

impl Bench {
    fn descents(&mut self, cases: &[(Case, Descent)]) -> Result<()> {
        if cases.is_empty() {
            return Ok(());
        }
        let started = SCRIPTS.into_iter().map(|script| Ok((script, self.start(&script.path())?)));
        let mut workers: Vec<(Script, Worker)> = started.collect::<Result<_>>()?;
        for (case, descent) in cases {
            let measured = matrix::measure(case.id, *descent, &mut workers, self.plan, self.scratch.path())?;
            self.take(*case, measured, Config::mini_lm());
        }
        Ok(())
    }

    /// Cases of one encoder after another: it is loaded once.
    fn steps(&mut self, cases: &[(Case, FineTuning)]) -> Result<()> {
        for cases in cases.chunk_by(|a, b| a.1.encoder == b.1.encoder) {
            let pretrained = Pretrained::load(cases[0].1.encoder, &say_what_is_fetched)?;
            let started = encoder::SCRIPTS.into_iter().map(|script| self.start(&matrix::scripts().join(script)));
            let mut workers: Vec<Worker> = started.collect::<Result<_>>()?;
            for (case, step) in cases {
                let (plan, scratch) = (self.plan, self.scratch.path());
                let measured = encoder::measure(case.id, *step, &pretrained, &mut workers, plan, scratch)?;
                self.take(*case, measured, pretrained.config().clone());
            }
        }
        Ok(())
    }

    fn start(&self, script: &Path) -> Result<Worker> {
        Worker::start(&self.environment, script, self.threads, self.scratch.path())
    }

    fn take(&mut self, case: Case, measured: Vec<Measured>, encoder: Config) {
        print(case.id, &measured);
        self.measured.push((case, measured, encoder));
        self.limits = self.limits.or(Limits::measure());
    }

    /// The rows of all cases.
    fn rows(&self, machine: &MachineRow) -> Vec<PeerRow> {
        let of = |(case, measured, encoder): &(Case, Vec<Measured>, Config)| {
            let floor = floor::seconds(case, &self.limits, self.threads, encoder);
            record::rows(case.id, measured, floor, machine)
        };
        self.measured.iter().flat_map(of).collect()
    }
}

/// Warns if other processes want the threads too: where a contender's threads wait for each other, one that is held up costs
/// it far more than its share.
fn warn_if_busy() {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Option<f64> = text.split(' ').next().and_then(|load| load.parse().ok());
    if let Some(load) = load.filter(|load| *load > QUIET_LOAD) {
        eprintln!(
            "warning: the machine was busy in the last minute (load {load}); wait until it is quiet, or ratios mislead"
        );
    }
}

fn environment(arguments: &Arguments) -> Result<Environment> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let directory = arguments.environment.clone().unwrap_or_else(|| target.join("peers"));
    let requirements = matrix::scripts().join("requirements.txt");
    Environment::prepare(&directory, &requirements, &arguments.python, &mut |text| eprintln!("{text}"))
}

/// Tells once that the encoder is being fetched; it is one file, of which several reports say that nothing has come yet.
fn say_what_is_fetched(file: &str, _done: u64, _total: Option<u64>) {
    static SAID: Once = Once::new();
    SAID.call_once(|| eprintln!("fetching {file}"));
}

fn print(id: &str, measured: &[Measured]) {
    let ours = measured.first().map_or(f64::NAN, |ours| ours.seconds.median);
    for Measured { peer, seconds: spread, gradient_difference, .. } in measured {
        let difference = gradient_difference.map_or(String::new(), |d| format!("gradients within {d:.0e}"));
        let (time, ratio) = (seconds(spread.median), times(spread.median / ours));
        println!("{id:28} {peer:16} {time:>9} {ratio:>8}   {difference}");
    }
}
