//! Fine-tuning of a decoder on texts behind prompts.

use std::path::Path;

use faer::Par;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::course::{Course, Plan, TrainingError};
use crate::checkpoint::CheckpointError;
use crate::method::Method;
use crate::{AdamW, Adapters, LanguageModel, PromptedText, Real, Site, TextActivations, TextBatch};

/// The adapters of a method on these sites of a decoder, drawn from `seed`. For a method that is made from the gradient of the
/// first batch, that is the batch of the first step of `plan`.
///
/// # Errors
/// If the method does not fit a site; [`TrainingError::Empty`] without examples, [`TrainingError::Example`] if the decoder cannot
/// take one.
pub fn text_adapters<T: Real>(
    method: &Method,
    sites: &[Site],
    model: &LanguageModel<T>,
    examples: &[PromptedText],
    plan: &Plan,
    seed: u64,
    par: Par,
) -> Result<Adapters<T>, TrainingError> {
    check_examples(model, examples)?;
    let mut first = TextBatch::new();
    plan.first_batch(examples.len()).into_iter().for_each(|index| first.push(&examples[index]));
    Ok(model.adapters(method, sites, &first, seed, par)?)
}

/// A fine-tuning run of a decoder between two steps. A decoder of Llama's architecture has no dropout.
pub struct TextTuning<'a, T: Real> {
    model: &'a LanguageModel<T>,
    course: Course<T>,
    examples: &'a [PromptedText],
    batch: TextBatch,
    work: TextActivations<T>,
}

impl<'a, T: Real> TextTuning<'a, T> {
    /// A run before its first step.
    ///
    /// # Errors
    /// [`TrainingError::Empty`] without examples, [`TrainingError::NoBatch`] without a whole batch of them,
    /// [`TrainingError::Example`] if the decoder cannot take one, [`TrainingError::NoBudgetPhase`] with too few steps for a budget,
    /// [`TrainingError::NoWeight`] if the decoder has no weight that is adapted.
    pub fn new(
        model: &'a LanguageModel<T>,
        adapters: Adapters<T>,
        optimizer: AdamW<T>,
        examples: &'a [PromptedText],
        plan: Plan,
    ) -> Result<Self, TrainingError> {
        check_examples(model, examples)?;
        let config = model.decoder().config();
        if let Some(site) = adapters.sites().find(|&site| !config.sites().any(|own| own == site)) {
            return Err(TrainingError::NoWeight { site: site.name() });
        }
        // That of all tokens being equally likely.
        let guess = (config.vocabulary as f64).ln();
        let course = Course::new(adapters, optimizer, plan, examples.len(), guess)?;
        Ok(Self { model, course, examples, batch: TextBatch::new(), work: TextActivations::new() })
    }

    /// One step on the next batch. Returns the batch's loss before it, without the method's penalty.
    ///
    /// # Errors
    /// [`TrainingError::Diverged`].
    pub fn step(&mut self, par: Par) -> Result<f64, TrainingError> {
        let Self { model, course, examples, batch, work } = self;
        batch.clear();
        course.next_batch().iter().for_each(|&index| batch.push(&examples[index]));
        course.begin(batch.batch());
        let loss = model.loss_and_gradient(batch, &mut course.adapters, work, par);
        course.check(loss)?;
        course.finish(par);
        Ok(loss)
    }

    /// The [loss](LanguageModel::loss_of) of other texts with the adapters as they are now.
    ///
    /// # Panics
    /// If there are no texts, or the decoder cannot take one (see [`PromptedText::check`]).
    pub fn loss_of(&mut self, texts: &[PromptedText], par: Par) -> f64 {
        let Self { model, course, work, .. } = self;
        let batch = course.plan.batch;
        model.loss_of(texts, batch, course.adapters(), work, par)
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

    /// The adapters as they are now, for which rows of embeddings may have steps to [make up for](AdamW::catch_up_all).
    pub fn adapters(&mut self) -> &Adapters<T> {
        self.course.adapters()
    }

    /// The adapters at the end of a run; its optimizer and buffers are given back.
    pub fn into_adapters(mut self) -> Adapters<T> {
        self.course.adapters();
        self.course.adapters
    }
}

fn check_examples<T: Real>(model: &LanguageModel<T>, examples: &[PromptedText]) -> Result<(), TrainingError> {
    if examples.is_empty() {
        return Err(TrainingError::Empty);
    }
    let config = model.decoder().config();
    examples
        .iter()
        .enumerate()
        .try_for_each(|(example, text)| text.check(config).map_err(|source| TrainingError::Example { example, source }))
}
