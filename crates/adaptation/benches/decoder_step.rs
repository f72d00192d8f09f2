//! One step of fine-tuning SmolLM2-135M-Instruct (downloaded once, 90 MB) on all threads: forward, loss, backward, AdamW; LoRA of rank
//! 8 on all 2-D weights with both sides of at least 512. Sixteen texts behind prompts, as long as those of E2E. Beside it the floor:
//! the step's operations at the rate of a large product, measured in the same run.
//!
//! With `PYTHON` (an interpreter with transformers and torch), the same step in PyTorch is timed in the same run, as information:
//!
//! ```sh
//! PYTHON=ENV/bin/python cargo bench -p adaptation --bench decoder_step
//! ```

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use adaptation::adapter::{Lora, ZeroFactor};
use adaptation::{
    AdamW, AdamWSettings, DecoderConfig, LanguageModel, Method, PretrainedDecoder, PromptedText, Site, TextActivations,
    TextBatch,
};
use criterion::{Criterion, criterion_group, criterion_main};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
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
            optimizer.step(&mut adapters, 1e-4, par);
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
    let rate = rate();
    eprintln!("a large product: {:.0} GFLOP/s; floor of the step: {:.3} s", rate / 1e9, operations(config) / rate);
    in_pytorch(files.directory())
}

/// Operations of the step, but for those of the narrow adapters: every weight of a layer once a token, and once more for the
/// activations' gradient; the head behind the targets alone; two products of attention forward and four back, between a token and
/// those before it.
fn operations(config: &DecoderConfig) -> f64 {
    let layer = |site: Site| !site.is_embedding() && site != Site::Head;
    let size = |site: Site| config.shape(site).0 * config.shape(site).1;
    let layers: usize = config.sites().filter(|site| layer(*site)).map(size).sum();
    let head = config.vocabulary * config.hidden_size;
    let of_one = |(prompt, text): (u32, u32)| {
        // Nothing is asked behind a text's last token.
        let (tokens, targets) = (f64::from(prompt + text - 1), f64::from(text));
        let attention = 6.0 * tokens * tokens * (config.queries() * config.layers) as f64;
        4.0 * (tokens * layers as f64 + targets * head as f64) + attention
    };
    LENGTHS.into_iter().map(of_one).sum()
}

/// Operations a second in a large product on all threads: the best of many.
fn rate() -> f64 {
    let n = 1000;
    let [a, b] = [3, 7].map(|step| Mat::from_fn(n, n, |i, j| (((i + step * j) % 13) as f32).sin()));
    let mut product = Mat::<f32>::zeros(n, n);
    let seconds = (0..50).map(|_| {
        let start = Instant::now();
        matmul(product.as_mut(), Accum::Replace, a.as_ref(), b.as_ref(), 1.0, Par::rayon(0));
        start.elapsed().as_secs_f64()
    });
    2.0 * (n as f64).powi(3) / seconds.fold(f64::INFINITY, f64::min)
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
