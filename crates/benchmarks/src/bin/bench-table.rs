//! Writes the README's performance tables from `results/bench`.

use std::path::PathBuf;

use anyhow::Result;
use benchmarks::machine::MachineRow;
use benchmarks::{BenchError, estimates, files, peers, readme};
use clap::Parser;

/// Writes the README's performance tables from step.csv, peers.csv and machine.csv.
#[derive(Parser)]
struct Arguments {
    /// Where the tables are; the README's part is the one whose mark names it.
    #[arg(long, default_value = "results/bench")]
    results: PathBuf,
    /// The file with the marks.
    #[arg(long, default_value = "README.md")]
    readme: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { results, readme } = Arguments::parse();
    let steps = estimates::read(&results.join("step.csv"))?;
    let peers = peers::read(&results.join("peers.csv"))?;
    let path = results.join("machine.csv");
    let machines: Vec<MachineRow> = files::read_table(&path)?;
    let missing = || BenchError::MissingRow { path, row: "of a machine".to_owned(), command: peers::COMMAND };
    let machine = machines.first().ok_or_else(missing)?;
    readme::replace(&readme, &results, &readme::tables(&steps, &peers, machine))?;
    println!("{}", readme.display());
    Ok(())
}
