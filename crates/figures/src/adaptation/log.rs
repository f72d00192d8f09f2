//! What is noted down along a fine-tuning run, and kept in its checkpoints.

use std::mem::take;
use std::time::Duration;

use adaptation::evaluation::{Labelled, predict, score};
use adaptation::training::{self, FineTuning};
use adaptation::{Activations, Adapters, Reach, Site};
use faer::Par;
use lab::{TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use super::escapes::EscapeLog;
use super::outcome::{Escape, FineTuningOutcome, TrainingRecord};
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
    training: &'a [Labelled],
    constant_loss: f64,
    reach: Reach,
    activations: Activations<f32>,
    subspaces: Option<SubspaceLog>,
    escapes: Option<EscapeLog>,
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
    escapes: Vec<Escape>,
}

impl<'a> Log<'a> {
    /// An empty log.
    ///
    /// # Errors
    /// If the trial's examples cannot be drawn from the task's.
    pub fn new(
        trial: &'a FineTuningTrial,
        task: &'a GatheredTask,
        training: &'a [Labelled],
        reach: Reach,
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
        let escapes = None;
        Ok(Self {
            trial,
            task,
            context,
            par,
            evaluation,
            training,
            constant_loss,
            reach,
            activations,
            subspaces,
            escapes,
            notes,
        })
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
                tracing::info!("{}: goes on after step {}", self.context.label(), tuning.steps_done());
                self.context.resume(Duration::from_secs_f64(notes.seconds));
                self.take_up(notes);
                return Ok(());
            }
            Err(error) => tracing::warn!("{:#}; starting it again", anyhow::Error::from(error)),
        }
        if self.trial.keep == Keep::Escapes {
            self.escapes = Some(EscapeLog::new(&self.first_gradients(tuning)?));
        }
        self.subspaces.as_mut().map_or(Ok(()), |subspaces| subspaces.note(0, tuning.adapters()))
    }

    fn first_gradients(&self, tuning: &mut FineTuning<'_, f32>) -> anyhow::Result<Adapters<f32>> {
        let sites: Vec<Site> = tuning.adapters().sites().collect();
        let (network, loss, plan) = (tuning.network(), self.task.loss(), self.trial.plan());
        Ok(training::first_gradients(&sites, network, self.training, loss, &plan, self.par)?)
    }

    fn take_up(&mut self, mut notes: Notes) {
        let noted = take(&mut notes.subspaces);
        if let Some(subspaces) = &mut self.subspaces {
            subspaces.noted = noted;
        }
        if self.trial.keep == Keep::Escapes {
            self.escapes = Some(EscapeLog { found: take(&mut notes.escapes) });
        }
        self.notes = notes;
    }

    /// After a step.
    ///
    /// # Errors
    /// If a decomposition does not converge.
    pub fn observe(&mut self, tuning: &mut FineTuning<'_, f32>, loss: f64) -> anyhow::Result<()> {
        let step = tuning.steps_done();
        self.context.progress(step, self.trial.steps, loss);
        let Notes { since, .. } = &mut self.notes;
        *since = (since.0 + loss, since.1 + 1);
        if let Some(subspaces) = &mut self.subspaces {
            subspaces.note(step, tuning.adapters())?;
        }
        if let Some(escapes) = &mut self.escapes {
            escapes.note(step, tuning.adapters());
        }
        let at_end = step == self.trial.steps;
        let evaluates = at_end || self.trial.evaluate_every.is_some_and(|every| step.is_multiple_of(every));
        if evaluates || step.is_multiple_of(self.trial.record_every) {
            let (sum, count) = take(&mut self.notes.since);
            let metric = if evaluates { self.measure(tuning) } else { None };
            let scores_training = evaluates && self.trial.scores_training;
            let training_metric = if scores_training { self.measure_training(tuning) } else { None };
            let training_loss = sum / count as f64;
            self.notes.records.push(TrainingRecord { step, training_loss, metric, training_metric });
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
    fn checkpoint(&mut self, tuning: &mut FineTuning<'_, f32>) {
        let Some(scratch) = self.context.scratch() else { return };
        self.notes.seconds = self.context.elapsed().as_secs_f64();
        // Lent to the notes for the while.
        if let Some(subspaces) = &mut self.subspaces {
            self.notes.subspaces = take(&mut subspaces.noted);
        }
        self.notes.escapes = self.escapes.as_ref().map_or(Vec::new(), |escapes| escapes.found.clone());
        if let Err(error) = tuning.save(scratch, &self.notes) {
            tracing::warn!("no checkpoint: {:#}", anyhow::Error::from(error));
        }
        if let Some(subspaces) = &mut self.subspaces {
            subspaces.noted = take(&mut self.notes.subspaces);
        }
    }

    fn measure(&mut self, tuning: &mut FineTuning<'_, f32>) -> Option<f64> {
        let Self { evaluation, activations, par, .. } = self;
        let network = tuning.network();
        let predicted = predict(network, tuning.adapters(), evaluation, activations, *par);
        score(self.task.metric, &predicted, evaluation)
    }

    fn measure_training(&mut self, tuning: &mut FineTuning<'_, f32>) -> Option<f64> {
        let Self { training, activations, par, .. } = self;
        let network = tuning.network();
        let predicted = predict(network, tuning.adapters(), training, activations, *par);
        score(self.task.metric, &predicted, training)
    }

    /// The outcome of a run that came to its end.
    ///
    /// # Errors
    /// If a decomposition does not converge.
    pub fn finish(self, tuning: &mut FineTuning<'_, f32>) -> Result<FineTuningOutcome, TrialError> {
        let keeps_spectra = matches!(self.trial.keep, Keep::Spectra | Keep::Subspaces { .. });
        let spectra = if keeps_spectra { spectra(tuning.adapters())? } else { Vec::new() };
        let alignments = self.subspaces.map_or(Ok(Vec::new()), SubspaceLog::alignments)?;
        let records = self.notes.records;
        let metric = records.last().and_then(|record| record.metric);
        let escapes = self.escapes.map_or(Vec::new(), |escapes| escapes.found);
        let Self { constant_loss, reach, .. } = self;
        Ok(FineTuningOutcome { constant_loss, reach, records, metric, diverged_at: None, spectra, alignments, escapes })
    }

    /// The outcome of a run that diverged.
    pub fn diverged(self, step: u64) -> FineTuningOutcome {
        tracing::warn!("{}: diverged at step {step}; its row has no score", self.context.label());
        FineTuningOutcome {
            constant_loss: self.constant_loss,
            reach: self.reach,
            records: self.notes.records,
            metric: None,
            diverged_at: Some(step),
            spectra: Vec::new(),
            alignments: Vec::new(),
            escapes: Vec::new(),
        }
    }
}
