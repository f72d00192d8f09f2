//! Fine-tuning: batches, the step, what ends it. A run is known by its network, adapters, examples and [`Plan`]; nothing
//! else enters, so the same ones give the same bytes, also when it was interrupted and resumed.

use std::ops::Range;
use std::path::Path;

use dynamics::random::stream;
use faer::{Mat, Par};
use rand::seq::SliceRandom;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::adapter::Adalora;
use crate::checkpoint::{self, CheckpointError, Position};
use crate::method::{Method, Recipe};
use crate::{
    Activations, AdamW, AdamWSettings, AdapterError, Adapters, Batch, Dropout, Labelled, Loss, ModelError, Network,
    Pooling, Real, Site, StepSchedule,
};

/// A loss above this many times that of predicting 0 everywhere is a divergence.
const DIVERGED: f64 = 1e6;

/// How long, how fast and in which order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Steps in all.
    pub steps: u64,
    /// Examples of a step.
    pub batch: usize,
    /// Whether the last batch of an epoch is left out if it has fewer.
    pub whole_batches: bool,
    /// Step size η at the start.
    pub step_size: f64,
    /// How it goes on.
    pub schedule: StepSchedule,
    /// Whether dropout is on, with the encoder's own probabilities.
    pub dropout: bool,
    /// Seed of the batches' order and of dropout.
    pub seed: u64,
}

/// Why fine-tuning ended early.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The loss became NaN, infinite or far larger than that of predicting 0.
    #[error("diverged at step {step} (loss {loss:.1e})")]
    Diverged {
        /// The step, counted from 1.
        step: u64,
        /// The loss there.
        loss: f64,
    },
    /// There is nothing to train on.
    #[error("there are no training examples")]
    Empty,
    /// There are not enough for a single batch, and incomplete ones are left out.
    #[error("{examples} training examples make no whole batch of {batch}")]
    NoBatch {
        /// Training examples.
        examples: usize,
        /// Examples of a batch.
        batch: usize,
    },
    /// The adapters cannot be made.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The encoder cannot be pooled as the network says.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A budget of singular values that has no step to fall at.
    #[error(
        "{steps} steps are too few for AdaLoRA's budget: after a warm-up of {warmup} and before a final phase of {final_phase} of \
         them, each rounded to whole steps and the latter at least one, there must be a step at which it falls"
    )]
    NoBudgetPhase {
        /// Steps of the run.
        steps: u64,
        /// The warm-up's fraction.
        warmup: f64,
        /// The final phase's fraction.
        final_phase: f64,
    },
    /// An adapter is on a weight that the encoder does not have.
    #[error("the encoder has no {site} to adapt")]
    NoWeight {
        /// The weight.
        site: String,
    },
}

/// The paper's AdamW for the adapters of a method.
pub fn optimizer<T: Real>(method: &Method, adapters: &Adapters<T>) -> AdamW<T> {
    AdamW::new(AdamWSettings { discrepant_step: method.discrepant_step(), ..AdamWSettings::default() }, adapters)
}

/// The gradients with respect to every `ΔW` at the pretrained weights, of the loss of `plan`'s first batch without dropout: in
/// [`Adapters::gradient`].
///
/// # Errors
/// As [`FineTuning::new`].
pub fn first_gradients<T: Real>(
    sites: &[Site],
    network: &Network<T>,
    examples: &[Labelled],
    loss: Loss,
    plan: &Plan,
    par: Par,
) -> Result<Adapters<T>, TrainingError> {
    let probe = Adapters::probe(sites, |site| network.encoder.config().shape(site));
    let none = AdamW::new(AdamWSettings::default(), &probe);
    let plan = Plan { dropout: false, ..plan.clone() };
    let mut first = FineTuning::new(network, probe, none, examples, loss, plan)?;
    first.step(par)?;
    Ok(first.adapters)
}

/// The adapters of a method on these sites of a network, drawn from `seed`. For a method that is made from the gradient of
/// the first batch, that is the batch of the first step of `plan`, without dropout.
///
/// # Errors
/// If the method does not fit a site; [`TrainingError::Empty`] without examples.
pub fn adapters<T: Real>(
    method: &Method,
    sites: &[Site],
    network: &Network<T>,
    examples: &[Labelled],
    loss: Loss,
    plan: &Plan,
    seed: u64,
    par: Par,
) -> Result<Adapters<T>, TrainingError> {
    let shape = |site| network.encoder.config().shape(site);
    let probe =
        if method.needs_gradient() { Some(first_gradients(sites, network, examples, loss, plan, par)?) } else { None };
    let tokens = examples.iter().map(|example| example.ids.len()).sum::<usize>() * plan.batch / examples.len().max(1);
    let columns = |site| columns_of_step(network, site, tokens, plan.batch);
    Ok(method.adapters(sites, shape, columns, probe.as_ref(), seed)?)
}

/// What a step multiplies a weight with: all tokens, or where pooling reads the first tokens alone, one for each sequence.
fn columns_of_step<T: Real>(network: &Network<T>, site: Site, tokens: usize, sequences: usize) -> usize {
    let last = network.encoder.config().layers - 1;
    let of_first_tokens = match site {
        Site::Pooler => true,
        Site::Query(l) | Site::AttentionOutput(l) | Site::Intermediate(l) | Site::Output(l) => l == last,
        _ => false,
    };
    if of_first_tokens && network.pooling == Pooling::Pooler { sequences } else { tokens }
}

/// A fine-tuning run between two steps.
pub struct FineTuning<'a, T: Real> {
    network: &'a Network<T>,
    adapters: Adapters<T>,
    optimizer: AdamW<T>,
    examples: &'a [Labelled],
    loss: Loss,
    plan: Plan,
    step: u64,
    limit: f64,
    work: Work<T>,
}

/// What a checkpoint holds besides adapters and optimizer.
#[derive(Serialize, Deserialize)]
struct Kept<N> {
    notes: N,
    position: Position,
}

/// Buffers of a step.
struct Work<T: Real> {
    batch: Batch,
    labels: Vec<f32>,
    order: Vec<usize>,
    /// Epoch that `order` belongs to.
    epoch: Option<u64>,
    activations: Activations<T>,
    d_logits: Mat<T>,
}

impl<'a, T: Real> FineTuning<'a, T> {
    /// A run before its first step, with adapters of a method on these sites, drawn from the plan's seed, and the paper's AdamW.
    ///
    /// # Errors
    /// As [`adapters`] and [`FineTuning::new`].
    pub fn of_method(
        method: &Method,
        sites: &[Site],
        network: &'a Network<T>,
        examples: &'a [Labelled],
        loss: Loss,
        plan: Plan,
        par: Par,
    ) -> Result<Self, TrainingError> {
        let adapters = adapters(method, sites, network, examples, loss, &plan, plan.seed, par)?;
        let optimizer = optimizer(method, &adapters);
        Self::new(network, adapters, optimizer, examples, loss, plan)
    }

    /// A run before its first step.
    ///
    /// # Errors
    /// [`TrainingError::Empty`] without examples, [`TrainingError::NoBatch`] without a whole batch of them,
    /// [`TrainingError::NoBudgetPhase`] with too few steps for a budget; if the encoder has no pooler that is used, or no weight
    /// that is adapted.
    pub fn new(
        network: &'a Network<T>,
        adapters: Adapters<T>,
        optimizer: AdamW<T>,
        examples: &'a [Labelled],
        loss: Loss,
        plan: Plan,
    ) -> Result<Self, TrainingError> {
        if examples.is_empty() {
            return Err(TrainingError::Empty);
        }
        if plan.whole_batches && examples.len() < plan.batch {
            return Err(TrainingError::NoBatch { examples: examples.len(), batch: plan.batch });
        }
        check_budget(&adapters, plan.steps)?;
        network.encoder.check_pooling(network.pooling)?;
        if let Some(site) = adapters.sites().find(|&site| network.encoder.weight(site).is_none()) {
            return Err(TrainingError::NoWeight { site: site.name() });
        }
        let mean_square = examples.iter().map(|e| f64::from(e.label).powi(2)).sum::<f64>() / examples.len() as f64;
        let limit = DIVERGED * (1.0 + mean_square);
        let work = Work::new(plan.batch, network.head.outputs());
        Ok(Self { network, adapters, optimizer, examples, loss, plan, step: 0, limit, work })
    }

    /// Writes a checkpoint of the run into `directory`, with whatever the caller wants to find beside it.
    ///
    /// # Errors
    /// If it cannot be written; the one before is then still there.
    pub fn save<N: Serialize>(&mut self, directory: &Path, notes: &N) -> Result<(), CheckpointError> {
        let (batches, step) = (self.batches(), self.step);
        let position = Position { epoch: step / batches, batch: step % batches, step };
        let kept = Kept { notes, position };
        checkpoint::save(directory, &self.settings(), &kept, &mut self.adapters, &mut self.optimizer)
    }

    /// Goes on where the checkpoint in `directory` was made and gives the notes kept with it; `None` if there is none.
    ///
    /// # Errors
    /// If it is damaged or belongs to another run; this one is then as before.
    pub fn restore<N: DeserializeOwned>(&mut self, directory: &Path) -> Result<Option<N>, CheckpointError> {
        let settings = self.settings();
        let kept = checkpoint::restore(directory, &settings, &mut self.adapters, &mut self.optimizer)?;
        Ok(kept.map(|kept: Kept<N>| {
            self.step = kept.position.step;
            kept.notes
        }))
    }

    /// Hash of what determines the run, besides network and adapters.
    fn settings(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let json = serde_json::to_vec(&(&self.plan, self.optimizer.settings(), self.examples));
        hasher.update(&json.expect("numbers are JSON"));
        if let Some(budget) = self.adapters.budget() {
            hasher.update(&serde_json::to_vec(budget.settings()).expect("numbers are JSON"));
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Batches of an epoch.
    fn batches(&self) -> u64 {
        let Plan { batch, whole_batches, .. } = self.plan;
        let examples = self.examples.len();
        (if whole_batches { examples / batch } else { examples.div_ceil(batch) }) as u64
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// The network.
    pub fn network(&self) -> &'a Network<T> {
        self.network
    }

    /// The adapters as they are now, for which rows of embeddings may have steps to [make up for](AdamW::catch_up_all).
    pub fn adapters(&mut self) -> &Adapters<T> {
        self.optimizer.catch_up_all(&mut self.adapters);
        &self.adapters
    }

    /// The optimizer as it is now.
    pub fn optimizer(&self) -> &AdamW<T> {
        &self.optimizer
    }

    /// One step on the next batch. Returns the batch's loss before it, with dropout, without the method's penalty.
    ///
    /// # Errors
    /// [`TrainingError::Diverged`].
    pub fn step(&mut self, par: Par) -> Result<f64, TrainingError> {
        let size = self.examples.len();
        let batches = self.batches();
        let (epoch, place) = (self.step / batches, (self.step % batches) as usize);
        if self.work.epoch != Some(epoch) {
            reshuffle(&mut self.work.order, size, self.plan.seed, epoch);
            self.work.epoch = Some(epoch);
        }
        let first = place * self.plan.batch;
        self.work.fill(self.examples, first..(first + self.plan.batch).min(size));
        self.step_on_filled(par)
    }

    /// One step on the given examples, by their index, in place of the next batch.
    ///
    /// # Errors
    /// [`TrainingError::Diverged`].
    pub fn step_on(&mut self, chosen: &[usize], par: Par) -> Result<f64, TrainingError> {
        self.work.order.clear();
        self.work.order.extend_from_slice(chosen);
        self.work.epoch = None;
        self.work.fill(self.examples, 0..chosen.len());
        self.step_on_filled(par)
    }

    fn step_on_filled(&mut self, par: Par) -> Result<f64, TrainingError> {
        let Self { network, adapters, work, plan, step, .. } = self;
        let dropout = dropout(plan, *step);
        let Work { batch, labels, activations, d_logits, .. } = work;
        let mut d_logits = d_logits.as_mut().subcols_mut(0, labels.len());
        self.optimizer.catch_up(adapters, batch);
        network.forward(batch, adapters, &dropout, activations, par);
        let loss = self.loss.value_and_gradient(activations.logits(), labels, d_logits.as_mut()).as_f64();
        let penalized = loss + adapters.penalty().as_f64();
        if penalized.is_nan() || penalized > self.limit {
            return Err(TrainingError::Diverged { step: *step + 1, loss: penalized });
        }
        network.backward(batch, d_logits.as_ref(), adapters, activations, par);
        adapters.pull_back(par);
        self.optimizer.step(adapters, plan.schedule.at(*step, plan.steps, plan.step_size));
        adapters.after_step(*step, plan.steps);
        adapters.refresh(par);
        *step += 1;
        Ok(loss)
    }
}

/// Refuses a run in which a budget has no time to fall.
fn check_budget<T: Real>(adapters: &Adapters<T>, steps: u64) -> Result<(), TrainingError> {
    match adapters.budget().map(|budget| *budget.settings()) {
        Some(settings @ Adalora { warmup, final_phase, .. }) if settings.phases(steps).is_none() => {
            Err(TrainingError::NoBudgetPhase { steps, warmup, final_phase })
        }
        _ => Ok(()),
    }
}

impl<T: Real> Work<T> {
    fn new(batch: usize, outputs: usize) -> Self {
        Self {
            batch: Batch::new(),
            labels: Vec::with_capacity(batch),
            order: Vec::new(),
            epoch: None,
            activations: Activations::new(),
            d_logits: Mat::zeros(outputs, batch),
        }
    }

    /// Puts the examples at these places of the order into the batch.
    fn fill(&mut self, examples: &[Labelled], places: Range<usize>) {
        self.batch.clear();
        self.labels.clear();
        for &index in &self.order[places] {
            let example = &examples[index];
            self.batch.push(&example.ids, &example.token_types);
            self.labels.push(example.label);
        }
    }
}

/// The order of an epoch: every example once.
fn reshuffle(order: &mut Vec<usize>, size: usize, seed: u64, epoch: u64) {
    order.clear();
    order.extend(0..size);
    order.shuffle(&mut stream(seed, &["fine-tuning", "batches", &epoch.to_string()]));
}

fn dropout(plan: &Plan, step: u64) -> Dropout {
    if plan.dropout { Dropout::Seeded { seed: plan.seed, step } } else { Dropout::Off }
}
