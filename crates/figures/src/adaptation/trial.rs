//! One fine-tuning run: what determines it, how it is run, what it yields.

use adaptation::evaluation::Labelled;
use adaptation::method::Recipe;
use adaptation::training::Plan;
use adaptation::{Method, Network, Pooling, Selection, Site, StepSchedule};
use anyhow::Context;
use dynamics::random::{Generator, stream};
use rand::RngExt;
use serde::Serialize;

use super::draw::{Part, Pool, Reserved, part_of_dev};
use super::task::GatheredTask;

/// Which examples the metric is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evaluated {
    /// The task's dev split.
    Dev,
    /// The part cut from the training pool.
    Validation,
}

/// What is kept of `ΔW`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// The singular values of every `ΔW` at the end.
    Spectra,
    /// Those, and how far the leading left singular subspaces at these steps are from the final ones.
    Subspaces {
        /// Steps at which subspaces are kept; the last one is the end.
        steps: Vec<u64>,
        /// Their dimension.
        dimension: usize,
    },
}

/// What a divergence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Divergence {
    /// A failure of the trial.
    Fails,
    /// An outcome: some step size of a grid is too large.
    Counts,
}

/// Everything that determines the outcome of a fine-tuning run.
#[derive(Clone, Debug, Serialize)]
pub struct FineTuningTrial {
    /// Hash of the encoder's configuration and weights.
    pub encoder: String,
    /// What of its last hidden states goes to the head.
    pub pooling: Pooling,
    /// The task.
    pub task: String,
    /// Hash of the task's examples as the encoder takes them.
    pub data: String,
    /// The experiment's seed.
    pub seed: u64,
    /// Which run, and which part of the training pool it draws from.
    pub part: Part,
    /// What is kept apart for choosing step sizes.
    pub reserved: Reserved,
    /// Training examples n.
    pub examples: usize,
    /// What it is evaluated on.
    pub evaluated: Evaluated,
    /// So many examples of dev, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_examples: Option<usize>,
    /// Parametrization of `ΔW`.
    pub method: Method,
    /// Adapted matrices.
    pub adapted: Selection,
    /// Steps.
    pub steps: u64,
    /// Examples of a step.
    pub batch: usize,
    /// Whether dropout is on.
    pub dropout: bool,
    /// Step size η at the start.
    pub step_size: f64,
    /// How it goes on.
    pub schedule: StepSchedule,
    /// Steps between two records of the training loss.
    pub record_every: u64,
    /// Steps between two evaluations on the way, if any.
    pub evaluate_every: Option<u64>,
    /// Steps between two checkpoints, if any: how it is run, not what comes out.
    #[serde(skip)]
    pub checkpoint_every: Option<u64>,
    /// What is kept of `ΔW`.
    pub keep: Keep,
    /// What a divergence is.
    pub divergence: Divergence,
}

impl FineTuningTrial {
    /// The random stream for one purpose: the same for every method, step size and n of runs of the same number.
    pub(super) fn stream(&self, purpose: &str) -> Generator {
        stream(self.seed, &["fine-tuning", &self.task, purpose, &self.part.to_string()])
    }

    pub(super) fn plan(&self) -> Plan {
        let Self { steps, batch, dropout, step_size, schedule, .. } = *self;
        Plan { steps, batch, step_size, schedule, dropout, seed: self.stream("batches").random() }
    }

    /// The adapted matrices. Methods that form `ΔW` leave the embeddings out: it would be vocabulary × hidden. A pooler that
    /// is not used is left out.
    pub(super) fn sites(&self, network: &Network<f32>) -> Vec<Site> {
        let mut sites = self.adapted.sites(network.encoder.config());
        sites.retain(|site| self.method.takes_embeddings() || !site.is_embedding());
        sites.retain(|site| !(self.pooling == Pooling::Mean && *site == Site::Pooler));
        sites
    }

    fn pool<'a>(&'a self, task: &GatheredTask) -> Pool<'a> {
        Pool { size: task.train.len(), seed: self.seed, task: &self.task, reserved: self.reserved }
    }

    /// The training examples.
    pub(super) fn training(&self, task: &GatheredTask) -> anyhow::Result<Vec<Labelled>> {
        let drawn = self.pool(task).training(self.part, self.examples).with_context(|| self.task.clone())?;
        Ok(drawn.into_iter().map(|index| task.train[index].clone()).collect())
    }

    /// The examples it is evaluated on.
    pub(super) fn evaluation(&self, task: &GatheredTask) -> anyhow::Result<Vec<Labelled>> {
        let (examples, drawn) = match (self.evaluated, self.dev_examples) {
            (Evaluated::Validation, _) => (&task.train, self.pool(task).validation()),
            (Evaluated::Dev, None) => return Ok(task.dev.clone()),
            (Evaluated::Dev, Some(count)) => (&task.dev, part_of_dev(self.seed, &self.task, task.dev.len(), count)),
        };
        let drawn = drawn.with_context(|| self.task.clone())?;
        Ok(drawn.into_iter().map(|index| examples[index].clone()).collect())
    }
}
