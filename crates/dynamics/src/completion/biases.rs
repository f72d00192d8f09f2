//! What an entry would be if rows and columns did not interact: a mean, plus a number of its row and one of its column.

use super::Entry;

/// What is taken away before training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Centering {
    /// Nothing.
    None,
    /// The mean of the training entries.
    Mean,
    /// The mean, and biases of rows and columns.
    Biases(Shrinkage),
}

/// How strongly biases are drawn towards zero: as if so many more entries of each row and column had none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shrinkage {
    /// λ of the rows.
    pub rows: f64,
    /// λ of the columns.
    pub columns: f64,
    /// Times that columns and rows are fitted in turn.
    pub sweeps: usize,
}

/// Those of Koren's baseline predictors, as the library Surprise has them.
impl Default for Shrinkage {
    fn default() -> Self {
        Self { rows: 15.0, columns: 10.0, sweeps: 10 }
    }
}

/// `μ + b_i + c_j`: the prediction without an interaction of row i and column j.
#[derive(Clone, Debug, PartialEq)]
pub struct Biases {
    /// μ
    pub mean: f64,
    /// b, of the rows; zero for a row without entries.
    pub rows: Vec<f64>,
    /// c, of the columns.
    pub columns: Vec<f64>,
}

impl Biases {
    /// Fits them to entries of a matrix of `shape`: minimizes `Σ (value − μ − b_i − c_j)² + λ_r Σ b_i² + λ_c Σ c_j²` for the
    /// mean μ, columns and rows in turn (Y. Koren, "Factor in the neighbors", ACM TKDD 4 (2010), section 2.1).
    ///
    /// # Panics
    /// If an entry is outside the matrix.
    pub fn fit(shape: (usize, usize), entries: &[Entry], centering: Centering) -> Self {
        let mut biases = Self { mean: 0.0, rows: vec![0.0; shape.0], columns: vec![0.0; shape.1] };
        if centering == Centering::None || entries.is_empty() {
            return biases;
        }
        biases.mean = entries.iter().map(|entry| entry.2).sum::<f64>() / entries.len() as f64;
        if let Centering::Biases(Shrinkage { rows, columns, sweeps }) = centering {
            for _ in 0..sweeps {
                let left = entries.iter().map(|&(i, j, value)| (j, value - biases.mean - biases.rows[i]));
                biases.columns = shrunken_means(shape.1, left, columns);
                let left = entries.iter().map(|&(i, j, value)| (i, value - biases.mean - biases.columns[j]));
                biases.rows = shrunken_means(shape.0, left, rows);
            }
        }
        biases
    }

    /// `μ + b_i + c_j`.
    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.mean + self.rows[i] + self.columns[j]
    }

    /// The entries with the biases taken away.
    pub fn without(&self, entries: &[Entry]) -> Vec<Entry> {
        entries.iter().map(|&(i, j, value)| (i, j, value - self.at(i, j))).collect()
    }
}

/// For each line the sum of its values divided by their number and `shrinkage`.
fn shrunken_means(lines: usize, values: impl Iterator<Item = (usize, f64)>, shrinkage: f64) -> Vec<f64> {
    let (mut sums, mut weights) = (vec![0.0; lines], vec![shrinkage; lines]);
    for (line, value) in values {
        sums[line] += value;
        weights[line] += 1.0;
    }
    // A line without entries, not shrunken: 0 / 0.
    sums.iter().zip(weights).map(|(sum, weight)| if weight > 0.0 { sum / weight } else { 0.0 }).collect()
}
