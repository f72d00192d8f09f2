//! One step of fine-tuning: forward, loss, backward, AdamW; LoRA of rank 8 on all dense weights of an encoder of the default
//! one's sizes, with dropout, on all threads.

mod default_encoder;

use std::time::Duration;

use adaptation::{Activations, AdamW, AdamWSettings, Dropout, Loss};
use criterion::{Criterion, criterion_group, criterion_main};
use faer::{Mat, Par};

/// Sixteen sequences as they are in the STS benchmark: at most 48 tokens, 430 in all.
const SHORT: [usize; 16] = [48, 21, 19, 34, 17, 26, 23, 41, 18, 29, 22, 37, 16, 25, 30, 24];

fn lora_step(criterion: &mut Criterion) {
    let network = default_encoder::network();
    let mut group = criterion.benchmark_group("lora-step");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    for (id, lengths) in [("128", default_encoder::LONG), ("48", SHORT)] {
        let batch = default_encoder::batch(&lengths, &network);
        let mut adapters = default_encoder::lora(&network);
        let mut optimizer = AdamW::new(AdamWSettings::default(), &adapters);
        let mut activations = Activations::new();
        let (labels, mut d_logits) = ([2.5; 16], Mat::zeros(1, 16));
        let (par, mut step) = (Par::rayon(0), 0);
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                optimizer.catch_up(&mut adapters, &batch);
                network.forward(&batch, &adapters, &Dropout::Seeded { seed: 0, step }, &mut activations, par);
                Loss::MeanSquaredError.value_and_gradient(activations.logits(), &labels, d_logits.as_mut());
                network.backward(&batch, d_logits.as_ref(), &mut adapters, &mut activations, par);
                adapters.pull_back(par);
                optimizer.step(&mut adapters, 1e-4, par);
                adapters.refresh(par);
                step += 1;
            });
        });
    }
    group.finish();
}

criterion_group!(benches, lora_step);
criterion_main!(benches);
