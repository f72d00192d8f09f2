//! The default encoder's sizes with random weights, and batches for it: what the benchmarks run on, without a download.

use std::sync::Arc;

use adaptation::{
    Adapters, Batch, Config, Encoder, Head, Method, Network, Pooling, Selection, adapter::Lora, adapter::ZeroFactor,
};
use dynamics::random::stream;
use rand::RngExt;

/// Sixteen sequences of 128 tokens.
pub const LONG: [usize; 16] = [128; 16];

/// all-MiniLM-L6-v2's sizes.
pub fn network() -> Network<f32> {
    let mut rng = stream(0, &["bench", "encoder"]);
    let encoder = Arc::new(Encoder::random(Config::mini_lm(), 0.04, &mut rng));
    Network { encoder, pooling: Pooling::Pooler, head: Head::random(1, 384, &mut rng) }
}

/// LoRA of rank 8 on every dense weight, embeddings included.
pub fn lora(network: &Network<f32>) -> Adapters<f32> {
    let config = network.encoder.config();
    let sites = Selection::AllDense.sites(config);
    let method = Method::Lora(Lora { rank: 8, zero: ZeroFactor::Output });
    method.adapters(&sites, |site| config.shape(site), |_| 480, None, 0).expect("adapters")
}

/// Random tokens.
pub fn batch(lengths: &[usize], network: &Network<f32>) -> Batch {
    let (mut batch, mut rng) = (Batch::new(), stream(0, &["bench", "tokens"]));
    for &length in lengths {
        let vocabulary = network.encoder.config().vocabulary as u32;
        let ids: Vec<u32> = (0..length).map(|_| rng.random_range(0..vocabulary)).collect();
        batch.push(&ids, &vec![0; length]);
    }
    batch
}
