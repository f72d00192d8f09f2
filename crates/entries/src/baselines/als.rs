//! Biased matrix factorization by alternating least squares.

use dynamics::DynamicsError;
use dynamics::completion::{Biases, Centering, Entry, Predictor};
use dynamics::random::gaussian;
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use rand::Rng;
use rayon::prelude::*;

/// Biased matrix factorization: minimizes
/// `Σ (value − μ − b_i − c_j − p_iᵀ q_j)² + λ Σ_i w_i (b_i² + ‖p_i‖²) + λ Σ_j w_j (c_j² + ‖q_j‖²)`
/// over rows and columns in turn, bias and factor of a line jointly (Y. Koren, R. Bell, C. Volinsky, "Matrix factorization
/// techniques for recommender systems", Computer 42 (2009)). The weight w is 1, or the number of the line's entries (Y. Zhou
/// et al., "Large-scale parallel collaborative filtering for the Netflix prize", AAIM 2008).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Als {
    /// Length of p and q.
    pub rank: usize,
    /// λ, above 0.
    pub regularization: f64,
    /// Whether a line's λ is multiplied by the number of its entries.
    pub weighted: bool,
    /// Whether there are biases and a mean; else `p_iᵀ q_j` alone.
    pub biased: bool,
    /// Times that rows and columns are solved for.
    pub sweeps: usize,
}

/// How far the first factors are from zero.
const START: f64 = 0.1;

/// The entries of each line: number of the other line, value without the mean.
type ByLine = Vec<Vec<(usize, f64)>>;

impl Als {
    /// Fits it to entries of a matrix of `shape`, the columns starting from small random factors.
    ///
    /// # Errors
    /// If an entry is not finite, or λ is too small for a line's normal equations to be solved.
    ///
    /// # Panics
    /// If an entry is outside the matrix.
    pub fn fit(
        &self,
        shape: (usize, usize),
        entries: &[Entry],
        rng: &mut impl Rng,
    ) -> Result<Predictor, DynamicsError> {
        let centering = if self.biased { Centering::Mean } else { Centering::None };
        let mean = Biases::fit(shape, entries, centering).mean;
        let (mut by_row, mut by_column): (ByLine, ByLine) = (vec![Vec::new(); shape.0], vec![Vec::new(); shape.1]);
        for &(row, column, value) in entries {
            if !value.is_finite() {
                return Err(DynamicsError::NotFinite { row, column, value });
            }
            by_row[row].push((column, value - mean));
            by_column[column].push((row, value - mean));
        }
        let mut rows = Lines { factors: Mat::zeros(self.rank, shape.0), biases: vec![0.0; shape.0] };
        let factors = gaussian(self.rank, shape.1, rng) * faer::Scale(START);
        let mut columns = Lines { factors, biases: vec![0.0; shape.1] };
        for _ in 0..self.sweeps {
            rows = self.solve(&by_row, &columns)?;
            columns = self.solve(&by_column, &rows)?;
        }
        let biases = Biases { mean, rows: rows.biases, columns: columns.biases };
        Ok(Predictor { biases, left: rows.factors, right: columns.factors })
    }

    /// Biases and factors of all lines, those of the others being fixed.
    fn solve(&self, entries: &ByLine, others: &Lines) -> Result<Lines, DynamicsError> {
        let solutions: Result<Vec<Vec<f64>>, _> =
            entries.par_iter().enumerate().map(|(line, entries)| self.line(line, entries, others)).collect();
        let solutions = solutions?;
        let factors = Mat::from_fn(self.rank, entries.len(), |k, line| solutions[line][k]);
        Ok(Lines { factors, biases: solutions.iter().map(|solution| solution[self.rank]).collect() })
    }

    /// The factor of a line and, last, its bias: zero if it has none.
    fn line(&self, line: usize, entries: &[(usize, f64)], others: &Lines) -> Result<Vec<f64>, DynamicsError> {
        let unknowns = self.rank + usize::from(self.biased);
        let mut solution = vec![0.0; self.rank + 1];
        if entries.is_empty() {
            return Ok(solution);
        }
        let ridge = self.regularization * if self.weighted { entries.len() as f64 } else { 1.0 };
        let mut gram = Mat::<f64>::zeros(unknowns, unknowns);
        let mut moment = Mat::<f64>::zeros(unknowns, 1);
        for &(other, value) in entries {
            // The factor that belongs to the line's own bias is 1.
            let feature = |k: usize| if k < self.rank { others.factors[(k, other)] } else { 1.0 };
            let left = value - others.biases[other];
            for k in 0..unknowns {
                moment[(k, 0)] += feature(k) * left;
                for l in 0..=k {
                    gram[(k, l)] += feature(k) * feature(l);
                }
            }
        }
        (0..unknowns).for_each(|k| gram[(k, k)] += ridge);
        let singular = |_| {
            DynamicsError::Shape(format!(
                "the normal equations of line {line} are singular: λ = {} is too small",
                self.regularization
            ))
        };
        let found = gram.llt(Side::Lower).map_err(singular)?.solve(&moment);
        (0..unknowns).for_each(|k| solution[k] = found[(k, 0)]);
        Ok(solution)
    }
}

/// Rows or columns.
struct Lines {
    /// One column for each.
    factors: Mat<f64>,
    biases: Vec<f64>,
}
