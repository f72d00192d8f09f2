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
    /// Whether it is the compressed adapter: "True" or "False".
    pub compressed: String,
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
    let of = |method: &str| -> anyhow::Result<Vec<(usize, f64)>> {
        let runs = reported(figure, task, examples)?.into_iter().filter(|run| run.method == method);
        Ok(runs.map(|run| (run.seed, scale * run.score)).collect())
    };
    Ok(Estimate::of(&paired(&of("deep-lora")?, &of("lora")?)))
}

/// The scores of the runs `wanted` in one of their experiments on a task with n examples. The first of a task's metrics
/// counts.
///
/// # Errors
/// As [`runs`].
pub fn scores(
    figure: &str,
    task: &str,
    examples: usize,
    wanted: impl Fn(&AuthorsRun) -> bool,
) -> anyhow::Result<Vec<f64>> {
    let runs = reported(figure, task, examples)?;
    Ok(runs.iter().filter(|run| wanted(run)).map(|run| run.score).collect())
}

/// Their runs in one of their experiments on a task with n examples, in the first of the task's metrics.
fn reported(figure: &str, task: &str, examples: usize) -> anyhow::Result<Vec<AuthorsRun>> {
    let mut found = runs()?;
    found.retain(|run| (run.figure.as_str(), run.task.as_str(), run.examples) == (figure, task, Some(examples)));
    let metric = found.first().map(|run| run.metric.clone());
    found.retain(|run| Some(&run.metric) == metric.as_ref());
    Ok(found)
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
    fn their_scores_are_those_of_the_papers_figures() {
        let mean = |values: Vec<f64>| lab::statistics::mean(&values).unwrap();
        let few = scores("stsb_fewshot", "stsb", 16, |run| run.method == "lora").unwrap();
        assert_eq!(few.len(), 20);
        assert!((mean(few) - 0.529).abs() < 1e-3);
        let rank = |run: &AuthorsRun| run.method == "lora" && run.rank == "64";
        assert!((mean(scores("stsb_fewshot_16_varying_rank", "stsb", 16, rank).unwrap()) - 0.175).abs() < 1e-3);
        assert!(scores("stsb_fewshot", "mrpc", 16, |_| true).unwrap().is_empty());
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
