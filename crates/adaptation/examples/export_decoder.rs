//! Fine-tunes adapters of a decoder for a few steps and exports them to PEFT's format, one directory each, with what
//! `python/check_peft.py` needs to compare PEFT's logits with ours (`just check-peft`).
//!
//!     cargo run --release -p adaptation --example export_decoder -- OUTPUT MODEL
//!
//! MODEL is a directory of a decoder of Llama's architecture as transformers writes it. If its head is not its embedding, a second
//! decoder is made of it in which it is.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use adaptation::adapter::{Compressed, DeepLora, Lora, Width, ZeroFactor};
use adaptation::{
    AdamW, AdamWSettings, Adapters, Batch, Cache, Decoder, LanguageModel, Method, PretrainedDecoder, Site, Template,
    TextActivations, TextBatch, TextModel, peft,
};
use faer::Par;
use safetensors::SafeTensors;
use serde_json::json;

const STEPS: usize = 20;
const STEP_SIZE: f64 = 1e-2;

/// Prompts and texts.
const EXAMPLES: [(&str, &str); 3] =
    [("A quiet pub", "by the river."), ("Cheap food", "in the centre, for families."), ("Tea", "and cake")];

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    run(std::env::args_os().skip(1).map(PathBuf::from))
}

/// The example with these arguments.
pub fn run(mut arguments: impl Iterator<Item = PathBuf>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let usage = "usage: export_decoder OUTPUT MODEL";
    let (output, model) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?.canonicalize()?);
    let pretrained = PretrainedDecoder::load(&model)?;
    let (mut texts, mut sequences) = (TextBatch::new(), Vec::new());
    let template = Template { separator: " =>".to_owned(), end: *pretrained.ends.first().ok_or("an end of text")? };
    for (prompt, text) in EXAMPLES {
        let text = template.prompted(&pretrained.tokenizer, prompt, text)?;
        text.check(pretrained.decoder.config())?;
        texts.push(&text);
        sequences.push([text.prompt, text.text].concat());
    }
    let tied = if pretrained.decoder.config().tied { pretrained.decoder.clone() } else { with_tied_head(&model)? };
    let untied = tied.untied();
    for (case, method, ends, sites) in cases() {
        let decoder = match ends {
            Ends::Two if pretrained.decoder.config().tied => continue,
            Ends::Two => &pretrained.decoder,
            Ends::Tied => &tied,
            Ends::TiedApart => &untied,
        };
        let language_model = LanguageModel::new(decoder.clone());
        let adapters = fine_tune(&language_model, &method, &sites(decoder), &texts)?;
        let directory = output.join(case);
        peft::export(&adapters, decoder.config(), &model.to_string_lossy(), &directory)?;
        write_check(&decoder.with(&adapters), ends, &sequences, &model, &directory)?;
        println!("{}", directory.display());
    }
    Ok(())
}

/// The decoder in a directory, with its embedding as its head.
fn with_tied_head(model: &Path) -> Result<Decoder<f32>, Box<dyn Error + Send + Sync>> {
    let directory = tempfile::tempdir()?;
    fs::copy(model.join("tokenizer.json"), directory.path().join("tokenizer.json"))?;
    let bytes = fs::read(model.join("model.safetensors"))?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let without_head = tensors.tensors().into_iter().filter(|(name, _)| name != "lm_head.weight");
    fs::write(directory.path().join("model.safetensors"), safetensors::serialize(without_head, None)?)?;
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(model.join("config.json"))?)?;
    config["tie_word_embeddings"] = json!(true);
    fs::write(directory.path().join("config.json"), config.to_string())?;
    Ok(PretrainedDecoder::load(directory.path())?.decoder)
}

/// Embedding and head of a decoder.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    /// Two weights.
    Two,
    /// One, with one ΔW.
    Tied,
    /// One, of which each use is adapted by itself.
    TiedApart,
}

type Sites = fn(&Decoder<f32>) -> Vec<Site>;

/// A directory's name, what is exported into it, of which decoder, and what is adapted.
fn cases() -> [(&'static str, Method, Ends, Sites); 6] {
    let all: Sites = |decoder| decoder.config().sites().collect();
    let dense: Sites = |decoder| decoder.config().sites().filter(|site| !site.is_embedding()).collect();
    let lora = Method::Lora(Lora { rank: 3, zero: ZeroFactor::Output });
    let deep = Method::DeepLora(DeepLora { rank: Width::Narrow(3), depth: 3, init_scale: 0.1 });
    let compressed = Method::Compressed(Compressed { rank: 4, depth: 3, init_scale: 0.1, discrepant_step: 0.01 });
    [
        ("lora", lora, Ends::Two, all),
        ("deep-lora", deep, Ends::Two, all),
        ("compressed-dense", compressed, Ends::Two, dense),
        ("lora-tied", lora, Ends::Tied, all),
        ("deep-lora-tied", deep, Ends::Tied, all),
        ("lora-tied-apart", lora, Ends::TiedApart, all),
    ]
}

fn fine_tune(
    model: &LanguageModel<f32>,
    method: &Method,
    sites: &[Site],
    texts: &TextBatch,
) -> Result<Adapters<f32>, Box<dyn Error + Send + Sync>> {
    use adaptation::method::Recipe;
    let mut adapters = model.adapters(method, sites, texts, 1, Par::rayon(0))?;
    let settings = AdamWSettings { discrepant_step: method.discrepant_step(), ..AdamWSettings::default() };
    let (mut optimizer, mut work) = (AdamW::new(settings, &adapters), TextActivations::new());
    for _ in 0..STEPS {
        optimizer.catch_up(&mut adapters, texts.batch());
        model.loss_and_gradient(texts, &mut adapters, &mut work, Par::rayon(0));
        adapters.pull_back(Par::Seq);
        optimizer.step(&mut adapters, STEP_SIZE, Par::Seq);
        adapters.refresh(Par::Seq);
    }
    optimizer.catch_up_all(&mut adapters);
    Ok(adapters)
}

/// `check.json`: model, sequences, and the logits of their last tokens, to be compared.
fn write_check(
    decoder: &Decoder<f32>,
    ends: Ends,
    sequences: &[Vec<u32>],
    model: &Path,
    directory: &Path,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut batch = Batch::new();
    sequences.iter().for_each(|ids| batch.push_ids(ids));
    let states = decoder.hidden_states(&batch, &mut Cache::new(decoder.config(), batch.sequences()), Par::rayon(0));
    let logits = decoder.logits(states.as_ref(), Par::rayon(0));
    let last = (0..batch.sequences()).map(|sequence| logits.col(batch.range(sequence).end - 1));
    let rows: Vec<Vec<f32>> = last.map(|column| column.iter().copied().collect()).collect();
    let sequences: Vec<_> = sequences.iter().map(|ids| json!({ "ids": ids })).collect();
    let (tied, class) = (ends != Ends::Two, "AutoModelForCausalLM");
    let check = json!({ "model": model, "class": class, "tied": tied, "sequences": sequences, "logits": rows });
    fs::write(directory.join("check.json"), serde_json::to_string_pretty(&check)?)?;
    Ok(())
}
