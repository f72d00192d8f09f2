//! Completes a matrix of which some entries are known: `complete -- ratings.csv --rank 10 --predict pairs.csv --output out.csv`.

mod messages;
mod options;
mod predict;
mod search;
mod values;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use dynamics::completion::{Centering, Completion, Stopping, check_entries};
use dynamics::random;
use entries::{Split, Table};
use faer::Par;

use self::messages::{Messages, warn};
use self::options::Options;
use self::search::{Found, show};

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            // What the system refuses is not what the user typed, unless it is a name.
            let refused = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
            let by_system =
                |cause: &std::io::Error| !matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory);
            ExitCode::from(if refused.is_some_and(by_system) { 1 } else { 2 })
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let messages = Messages::new(options.quiet);
    let format = options.format();
    let table = Table::read(&options.entries, &format)?;
    let (rows, columns) = table.shape();
    let known = table.entries.len();
    let share = known as f64 / (rows as f64 * columns as f64);
    messages.say(format_args!("{known} known entries of a {rows} × {columns} matrix ({:.2} %)", 100.0 * share));
    if table.repeated > 0 {
        messages.say(format_args!("lines that give an entry again: {}", table.repeated));
    }
    options.check(&table)?;
    // Held-out entries too: the last run learns from all of them.
    check_entries(table.shape(), &table.entries, &[]).with_context(|| options.entries.display().to_string())?;
    let wanted = predict::Wanted::new(options, &table, &format)?;

    let mut rng = random::stream(options.seed, &["complete", "split"]);
    let split = Split::draw(table.entries.clone(), options.validation, options.test, &mut rng)
        .with_context(|| options.entries.display().to_string())?;
    rayon::ThreadPoolBuilder::new().num_threads(options.threads()).build_global().context("--threads")?;
    let par = if options.threads() > 1 { Par::rayon(options.threads()) } else { Par::Seq };
    let found = search::best(options, &messages, table.shape(), &split, par)?;
    report(&messages, &table, &split, &found);

    // The errors are known; what is handed out may learn from every entry.
    let stopping = Stopping { max_iterations: found.completed.best.iteration, ..found.completion.stopping };
    let last = Completion { stopping, ..found.completion };
    let mut rng = random::stream(options.seed, &["complete", "all entries"]);
    let completed = show(options, "all entries", &last, |watch| {
        last.fit(table.shape(), &table.entries, &[], &mut rng, watch, par)
    })?;
    let lines = wanted.write(options, &table, &format, &completed.predictor)?;
    messages.say(format_args!("predictions in {}: {lines}", options.output.display()));
    messages.finish()
}

/// The error on entries that neither training nor the choice of settings saw, beside those of simpler predictions.
fn report(messages: &Messages, table: &Table, split: &Split, found: &Found) {
    let error = found.completed.error(&split.test).unwrap_or_default();
    messages.result(format_args!(
        "rank {}, {}: the factors of iteration {}",
        found.completion.rank,
        found.centered(),
        found.completed.best.iteration
    ));
    messages.result(format_args!("held-out error (root mean square; entries: {}): {error:.4e}", split.test.len()));
    let mut least: Option<(&str, f64)> = None;
    for (name, centering) in [("mean", Centering::Mean), ("mean and biases", Centering::Biases(Default::default()))] {
        let biases = dynamics::completion::Biases::fit(table.shape(), &split.training, centering);
        let simple = dynamics::completion::root_mean_square(biases.without(&split.test).iter().map(|entry| entry.2));
        let simple = simple.unwrap_or_default();
        messages.say(format_args!("  of the {name} alone: {simple:.4e}"));
        if least.is_none_or(|(_, least)| simple < least) {
            least = Some((name, simple));
        }
    }
    if found.completed.best.iteration == 0 {
        warn(format_args!("no iteration made the validation error smaller; the predictions are those of the start"));
    } else if let Some((name, simple)) = least.filter(|(_, simple)| *simple < error) {
        warn(format_args!("the {name} alone has a smaller held-out error, {simple:.4e}: no structure was found"));
    }
}
