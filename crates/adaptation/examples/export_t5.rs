//! Fine-tunes adapters of T5 for a few steps and exports them to PEFT's format, one directory each, with what
//! `python/check_peft.py` needs to compare PEFT's logits with ours (`just check-peft`).
//!
//!     cargo run --release -p adaptation --example export_t5 -- OUTPUT MODEL
//!
//! MODEL is a directory of T5 as transformers writes it, of either kind.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use adaptation::adapter::{Compressed, DeepLora, Lora, Width, ZeroFactor};
use adaptation::method::Recipe;
use adaptation::{
    AdamW, AdamWSettings, Adapters, Batch, Dropout, Method, PairActivations, PairBatch, PretrainedT5, PromptedText,
    Site, T5, Template, TextModel, TextToText, peft,
};
use faer::Par;
use serde_json::json;

const STEPS: usize = 20;
const STEP_SIZE: f64 = 1e-2;

/// Sources and targets.
const EXAMPLES: [(&str, &str); 3] =
    [("a good plot", "the film was good."), ("name, price[20]", "the mill, for 20."), ("the plot", "was a plot")];

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    run(std::env::args_os().skip(1).map(PathBuf::from))
}

/// The example with these arguments.
pub fn run(mut arguments: impl Iterator<Item = PathBuf>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let usage = "usage: export_t5 OUTPUT MODEL";
    let (output, model) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?.canonicalize()?);
    let pretrained = PretrainedT5::load(&model)?;
    let language_model = TextToText::new(pretrained.t5);
    let template = Template { separator: String::new(), end: *pretrained.ends.first().ok_or("an end of text")? };
    let of = |(source, target)| language_model.prompted(&pretrained.tokenizer, &template, source, target);
    let texts = EXAMPLES.into_iter().map(of).collect::<Result<Vec<_>, _>>()?;
    texts.iter().try_for_each(|text| language_model.check(text))?;
    for (case, method, sites) in cases(language_model.config().sites().collect()) {
        let adapters = fine_tune(&language_model, &method, &sites, &language_model.batch(&texts))?;
        let directory = output.join(case);
        peft::export(&adapters, language_model.config(), &model.to_string_lossy(), &directory)?;
        write_check(&language_model.writer(&adapters), &texts, &model, &directory)?;
        println!("{}", directory.display());
    }
    Ok(())
}

/// A directory's name, what is exported into it, and what is adapted of all these sites.
fn cases(all: Vec<Site>) -> [(&'static str, Method, Vec<Site>); 3] {
    let dense = all.iter().copied().filter(|site| !site.is_embedding()).collect();
    let lora = Method::Lora(Lora { rank: 3, zero: ZeroFactor::Output });
    let deep = Method::DeepLora(DeepLora { rank: Width::Narrow(3), depth: 3, init_scale: 0.1 });
    let compressed = Method::Compressed(Compressed { rank: 4, depth: 3, init_scale: 0.1, discrepant_step: 0.01 });
    [("lora", lora, all.clone()), ("deep-lora", deep, all), ("compressed-dense", compressed, dense)]
}

fn fine_tune(
    model: &TextToText<f32>,
    method: &Method,
    sites: &[Site],
    batch: &PairBatch,
) -> Result<Adapters<f32>, Box<dyn Error + Send + Sync>> {
    let mut adapters = model.adapters(method, sites, batch, 1, Par::rayon(0))?;
    let settings = AdamWSettings { discrepant_step: method.discrepant_step(), ..AdamWSettings::default() };
    let (mut optimizer, mut work) = (AdamW::new(settings, &adapters), PairActivations::new());
    for _ in 0..STEPS {
        model.catch_up(&mut optimizer, &mut adapters, batch);
        model.loss_and_gradient(batch, &mut adapters, &Dropout::Off, &mut work, Par::rayon(0));
        adapters.pull_back(Par::Seq);
        optimizer.step(&mut adapters, STEP_SIZE, Par::Seq);
        adapters.refresh(Par::Seq);
    }
    optimizer.catch_up_all(&mut adapters);
    Ok(adapters)
}

/// `check.json`: model, sequences, and the logits of the last tokens that the decoder reads, to be compared.
fn write_check(
    t5: &T5<f32>,
    texts: &[PromptedText],
    model: &Path,
    directory: &Path,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut sources, mut targets, mut sequences) = (Batch::new(), Batch::new(), Vec::new());
    for PromptedText { prompt, text } in texts {
        let target = [&[t5.config().start], &text[..text.len() - 1]].concat();
        sources.push_ids(prompt);
        targets.push_ids(&target);
        sequences.push(json!({ "ids": prompt, "target": target }));
    }
    let states = t5.decode(&targets, &mut t5.cache(&sources, Par::rayon(0)), Par::rayon(0));
    let logits = t5.logits(states.as_ref(), Par::rayon(0));
    let last = (0..targets.sequences()).map(|sequence| logits.col(targets.range(sequence).end - 1));
    let rows: Vec<Vec<f32>> = last.map(|column| column.iter().copied().collect()).collect();
    let check = json!({ "model": model, "class": "AutoModelForSeq2SeqLM", "sequences": sequences, "logits": rows });
    fs::write(directory.join("check.json"), serde_json::to_string_pretty(&check)?)?;
    Ok(())
}
