//! One step of fine-tuning T5 on all threads: forward, loss, backward, AdamW; LoRA of rank 8 on all 2-D weights with both sides of at
//! least 512, with dropout. Sixteen pairs, about as long as those of E2E. `T5` is the directory of a T5, of T5-base say; without it
//! nothing is measured.
//!
//! With `PYTHON` (an interpreter with transformers and torch), the same step in PyTorch is timed in the same run, as information:
//!
//! ```sh
//! T5=DIRECTORY PYTHON=ENV/bin/python cargo bench -p adaptation --bench t5_step
//! ```

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use adaptation::adapter::{Lora, ZeroFactor};
use adaptation::{
    AdamW, AdamWSettings, Dropout, Method, PairActivations, PretrainedT5, PromptedText, TextModel, TextToText,
};
use criterion::{Criterion, criterion_group, criterion_main};
use faer::Par;

/// Tokens of the source and target of each of the sixteen pairs.
fn lengths() -> impl Iterator<Item = (u32, u32)> {
    (0..16).map(|pair| (30 + 5 * pair % 23, 20 + 3 * pair % 19))
}

fn t5_step(criterion: &mut Criterion) {
    let measured = std::env::var("T5").map_err(Into::into).and_then(|path| measured(criterion, Path::new(&path)));
    if let Err(error) = measured {
        eprintln!("t5-step is left out: T5: {error}");
    }
}

fn measured(criterion: &mut Criterion, directory: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let model = TextToText::new(PretrainedT5::<f32>::load(directory)?.t5);
    let vocabulary = model.config().vocabulary as u32;
    let ids = |count: u32, first: u32| (0..count).map(|i| (first + 7919 * i) % vocabulary).collect();
    let pair = |(place, (source, target)): (u32, (u32, u32))| PromptedText {
        prompt: ids(source, 17 * place),
        text: ids(target, 40 + place),
    };
    let pairs: Vec<PromptedText> = (0..).zip(lengths()).map(pair).collect();
    let (batch, mut work, par) = (model.batch(&pairs), PairActivations::new(), Par::rayon(0));
    let method = Method::Lora(Lora { rank: 8, zero: ZeroFactor::Input });
    let mut adapters = model.adapters(&method, &model.sites_from(512), &batch, 0, par)?;
    let (mut optimizer, mut step) = (AdamW::new(AdamWSettings::default(), &adapters), 0);
    let mut group = criterion.benchmark_group("t5-step");
    group.sample_size(10).measurement_time(Duration::from_secs(30));
    group.bench_function("lora", |bencher| {
        bencher.iter(|| {
            model.catch_up(&mut optimizer, &mut adapters, &batch);
            let dropout = Dropout::Seeded { seed: 0, step };
            model.loss_and_gradient(&batch, &mut adapters, &dropout, &mut work, par);
            adapters.pull_back(par);
            optimizer.step(&mut adapters, 1e-4, par);
            adapters.refresh(par);
            step += 1;
        });
    });
    group.finish();
    let (sources, targets) = (batch.sources().tokens(), batch.targets().targets());
    eprintln!("activations: {:.0} MB; of the step: {sources} + {targets} tokens", work.bytes() as f64 / 1e6);
    in_pytorch(directory)
}

/// The step in PyTorch, if there is one.
fn in_pytorch(directory: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let Some(python) = std::env::var_os("PYTHON") else { return Ok(()) };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/time_t5_step.py");
    let lengths = lengths().map(|(source, target)| format!("{source},{target}"));
    let ended = Command::new(python).arg(script).arg(directory).args(lengths).status()?;
    if ended.success() { Ok(()) } else { Err(format!("PyTorch ended with {ended}").into()) }
}

criterion_group!(benches, t5_step);
criterion_main!(benches);
