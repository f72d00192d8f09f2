//! The command line.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use entries::{Duplicates, Format, Index, Table};
use indicatif::HumanBytes;

use crate::values::{
    Columns, columns, cores, delimiter, depth, fraction, from_one, from_zero, positive, seed, steps, threads,
};

/// So many rows or columns are never too many.
const SPARSE: usize = 1_000_000;
/// So many rows or columns for each entry are a mistake, beyond that.
const MOST_LINES_PER_ENTRY: usize = 10;
/// Training holds the two factors, which are twice as wide as the rank guess, their gradients, and the best two so far.
const COPIES: usize = 3;

/// Completes a matrix of which some entries are known, by a compressed deep factorization.
///
/// Reads lines `row, column, value`; names or numbers. Some entries are held out: some to stop training and to choose among
/// ranks, some to measure the error, which is printed. The predictions then come from a run on all entries. Memory is linear in
/// their number.
#[derive(Parser)]
#[command(name = "complete", version)]
pub struct Options {
    /// File of the known entries: a header, then row, column, value
    pub entries: PathBuf,

    /// Rank guess: at least the rank of the matrix; of several, the one with the smallest validation error
    #[arg(long, value_delimiter = ',', required = true, value_parser = from_one, value_name = "N[,N…]", allow_negative_numbers = true)]
    pub rank: Vec<usize>,

    /// File of the entries to predict: a header, then row, column [default: all entries that are not known]
    #[arg(long, value_name = "FILE")]
    pub predict: Option<PathBuf>,

    /// Where predictions go
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,

    /// Number of factors of the deep factorization
    #[arg(long, default_value_t = 3, value_parser = depth, value_name = "L", allow_negative_numbers = true)]
    pub depth: usize,

    /// What is taken away before training
    #[arg(long, value_enum, default_value_t = Center::Best)]
    pub center: Center,

    /// Fraction of the entries that decides when to stop, and about rank and centering
    #[arg(long, default_value_t = 0.1, value_parser = fraction, value_name = "FRACTION", allow_negative_numbers = true)]
    pub validation: f64,

    /// Fraction of the entries that the error is measured on
    #[arg(long, default_value_t = 0.1, value_parser = fraction, value_name = "FRACTION", allow_negative_numbers = true)]
    pub test: f64,

    /// At most this many iterations
    #[arg(long, default_value_t = 5000, value_parser = steps, value_name = "N", allow_negative_numbers = true)]
    pub max_iterations: u64,

    /// Stop when the validation error has not fallen for this many iterations
    #[arg(long, default_value_t = 500, value_parser = steps, value_name = "N", allow_negative_numbers = true)]
    pub patience: u64,

    /// Step size, in relative units: lower it if training diverges
    #[arg(long, default_value_t = 0.3, value_parser = positive, value_name = "η", allow_negative_numbers = true)]
    pub step_size: f64,

    /// Scale ε of the initial factors, in relative units [default: 0.02 for three factors, more for more]
    #[arg(long, value_parser = positive, value_name = "ε", allow_negative_numbers = true)]
    pub init_scale: Option<f64>,

    /// Every random number derives from it
    #[arg(long, default_value_t = 0, value_parser = seed, value_name = "N", allow_negative_numbers = true)]
    pub seed: u64,

    /// Number of threads [default: all cores]; the result does not depend on it
    #[arg(long, value_parser = threads, value_name = "N", allow_negative_numbers = true)]
    pub threads: Option<usize>,

    /// Between two columns, in all files: one character, or tab
    #[arg(long, default_value = ",", value_parser = delimiter, value_name = "CHARACTER")]
    pub delimiter: char,

    /// Lines above the first entry, and above the first pair; the first of them names the columns
    #[arg(long, default_value_t = 1, value_parser = from_zero, value_name = "N", allow_negative_numbers = true)]
    pub header_lines: usize,

    /// Columns of row, column and value, by name or by number from 1
    #[arg(long, default_value = "1,2,3", value_parser = columns, value_name = "A,B,C")]
    pub columns: Columns,

    /// What tells rows and columns apart
    #[arg(long, value_enum, default_value_t = By::Names)]
    pub index: By,

    /// What an entry that is given again means
    #[arg(long, value_enum, default_value_t = Again::Refuse)]
    pub duplicates: Again,

    /// Say only which settings were chosen, the held-out error, and warnings
    #[arg(short, long)]
    pub quiet: bool,
}

/// What is taken away before training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Center {
    /// Whichever of the others has the smallest validation error
    Best,
    /// The mean of the known entries
    Mean,
    /// The mean, and biases of rows and columns: for ratings
    Biases,
    /// Nothing
    None,
}

/// [`Index`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Any text, numbers too
    Names,
    /// Numbers from 0
    From0,
    /// Numbers from 1
    From1,
}

/// [`Duplicates`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Again {
    /// The file is wrong
    Refuse,
    /// The mean of its values counts
    Mean,
    /// The last of its values counts
    Last,
}

impl Options {
    /// How the file of known entries is written.
    pub fn format(&self) -> Format {
        Format {
            delimiter: self.delimiter,
            header_lines: self.header_lines,
            columns: self.columns.0.clone(),
            index: match self.index {
                By::Names => Index::Names,
                By::From0 => Index::From0,
                By::From1 => Index::From1,
            },
            duplicates: match self.duplicates {
                Again::Refuse => Duplicates::Refuse,
                Again::Mean => Duplicates::Mean,
                Again::Last => Duplicates::Last,
            },
        }
    }

    /// Checks the numbers, also against the matrix.
    pub fn check(&self, table: &Table) -> Result<()> {
        let (rows, columns) = table.shape();
        ensure!(
            rows > 1 && columns > 1,
            "{}: a {rows} × {columns} matrix has nothing to complete",
            self.entries.display()
        );
        // Every row and column has a factor, whether it has an entry or not.
        let (longer, known) = (rows.max(columns), table.entries.len());
        ensure!(
            longer <= SPARSE.max(MOST_LINES_PER_ENTRY * known),
            "{}: a {rows} × {columns} matrix is too large for {known} entries; allowed: at most {SPARSE} rows or columns, or {} for \
             each entry. With --index names only those that occur count",
            self.entries.display(),
            MOST_LINES_PER_ENTRY
        );
        let most = rows.min(columns) / 2;
        for (i, rank) in self.rank.iter().enumerate() {
            ensure!(!self.rank[..i].contains(rank), "--rank has {rank} twice; allowed: each rank once");
            let allowed = format!("from 1 to {most}, half the shorter side of the {rows} × {columns} matrix");
            ensure!((1..=most).contains(rank), "--rank {rank} is not allowed; allowed: {allowed}");
        }
        self.check_memory(table.shape())?;
        ensure!(
            self.validation + self.test < 1.0,
            "--validation {} and --test {} leave nothing to train on; allowed: a sum below 1",
            self.validation,
            self.test
        );
        Ok(())
    }

    /// Refuses a rank whose factors the system would not give the memory for: an allocation that fails ends the program.
    fn check_memory(&self, (rows, columns): (usize, usize)) -> Result<()> {
        let rank = self.rank.iter().copied().max().unwrap_or(1);
        let numbers = COPIES.saturating_mul(2 * rank).saturating_mul(rows + columns);
        ensure!(
            Vec::<f64>::new().try_reserve_exact(numbers).is_ok(),
            "--rank {rank}: factors of a {rows} × {columns} matrix, their gradients and the best of them need at least {}, and the \
             system does not give so much; allowed: a smaller rank",
            HumanBytes(numbers.saturating_mul(size_of::<f64>()) as u64)
        );
        Ok(())
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(cores)
    }
}
