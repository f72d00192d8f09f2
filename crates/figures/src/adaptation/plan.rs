//! From settings to a plan: what is varied, and the trial that goes with it.

use std::fmt;

use adaptation::{Method, Selection, StepSchedule};
use lab::checked::{Count, Steps};
use lab::{Kernels, Planned};

use super::frozen::FrozenHead;
use super::inputs::FineTuningInputs;
use super::settings::{EncoderSettings, HeadSettings, TrainingSettings};
use super::task::GatheredTask;
use super::trial::{FineTuningTrial, Keep};

/// What is varied between fine-tuning runs.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPoint {
    /// The encoder's source.
    pub encoder: String,
    /// Pooler and head, in words.
    pub head: String,
    /// The task.
    pub task: String,
    /// What it is evaluated in.
    pub metric: &'static str,
    /// What tables and figures call the method.
    pub method: String,
    /// Training examples n.
    pub examples: usize,
    /// Inner width r; 0 for full width.
    pub rank: usize,
    /// Steps.
    pub steps: u64,
    /// Step size η.
    pub step_size: f64,
    /// AdamW's ϵ.
    pub epsilon: f64,
    /// Number of the draw of pooler and head.
    pub head_draw: usize,
    /// Number of the run: the same one means the same examples and order of batches.
    pub trial: usize,
}

impl fmt::Display for RunPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head, task, method, examples, rank, step_size, epsilon, head_draw, trial, .. } = self;
        // The name of a method of full width says so.
        let width = if *rank == 0 { String::new() } else { format!(", r = {rank}") };
        write!(
            f,
            "{task}, n = {examples}, {method}{width}, η = {step_size:e}, ϵ = {epsilon:e}, {head} {head_draw}, trial {trial}"
        )
    }
}

/// Where trials start from: what they have in common.
#[derive(Clone, Copy)]
pub struct Common<'a> {
    /// The experiment's seed.
    pub seed: u64,
    /// Encoder and tasks.
    pub inputs: &'a FineTuningInputs,
    /// The encoder, and its pooling.
    pub encoder: &'a EncoderSettings,
    /// The head.
    pub head: HeadSettings,
    /// Adapted matrices.
    pub adapted: Selection,
    /// Batches and steps.
    pub training: &'a TrainingSettings,
}

/// A run to be planned.
#[derive(Clone)]
pub struct Run {
    encoder: String,
    head: String,
    method: &'static str,
    rank: usize,
    metric: &'static str,
    trial: FineTuningTrial,
}

impl Common<'_> {
    /// A run of a method at a constant step size, evaluated on dev at its end, of which only the records are kept.
    pub fn run(
        &self,
        task: &GatheredTask,
        name: &'static str,
        (method, rank): (Method, usize),
        step_size: f64,
        examples: usize,
    ) -> Run {
        let (training, encoder) = (self.training, self.encoder);
        let head = FrozenHead {
            pooling: encoder.pooling,
            pooler_scale: *encoder.pooler_scale,
            deviation: self.head.deviation.of(self.inputs.encoder.encoder.config()),
            draw: 0,
        };
        let trial = FineTuningTrial {
            encoder: self.inputs.encoder.hash.clone(),
            head,
            task: task.name.clone(),
            data: task.hash.clone(),
            seed: self.seed,
            number: 0,
            examples,
            sampling: training.sampling,
            dev_examples: training.dev_examples.map(Count::get),
            method,
            adapted: self.adapted,
            steps: training.steps(&task.name),
            batch: *training.batch,
            incomplete_batch: training.incomplete_batch,
            dropout: training.dropout,
            epsilon: *training.epsilon,
            step_size,
            schedule: StepSchedule::Constant,
            record_every: *training.record_every,
            evaluate_every: training.evaluate_every.map(Steps::get),
            scores_training: false,
            checkpoint_every: training.checkpoint_every.map(Steps::get),
            keep: Keep::Nothing,
        };
        let head = format!("{}, {}", encoder.pooling.words(), self.head.deviation.words());
        Run { encoder: encoder.source.clone(), head, method: name, rank, metric: task.metric.name(), trial }
    }
}

impl Run {
    /// With something else about the trial.
    pub fn with(mut self, change: impl FnOnce(&mut FineTuningTrial)) -> Self {
        change(&mut self.trial);
        self
    }

    /// With another pooler and head.
    pub fn with_head(mut self, words: &str, change: impl FnOnce(&mut FrozenHead)) -> Self {
        self.head = words.to_owned();
        change(&mut self.trial.head);
        self
    }

    /// In the plan, for one thread.
    fn planned(self) -> Planned<RunPoint, FineTuningTrial> {
        let Self { encoder, head, method, rank, metric, trial } = self;
        let FineTuningTrial { examples, steps, step_size, epsilon, number, .. } = trial;
        let at = RunPoint {
            encoder,
            head,
            task: trial.task.clone(),
            metric,
            method: method.to_owned(),
            examples,
            rank,
            steps,
            step_size,
            epsilon,
            head_draw: trial.head.draw,
            trial: number,
        };
        Planned { at, trial, kernels: Kernels::Sequential, cost: steps as f64 }
    }

    /// In the plan once for each of these pairs of a draw of the head and a seed.
    pub fn seeds(self, pairs: Vec<(usize, usize)>) -> impl Iterator<Item = Planned<RunPoint, FineTuningTrial>> {
        let of = move |(draw, number)| {
            let run = self.clone().with(|trial| (trial.head.draw, trial.number) = (draw, number));
            run.planned()
        };
        pairs.into_iter().map(of)
    }
}
