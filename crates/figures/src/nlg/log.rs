//! What is noted down along a run, and kept in its checkpoints.

use std::mem::take;
use std::time::Duration;

use adaptation::TextModel;
use adaptation::training::TextTuning;
use faer::Par;
use lab::TrialContext;
use serde::{Deserialize, Serialize};

use super::inputs::GatheredModel;
use super::trial::{NlgOutcome, NlgTrial, Tuning, WrittenText};

/// Takes notes of one run.
pub(super) struct Log<'a> {
    trial: &'a NlgTrial,
    tuning: &'a Tuning,
    model: &'a GatheredModel,
    context: &'a TrialContext,
    par: Par,
    notes: Notes,
}

/// What was noted down so far.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    /// Seconds the run has taken.
    seconds: f64,
    /// Sum and number of the losses since the last record.
    since: (f64, u64),
    /// The loss of the first step.
    initial_loss: Option<f64>,
    training: Vec<(u64, f64)>,
    validation: Vec<(u64, f64)>,
}

impl<'a> Log<'a> {
    pub(super) fn new(
        trial: &'a NlgTrial,
        tuning: &'a Tuning,
        model: &'a GatheredModel,
        context: &'a TrialContext,
        par: Par,
    ) -> Self {
        Self { trial, tuning, model, context, par, notes: Notes::default() }
    }

    /// Before the first step. If the run was killed after a checkpoint, it goes on there; a checkpoint that cannot be used is
    /// reported, and the run starts again.
    pub(super) fn resume<M: TextModel<f32>>(&mut self, run: &mut TextTuning<'_, f32, M>) {
        match self.context.scratch().map_or(Ok(None), |scratch| run.restore::<Notes>(scratch)) {
            Ok(None) => {}
            Ok(Some(notes)) => {
                tracing::info!("{}: goes on after step {}", self.context.label(), run.steps_done());
                self.context.resume(Duration::from_secs_f64(notes.seconds));
                self.notes = notes;
            }
            Err(error) => tracing::warn!("{:#}; starting it again", anyhow::Error::from(error)),
        }
    }

    /// After a step.
    pub(super) fn observe<M: TextModel<f32>>(&mut self, run: &mut TextTuning<'_, f32, M>, loss: f64) {
        let (step, steps) = (run.steps_done(), self.tuning.steps);
        self.context.progress(step, steps, loss);
        let notes = &mut self.notes;
        notes.initial_loss.get_or_insert(loss);
        notes.since = (notes.since.0 + loss, notes.since.1 + 1);
        let is_last = step == steps;
        if is_last || step.is_multiple_of(self.tuning.record_every) {
            let (sum, count) = take(&mut notes.since);
            notes.training.push((step, sum / count as f64));
        }
        if is_last || self.tuning.validate_every.is_some_and(|every| step.is_multiple_of(every)) {
            notes.validation.push((step, run.loss_of(&self.model.validation, self.par)));
        }
        if self.trial.checkpoint_every.is_some_and(|every| is_last || step.is_multiple_of(every)) {
            self.checkpoint(run);
        }
        let context = self.context;
        context.when_stopping(|| self.checkpoint(run));
    }

    /// Writes a checkpoint. The run is not ended if that fails: there is still the one before.
    fn checkpoint<M: TextModel<f32>>(&mut self, run: &mut TextTuning<'_, f32, M>) {
        let Some(scratch) = self.context.scratch() else { return };
        self.notes.seconds = self.context.elapsed().as_secs_f64();
        if let Err(error) = run.save(scratch, &self.notes) {
            tracing::warn!("no checkpoint: {:#}", anyhow::Error::from(error));
        }
    }

    /// What the run yields.
    pub(super) fn outcome(self, diverged_at: Option<u64>, texts: Vec<WrittenText>) -> NlgOutcome {
        let Notes { initial_loss, training, validation, .. } = self.notes;
        NlgOutcome { initial_loss, training, validation, diverged_at, texts }
    }
}
