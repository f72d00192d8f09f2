//! What the paper's authors measured: their own runs, one row each (`experiments/authors/authors-runs.csv`).

use anyhow::Context;
use lab::statistics::{Estimate, paired};
use serde::Deserialize;

const RUNS: &str = include_str!("../../../experiments/authors/authors-runs.csv");

/// One of the authors' runs; columns that nothing reads are left out.
#[derive(Clone, Debug, Deserialize)]
pub struct AuthorsRun {
    /// Their name of the experiment: "stsb_fewshot".
    pub figure: String,
    /// Task of GLUE.
    pub task: String,
    /// Training examples n; empty for all.
    pub examples: Option<usize>,
    /// "lora" or "deep-lora".
    pub method: String,
    /// Inner width, or "full".
    pub rank: String,
    /// Number of the run; the same one means the same examples.
    pub seed: usize,
    /// What `score` is: "pearson", "spearmanr", "accuracy" …
    pub metric: String,
    /// The metric on dev at the end.
    pub score: f64,
}

/// All their runs.
///
/// # Errors
/// Never: a test reads the file.
pub fn runs() -> anyhow::Result<Vec<AuthorsRun>> {
    let rows: Result<_, csv::Error> = csv::Reader::from_reader(RUNS.as_bytes()).deserialize().collect();
    rows.context("experiments/authors/authors-runs.csv")
}

/// Deep LoRA − LoRA, paired by seed, in one of their experiments on a task with n examples; `None` if they have no such
/// runs. The first of a task's metrics counts.
///
/// # Errors
/// As [`runs`].
pub fn difference(figure: &str, task: &str, examples: usize) -> anyhow::Result<Option<Estimate>> {
    scaled_difference(figure, task, examples, 1.0)
}

/// The same in points of the usual tables, hundredths.
///
/// # Errors
/// As [`runs`].
pub fn difference_in_points(figure: &str, task: &str, examples: usize) -> anyhow::Result<Option<Estimate>> {
    scaled_difference(figure, task, examples, 100.0)
}

fn scaled_difference(figure: &str, task: &str, examples: usize, scale: f64) -> anyhow::Result<Option<Estimate>> {
    let runs = runs()?;
    let here =
        |run: &&AuthorsRun| (run.figure.as_str(), run.task.as_str(), run.examples) == (figure, task, Some(examples));
    let Some(metric) = runs.iter().find(here).map(|run| run.metric.clone()) else { return Ok(None) };
    let scores = |method: &str| -> Vec<(usize, f64)> {
        let runs = runs.iter().filter(here).filter(|run| run.method == method && run.metric == metric);
        runs.map(|run| (run.seed, scale * run.score)).collect()
    };
    Ok(Estimate::of(&paired(&scores("deep-lora"), &scores("lora"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_few_shot_differences() {
        let of = |n| difference("stsb_fewshot", "stsb", n).unwrap().unwrap();
        // As the paper's figure: +0.069 ± 0.036, +0.016 ± 0.010, +0.014 ± 0.005.
        for (n, mean, half) in [(16, 0.069, 0.036), (64, 0.016, 0.010), (256, 0.014, 0.005)] {
            let found = of(n);
            assert_eq!(found.n, 20);
            assert!((found.mean - mean).abs() < 1e-3 && (found.half_width().unwrap() - half).abs() < 1e-3, "{found}");
        }
        assert_eq!(difference("stsb_fewshot", "stsb", 17).unwrap(), None);
    }

    #[test]
    fn their_glue_differences_in_points() {
        for (task, points) in [("cola", 9.0), ("mnli", 1.1), ("qnli", 4.8), ("rte", 2.9), ("sst2", 1.9), ("stsb", 1.8)]
        {
            let found = difference_in_points("glue_fewshot_1024", task, 1024).unwrap().unwrap();
            assert!((found.mean - points).abs() < 0.06, "{task}: {found}");
        }
    }
}
