//! Fine-tuning of a model that writes texts behind prompts.

use std::path::Path;

use faer::Par;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::course::{Course, Plan, TrainingError};
use crate::checkpoint::CheckpointError;
use crate::method::Method;
use crate::{AdamW, Adapters, PromptedText, Real, Site, TextModel};

/// The loss of a guess: that of 160 000 equally likely tokens, more than most models know.
const GUESS: f64 = 12.0;

/// The adapters of a method on these sites of a model, drawn from `seed`. For a method that is made from the gradient of the
/// first batch, that is the batch of the first step of `plan`, without dropout.
///
/// # Errors
/// If the method does not fit a site; [`TrainingError::Empty`] without examples, [`TrainingError::Example`] if the model cannot
/// take one.
pub fn text_adapters<T: Real>(
    method: &Method,
    sites: &[Site],
    model: &impl TextModel<T>,
    examples: &[PromptedText],
    plan: &Plan,
    seed: u64,
    par: Par,
) -> Result<Adapters<T>, TrainingError> {
    check_examples(model, examples)?;
    let first = model.batch(plan.first_batch(examples.len()).into_iter().map(|index| &examples[index]));
    Ok(model.adapters(method, sites, &first, seed, par)?)
}

/// The mean over all target tokens of these texts of `−log softmax(logits)[target]`; `batch` of them go through at a time.
///
/// # Panics
/// If there are no texts, or the model cannot take one; if `batch` is 0.
pub fn text_loss<T: Real, M: TextModel<T>>(
    model: &M,
    texts: &[PromptedText],
    batch: usize,
    adapters: &Adapters<T>,
    work: &mut M::Work,
    par: Par,
) -> f64 {
    let (mut sum, mut targets) = (0.0, 0);
    for texts in texts.chunks(batch) {
        let packed = model.batch(texts);
        sum += model.loss(&packed, adapters, work, par) * model.targets(&packed) as f64;
        targets += model.targets(&packed);
    }
    sum / targets as f64
}

/// A fine-tuning run of a model that writes texts, between two steps.
pub struct TextTuning<'a, T: Real, M: TextModel<T>> {
    model: &'a M,
    course: Course<T>,
    examples: &'a [PromptedText],
    work: M::Work,
}

impl<'a, T: Real, M: TextModel<T>> TextTuning<'a, T, M> {
    /// A run before its first step.
    ///
    /// # Errors
    /// [`TrainingError::Empty`] without examples, [`TrainingError::NoBatch`] without a whole batch of them,
    /// [`TrainingError::Example`] if the model cannot take one, [`TrainingError::NoBudgetPhase`] with too few steps for a budget,
    /// [`TrainingError::NoWeight`] if the model has no weight that is adapted.
    pub fn new(
        model: &'a M,
        adapters: Adapters<T>,
        optimizer: AdamW<T>,
        examples: &'a [PromptedText],
        plan: Plan,
    ) -> Result<Self, TrainingError> {
        check_examples(model, examples)?;
        let sites = model.sites();
        if let Some(site) = adapters.sites().find(|site| !sites.contains(site)) {
            return Err(TrainingError::NoWeight { site: site.name() });
        }
        let course = Course::new(adapters, optimizer, plan, examples.len(), GUESS)?;
        Ok(Self { model, course, examples, work: M::Work::default() })
    }

    /// One step on the next batch. Returns the batch's loss before it, with dropout, without the method's penalty.
    ///
    /// # Errors
    /// [`TrainingError::Diverged`].
    pub fn step(&mut self, par: Par) -> Result<f64, TrainingError> {
        let Self { model, course, examples, work } = self;
        let batch = model.batch(course.next_batch().iter().map(|&index| &examples[index]));
        let dropout = course.begin(|optimizer, adapters| model.catch_up(optimizer, adapters, &batch));
        let loss = model.loss_and_gradient(&batch, &mut course.adapters, &dropout, work, par);
        course.check(loss)?;
        course.finish(par);
        Ok(loss)
    }

    /// The [loss](text_loss) of other texts with the adapters as they are now.
    ///
    /// # Panics
    /// If there are no texts, or the model cannot take one.
    pub fn loss_of(&mut self, texts: &[PromptedText], par: Par) -> f64 {
        let Self { model, course, work, .. } = self;
        let batch = course.plan.batch;
        text_loss(*model, texts, batch, course.adapters(), work, par)
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

fn check_examples<T: Real>(model: &impl TextModel<T>, examples: &[PromptedText]) -> Result<(), TrainingError> {
    if examples.is_empty() {
        return Err(TrainingError::Empty);
    }
    let check = |(example, text)| model.check(text).map_err(|source| TrainingError::Example { example, source });
    examples.iter().enumerate().try_for_each(check)
}
