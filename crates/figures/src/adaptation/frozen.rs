//! The frozen part behind the encoder: pooler and head.

use std::sync::Arc;

use adaptation::{Encoder, Head, Network};
use dynamics::random::stream;
use serde::Serialize;

use super::settings::PoolingChoice;
use super::task::GatheredTask;

/// Standard deviation of BERT's pooler at the start of its training.
const POOLER_DEVIATION: f64 = 0.02;
/// BERT-base's hidden size, to which that belongs.
const POOLER_HIDDEN: f64 = 768.0;

/// How hidden states become logits, and which random draw it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FrozenHead {
    /// What of the last hidden states goes to the head.
    pub pooling: PoolingChoice,
    /// Factor of a random pooler's standard deviation, `0.02 √(768 / hidden)`.
    pub pooler_scale: f64,
    /// Standard deviation of the head's weights.
    pub deviation: f64,
    /// Number of the draw: the same one means the same pooler and head, whatever the method, the seed and n.
    pub draw: usize,
}

impl FrozenHead {
    /// The network of a task.
    pub fn network(&self, encoder: &Encoder<f32>, task: &GatheredTask, seed: u64) -> Network<f32> {
        let draw = self.draw.to_string();
        let hidden = encoder.config().hidden_size;
        let encoder = match self.pooling {
            PoolingChoice::RandomPooler => {
                let deviation = self.pooler_scale * POOLER_DEVIATION * (POOLER_HIDDEN / hidden as f64).sqrt();
                encoder.with_random_pooler(deviation, &mut stream(seed, &["fine-tuning", "pooler", &draw]))
            }
            PoolingChoice::Pooler | PoolingChoice::Mean => encoder.clone(),
        };
        let mut rng = stream(seed, &["fine-tuning", &task.name, "head", &draw]);
        let head = Head::random(task.outputs(), hidden, self.deviation, &mut rng);
        Network { encoder: Arc::new(encoder), pooling: self.pooling.pooling(), head }
    }
}
