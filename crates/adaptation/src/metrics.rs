//! How well predictions agree with labels: the metrics of GLUE.

use serde::{Deserialize, Serialize};

/// The metric a task is reported in (section 5 of the paper).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Pearson's correlation of predicted and true scores.
    Pearson,
    /// Matthews' correlation of predicted and true classes.
    Matthews,
    /// The share of right classes.
    Accuracy,
}

impl Metric {
    /// The name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pearson => "pearson",
            Self::Matthews => "matthews",
            Self::Accuracy => "accuracy",
        }
    }
}

/// Whether a metric can tell anything from examples with these labels: there must be two at least, and they must differ.
/// Otherwise correlations are undefined, and what predicts a constant has the accuracy of what has learned something.
pub fn can_tell(labels: &[f32]) -> bool {
    labels.iter().any(|label| *label != labels[0])
}

/// Pearson's correlation coefficient, as `scipy.stats.pearsonr`: of two passes, in order, clamped to [−1, 1].
///
/// `None` if it is undefined: fewer than two values, a constant side, or anything not finite. A model that predicts a
/// constant has no correlation with the labels, not a correlation of 0: a table should count such runs, and only where
/// a number is unavoidable (a mean over seeds) take 0, the value that [`matthews`] defines for the same case, and say so.
///
/// # Panics
/// If the lengths differ.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    assert_eq!(x.len(), y.len(), "one label per prediction");
    let constant = |values: &[f64]| values.iter().all(|value| *value == values[0]);
    if x.len() < 2 || constant(x) || constant(y) {
        return None;
    }
    let (x, y) = (centered(x)?, centered(y)?);
    let dot: f64 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
    let correlation = dot / (norm(&x) * norm(&y));
    correlation.is_finite().then(|| correlation.clamp(-1.0, 1.0))
}

/// The values minus their mean, divided by the largest deviation (so that no square over- or underflows).
fn centered(values: &[f64]) -> Option<Vec<f64>> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let largest = values.iter().map(|value| (value - mean).abs()).fold(0.0, f64::max);
    (mean.is_finite() && largest > 0.0).then(|| values.iter().map(|value| (value - mean) / largest).collect())
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Spearman's rank correlation, as `scipy.stats.spearmanr`: [`pearson`] of the ranks, ties sharing their mean rank.
/// `None` where that is.
///
/// # Panics
/// If the lengths differ.
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.iter().chain(y).any(|value| value.is_nan()) {
        return None;
    }
    pearson(&ranks(x), &ranks(y))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    // −0.0 and 0.0 are one value here, and total_cmp puts them next to each other.
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let first = order.partition_point(|&other| values[other] < values[tied[0]]);
        let mean = first as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&index| ranks[index] = mean);
    }
    ranks
}

/// Share of predictions that are right; `None` without any.
///
/// # Panics
/// If the lengths differ.
pub fn accuracy(predicted: &[usize], truth: &[usize]) -> Option<f64> {
    assert_eq!(predicted.len(), truth.len(), "one label per prediction");
    let right = predicted.iter().zip(truth).filter(|(p, t)| p == t).count();
    (!truth.is_empty()).then(|| right as f64 / truth.len() as f64)
}

/// Matthews' correlation coefficient of any number of classes, as `sklearn.metrics.matthews_corrcoef`: 0 if predictions
/// or labels are constant; `None` without any.
///
/// # Panics
/// If the lengths differ.
pub fn matthews(predicted: &[usize], truth: &[usize]) -> Option<f64> {
    assert_eq!(predicted.len(), truth.len(), "one label per prediction");
    let classes = predicted.iter().chain(truth).max()? + 1;
    let (mut p, mut t) = (vec![0.0; classes], vec![0.0; classes]);
    predicted.iter().for_each(|&class| p[class] += 1.0);
    truth.iter().for_each(|&class| t[class] += 1.0);
    let total = truth.len() as f64;
    let right = predicted.iter().zip(truth).filter(|(p, t)| p == t).count() as f64;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let spread = (total * total - dot(&p, &p)) * (total * total - dot(&t, &t));
    Some(if spread > 0.0 { (right * total - dot(&p, &t)) / spread.sqrt() } else { 0.0 })
}

/// F1 of class 1, as `sklearn.metrics.f1_score` of two classes: 0 if class 1 occurs on neither side.
///
/// # Panics
/// If the lengths differ.
pub fn f1(predicted: &[usize], truth: &[usize]) -> f64 {
    assert_eq!(predicted.len(), truth.len(), "one label per prediction");
    let hits = predicted.iter().zip(truth).filter(|&(&p, &t)| p == 1 && t == 1).count();
    let positives = predicted.iter().chain(truth).filter(|&&class| class == 1).count();
    if positives == 0 { 0.0 } else { 2.0 * hits as f64 / positives as f64 }
}
