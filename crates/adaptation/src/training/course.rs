//! What runs have in common, whatever is fine-tuned: the plan, the order of batches, what a step does besides loss and gradient,
//! checkpoints.

use std::ops::Range;
use std::path::Path;

use dynamics::random::stream;
use faer::Par;
use rand::seq::SliceRandom;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::adapter::Adalora;
use crate::checkpoint::{self, CheckpointError, Position};
use crate::{AdamW, AdapterError, Adapters, Dropout, ModelError, Real, SequenceError, StepSchedule};

/// A loss above this many times that of a guess is a divergence.
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
    /// The loss became NaN, infinite or far larger than that of a guess.
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
    /// The model cannot take an example.
    #[error("training example {example}: {source}")]
    Example {
        /// Which, from 0.
        example: usize,
        /// What is wrong with it.
        source: SequenceError,
    },
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
    /// An adapter is on a weight that the network does not have.
    #[error("the network has no {site} to adapt")]
    NoWeight {
        /// The weight.
        site: String,
    },
}

/// Adapters on their way through a plan.
pub(super) struct Course<T: Real> {
    /// The adapters.
    pub adapters: Adapters<T>,
    /// What moves them.
    pub optimizer: AdamW<T>,
    /// Where to.
    pub plan: Plan,
    /// Number of training examples.
    examples: usize,
    /// Steps done.
    pub step: u64,
    /// The loss above which a run has diverged.
    limit: f64,
    /// Examples in the order of their batches.
    order: Vec<usize>,
    /// Epoch that `order` belongs to.
    epoch: Option<u64>,
}

/// What a checkpoint holds besides adapters and optimizer.
#[derive(Serialize, Deserialize)]
struct Kept<N> {
    notes: N,
    position: Position,
}

impl<T: Real> Course<T> {
    /// Before the first step on so many examples; `guess` is the loss of one that knows nothing.
    pub fn new(
        adapters: Adapters<T>,
        optimizer: AdamW<T>,
        plan: Plan,
        examples: usize,
        guess: f64,
    ) -> Result<Self, TrainingError> {
        if examples == 0 {
            return Err(TrainingError::Empty);
        }
        if plan.whole_batches && examples < plan.batch {
            return Err(TrainingError::NoBatch { examples, batch: plan.batch });
        }
        check_budget(&adapters, plan.steps)?;
        let (limit, order) = (DIVERGED * (1.0 + guess), Vec::new());
        Ok(Self { adapters, optimizer, plan, examples, step: 0, limit, order, epoch: None })
    }

    /// The examples of the next batch, by their index.
    pub fn next_batch(&mut self) -> &[usize] {
        let batches = self.plan.batches(self.examples);
        let (epoch, place) = (self.step / batches, (self.step % batches) as usize);
        if self.epoch != Some(epoch) {
            reshuffle(&mut self.order, self.examples, self.plan.seed, epoch);
            self.epoch = Some(epoch);
        }
        &self.order[self.plan.places(place, self.examples)]
    }

    /// Before the loss of a batch: `catch_up` brings what it reads of embeddings [up to date](AdamW::catch_up).
    pub fn begin(&mut self, catch_up: impl FnOnce(&mut AdamW<T>, &mut Adapters<T>)) -> Dropout {
        catch_up(&mut self.optimizer, &mut self.adapters);
        if self.plan.dropout { Dropout::Seeded { seed: self.plan.seed, step: self.step } } else { Dropout::Off }
    }

    /// Whether a batch's loss, with the method's penalty, is one to go on from.
    pub fn check(&self, loss: f64) -> Result<(), TrainingError> {
        let loss = loss + self.adapters.penalty().as_f64();
        let diverged = loss.is_nan() || loss > self.limit;
        if diverged { Err(TrainingError::Diverged { step: self.step + 1, loss }) } else { Ok(()) }
    }

    /// The step itself, once the gradients of the adapters' applied forms are there.
    pub fn finish(&mut self, par: Par) {
        let Self { adapters, optimizer, plan, step, .. } = self;
        adapters.pull_back(par);
        optimizer.step(adapters, plan.schedule.at(*step, plan.steps, plan.step_size), par);
        adapters.after_step(*step, plan.steps);
        adapters.refresh(par);
        *step += 1;
    }

    /// The adapters as they are now, all rows of embeddings made up to date.
    pub fn adapters(&mut self) -> &Adapters<T> {
        self.optimizer.catch_up_all(&mut self.adapters);
        &self.adapters
    }

    /// Writes a checkpoint into `directory`; see [`FineTuning::save`](super::FineTuning::save).
    pub fn save<N: Serialize>(
        &mut self,
        directory: &Path,
        examples: &impl Serialize,
        notes: &N,
    ) -> Result<(), CheckpointError> {
        let (batches, step) = (self.plan.batches(self.examples), self.step);
        let position = Position { epoch: step / batches, batch: step % batches, step };
        let (settings, kept) = (self.settings(examples), Kept { notes, position });
        checkpoint::save(directory, &settings, &kept, &mut self.adapters, &mut self.optimizer)
    }

    /// Goes on where a checkpoint was made; see [`FineTuning::restore`](super::FineTuning::restore).
    pub fn restore<N: DeserializeOwned>(
        &mut self,
        directory: &Path,
        examples: &impl Serialize,
    ) -> Result<Option<N>, CheckpointError> {
        let settings = self.settings(examples);
        let kept = checkpoint::restore(directory, &settings, &mut self.adapters, &mut self.optimizer)?;
        Ok(kept.map(|kept: Kept<N>| {
            self.step = kept.position.step;
            kept.notes
        }))
    }

    /// Hash of what determines the run, besides network and adapters.
    fn settings(&self, examples: &impl Serialize) -> String {
        let mut hasher = blake3::Hasher::new();
        let json = serde_json::to_vec(&(&self.plan, self.optimizer.settings(), examples));
        hasher.update(&json.expect("numbers are JSON"));
        if let Some(budget) = self.adapters.budget() {
            hasher.update(&serde_json::to_vec(budget.settings()).expect("numbers are JSON"));
        }
        hasher.finalize().to_hex().to_string()
    }
}

impl Plan {
    /// Batches of an epoch of so many examples.
    fn batches(&self, examples: usize) -> u64 {
        (if self.whole_batches { examples / self.batch } else { examples.div_ceil(self.batch) }) as u64
    }

    /// Where a batch's examples are in the order of an epoch.
    fn places(&self, place: usize, examples: usize) -> Range<usize> {
        let first = place * self.batch;
        first..(first + self.batch).min(examples)
    }

    /// The first batch of a run on so many examples, by their index.
    pub(super) fn first_batch(&self, examples: usize) -> Vec<usize> {
        let mut order = Vec::new();
        reshuffle(&mut order, examples, self.seed, 0);
        order[self.places(0, examples)].to_vec()
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

/// The order of an epoch: every example once.
fn reshuffle(order: &mut Vec<usize>, size: usize, seed: u64, epoch: u64) {
    order.clear();
    order.extend(0..size);
    order.shuffle(&mut stream(seed, &["fine-tuning", "batches", &epoch.to_string()]));
}
