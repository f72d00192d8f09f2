//! Writes behind prompts with SmolLM2-135M-Instruct, which is downloaded once (90 MB), and says how fast.
//!
//! ```sh
//! cargo run --release -p adaptation --example generate -- [--beams N] [--tokens N] [--model PATH] PROMPT…
//! ```
//!
//! PATH is a GGUF file, or a directory as transformers writes it, of a decoder of Llama's architecture.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use adaptation::{Generation, PretrainedDecoder};
use faer::Par;
use sources::{Cache, Source, silent};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut beams, mut most_tokens, mut model, mut prompts) = (1, 48, None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--beams" => beams = value()?.parse()?,
            "--tokens" => most_tokens = value()?.parse()?,
            "--model" => model = Some(PathBuf::from(value()?)),
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
    let start = Instant::now();
    let texts = pretrained.decoder.generate(&ids, &how, Par::rayon(0))?;
    let seconds = start.elapsed().as_secs_f64();
    for (prompt, text) in prompts.iter().zip(&texts) {
        println!("{prompt}{}\n", pretrained.tokenizer.decode(text)?);
    }
    let tokens: usize = texts.iter().map(Vec::len).sum();
    println!("{tokens} tokens in {seconds:.2} s: {:.1} tokens/s", tokens as f64 / seconds);
    Ok(())
}
