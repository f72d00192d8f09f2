//! Writes behind prompts with SmolLM2-135M-Instruct, which is downloaded once (90 MB), and says how fast.
//!
//! ```sh
//! cargo run --release -p adaptation --example generate -- [--beams N] [--tokens N] [--model PATH] [--adapter DIR] PROMPT…
//! ```
//!
//! PATH is a GGUF file, or a directory as transformers writes it, of a decoder of Llama's architecture; DIR a LoRA for it, as PEFT
//! writes it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use adaptation::peft::{ImportError, import};
use adaptation::{Decoder, Generation, PretrainedDecoder};
use faer::Par;
use sources::{Cache, Source, silent};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut beams, mut most_tokens, mut model, mut adapter, mut prompts) = (1, 48, None, None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--beams" => beams = value()?.parse()?,
            "--tokens" => most_tokens = value()?.parse()?,
            "--model" => model = Some(PathBuf::from(value()?)),
            "--adapter" => adapter = Some(PathBuf::from(value()?)),
            _ => prompts.push(argument),
        }
    }
    let path = match model {
        Some(path) => path,
        None => {
            let source = Source::named("smollm2-135m-instruct").ok_or("no such source")?;
            source.fetch(&Cache::from_env(), &silent)?.directory().to_owned()
        }
    };
    let pretrained = PretrainedDecoder::<f32>::load(&path)?;
    let ids = prompts.iter().map(|prompt| pretrained.tokenizer.encode(prompt)).collect::<Result<Vec<_>, _>>()?;
    if beams == 0 || most_tokens == 0 {
        return Err("--beams and --tokens: integers from 1".into());
    }
    let how = Generation { beams, most_tokens, ends: pretrained.ends.clone(), length_penalty: 1.0 };
    let decoder = match adapter {
        Some(directory) => adapted(&pretrained.decoder, &directory)?,
        None => pretrained.decoder,
    };
    let start = Instant::now();
    let texts = decoder.generate(&ids, &how, Par::rayon(0))?;
    let seconds = start.elapsed().as_secs_f64();
    for (prompt, text) in prompts.iter().zip(&texts) {
        println!("{prompt}{}\n", pretrained.tokenizer.decode(text)?);
    }
    let tokens: usize = texts.iter().map(Vec::len).sum();
    println!("{tokens} tokens in {seconds:.2} s: {:.1} tokens/s", tokens as f64 / seconds);
    Ok(())
}

/// A decoder with the LoRA in a directory. Where PEFT adapts one use of a tied weight, the two uses have a weight each.
fn adapted(decoder: &Decoder<f32>, directory: &Path) -> Result<Decoder<f32>, ImportError> {
    let untied = decoder.untied();
    let (decoder, imported) = match import(directory, decoder) {
        Err(ImportError::OneUse { .. }) => (&untied, import(directory, &untied)?),
        other => (decoder, other?),
    };
    imported.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    Ok(decoder.with(&imported.adapters))
}
