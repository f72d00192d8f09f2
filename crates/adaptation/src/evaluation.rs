//! Predictions of a network and their score, in batches of similar length.

use faer::{Mat, Par};
use serde::{Deserialize, Serialize};

use crate::data::Label;
use crate::metrics::{self, Metric};
use crate::tokens::Tokens;
use crate::{Activations, Adapters, Batch, Network, Real};

/// An example as the encoder takes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Labelled {
    /// Token ids, `[CLS]` and `[SEP]` included.
    pub ids: Vec<u32>,
    /// 0 for the first sentence, 1 for the second; as many as ids.
    pub token_types: Vec<u8>,
    /// The score, or the number of the class.
    pub label: f32,
}

impl From<(Tokens, Label)> for Labelled {
    fn from((tokens, label): (Tokens, Label)) -> Self {
        Self { ids: tokens.ids, token_types: tokens.token_types, label: label.value() }
    }
}

/// Tokens of a batch: enough for products of full speed, few enough for the activations to stay in the cache.
const TOKENS: usize = 1024;

/// What a network predicts for every example, outputs × examples, in their order, without dropout.
pub fn predict<T: Real>(
    network: &Network<T>,
    adapters: &Adapters<T>,
    examples: &[Labelled],
    activations: &mut Activations<T>,
    par: Par,
) -> Mat<f64> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|&index| examples[index].ids.len());
    let mut predicted = Mat::zeros(network.head.outputs(), examples.len());
    let mut batch = Batch::new();
    let mut rest = &order[..];
    while !rest.is_empty() {
        let count = fitting(rest, examples);
        let (now, later) = rest.split_at(count);
        batch.clear();
        now.iter().for_each(|&index| batch.push(&examples[index].ids, &examples[index].token_types));
        network.predict(&batch, adapters, activations, par);
        for (column, &index) in activations.logits().col_iter().zip(now) {
            for (output, &logit) in column.iter().enumerate() {
                predicted[(output, index)] = logit.as_f64();
            }
        }
        rest = later;
    }
    predicted
}

/// How many of the next examples make a batch: at least one.
fn fitting(order: &[usize], examples: &[Labelled]) -> usize {
    let mut tokens = 0;
    let fits = |&&index: &&usize| {
        tokens += examples[index].ids.len();
        tokens <= TOKENS
    };
    order.iter().take_while(fits).count().max(1)
}

/// The score of predictions (outputs × examples); `None` where the metric is undefined, of constant predictions say, and where a
/// prediction is not finite: then the parameters are not either.
///
/// # Panics
/// If there are not as many predictions as examples.
pub fn score(metric: Metric, predicted: &Mat<f64>, examples: &[Labelled]) -> Option<f64> {
    assert_eq!(predicted.ncols(), examples.len(), "one prediction per example");
    if !predicted.col_iter().all(|outputs| outputs.iter().all(|x| x.is_finite())) {
        return None;
    }
    if metric == Metric::Pearson {
        let predicted: Vec<f64> = predicted.row(0).iter().copied().collect();
        let truth: Vec<f64> = examples.iter().map(|example| example.label.into()).collect();
        return metrics::pearson(&predicted, &truth);
    }
    let predicted: Vec<usize> = predicted.col_iter().map(largest).collect();
    let truth: Vec<usize> = examples.iter().map(|example| example.label as usize).collect();
    match metric {
        Metric::Matthews => metrics::matthews(&predicted, &truth),
        _ => metrics::accuracy(&predicted, &truth),
    }
}

/// The first of the largest logits.
fn largest(logits: faer::ColRef<'_, f64>) -> usize {
    (1..logits.nrows()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best })
}
