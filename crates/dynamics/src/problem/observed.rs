//! What the objective sees of the target, and how observed entries are drawn.

use std::collections::BTreeSet;

use rand::seq::index;
use rand::{Rng, RngExt};

use super::Measurements;
use crate::DynamicsError;
use crate::sparse::ObservedEntries;

/// What the objective sees of the target.
#[derive(Clone, Debug)]
pub enum Observed {
    /// All entries.
    Full,
    /// A list of entries.
    Entries(ObservedEntries),
    /// Linear measurements, which single out no entry.
    Measurements(Measurements),
}

impl Observed {
    /// Exactly `⌊fraction · d_out · d_in⌋` entries, uniform without replacement; all of them if `fraction` is 1.
    ///
    /// # Errors
    /// If `fraction` is outside (0, 1], or so small that nothing is observed.
    pub fn uniform(d_out: usize, d_in: usize, fraction: f64, rng: &mut impl Rng) -> Result<Self, DynamicsError> {
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(DynamicsError::Fraction(fraction));
        }
        if fraction == 1.0 {
            return Ok(Self::Full);
        }
        let total = d_out * d_in;
        // In floating point 0.29 · 100 is below 29: what rounding takes away is given back before cutting.
        let count = (fraction * total as f64 * (1.0 + 2.0 * f64::EPSILON)).floor() as usize;
        if count == 0 {
            return Err(DynamicsError::NothingObserved { fraction, d_out, d_in });
        }
        Self::at(d_out, d_in, index::sample(rng, total, count).into_vec())
    }

    /// The entries with these numbers, `row · d_in + column`, in any order.
    ///
    /// # Errors
    /// If there is no entry, one is outside the matrix or given twice.
    pub fn at(d_out: usize, d_in: usize, mut numbers: Vec<usize>) -> Result<Self, DynamicsError> {
        numbers.sort_unstable();
        if d_in == 0 {
            numbers.clear();
        }
        let places = numbers.into_iter().map(|number| (number / d_in, number % d_in));
        Ok(Self::Entries(ObservedEntries::new(d_out, d_in, places)?))
    }

    /// Exactly `count` entries, at most half of all, uniform without replacement: the same law as [`Observed::uniform`] (by
    /// other draws) in O(count) memory, whatever the size of the matrix.
    ///
    /// # Errors
    /// If `count` is zero or more than half of all entries, or the entries cannot be numbered in 32 bits.
    pub fn uniform_sparse(d_out: usize, d_in: usize, count: usize, rng: &mut impl Rng) -> Result<Self, DynamicsError> {
        Ok(Self::Entries(uniform_entries(d_out, d_in, count, rng)?))
    }
}

/// Exactly `count` entries of a `d_out × d_in` matrix, uniform without replacement, in O(count) memory.
///
/// The first `count` distinct values of independent uniform draws are a uniform subset. So `count` places are drawn, and
/// for each that repeats another, a further one. The first draws are arranged by rows, which leaves their law as it is: first
/// how many fall into each row, then, row by row, in which columns.
///
/// # Errors
/// If `count` is zero or more than half of all entries (repetitions would abound), or a side exceeds 32 bits.
fn uniform_entries(
    d_out: usize,
    d_in: usize,
    count: usize,
    rng: &mut impl Rng,
) -> Result<ObservedEntries, DynamicsError> {
    let outside = DynamicsError::ObservedCount { count, d_out, d_in };
    if count == 0 || count as f64 > 0.5 * d_out as f64 * d_in as f64 {
        return Err(outside);
    }
    let (Ok(rows), Ok(columns)) = (u32::try_from(d_out), u32::try_from(d_in)) else {
        return Err(outside);
    };
    let (start, drawn) = distinct_by_rows(rows, columns, count, rng);
    let row_of = |row: usize| &drawn[start[row]..start[row + 1]];

    let mut further = BTreeSet::new();
    while drawn.len() + further.len() < count {
        let (row, column) = (rng.random_range(0..rows), rng.random_range(0..columns));
        if row_of(row as usize).binary_search(&column).is_err() {
            further.insert((row, column));
        }
    }
    let mut further = further.into_iter().peekable();
    let entries = ObservedEntries::by_rows(d_out, d_in, count, |row, all| {
        all.extend_from_slice(row_of(row));
        while let Some((_, column)) = further.next_if(|place| place.0 as usize == row) {
            all.push(column);
        }
        all.sort_unstable();
    })?;
    Ok(entries)
}

/// The distinct ones among `count` independent places: where each row starts, and the sorted columns of all rows.
fn distinct_by_rows(rows: u32, columns: u32, count: usize, rng: &mut impl Rng) -> (Vec<usize>, Vec<u32>) {
    let mut in_row = vec![0u32; rows as usize];
    for _ in 0..count {
        in_row[rng.random_range(0..rows) as usize] += 1;
    }
    let mut start = Vec::with_capacity(rows as usize + 1);
    start.push(0);
    let mut drawn = Vec::with_capacity(count);
    let mut row = Vec::new();
    for draws in in_row {
        row.clear();
        row.extend((0..draws).map(|_| rng.random_range(0..columns)));
        row.sort_unstable();
        row.dedup();
        drawn.extend_from_slice(&row);
        start.push(drawn.len());
    }
    (start, drawn)
}
