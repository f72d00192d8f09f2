//! Completes a matrix of which some entries are known, by a compressed deep factorization.
//!
//!     cargo run --release -p dynamics --example completion -- entries.csv predictions.csv 4
//!
//! `entries.csv` has a header and lines `row,column,value`; rows and columns have any names. A tenth of the lines, drawn at
//! random, is held out to measure the error. Every entry that is not in the file is predicted.

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail, ensure};
use dynamics::{Completion, Factorization, LossForm, Objective, random};
use faer::Par;
use rand::seq::SliceRandom;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [input, output, rank] => rank.parse().context("RANK is an integer").and_then(|rank| run(input, output, rank)),
        _ => Err(anyhow!("usage: completion ENTRIES.csv PREDICTIONS.csv RANK")),
    };
    match &result {
        Ok([error, mean]) => println!("held-out error {error:.3e} (of the mean, {mean:.3e})"),
        Err(error) => eprintln!("error: {error:#}"),
    }
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// Completes the matrix and returns the root mean square errors on the held-out lines, of the predictions and of the mean.
pub fn run(input: &str, output: &str, rank: usize) -> Result<[f64; 2]> {
    let mut rng = random::stream(0, &["completion"]);
    let (rows, columns, lines) = read(input)?;
    let mut entries: Vec<_> = lines.iter().map(|(&(i, j), &(value, _))| (i, j, value)).collect();
    entries.sort_unstable_by_key(|&(i, j, _)| (i, j));
    entries.shuffle(&mut rng);
    let held_out = entries.split_off(entries.len() - entries.len() / 10);
    ensure!(!held_out.is_empty(), "{input}: a tenth is held out, which takes 10 entries; there are {}", lines.len());
    let mean = entries.iter().map(|entry| entry.2).sum::<f64>() / entries.len() as f64;
    entries.iter_mut().for_each(|entry| entry.2 -= mean);

    let objective = Objective::of_entries((rows.len(), columns.len()), entries, LossForm::Mean)?;
    let model = Completion::of_rank(rank).run(&objective, &mut rng, Par::Seq)?;

    let mut writer = csv::Writer::from_path(output).with_context(|| format!("{output} cannot be written"))?;
    writer.write_record(["row", "column", "value"])?;
    for (i, row) in rows.iter().enumerate() {
        for (j, column) in columns.iter().enumerate().filter(|(j, _)| !lines.contains_key(&(i, *j))) {
            writer.write_record([row, column, &(mean + model.entry(i, j)).to_string()])?;
        }
    }
    writer.flush()?;
    let root_mean = |squares: Vec<f64>| (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    let errors = |of: &dyn Fn(usize, usize) -> f64| {
        root_mean(held_out.iter().map(|&(i, j, value)| (mean + of(i, j) - value).powi(2)).collect())
    };
    Ok([errors(&|i, j| model.entry(i, j)), errors(&|_, _| 0.0)])
}

/// The names of rows and columns in the order of their appearance, and for each place its value and its line.
type Table = (Vec<String>, Vec<String>, HashMap<(usize, usize), (f64, u64)>);

fn read(path: &str) -> Result<Table> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("{path} cannot be read"))?;
    let (mut rows, mut columns, mut lines) = (HashMap::new(), HashMap::new(), HashMap::new());
    for record in reader.records() {
        let record = record.with_context(|| format!("{path} is not a table of row, column, value"))?;
        let line = record.position().map_or(0, |position| position.line());
        let (row, column, value) = record
            .deserialize::<(String, String, f64)>(None)
            .map_err(|_| anyhow!("{path}, line {line}: {:?} is not a row, a column and a number", record.as_slice()))?;
        ensure!(value.is_finite(), "{path}, line {line}: the value is {value}, not a finite number");
        let place = (index(&mut rows, &row), index(&mut columns, &column));
        if let Some((_, first)) = lines.insert(place, (value, line)) {
            bail!("{path}, line {line}: row {row:?}, column {column:?} is given already in line {first}");
        }
    }
    Ok((in_order(rows), in_order(columns), lines))
}

fn index(names: &mut HashMap<String, usize>, name: &str) -> usize {
    let next = names.len();
    *names.entry(name.to_owned()).or_insert(next)
}

fn in_order(names: HashMap<String, usize>) -> Vec<String> {
    let mut list: Vec<_> = names.into_iter().collect();
    list.sort_unstable_by_key(|&(_, index)| index);
    list.into_iter().map(|(name, _)| name).collect()
}
