//! Measures an iteration here and in NumPy, SciPy, JAX and PyTorch, in turns, in one run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use benchmarks::case::{self, CASES, Case};
use benchmarks::chart::{self, seconds, times};
use benchmarks::environment::Environment;
use benchmarks::machine::{Limits, Machine, MachineRow};
use benchmarks::peers::{self, PeerRow, SCRIPTS, Script};
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
    let cases: Vec<Case> = match arguments.only.as_slice() {
        [] => CASES.to_vec(),
        ids => ids.iter().map(|id| case::find(id)).collect::<Result<_, _>>()?,
    };
    let machine = Machine::survey();
    let limits = Limits::measure();
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let mut workers = start(&arguments.python, machine.threads, scratch.path())?;
    let plan = Plan { rounds: arguments.rounds as usize, turn_seconds: arguments.turn };
    let mut rows = Vec::new();
    for case in cases {
        let measured = peers::measure(case, &mut workers, plan, scratch.path(), &machine)?;
        measured.iter().for_each(print_row);
        rows.extend(measured);
    }
    print_goals(&rows);
    if arguments.only.is_empty() {
        write(&arguments, &rows, &MachineRow::new(&machine, &limits))?;
    }
    Ok(())
}

fn start(python: &str, threads: usize, scratch: &Path) -> Result<Vec<(Script, Worker)>> {
    let directory = estimates::target_directory().join("peers");
    let requirements = peers::scripts().join("requirements.txt");
    let environment = Environment::prepare(&directory, &requirements, python, &mut |text| eprintln!("{text}"))?;
    let worker = |script: Script| Ok((script, Worker::start(&environment, &script.path(), threads, scratch)?));
    SCRIPTS.into_iter().map(worker).collect()
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
