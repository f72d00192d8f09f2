//! One step of fine-tuning SmolLM2-135M-Instruct (downloaded once, 90 MB) on all threads: forward, loss, backward, AdamW; LoRA of rank
//! 8 on all 2-D weights with both sides of at least 512. Sixteen texts behind prompts, as long as those of E2E.
//!
//! With `PYTHON` (an interpreter with transformers and torch), the same step in PyTorch is timed in the same run, as information:
//!
//! ```sh
//! PYTHON=ENV/bin/python cargo bench -p adaptation --bench decoder_step
//! ```

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use adaptation::adapter::{Lora, ZeroFactor};
use adaptation::{
    AdamW, AdamWSettings, LanguageModel, Method, PretrainedDecoder, PromptedText, TextActivations, TextBatch,
};
use criterion::{Criterion, criterion_group, criterion_main};
use faer::Par;
use sources::{Cache, Source, silent};

/// Tokens of prompt and text of each sequence; 713 in all.
const LENGTHS: [(u32, u32); 16] = [
    (22, 25),
    (18, 14),
    (27, 31),
    (20, 22),
    (24, 28),
    (16, 12),
    (22, 19),
    (26, 30),
    (19, 24),
    (23, 26),
    (21, 17),
    (25, 33),
    (17, 15),
    (24, 21),
    (22, 27),
    (20, 23),
];

fn decoder_step(criterion: &mut Criterion) {
    if let Err(error) = measured(criterion) {
        eprintln!("decoder-step is left out: {error}");
    }
}

fn measured(criterion: &mut Criterion) -> Result<(), Box<dyn Error + Send + Sync>> {
    let files = Source::named("smollm2-135m-instruct").ok_or("no such source")?.fetch(&Cache::from_env(), &silent)?;
    let model = LanguageModel::new(PretrainedDecoder::<f32>::load(files.directory())?.decoder);
    let config = model.decoder().config();
    let method = Method::Lora(Lora { rank: 8, zero: ZeroFactor::Input });
    let mut adapters = method.adapters(&config.sites_from(512), |site| config.shape(site), |_| 713, None, 0)?;
    let mut optimizer = AdamW::new(AdamWSettings::default(), &adapters);
    let (mut batch, mut work, par) = (TextBatch::new(), TextActivations::new(), Par::rayon(0));
    for (place, (prompt, text)) in (0..).zip(LENGTHS) {
        let ids = |count: u32, first: u32| (0..count).map(|i| (first + 7919 * i + 104_729 * place) % 49_152).collect();
        batch.push(&PromptedText { prompt: ids(prompt, 17), text: ids(text, 4001) });
    }
    let mut group = criterion.benchmark_group("decoder-step");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    group.bench_function("smollm2-lora", |bencher| {
        bencher.iter(|| {
            optimizer.catch_up(&mut adapters, batch.batch());
            model.loss_and_gradient(&batch, &mut adapters, &mut work, par);
            adapters.pull_back(par);
            optimizer.step(&mut adapters, 1e-4);
            adapters.refresh(par);
        });
    });
    group.finish();
    eprintln!(
        "activations: {:.0} MB; of the step: {} tokens, {} targets",
        work.bytes() as f64 / 1e6,
        batch.batch().tokens(),
        batch.targets()
    );
    in_pytorch(files.directory())
}

/// The step in PyTorch, if there is one.
fn in_pytorch(directory: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let Some(python) = std::env::var_os("PYTHON") else { return Ok(()) };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/time_decoder_step.py");
    let lengths = LENGTHS.map(|(prompt, text)| format!("{prompt},{text}"));
    let ended = Command::new(python).arg(script).arg(directory).args(lengths).status()?;
    if ended.success() { Ok(()) } else { Err(format!("PyTorch ended with {ended}").into()) }
}

criterion_group!(benches, decoder_step);
criterion_main!(benches);
