//! Texts by SmolLM2-135M-Instruct (downloaded once, 90 MB) on all threads: four beams behind 16 prompts as long as meaning
//! representations of E2E, 64 tokens each, none of which ends a text.
//!
//! With `PYTHON` (an interpreter with transformers and torch), transformers writes behind the same prompts in the same run, as
//! information, and the texts are compared:
//!
//! ```sh
//! PYTHON=ENV/bin/python cargo bench -p adaptation --bench decoder_texts
//! ```

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use adaptation::{Generation, PretrainedDecoder};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use faer::Par;
use sources::{Cache, Source, silent};

/// What the prompts say.
const NAMES: [&str; 4] = ["Alimentum", "The Vaults", "Cocum", "Giraffe"];
const REST: [&str; 4] = [
    "eatType[pub], food[English], area[riverside]",
    "food[Fast food], priceRange[less than £20], familyFriendly[yes], near[Raja Indian Cuisine]",
    "customer rating[5 out of 5], area[city centre], familyFriendly[no]",
    "eatType[coffee shop], priceRange[moderate], customer rating[3 out of 5], near[Burger King]",
];
const BEAMS: usize = 4;
const TOKENS: usize = 64;

fn decoder_texts(criterion: &mut Criterion) {
    if let Err(error) = measured(criterion) {
        eprintln!("decoder-texts is left out: {error}");
    }
}

fn measured(criterion: &mut Criterion) -> Result<(), Box<dyn Error + Send + Sync>> {
    let files = Source::named("smollm2-135m-instruct").ok_or("no such source")?.fetch(&Cache::from_env(), &silent)?;
    let model = PretrainedDecoder::<f32>::load(files.directory())?;
    let texts = NAMES.iter().flat_map(|name| REST.map(|rest| format!("name[{name}], {rest}\n")));
    let prompts = texts.map(|text| model.tokenizer.encode(&text)).collect::<Result<Vec<_>, _>>()?;
    let how = Generation { beams: BEAMS, most_tokens: TOKENS, ends: Vec::new(), length_penalty: 1.0 };
    let mut group = criterion.benchmark_group("decoder-texts");
    group.sample_size(10).measurement_time(Duration::from_secs(30));
    group.throughput(Throughput::Elements((TOKENS * prompts.len()) as u64));
    let mut written = Vec::new();
    group.bench_function("smollm2-beams-4", |bencher| {
        bencher.iter(|| written = model.decoder.generate(&prompts, &how, Par::rayon(0)).expect("short prompts"));
    });
    group.finish();
    in_transformers(files.directory(), &prompts, &written)
}

/// The same in transformers, if there is one.
fn in_transformers(
    directory: &Path,
    prompts: &[Vec<u32>],
    written: &[Vec<u32>],
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let Some(python) = std::env::var_os("PYTHON") else { return Ok(()) };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/time_decoder_texts.py");
    let asked = tempfile::NamedTempFile::new()?;
    serde_json::to_writer(&asked, &(prompts, written, BEAMS, TOKENS))?;
    let ended = Command::new(python).arg(script).arg(directory).arg(asked.path()).status()?;
    if ended.success() { Ok(()) } else { Err(format!("transformers ended with {ended}").into()) }
}

criterion_group!(benches, decoder_texts);
criterion_main!(benches);
