//! One fine-tuning run: what determines it, how it is run, what it yields.

use std::sync::Arc;

use adaptation::evaluation::Labelled;
use adaptation::method::Recipe;
use adaptation::training::{self, FineTuning, Plan, TrainingError};
use adaptation::{Head, Method, Network, Pooling, Selection, Site, StepSchedule};
use anyhow::Context;
use dynamics::random::{Generator, stream};
use faer::Par;
use lab::{Kernels, Planned, TrialContext, TrialError};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::draw::{Part, Pool, Reserved, part_of_dev};
use super::log::Log;
use super::settings::TrainingSettings;
use super::shelf::{self, Inventory, TaskOnShelf};
use super::spectra::{Alignment, SiteSpectrum};

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
    /// How its step size was come by: for the tables.
    #[serde(skip)]
    pub protocol: String,
    /// What the tables call its method.
    #[serde(skip)]
    pub name: String,
    /// Its inner width r, 0 for full width: for the tables.
    #[serde(skip)]
    pub rank: usize,
    /// The metric's name: for the tables.
    #[serde(skip)]
    pub metric: String,
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

/// What the loop recorded at one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// Steps done.
    pub step: u64,
    /// Mean of the batches' losses since the record before.
    pub training_loss: f64,
    /// The metric, where it was measured.
    pub metric: Option<f64>,
}

/// What a run yields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FineTuningOutcome {
    /// The records, the last one of the end.
    pub records: Vec<TrainingRecord>,
    /// The metric at the end; `None` if it diverged, or if the metric is undefined (constant predictions).
    pub metric: Option<f64>,
    /// The step at which it diverged.
    pub diverged_at: Option<u64>,
    /// Singular values, if they are kept.
    pub spectra: Vec<SiteSpectrum>,
    /// Subspaces against the final ones, if they are kept.
    pub alignments: Vec<Alignment>,
}

impl FineTuningOutcome {
    /// The last recorded training loss; NaN without records.
    pub fn training_loss(&self) -> f64 {
        self.records.last().map_or(f64::NAN, |record| record.training_loss)
    }
}

/// Where a page's trials start from: the section they have in common.
pub struct Common<'a> {
    /// The experiment's seed.
    pub seed: u64,
    /// Encoder and task.
    pub inventory: &'a Inventory,
    /// Pooling of the encoder.
    pub pooling: Pooling,
    /// Adapted matrices.
    pub adapted: Selection,
    /// Batches and steps.
    pub training: &'a TrainingSettings,
}

impl Common<'_> {
    /// A reported run of a method at a constant step size, evaluated on dev at its end, of which only the records are kept.
    pub fn trial(
        &self,
        protocol: &str,
        method: Method,
        rank: usize,
        step_size: f64,
        examples: usize,
    ) -> FineTuningTrial {
        let TrainingSettings { steps, batch, dropout, record_every, dev_examples, checkpoint_every } = *self.training;
        FineTuningTrial {
            protocol: protocol.to_owned(),
            name: method.label().to_owned(),
            rank,
            metric: self.inventory.metric.clone(),
            encoder: self.inventory.encoder.clone(),
            pooling: self.pooling,
            task: self.inventory.task.clone(),
            data: self.inventory.data.clone(),
            seed: self.seed,
            part: Part::Run(0),
            reserved: Reserved::default(),
            examples,
            evaluated: Evaluated::Dev,
            dev_examples,
            method,
            adapted: self.adapted,
            steps,
            batch,
            dropout,
            step_size,
            schedule: StepSchedule::Constant,
            record_every,
            evaluate_every: None,
            checkpoint_every,
            keep: Keep::Nothing,
            divergence: Divergence::Counts,
        }
    }
}

impl FineTuningTrial {
    /// In the plan under a label that says everything that varies, for one thread.
    pub fn planned(self) -> Planned<Self> {
        let Self { protocol, name, rank, task, examples, step_size, part, .. } = &self;
        // The name of a method of full width says so.
        let width = if *rank == 0 { String::new() } else { format!(", r = {rank}") };
        let label = format!("{protocol}: {task}, n = {examples}, {name}{width}, η = {step_size:e}, {part}");
        let cost = self.steps as f64;
        Planned { label, trial: self, kernels: Kernels::Sequential, cost }
    }

    /// The random stream for one purpose: the same for every method, step size and n of runs of the same number.
    fn stream(&self, purpose: &str) -> Generator {
        stream(self.seed, &["fine-tuning", &self.task, purpose, &self.part.to_string()])
    }

    fn plan(&self) -> Plan {
        let Self { steps, batch, dropout, step_size, schedule, .. } = *self;
        Plan { steps, batch, step_size, schedule, dropout, seed: self.stream("batches").random() }
    }

    /// The adapted matrices. Methods that form `ΔW` leave the embeddings out: it would be vocabulary × hidden. A pooler that
    /// is not used is left out.
    fn sites(&self, network: &Network<f32>) -> Vec<Site> {
        let mut sites = self.adapted.sites(network.encoder.config());
        sites.retain(|site| self.method.takes_embeddings() || !site.is_embedding());
        sites.retain(|site| !(self.pooling == Pooling::Mean && *site == Site::Pooler));
        sites
    }

    fn pool<'a>(&'a self, task: &TaskOnShelf) -> Pool<'a> {
        Pool { size: task.train.len(), seed: self.seed, task: &self.task, reserved: self.reserved }
    }

    /// The training examples.
    fn training(&self, task: &TaskOnShelf) -> anyhow::Result<Vec<Labelled>> {
        let drawn = self.pool(task).training(self.part, self.examples).with_context(|| self.task.clone())?;
        Ok(drawn.into_iter().map(|index| task.train[index].clone()).collect())
    }

    /// The examples it is evaluated on.
    pub(super) fn evaluation(&self, task: &TaskOnShelf) -> anyhow::Result<Vec<Labelled>> {
        let (examples, drawn) = match (self.evaluated, self.dev_examples) {
            (Evaluated::Validation, _) => (&task.train, self.pool(task).validation()),
            (Evaluated::Dev, None) => return Ok(task.dev.clone()),
            (Evaluated::Dev, Some(count)) => (&task.dev, part_of_dev(self.seed, &self.task, task.dev.len(), count)),
        };
        let drawn = drawn.with_context(|| self.task.clone())?;
        Ok(drawn.into_iter().map(|index| examples[index].clone()).collect())
    }
}

/// Runs a trial.
///
/// # Errors
/// If it diverges (unless that counts as an outcome), or if something it needs is not there.
pub fn run(trial: &FineTuningTrial, context: &TrialContext) -> Result<FineTuningOutcome, TrialError> {
    let (encoder, task) = (shelf::encoder(&trial.encoder)?, shelf::task(&trial.data)?);
    let par = if context.threads > 1 { Par::rayon(context.threads) } else { Par::Seq };
    let hidden = encoder.config().hidden_size;
    let head = Head::random(task.outputs(), hidden, &mut trial.stream("head"));
    let network = Network { encoder: Arc::clone(&encoder), pooling: trial.pooling, head };
    let (examples, loss, plan) = (trial.training(&task)?, task.loss(), trial.plan());
    let (sites, seed) = (trial.sites(&network), trial.stream("adapters").random());
    let adapters =
        training::adapters(&trial.method, &sites, &network, &examples, loss, &plan, seed, par).map_err(failed)?;
    let optimizer = training::optimizer(&trial.method, &adapters);
    let mut tuning = FineTuning::new(&network, adapters, optimizer, &examples, loss, plan).map_err(failed)?;

    let mut log = Log::new(trial, &task, context, par)?;
    log.start_or_resume(&mut tuning)?;
    while tuning.steps_done() < trial.steps {
        match tuning.step(par) {
            Ok(loss) => log.observe(&tuning, loss)?,
            Err(TrainingError::Diverged { step, .. }) if trial.divergence == Divergence::Counts => {
                return Ok(log.diverged(step));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    log.finish(&tuning)
}

fn failed(error: TrainingError) -> TrialError {
    match error {
        TrainingError::Diverged { step, loss } => TrialError::Diverged { iteration: step, loss },
        other => TrialError::Failed(other.into()),
    }
}
