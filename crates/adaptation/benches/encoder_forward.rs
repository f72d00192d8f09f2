//! Logits of sixteen sequences of 128 tokens without a way back, as in evaluation, on all threads.

mod default_encoder;

use std::time::Duration;

use adaptation::Activations;
use criterion::{Criterion, criterion_group, criterion_main};
use faer::Par;

fn encoder_forward(criterion: &mut Criterion) {
    let network = default_encoder::network();
    let (batch, adapters) = (default_encoder::batch(&default_encoder::LONG, &network), default_encoder::lora(&network));
    let mut activations = Activations::new();
    let mut group = criterion.benchmark_group("encoder-forward");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("128", |bencher| {
        bencher.iter(|| network.predict(&batch, &adapters, &mut activations, Par::rayon(0)));
    });
    group.finish();
}

criterion_group!(benches, encoder_forward);
criterion_main!(benches);
