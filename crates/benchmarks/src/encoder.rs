//! The training step of adapters on an encoder, beside PyTorch (with PEFT for LoRA), whose batches are padded or packed: the same
//! batches, adapters, head and optimizer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use adaptation::adapter::{DeepLora, Lora, Width, ZeroFactor, merged_is_cheaper};
use adaptation::training::{self, FineTuning};
use adaptation::{
    Activations, Adapters, Architecture, Batch, Config, Dropout, Encoder, Head, Labelled, Loss, Method, Network,
    Parameter, Pooling, Selection, Site, StepSchedule, peft,
};
use anyhow::Result;
use dynamics::random::{Generator, gaussian, stream};
use faer::{Mat, Par};
use rand::RngExt;
use serde_json::{Value, json};
use sources::{Cache, Progress, Source};

use crate::agreement::Agreement;
use crate::case::{Adapter, BATCH, Batches, DEPTH, FineTuning as Step};
use crate::samples::{self, Contender, Measured, Plan};
use crate::tensors;
use crate::worker::Worker;

/// The scripts of the peers.
pub const SCRIPTS: [&str; 2] = ["peft_peer.py", "packed_peer.py"];

const RANK: usize = 8;
/// ε of Deep LoRA's factors: large enough for their gradients to be compared in `f32`.
const INIT_SCALE: f64 = 0.1;
const STEP_SIZE: f64 = 1e-4;
/// Ids below this are special tokens of the encoders' vocabularies.
const FIRST_WORD: u32 = 1000;

/// The pretrained encoder, from the cache or fetched into it, with a frozen random head for regression.
#[derive(Debug)]
pub struct Pretrained {
    source: &'static str,
    network: Network<f32>,
    directory: PathBuf,
}

impl Pretrained {
    /// Loads the encoder of a case.
    ///
    /// # Errors
    /// If it cannot be fetched or read.
    pub fn load(source: &'static str, progress: &dyn Progress) -> Result<Self> {
        let known = Source::named(source).expect("the cases' encoders are among the known sources");
        let files = known.fetch(&Cache::from_env(), progress)?;
        let directory = files.directory().to_owned();
        let encoder = Encoder::load(&directory.join("config.json"), &directory.join("model.safetensors"))?;
        let head = Head::random(1, encoder.config().hidden_size, 0.02, &mut stream(1, &["bench-peers", "head"]));
        let network = Network { encoder: Arc::new(encoder), pooling: Pooling::Pooler, head };
        Ok(Self { source, network, directory })
    }

    /// Its sizes.
    pub fn config(&self) -> &Config {
        self.network.encoder.config()
    }
}

/// Measures a step here and in the peers, after checking that all compute the same gradients; `scratch` is a directory for
/// what they hand each other.
///
/// # Errors
/// If a peer fails, or computes something else.
pub fn measure(
    id: &str,
    step: Step,
    pretrained: &Pretrained,
    workers: &mut [Worker],
    plan: Plan,
    scratch: &Path,
) -> Result<Vec<Measured>> {
    let Step { adapter, batches, .. } = step;
    let network = &pretrained.network;
    let examples = examples(batches, pretrained);
    let mut adapters = adapters(adapter, pretrained.config(), tokens(&batches))?;
    let question = load(&step, &examples, pretrained, &adapters, scratch)?;
    let mut differences = Vec::new();
    for worker in workers.iter_mut() {
        worker.load(&question)?;
        differences.push(agree((id, step.agreement), network, &mut adapters, &examples[..BATCH], worker, scratch)?);
    }
    let run = fine_tuning(network, &method(adapter), adapters, &examples)?;
    let mut ours = Ours { run, batches: batches.lengths.len(), steps: 0 };
    let mut contenders: Vec<&mut dyn Contender> = vec![&mut ours];
    contenders.extend(workers.iter_mut().map(|worker| worker as &mut dyn Contender));
    let spreads = samples::take(&mut contenders, plan)?;
    let theirs = workers.iter().zip(&spreads[1..]).zip(differences);
    let theirs = theirs.map(|((worker, spread), difference)| worker.measured(*spread, difference));
    Ok(std::iter::once(Measured::ours(spreads[0])).chain(theirs).collect())
}

/// Sequences of drawn tokens and labels, all batches after one another. The draw is the same for all cases of an encoder: at some
/// draws the gradients of the lower layers are sums that cancel, of which neither side has many digits in `f32`.
fn examples(batches: Batches, pretrained: &Pretrained) -> Vec<Labelled> {
    let config = pretrained.config();
    let mut rng = stream(1, &["bench-peers", pretrained.source]);
    let types = config.architecture == Architecture::Bert;
    let mut example = |&tokens: &usize| Labelled {
        ids: (0..tokens).map(|_| rng.random_range(FIRST_WORD..config.vocabulary as u32)).collect(),
        token_types: (0..tokens).map(|token| u8::from(types && token > tokens / 2)).collect(),
        label: rng.random_range(0.0..5.0),
    };
    batches.lengths.iter().flatten().map(&mut example).collect()
}

/// Tokens that reach a site in a batch, on average.
fn tokens(batches: &Batches) -> impl Fn(Site) -> usize + use<> {
    let mean = batches.mean_tokens().round() as usize;
    move |site| if site == Site::Pooler { BATCH } else { mean }
}

/// Adapters on all dense matrices. Both factors of LoRA are random: where B is zero, A has no gradient to compare.
fn adapters(adapter: Adapter, config: &Config, tokens: impl Fn(Site) -> usize) -> Result<Adapters<f32>> {
    let sites = Selection::AllDense.sites(config);
    let mut adapters = method(adapter).adapters(&sites, |site| config.shape(site), tokens, None, 1)?;
    let mut rng: Generator = stream(1, &["bench-peers", "adapters"]);
    for (_, parameter) in adapters.parameters_mut().filter(|(_, parameter)| parameter.name == "B") {
        let random = gaussian(parameter.value.nrows(), parameter.value.ncols(), &mut rng);
        parameter.value = Mat::from_fn(random.nrows(), random.ncols(), |i, j| (0.01 * random[(i, j)]) as f32);
    }
    adapters.refresh(Par::Seq);
    Ok(adapters)
}

fn method(adapter: Adapter) -> Method {
    let deep = |rank| Method::DeepLora(DeepLora { rank, depth: DEPTH, init_scale: INIT_SCALE });
    match adapter {
        Adapter::Lora => Method::Lora(Lora { rank: RANK, zero: ZeroFactor::Output }),
        Adapter::DeepLora => deep(Width::Narrow(RANK)),
        Adapter::FullWidth => deep(Width::Full),
    }
}

fn fine_tuning<'a>(
    network: &'a Network<f32>,
    method: &Method,
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
    let optimizer = training::optimizer(method, &adapters);
    Ok(FineTuning::new(network, adapters, optimizer, examples, Loss::MeanSquaredError, plan)?)
}

/// What the peer is told: where encoder, adapters and head are, and the batches.
fn load(
    step: &Step,
    examples: &[Labelled],
    pretrained: &Pretrained,
    adapters: &Adapters<f32>,
    scratch: &Path,
) -> Result<Value> {
    let kind = if step.adapter == Adapter::Lora { "adapter" } else { "factors.safetensors" };
    let (adapter, head) = (scratch.join(kind), scratch.join("head.safetensors"));
    let architecture = pretrained.config().architecture;
    tensors::write_f32(&head, &[("head".to_owned(), pretrained.network.head.weight.as_ref())])?;
    let mut merged = Vec::new();
    if step.adapter == Adapter::Lora {
        peft::export(adapters, architecture, pretrained.source, &adapter)?;
    } else {
        let named =
            adapters.parameters().map(|(site, parameter)| (name(architecture, site, parameter), parameter.matrix()));
        tensors::write_f32(&adapter, &named.collect::<Vec<_>>())?;
        let (config, tokens) = (pretrained.config(), tokens(&step.batches));
        let is_merged =
            |site: &Site| !site.is_embedding() && merged_is_cheaper(config.shape(*site), DEPTH, tokens(*site));
        let sites = adapters.sites().filter(|site| step.adapter == Adapter::FullWidth && is_merged(site));
        merged = sites.map(|site| architecture.module(site)).collect();
    }
    let batches: Vec<&[Labelled]> = examples.chunks(BATCH).collect();
    let model = &pretrained.directory;
    Ok(json!({
        "do": "load", "model": model, "adapter": adapter, "deep": step.adapter != Adapter::Lora, "merged": merged,
        "head": head, "batches": batches, "step_size": STEP_SIZE,
    }))
}

/// What a factor is called between us and the peer: `module/factor`.
fn name(architecture: Architecture, site: Site, parameter: &Parameter<f32>) -> String {
    format!("{}/{}", architecture.module(site), parameter.name)
}

/// Loss and gradients on a batch, without dropout: the largest relative difference between the peer's and ours.
fn agree(
    (id, limit): (&str, f64),
    network: &Network<f32>,
    adapters: &mut Adapters<f32>,
    batch: &[Labelled],
    worker: &mut Worker,
    scratch: &Path,
) -> Result<f64> {
    let (their_loss, theirs) = worker.evaluate(scratch)?;
    let (loss, ours) = gradients(network, adapters, batch);
    let mut agreement = Agreement::new(id, worker.name(), limit);
    agreement.loss(their_loss, loss)?;
    for (name, gradient) in ours {
        agreement.gradient(&name, theirs.get(&name, gradient.shape())?, &gradient)?;
    }
    Ok(agreement.largest())
}

/// Our loss of a batch, and the gradient of every factor by its [`name`].
fn gradients(
    network: &Network<f32>,
    adapters: &mut Adapters<f32>,
    examples: &[Labelled],
) -> (f64, Vec<(String, Mat<f64>)>) {
    let (par, architecture) = (Par::rayon(0), network.encoder.config().architecture);
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
        .map(|(site, parameter)| (name(architecture, site, parameter), wide(parameter.matrix_gradient())));
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
        let mut adapters = adapters(Adapter::Lora, &config, |_| 3).unwrap();
        let examples = [Labelled { ids: vec![1001, 1002, 1003], token_types: vec![0, 0, 0], label: 2.0 }];
        let (loss, gradients) = gradients(&network, &mut adapters, &examples);
        assert!(loss > 0.0);
        assert_eq!(gradients.len(), 2 * Selection::AllDense.sites(&config).len());
        assert!(gradients.iter().all(|(name, gradient)| gradient.norm_l2() > 0.0 && name.contains('/')));
    }
}
