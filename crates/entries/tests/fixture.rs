//! What other implementations found; `fixtures/make_fixtures.py` made it.

use dynamics::completion::Entry;
use serde::Deserialize;

/// `baselines.json`
#[derive(Deserialize)]
pub struct Baselines {
    pub shape: (usize, usize),
    pub entries: Vec<Entry>,
    pub biases: SurpriseBiases,
    pub nuclear_norm: NuclearNorm,
}

/// Of Surprise.
#[derive(Deserialize)]
pub struct SurpriseBiases {
    pub mean: f64,
    pub rows: Vec<f64>,
    pub columns: Vec<f64>,
}

/// Of fancyimpute.
#[derive(Deserialize)]
pub struct NuclearNorm {
    pub regularization: f64,
    pub matrix: Vec<Vec<f64>>,
}

/// `completion.json`: of NumPy.
#[derive(Deserialize)]
pub struct Trained {
    pub shape: (usize, usize),
    pub entries: Vec<Entry>,
    pub rank: usize,
    pub iterations: u64,
    pub matrix: Vec<Vec<f64>>,
    pub training_errors: Vec<f64>,
}

pub fn baselines() -> Baselines {
    serde_json::from_str(include_str!("fixtures/baselines.json")).expect("the fixture is whole")
}

pub fn trained() -> Trained {
    serde_json::from_str(include_str!("fixtures/completion.json")).expect("the fixture is whole")
}

/// The largest difference between predictions and a matrix.
pub fn distance(matrix: &[Vec<f64>], entry: impl Fn(usize, usize) -> f64) -> f64 {
    let places = matrix.iter().enumerate().flat_map(|(i, row)| row.iter().enumerate().map(move |(j, x)| (i, j, *x)));
    places.map(|(i, j, expected)| (entry(i, j) - expected).abs()).fold(0.0, f64::max)
}
