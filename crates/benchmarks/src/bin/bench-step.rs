//! Collects criterion's estimates into `results/bench/step.csv`.

use std::path::PathBuf;

use anyhow::Result;
use benchmarks::chart::seconds;
use benchmarks::machine::Machine;
use benchmarks::{estimates, files};
use clap::Parser;

/// Collects criterion's estimates into step.csv.
#[derive(Parser)]
struct Arguments {
    /// Where step.csv goes.
    #[arg(long, default_value = "results/bench")]
    results: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { results } = Arguments::parse();
    let rows = estimates::collect(&estimates::criterion_directory(), &estimates::suites(), &Machine::survey())?;
    for row in &rows {
        println!("{:28} {:>8}", row.id, seconds(row.median_seconds));
    }
    let path = results.join("step.csv");
    files::write_table(&path, &rows)?;
    println!("{}", path.display());
    Ok(())
}
