//! One fine-tuning run: what determines it.

use adaptation::data::{DataError, draw, draw_with_replacement};
use adaptation::evaluation::Labelled;
use adaptation::method::Recipe;
use adaptation::training::Plan;
use adaptation::{AdamWSettings, Config, Method, Selection, Site, StepSchedule};
use anyhow::Context;
use dynamics::random::{Generator, stream};
use rand::RngExt;
use serde::Serialize;

use super::frozen::FrozenHead;
use super::settings::{IncompleteBatch, PoolingChoice, Sampling};
use super::task::GatheredTask;

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
    /// When every `ΔW` leaves the origin, and the spectral norm of its first gradient.
    Escapes,
}

/// Everything that determines the outcome of a fine-tuning run.
#[derive(Clone, Debug, Serialize)]
pub struct FineTuningTrial {
    /// Hash of the encoder's configuration and weights.
    pub encoder: String,
    /// Pooler and head.
    pub head: FrozenHead,
    /// The task.
    pub task: String,
    /// Hash of the task's examples as the encoder takes them.
    pub data: String,
    /// The experiment's seed.
    pub seed: u64,
    /// Number of the run: the same one means the same examples, start of the adapters, order of batches and dropout.
    pub number: usize,
    /// Training examples n.
    pub examples: usize,
    /// How they are drawn.
    pub sampling: Sampling,
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
    /// What becomes of an incomplete one.
    pub incomplete_batch: IncompleteBatch,
    /// Whether dropout is on.
    pub dropout: bool,
    /// AdamW's ϵ.
    pub epsilon: f64,
    /// Step size η at the start.
    pub step_size: f64,
    /// How it goes on.
    pub schedule: StepSchedule,
    /// Steps between two records of the training loss.
    pub record_every: u64,
    /// Steps between two evaluations on the way, if any.
    pub evaluate_every: Option<u64>,
    /// Whether the training examples are evaluated on too, whenever dev is.
    pub scores_training: bool,
    /// Steps between two checkpoints, if any: how it is run, not what comes out.
    #[serde(skip)]
    pub checkpoint_every: Option<u64>,
    /// What is kept of `ΔW`.
    pub keep: Keep,
}

impl FineTuningTrial {
    /// The random stream for one purpose: the same for every method, step size, head and n of runs of the same number.
    pub fn stream(&self, purpose: &str) -> Generator {
        stream(self.seed, &["fine-tuning", &self.task, purpose, &format!("trial {}", self.number)])
    }

    /// How long, how fast, in which order.
    pub fn plan(&self) -> Plan {
        let Self { steps, batch, dropout, step_size, schedule, .. } = *self;
        let whole_batches = self.incomplete_batch == IncompleteBatch::LeftOut;
        Plan { steps, batch, whole_batches, step_size, schedule, dropout, seed: self.stream("batches").random() }
    }

    /// The constants of AdamW.
    pub fn optimizer(&self) -> AdamWSettings {
        let discrepant_step = self.method.discrepant_step();
        AdamWSettings { epsilon: self.epsilon, discrepant_step, ..AdamWSettings::default() }
    }

    /// The adapted matrices: those the method can adapt (figures say which leave embeddings out). A pooler that is not used is left out.
    pub fn sites(&self, config: &Config) -> Vec<Site> {
        let mut sites = self.adapted.sites(config);
        sites.retain(|site| self.method.takes_embeddings() || !site.is_embedding());
        sites.retain(|site| !(self.head.pooling == PoolingChoice::Mean && *site == Site::Pooler));
        sites
    }

    /// The training examples. A run of the same number with fewer examples has the first of the same ones.
    pub fn training(&self, task: &GatheredTask) -> anyhow::Result<Vec<Labelled>> {
        let (size, mut rng) = (task.train.len(), self.stream("subset"));
        let drawn = match self.sampling {
            // All of a pool is all of it.
            _ if self.examples == size => Ok((0..size).collect()),
            Sampling::WithReplacement => draw_with_replacement(size, self.examples, &mut rng),
            Sampling::WithoutReplacement => draw(size, self.examples, 0, &mut rng).map(|drawn| drawn.train),
        };
        let drawn = drawn.with_context(|| self.task.clone())?;
        Ok(drawn.into_iter().map(|index| task.train[index].clone()).collect())
    }

    /// The examples it is evaluated on.
    pub(super) fn evaluation(&self, task: &GatheredTask) -> anyhow::Result<Vec<Labelled>> {
        let Some(count) = self.dev_examples else { return Ok(task.dev.clone()) };
        let drawn = part_of_dev(self.seed, &self.task, task.dev.len(), count).with_context(|| self.task.clone())?;
        Ok(drawn.into_iter().map(|index| task.dev[index].clone()).collect())
    }
}

/// `count` of the `size` examples of dev, or all if there are not so many; the same ones for every run.
///
/// # Errors
/// Never: as many as there are can be drawn.
pub fn part_of_dev(seed: u64, task: &str, size: usize, count: usize) -> Result<Vec<usize>, DataError> {
    let mut rng = stream(seed, &["fine-tuning", task, "dev"]);
    Ok(draw(size, count.min(size), 0, &mut rng)?.train)
}
