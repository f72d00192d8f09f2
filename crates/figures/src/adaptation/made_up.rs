//! An encoder and a task made in code, tiny, for tests: nothing is downloaded.

use adaptation::data::Kind;
use adaptation::evaluation::Labelled;
use adaptation::metrics::Metric;
use adaptation::{Config, Encoder};
use dynamics::random::stream;
use rand::RngExt;

use super::task::GatheredTask;

/// The encoder's name.
pub const ENCODER: &str = "tiny-random";

/// The task's name.
pub const TASK: &str = "made-up";

const VOCABULARY: usize = 60;
const TRAIN: usize = 300;
const DEV: usize = 60;

/// A random encoder, and what its hash is.
pub fn encoder() -> anyhow::Result<(String, Encoder<f32>)> {
    let config = Config::tiny(VOCABULARY);
    let encoder = Encoder::random(config, 0.2, &mut stream(0, &["tiny-random", "encoder"]));
    Ok(("tiny-random 1".to_owned(), encoder))
}

/// Sequences of random tokens; the score is a fifth of the share of tokens from the upper half of the vocabulary, within reach
/// of a random head.
pub fn task() -> GatheredTask {
    let split = |name: &str, count: usize| {
        let mut rng = stream(0, &[TASK, name]);
        let example = |_| {
            let length = rng.random_range(3..12);
            let ids: Vec<u32> = (0..length).map(|_| rng.random_range(0..VOCABULARY as u32)).collect();
            let upper = ids.iter().filter(|id| **id >= VOCABULARY as u32 / 2).count();
            Labelled { token_types: vec![0; length], label: 0.2 * upper as f32 / length as f32, ids }
        };
        (0..count).map(example).collect()
    };
    GatheredTask::new(TASK, Kind::Regression(0.0..=0.2), Metric::Pearson, split("train", TRAIN), split("dev", DEV))
}
