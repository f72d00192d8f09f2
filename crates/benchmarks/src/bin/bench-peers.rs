//! Measures an iteration here and in NumPy, SciPy, JAX and PyTorch, and a training step here and in PEFT, in turns, in one
//! run.

use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::{Context, Result};
use benchmarks::case::{self, CASES, Case};
use benchmarks::chart::{self, seconds, times};
use benchmarks::encoder::{self, Pretrained, STEPS, Step};
use benchmarks::environment::Environment;
use benchmarks::machine::{Limits, Machine, MachineRow};
use benchmarks::peers::{self, PeerRow, Run, SCRIPTS, Script};
use benchmarks::turns::Plan;
use benchmarks::worker::Worker;
use benchmarks::{estimates, files};
use clap::Parser;

/// Measures an iteration here and in NumPy, SciPy, JAX and PyTorch, in turns, on the same problems, after checking that
/// all of them compute the same gradients. The first time the peers are installed under cargo's target directory.
#[derive(Parser)]
struct Arguments {
    /// Turns of each contender.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of a turn, if an iteration is not longer.
    #[arg(long, default_value_t = 0.2)]
    turn: f64,
    /// Only this case (may be repeated); nothing is written then.
    #[arg(long)]
    only: Vec<String>,
    /// The command that makes the peers' environment.
    #[arg(long, default_value = "python3")]
    python: String,
    /// Where peers.csv and machine.csv go.
    #[arg(long, default_value = "results/bench")]
    results: PathBuf,
    /// Where the chart goes.
    #[arg(long, default_value = "figures/bench")]
    figures: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // This thread is one of the pool's, as a trial's is: work handed over from outside would wake threads each time.
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global().context("cannot start threads")?;
    let (cases, steps) = chosen(&arguments.only)?;
    let machine = Machine::survey();
    let mut limits = Limits::measure();
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let environment = environment(&arguments.python)?;
    let start = |script: &Path| Worker::start(&environment, script, machine.threads, scratch.path());
    let plan = Plan { rounds: arguments.rounds as usize, turn_seconds: arguments.turn };
    let run = Run { machine: &machine, plan, scratch: scratch.path() };
    let mut rows = Vec::new();
    let mut take = |measured: Vec<PeerRow>| {
        measured.iter().for_each(print_row);
        rows.extend(measured);
        limits = limits.or(Limits::measure());
    };
    if !cases.is_empty() {
        let started = SCRIPTS.into_iter().map(|script| Ok((script, start(&script.path())?)));
        let mut workers: Vec<(Script, Worker)> = started.collect::<Result<_>>()?;
        for case in cases {
            take(peers::measure(case, &mut workers, &run)?);
        }
    }
    let mut config = None;
    if !steps.is_empty() {
        let pretrained = Pretrained::load(&say_what_is_fetched)?;
        let mut worker = start(&peers::scripts().join(encoder::SCRIPT))?;
        for step in steps {
            take(encoder::measure(step, &pretrained, &mut worker, &run)?);
        }
        config = Some(pretrained.config().clone());
    }
    let floor = |id: &str| match STEPS.iter().find(|step| step.id == id) {
        Some(step) => config.as_ref().map_or(f64::NAN, |config| step.floor_seconds(config, &limits)),
        None => CASES
            .iter()
            .find(|case| case.id == id)
            .map_or(f64::NAN, |case| case.floor_seconds(&limits, machine.threads)),
    };
    rows.iter_mut().for_each(|row| row.floor_seconds = floor(&row.id));
    print_goals(&rows);
    if arguments.only.is_empty() {
        write(&arguments, &rows, &MachineRow::new(&machine, &limits))?;
    }
    Ok(())
}

/// The cases and steps of these ids; all of them, if none is given.
fn chosen(ids: &[String]) -> Result<(Vec<Case>, Vec<Step>)> {
    if ids.is_empty() {
        return Ok((CASES.to_vec(), STEPS.to_vec()));
    }
    let (mut cases, mut steps) = (Vec::new(), Vec::new());
    for id in ids {
        match STEPS.iter().find(|step| step.id == id) {
            Some(step) => steps.push(*step),
            None => cases.push(case::find(id)?),
        }
    }
    Ok((cases, steps))
}

fn environment(python: &str) -> Result<Environment> {
    let directory = estimates::target_directory().join("peers");
    let requirements = peers::scripts().join("requirements.txt");
    Ok(Environment::prepare(&directory, &requirements, python, &mut |text| eprintln!("{text}"))?)
}

/// Tells once that the encoder is being fetched; it is one file, of which several reports say that nothing has come yet.
fn say_what_is_fetched(file: &str, _done: u64, _total: Option<u64>) {
    static SAID: Once = Once::new();
    SAID.call_once(|| eprintln!("fetching {file}"));
}

fn print_row(row: &PeerRow) {
    let difference = row.gradient_difference.map_or(String::new(), |d| format!("gradients within {d:.0e}"));
    let (time, ratio) = (seconds(row.median_seconds), times(row.ratio));
    println!("{:28} {:16} {time:>9} {ratio:>8}   {difference}", row.id, row.peer);
}

fn print_goals(rows: &[PeerRow]) {
    for goal in peers::goals(rows) {
        let verdict = if goal.is_met() { "met" } else { "NOT met" };
        println!("goal: {} ≥ {}: {} against {}: {verdict}", goal.id, times(goal.aim), times(goal.least), goal.peer);
    }
}

fn write(arguments: &Arguments, rows: &[PeerRow], machine: &MachineRow) -> Result<()> {
    files::write_table(&arguments.results.join("peers.csv"), rows)?;
    files::write_table(&arguments.results.join("machine.csv"), std::slice::from_ref(machine))?;
    let figure = chart::draw(rows);
    files::write(&arguments.figures.join("peers.png"), &figure.png()?)?;
    files::write(&arguments.figures.join("peers.svg"), figure.svg()?.as_bytes())?;
    Ok(())
}
