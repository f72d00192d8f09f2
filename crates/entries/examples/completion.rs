//! Completes a matrix of which some entries are known, in as few lines as it takes. The program `complete` does more: it chooses
//! the rank, takes any format, and says more about errors.
//!
//!     cargo run --release -p entries --example completion -- entries.csv predictions.csv 4
//!
//! `entries.csv` has a header and lines `row,column,value`; rows and columns have any names. A tenth of the lines, drawn at
//! random, is held out to measure the error, another to stop training. Every entry that is not in the file is predicted.

use std::collections::HashSet;

use anyhow::{Context, Result, bail};
use dynamics::{Completion, random};
use entries::{Format, Split, Table};
use faer::Par;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, rank] = arguments.as_slice() else {
        bail!("usage: completion ENTRIES.csv PREDICTIONS.csv RANK");
    };
    let [error, mean] = run(input, output, rank.parse().context("RANK is an integer")?)?;
    println!("held-out error {error:.3e}; of the mean of all entries {mean:.3e}");
    Ok(())
}

/// Completes the matrix. Returns the root mean square error on the held-out lines, of the predictions and of the mean.
pub fn run(input: &str, output: &str, rank: usize) -> Result<[f64; 2]> {
    let mut rng = random::stream(0, &["completion"]);
    let table = Table::read(input.as_ref(), &Format::default())?;
    let split = Split::draw(table.entries.clone(), 0.1, 0.1, &mut rng).with_context(|| input.to_owned())?;
    let completed = Completion::of_rank(rank).fit(
        table.shape(),
        &split.training,
        &split.validation,
        &mut rng,
        &mut |_| (),
        Par::Seq,
    )?;

    let mut writer = csv::Writer::from_path(output).with_context(|| format!("{output} cannot be written"))?;
    writer.write_record(&table.titles)?;
    let known: HashSet<_> = table.entries.iter().map(|&(i, j, _)| (i, j)).collect();
    for i in 0..table.rows.len() {
        for j in (0..table.columns.len()).filter(|j| !known.contains(&(i, *j))) {
            writer.write_record([table.rows.name(i), table.columns.name(j), completed.entry(i, j).to_string()])?;
        }
    }
    writer.flush()?;
    let mean = &completed.predictor.biases;
    let of_mean = dynamics::completion::root_mean_square(mean.without(&split.test).iter().map(|entry| entry.2));
    Ok([completed.error(&split.test), of_mean].map(Option::unwrap_or_default))
}
