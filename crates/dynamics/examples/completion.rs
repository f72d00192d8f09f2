//! Completes a matrix of which some entries are known, by a compressed deep factorization.
//!
//!     cargo run --release -p dynamics --example completion -- entries.csv predictions.csv 4
//!
//! `entries.csv` has a header and lines `row,column,value`; rows and columns have any names. A tenth of the lines, drawn at
//! random, is held out to measure the error. Every entry that is not in the file is predicted.

use std::collections::{HashMap, HashSet};
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
    match result {
        Ok([error, mean]) => println!("held-out error {error:.3e}; of the mean of all entries {mean:.3e}"),
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Completes the matrix. Returns the root mean square error on the held-out lines, of the predictions and of the mean.
pub fn run(input: &str, output: &str, rank: usize) -> Result<[f64; 2]> {
    let mut rng = random::stream(0, &["completion"]);
    let Table { rows, columns, mut entries } = read(input)?;
    let known: HashSet<_> = entries.iter().map(|&(i, j, _)| (i, j)).collect();
    entries.shuffle(&mut rng);
    let held_out = entries.split_off(entries.len() - entries.len() / 10);
    ensure!(!held_out.is_empty(), "{input}: a tenth is held out, which takes 10 entries; there are {}", known.len());
    let mean = entries.iter().map(|entry| entry.2).sum::<f64>() / entries.len() as f64;
    entries.iter_mut().for_each(|entry| entry.2 -= mean);

    let objective = Objective::of_entries((rows.len(), columns.len()), entries, LossForm::Mean)?;
    let model = Completion::of_rank(rank).run(&objective, &mut rng, Par::Seq)?;

    let mut writer = csv::Writer::from_path(output).with_context(|| format!("{output} cannot be written"))?;
    writer.write_record(["row", "column", "value"])?;
    for (i, row) in rows.iter().enumerate() {
        for (j, column) in columns.iter().enumerate().filter(|(j, _)| !known.contains(&(i, *j))) {
            writer.write_record([row, column, &(mean + model.entry(i, j)).to_string()])?;
        }
    }
    writer.flush()?;
    let mut squares = [0.0; 2];
    for (i, j, value) in &held_out {
        squares[0] += (mean + model.entry(*i, *j) - value).powi(2);
        squares[1] += (mean - value).powi(2);
    }
    Ok(squares.map(|sum| (sum / held_out.len() as f64).sqrt()))
}

/// The names of rows and columns in the order of their appearance, and the entries.
#[derive(Default)]
struct Table {
    rows: Vec<String>,
    columns: Vec<String>,
    entries: Vec<(usize, usize, f64)>,
}

fn read(path: &str) -> Result<Table> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("{path} cannot be read"))?;
    let (mut table, mut lines, mut indices) = (Table::default(), HashMap::new(), [HashMap::new(), HashMap::new()]);
    for record in reader.records() {
        let record = record.with_context(|| format!("{path} is not a table of row, column, value"))?;
        let line = record.position().map_or(0, |position| position.line());
        let (row, column, value): (String, String, f64) = record
            .deserialize(None)
            .map_err(|_| anyhow!("{path}, line {line}: {:?} is not a row, a column and a number", record.as_slice()))?;
        ensure!(value.is_finite(), "{path}, line {line}: the value is {value}, not a finite number");
        if let Some(first) = lines.insert((row.clone(), column.clone()), line) {
            bail!("{path}, line {line}: row {row:?}, column {column:?} is given already in line {first}");
        }
        let mut index = |side: usize, names: &mut Vec<String>, name: String| {
            *indices[side].entry(name.clone()).or_insert_with(|| {
                names.push(name);
                names.len() - 1
            })
        };
        let place = (index(0, &mut table.rows, row), index(1, &mut table.columns, column));
        table.entries.push((place.0, place.1, value));
    }
    Ok(table)
}
