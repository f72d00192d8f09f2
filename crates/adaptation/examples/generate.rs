//! Writes behind prompts with SmolLM2-135M-Instruct, which is downloaded once (90 MB), and says how fast.
//!
//! ```sh
//! cargo run --release -p adaptation --example generate -- [--beams N] [--tokens N] [--model PATH] [--adapter DIR] PROMPT…
//! ```
//!
//! PATH is a GGUF file, or a directory as transformers writes it, of a decoder of Llama's architecture; DIR a LoRA for it, as PEFT
//! writes it.

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use adaptation::peft::{ImportError, import};
use adaptation::{Decoder, Generation, PretrainedDecoder};
use clap::Parser;
use faer::Par;
use sources::{Cache, Source, silent};

/// Writes behind prompts, and says how fast.
#[derive(Parser)]
struct Arguments {
    /// Sequences that are kept for a prompt; 1 is greedy search.
    #[arg(long, value_name = "N", default_value = "1")]
    beams: NonZeroUsize,
    /// Most tokens behind a prompt.
    #[arg(long, value_name = "N", default_value = "48")]
    tokens: NonZeroUsize,
    /// A GGUF file, or a directory as transformers writes it, of a decoder of Llama's architecture. Without it
    /// SmolLM2-135M-Instruct is downloaded once (90 MB).
    #[arg(long, value_name = "PATH")]
    model: Option<PathBuf>,
    /// A LoRA for the model, as PEFT writes it.
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// What texts are written behind.
    #[arg(value_name = "PROMPT", required = true)]
    prompts: Vec<String>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(Arguments { beams, tokens, model, adapter, prompts }: Arguments) -> Result<(), Box<dyn Error + Send + Sync>> {
    let path = match model {
        Some(path) => path,
        None => {
            let source = Source::named("smollm2-135m-instruct").ok_or("no such source")?;
            source.fetch(&Cache::from_env(), &silent)?.directory().to_owned()
        }
    };
    let pretrained = PretrainedDecoder::<f32>::load(&path)?;
    let ids = prompts.iter().map(|prompt| pretrained.tokenizer.encode(prompt)).collect::<Result<Vec<_>, _>>()?;
    let (beams, most_tokens) = (beams.get(), tokens.get());
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
