//! Sections of the TOML files of the fine-tuning experiments, and their checks.

use std::collections::BTreeMap;

use adaptation::data::Task;
use adaptation::{Config, Pooling, Selection};
use lab::Invalid;
use lab::checked::{Count, Positive, Steps};
use serde::{Deserialize, Serialize};
use sources::Source;

/// `[encoder]`: the pretrained encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSettings {
    /// Name of its source, or "tiny-random": a small one made in code.
    pub source: String,
    /// What of the last hidden states goes to the head.
    pub pooling: PoolingChoice,
    /// What the standard deviation of a random pooler is multiplied with.
    pub pooler_scale: Positive,
    /// Most tokens of an example, those at the beginning and the end of sentences included; longer ones are left out.
    /// Without it the paper's 128, or the encoder's positions where it has fewer.
    pub max_tokens: Option<usize>,
}

impl EncoderSettings {
    /// Whether it has learned something; what a random one does bears on no claim.
    pub fn is_pretrained(&self) -> bool {
        self.source != super::made_up::ENCODER
    }
}

/// The key `pooling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolingChoice {
    /// `tanh(W h)` of the first token's, W random: the authors'.
    RandomPooler,
    /// `tanh(W h + b)` with the encoder's own pooler.
    Pooler,
    /// The mean over all tokens.
    Mean,
}

impl PoolingChoice {
    /// As the network computes it.
    pub fn pooling(self) -> Pooling {
        if self == Self::Mean { Pooling::Mean } else { Pooling::Pooler }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::RandomPooler => "random pooler",
            Self::Pooler => "the encoder's pooler",
            Self::Mean => "mean of the tokens",
        }
    }
}

/// `[head]`: the frozen random head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadSettings {
    /// Standard deviation of its weights.
    pub deviation: Deviation,
    /// How many heads (with their random poolers) are drawn.
    pub draws: Draws,
}

/// The key `deviation` of a head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "\"lecun\" (1/√hidden), or a number greater than 0")]
pub enum Deviation {
    /// By name.
    Named(NamedDeviation),
    /// As a number.
    Number(Positive),
}

/// A standard deviation with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamedDeviation {
    /// 1/√hidden (LeCun et al. 1998): the authors'.
    Lecun,
}

impl Deviation {
    /// For an encoder.
    pub fn of(self, config: &Config) -> f64 {
        match self {
            Self::Named(NamedDeviation::Lecun) => 1.0 / (config.hidden_size as f64).sqrt(),
            Self::Number(deviation) => *deviation,
        }
    }

    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::Named(NamedDeviation::Lecun) => "LeCun head".to_owned(),
            Self::Number(deviation) => format!("head of deviation {deviation}"),
        }
    }
}

/// The key `draws` of a head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a whole number from 1, each crossed with all trials (1: the authors'), or \"per-trial\""
)]
pub enum Draws {
    /// So many, each used by all trials.
    Crossed(Count),
    /// One for each trial.
    Named(PerTrial),
}

/// A way to draw heads that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PerTrial {
    /// One for each trial.
    PerTrial,
}

impl Draws {
    /// The pairs of draw and trial.
    pub fn crossed(self, trials: usize) -> Vec<(usize, usize)> {
        match self {
            Self::Crossed(draws) => (0..*draws).flat_map(|draw| (0..trials).map(move |trial| (draw, trial))).collect(),
            Self::Named(PerTrial::PerTrial) => (0..trials).map(|trial| (trial, trial)).collect(),
        }
    }

    /// Heads that are shared by trials; 0 if every trial has its own.
    pub fn shared(self) -> usize {
        if let Self::Crossed(draws) = self { *draws } else { 0 }
    }
}

/// `[sources]`: sources of encoders by name, in addition to the built-in ones.
pub type Sources = BTreeMap<String, Source>;

/// `[training]`: batches and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSettings {
    /// Steps of a run.
    pub steps: Steps,
    /// Other numbers of steps for some tasks.
    #[serde(default)]
    pub steps_of: BTreeMap<String, Steps>,
    /// Examples of a step.
    pub batch: Count,
    /// What becomes of an incomplete last batch of an epoch.
    pub incomplete_batch: IncompleteBatch,
    /// How training examples are drawn from the pool.
    pub sampling: Sampling,
    /// Whether the encoder's dropout is on.
    pub dropout: bool,
    /// AdamW's ϵ.
    pub epsilon: Positive,
    /// Steps between two records of the training loss.
    pub record_every: Steps,
    /// Steps between two evaluations on the way; without it only at the end.
    pub evaluate_every: Option<Steps>,
    /// Examples of dev that are evaluated on, if not all.
    pub dev_examples: Option<Count>,
    /// Steps between two checkpoints, from which a killed run goes on; without it, it starts again.
    pub checkpoint_every: Option<Steps>,
}

/// The key `incomplete_batch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncompleteBatch {
    /// The authors'.
    LeftOut,
    /// It is a step like the others.
    Kept,
}

/// The key `sampling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// The authors': an example can come several times.
    WithReplacement,
    /// All examples are different.
    WithoutReplacement,
}

/// Most examples of a step; the largest task has half as many.
const MOST_EXAMPLES: usize = 1_000_000;

impl TrainingSettings {
    /// Checks the section `[training]` of runs with so many examples.
    pub fn check(&self, examples: &[Count]) -> Result<(), Invalid> {
        let fewest = examples.iter().map(|n| n.get()).min().unwrap_or(MOST_EXAMPLES);
        let (most, why) = match self.incomplete_batch {
            IncompleteBatch::LeftOut => (fewest, " (the fewest examples: an incomplete batch is left out)"),
            IncompleteBatch::Kept => (MOST_EXAMPLES, ""),
        };
        let allowed = format!("a whole number from 1 to {most}{why}");
        Invalid::unless(*self.batch <= most, "training.batch", self.batch, allowed)?;
        let shortest = self.fewest_steps();
        let allowed = format!("a whole number from 1 to the steps ({shortest})");
        Invalid::unless(*self.record_every <= shortest, "training.record_every", self.record_every, allowed)?;
        let known = known_tasks();
        if let Some(task) = self.steps_of.keys().find(|task| !known.contains(&task.as_str())) {
            return Err(Invalid::new("training.steps_of", task, known.join(", ")));
        }
        let examples = self.dev_examples.map_or(2, Count::get);
        Invalid::unless(examples >= 2, "training.dev_examples", examples, "a whole number from 2, or no such key: all")
    }

    /// Steps of the shortest run.
    pub fn fewest_steps(&self) -> u64 {
        self.steps_of.values().map(|steps| **steps).min().unwrap_or(*self.steps).min(*self.steps)
    }

    /// Steps of a run on a task.
    pub fn steps(&self, task: &str) -> u64 {
        self.steps_of.get(task).map_or(*self.steps, |steps| **steps)
    }
}

/// The tasks that settings may name.
pub fn known_tasks() -> Vec<&'static str> {
    let tasks = [Task::MovieSentiment].into_iter().chain(Task::GLUE);
    tasks.map(Task::name).chain([super::made_up::TASK]).collect()
}

/// Checks names of tasks.
pub fn check_tasks(tasks: &[String]) -> Result<(), Invalid> {
    let known = known_tasks();
    let is_known = |task: &String| known.contains(&task.as_str());
    tasks
        .iter()
        .enumerate()
        .try_for_each(|(i, task)| Invalid::unless(is_known(task), format!("tasks.{i}"), task, known.join(", ")))
}

/// Which matrices are adapted, in words.
pub fn adapted_in_words(selection: Selection) -> &'static str {
    match selection {
        Selection::QueryValue => "query and value",
        Selection::AttentionMlp => "attention and MLP",
        Selection::AllDense => "all dense matrices",
    }
}
