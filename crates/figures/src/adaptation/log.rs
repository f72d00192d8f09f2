//! What is noted down along a fine-tuning run, and kept in its checkpoints.

use std::mem::take;
use std::time::Duration;

use adaptation::Activations;
use adaptation::evaluation::{Labelled, predict, score};
use adaptation::training::FineTuning;
use faer::Par;
use lab::{TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use super::outcome::{FineTuningOutcome, TrainingRecord};
use super::spectra::{Subspace, SubspaceLog, spectra};
use super::task::GatheredTask;
use super::trial::{FineTuningTrial, Keep};

/// Takes notes of one run.
pub struct Log<'a> {
    trial: &'a FineTuningTrial,
    task: &'a GatheredTask,
    context: &'a TrialContext,
    par: Par,
    evaluation: Vec<Labelled>,
    constant_loss: f64,
    activations: Activations<f32>,
    subspaces: Option<SubspaceLog>,
    notes: Notes,
}

/// What was noted down so far.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    /// Seconds the run has taken.
    seconds: f64,
    /// Sum and number of the losses since the last record.
    since: (f64, u64),
    records: Vec<TrainingRecord>,
    subspaces: Vec<Subspace>,
}

impl<'a> Log<'a> {
    /// An empty log.
    ///
    /// # Errors
    /// If the trial's examples cannot be drawn from the task's.
    pub fn new(
        trial: &'a FineTuningTrial,
        task: &'a GatheredTask,
        training: &[Labelled],
        context: &'a TrialContext,
        par: Par,
    ) -> anyhow::Result<Self> {
        let subspaces = match &trial.keep {
            Keep::Subspaces { steps, dimension } => Some(SubspaceLog::new(steps.clone(), *dimension)),
            _ => None,
        };
        let evaluation = trial.evaluation(task)?;
        let labels: Vec<f32> = training.iter().map(|example| example.label).collect();
        let constant_loss = task.loss().of_best_constant(&labels);
        let (activations, notes) = (Activations::new(), Notes::default());
        Ok(Self { trial, task, context, par, evaluation, constant_loss, activations, subspaces, notes })
    }

    /// Before the first step. If the run was killed after a checkpoint, it goes on there; a checkpoint that cannot be used is
    /// reported, and the run starts again.
    ///
    /// # Errors
    /// If a decomposition does not converge.
    pub fn start_or_resume(&mut self, tuning: &mut FineTuning<'_, f32>) -> anyhow::Result<()> {
        match self.context.scratch().map_or(Ok(None), |scratch| tuning.restore::<Notes>(scratch)) {
            Ok(None) => {}
            Ok(Some(notes)) => {
                tracing::info!(
                    "{}, {}: goes on after step {}",
                    self.trial.task,
                    self.trial.method.label(),
                    tuning.steps_done()
                );
                self.context.resume(Duration::from_secs_f64(notes.seconds));
                self.take_up(notes);
                return Ok(());
            }
            Err(error) => tracing::warn!("{:#}; starting it again", anyhow::Error::from(error)),
        }
        self.subspaces.as_mut().map_or(Ok(()), |subspaces| subspaces.note(0, tuning.adapters()))
    }

    fn take_up(&mut self, mut notes: Notes) {
        let noted = take(&mut notes.subspaces);
        if let Some(subspaces) = &mut self.subspaces {
            subspaces.noted = noted;
        }
        self.notes = notes;
    }

    /// After a step.
    ///
    /// # Errors
    /// If a decomposition does not converge.
    pub fn observe(&mut self, tuning: &FineTuning<'_, f32>, loss: f64) -> anyhow::Result<()> {
        let step = tuning.steps_done();
        self.context.progress(step, self.trial.steps, loss);
        let Notes { since, .. } = &mut self.notes;
        *since = (since.0 + loss, since.1 + 1);
        if let Some(subspaces) = &mut self.subspaces {
            subspaces.note(step, tuning.adapters())?;
        }
        let at_end = step == self.trial.steps;
        let evaluates = at_end || self.trial.evaluate_every.is_some_and(|every| step.is_multiple_of(every));
        if evaluates || step.is_multiple_of(self.trial.record_every) {
            let (sum, count) = take(&mut self.notes.since);
            let metric = if evaluates { self.measure(tuning) } else { None };
            self.notes.records.push(TrainingRecord { step, training_loss: sum / count as f64, metric });
        }
        if !at_end && self.trial.checkpoint_every.is_some_and(|every| step.is_multiple_of(every)) {
            self.checkpoint(tuning);
        }
        if !at_end {
            let context = self.context;
            context.when_stopping(|| self.checkpoint(tuning));
        }
        Ok(())
    }

    /// Writes a checkpoint. The run is not ended if that fails: there is still the one before.
    fn checkpoint(&mut self, tuning: &FineTuning<'_, f32>) {
        let Some(scratch) = self.context.scratch() else { return };
        self.notes.seconds = self.context.elapsed().as_secs_f64();
        // Lent to the notes for the while.
        if let Some(subspaces) = &mut self.subspaces {
            self.notes.subspaces = take(&mut subspaces.noted);
        }
        if let Err(error) = tuning.save(scratch, &self.notes) {
            tracing::warn!("no checkpoint: {:#}", anyhow::Error::from(error));
        }
        if let Some(subspaces) = &mut self.subspaces {
            subspaces.noted = take(&mut self.notes.subspaces);
        }
    }

    fn measure(&mut self, tuning: &FineTuning<'_, f32>) -> Option<f64> {
        let Self { evaluation, activations, par, .. } = self;
        let predicted = predict(tuning.network(), tuning.adapters(), evaluation, activations, *par);
        score(self.task.metric, &predicted, evaluation)
    }

    /// The outcome of a run that came to its end.
    ///
    /// # Errors
    /// If a decomposition does not converge.
    pub fn finish(self, tuning: &FineTuning<'_, f32>) -> Result<FineTuningOutcome, TrialError> {
        let spectra = if self.trial.keep == Keep::Nothing { Vec::new() } else { spectra(tuning.adapters())? };
        let alignments = self.subspaces.map_or(Ok(Vec::new()), SubspaceLog::alignments)?;
        let records = self.notes.records;
        let metric = records.last().and_then(|record| record.metric);
        let constant_loss = self.constant_loss;
        Ok(FineTuningOutcome { constant_loss, records, metric, diverged_at: None, spectra, alignments })
    }

    /// The outcome of a run that diverged.
    pub fn diverged(self, step: u64) -> FineTuningOutcome {
        let (spectra, alignments) = (Vec::new(), Vec::new());
        let (records, diverged_at) = (self.notes.records, Some(step));
        FineTuningOutcome { constant_loss: self.constant_loss, records, metric: None, diverged_at, spectra, alignments }
    }
}
