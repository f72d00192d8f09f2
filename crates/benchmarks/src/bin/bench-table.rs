//! Makes tables and charts of the documents from the runs that are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use benchmarks::record::{self, RUNS};
use benchmarks::{chart, tables};
use clap::Parser;
use lab::{BadInput, files};

/// Writes the performance tables of README.md (the newest run) and docs/performance.md (all runs) from the runs that are
/// kept, and draws a chart of each.
#[derive(Parser)]
struct Arguments {
    /// Where the runs are kept.
    #[arg(long, default_value = RUNS)]
    results: PathBuf,
    /// Where the charts go.
    #[arg(long, default_value = "figures/bench")]
    figures: PathBuf,
    /// The document with the newest run.
    #[arg(long, default_value = "README.md")]
    readme: PathBuf,
    /// The document with all runs.
    #[arg(long, default_value = "docs/performance.md")]
    document: PathBuf,
    /// Writes nothing, and fails if something would change in the documents, or a chart is missing.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    lab::exit(run(&Arguments::parse()).map(|()| 0).map_err(Into::into))
}

fn run(arguments: &Arguments) -> Result<()> {
    let runs = record::kept(&arguments.results)?;
    let parts = [
        (&arguments.readme, "performance", tables::newest(&runs[0])),
        (&arguments.document, "runs", tables::all(&runs, "../figures/bench")),
    ];
    for (path, name, part) in parts {
        bring(path, name, &part, arguments.check)?;
    }
    if !arguments.check {
        let unwritable = || format!("cannot make {}", arguments.figures.display());
        fs::create_dir_all(&arguments.figures).with_context(unwritable)?;
    }
    for run in &runs {
        let [png, svg] = ["png", "svg"].map(|kind| arguments.figures.join(format!("{}.{kind}", run.name)));
        if arguments.check {
            [png, svg].iter().try_for_each(|path| if path.is_file() { Ok(()) } else { Err(stale(path)) })?;
            continue;
        }
        let figure = chart::draw(run);
        files::write(&png, &figure.png()?)?;
        files::write(&svg, figure.svg()?.as_bytes())?;
    }
    Ok(())
}

/// Brings the part `name` of a document up to date, or makes sure that it is.
fn bring(path: &Path, name: &str, part: &str, check: bool) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let missing = || BadInput(anyhow!("{} has no line {:?} with its end", path.display(), tables::mark(name)));
    let new = tables::replaced(&text, name, part).ok_or_else(missing)?;
    match (new == text, check) {
        (true, _) => Ok(()),
        (false, true) => bail!(stale(path)),
        (false, false) => {
            println!("{}", path.display());
            Ok(files::write(path, new.as_bytes())?)
        }
    }
}

fn stale(path: &Path) -> anyhow::Error {
    anyhow!("{} is not what the kept runs make; make it with: just bench-table", path.display())
}
