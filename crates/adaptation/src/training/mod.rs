//! Fine-tuning: batches, the step, what ends it. A run is known by its network, adapters, examples and [`Plan`]; nothing
//! else enters, so the same ones give the same bytes, also when it was interrupted and resumed.
//!
//! [`FineTuning`] is of an encoder on labelled sentences, [`TextTuning`] of a model that writes texts behind prompts.

mod course;
mod texts;

use std::path::Path;

use faer::{Mat, Par};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::course::Course;
pub use self::course::{Plan, TrainingError};
pub use self::texts::{TextTuning, text_adapters, text_loss};
use crate::checkpoint::CheckpointError;
use crate::method::{Method, Recipe};
use crate::{Activations, AdamW, AdamWSettings, Adapters, Batch, Labelled, Loss, Network, Pooling, Real, Site};

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
    Ok(first.course.adapters)
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
    course: Course<T>,
    examples: &'a [Labelled],
    loss: Loss,
    work: Work<T>,
}

/// Buffers of a step.
struct Work<T: Real> {
    batch: Batch,
    labels: Vec<f32>,
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
        network.encoder.check_pooling(network.pooling)?;
        if let Some(site) = adapters.sites().find(|&site| network.encoder.weight(site).is_none()) {
            return Err(TrainingError::NoWeight { site: site.name() });
        }
        let mean_square = examples.iter().map(|e| f64::from(e.label).powi(2)).sum::<f64>() / examples.len() as f64;
        let work = Work::new(plan.batch, network.head.outputs());
        let course = Course::new(adapters, optimizer, plan, examples.len(), mean_square)?;
        Ok(Self { network, course, examples, loss, work })
    }

    /// Writes a checkpoint of the run into `directory`, with whatever the caller wants to find beside it.
    ///
    /// # Errors
    /// If it cannot be written; the one before is then still there.
    pub fn save<N: Serialize>(&mut self, directory: &Path, notes: &N) -> Result<(), CheckpointError> {
        self.course.save(directory, &self.examples, notes)
    }

    /// Goes on where the checkpoint in `directory` was made and gives the notes kept with it; `None` if there is none.
    ///
    /// # Errors
    /// If it is damaged or belongs to another run; this one is then as before.
    pub fn restore<N: DeserializeOwned>(&mut self, directory: &Path) -> Result<Option<N>, CheckpointError> {
        self.course.restore(directory, &self.examples)
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.course.step
    }

    /// The network.
    pub fn network(&self) -> &'a Network<T> {
        self.network
    }

    /// The adapters as they are now, for which rows of embeddings may have steps to [make up for](AdamW::catch_up_all).
    pub fn adapters(&mut self) -> &Adapters<T> {
        self.course.adapters()
    }

    /// The optimizer as it is now.
    pub fn optimizer(&self) -> &AdamW<T> {
        &self.course.optimizer
    }

    /// One step on the next batch. Returns the batch's loss before it, with dropout, without the method's penalty.
    ///
    /// # Errors
    /// [`TrainingError::Diverged`].
    pub fn step(&mut self, par: Par) -> Result<f64, TrainingError> {
        self.work.fill(self.examples, self.course.next_batch());
        self.step_on_filled(par)
    }

    /// One step on the given examples, by their index, in place of the next batch.
    ///
    /// # Errors
    /// [`TrainingError::Diverged`].
    pub fn step_on(&mut self, chosen: &[usize], par: Par) -> Result<f64, TrainingError> {
        self.work.fill(self.examples, chosen);
        self.step_on_filled(par)
    }

    fn step_on_filled(&mut self, par: Par) -> Result<f64, TrainingError> {
        let Self { network, course, work, .. } = self;
        let Work { batch, labels, activations, d_logits } = work;
        let mut d_logits = d_logits.as_mut().subcols_mut(0, labels.len());
        let dropout = course.begin(|optimizer, adapters| optimizer.catch_up(adapters, batch));
        network.forward(batch, &course.adapters, &dropout, activations, par);
        let loss = self.loss.value_and_gradient(activations.logits(), labels, d_logits.as_mut()).as_f64();
        course.check(loss)?;
        network.backward(batch, d_logits.as_ref(), &mut course.adapters, activations, par);
        course.finish(par);
        Ok(loss)
    }
}

impl<T: Real> Work<T> {
    fn new(batch: usize, outputs: usize) -> Self {
        Self {
            batch: Batch::new(),
            labels: Vec::with_capacity(batch),
            activations: Activations::new(),
            d_logits: Mat::zeros(outputs, batch),
        }
    }

    /// Puts the chosen examples into the batch.
    fn fill(&mut self, examples: &[Labelled], chosen: &[usize]) {
        self.batch.clear();
        self.labels.clear();
        for &index in chosen {
            let example = &examples[index];
            self.batch.push(&example.ids, &example.token_types);
            self.labels.push(example.label);
        }
    }
}
