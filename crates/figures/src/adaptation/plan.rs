//! From a page's settings to its plan: what is varied, and the trial that goes with it.

use std::fmt;

use adaptation::{Method, Pooling, Selection, StepSchedule};
use lab::checked::{Count, Steps};
use lab::{Kernels, Planned};

use super::draw::{Part, Reserved};
use super::inputs::FineTuningInputs;
use super::settings::TrainingSettings;
use super::task::GatheredTask;
use super::trial::{Divergence, Evaluated, FineTuningTrial, Keep};

/// What is varied between fine-tuning runs.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPoint {
    /// How the step size was come by.
    pub protocol: String,
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
    /// Which run: the same one means the same examples, head and order of batches.
    pub part: Part,
}

impl fmt::Display for RunPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, task, method, examples, rank, step_size, part, .. } = self;
        // The name of a method of full width says so.
        let width = if *rank == 0 { String::new() } else { format!(", r = {rank}") };
        write!(f, "{protocol}: {task}, n = {examples}, {method}{width}, η = {step_size:e}, {part}")
    }
}

/// Where a page's trials start from: what they have in common.
#[derive(Clone, Copy)]
pub struct Common<'a> {
    /// The experiment's seed.
    pub seed: u64,
    /// Encoder and tasks.
    pub inputs: &'a FineTuningInputs,
    /// Pooling of the encoder.
    pub pooling: Pooling,
    /// Adapted matrices.
    pub adapted: Selection,
    /// Batches and steps.
    pub training: &'a TrainingSettings,
}

/// A run to be planned.
#[derive(Clone)]
pub struct Run {
    protocol: String,
    method: String,
    rank: usize,
    metric: &'static str,
    trial: FineTuningTrial,
}

impl Common<'_> {
    /// A reported run of a method at a constant step size, evaluated on dev at its end, of which only the records are kept.
    pub fn run(
        &self,
        protocol: &str,
        task: &GatheredTask,
        (method, rank): (Method, usize),
        step_size: f64,
        examples: usize,
    ) -> Run {
        let training = self.training;
        let trial = FineTuningTrial {
            encoder: self.inputs.encoder.hash.clone(),
            pooling: self.pooling,
            task: task.name.clone(),
            data: task.hash.clone(),
            seed: self.seed,
            part: Part::Run(0),
            reserved: Reserved::default(),
            examples,
            evaluated: Evaluated::Dev,
            dev_examples: training.dev_examples.map(Count::get),
            method,
            adapted: self.adapted,
            steps: *training.steps,
            batch: *training.batch,
            dropout: training.dropout,
            step_size,
            schedule: StepSchedule::Constant,
            record_every: *training.record_every,
            evaluate_every: None,
            checkpoint_every: training.checkpoint_every.map(Steps::get),
            keep: Keep::Nothing,
            divergence: Divergence::Counts,
        };
        let (protocol, method) = (protocol.to_owned(), method.label().to_owned());
        Run { protocol, method, rank, metric: task.metric.name(), trial }
    }
}

impl Run {
    /// With another name for the method in tables and figures.
    pub fn named(self, method: &str) -> Self {
        Self { method: method.to_owned(), ..self }
    }

    /// With something else about the trial.
    pub fn with(mut self, change: impl FnOnce(&mut FineTuningTrial)) -> Self {
        change(&mut self.trial);
        self
    }

    /// In the plan, for one thread.
    pub fn planned(self) -> Planned<RunPoint, FineTuningTrial> {
        let Self { protocol, method, rank, metric, trial } = self;
        let FineTuningTrial { task, examples, steps, step_size, part, .. } = &trial;
        let (task, cost) = (task.clone(), *steps as f64);
        let (examples, steps, step_size, part) = (*examples, *steps, *step_size, *part);
        let at = RunPoint { protocol, task, metric, method, examples, rank, steps, step_size, part };
        Planned { at, trial, kernels: Kernels::Sequential, cost }
    }

    /// In the plan once for each of so many seeds.
    pub fn seeds(self, count: usize) -> impl Iterator<Item = Planned<RunPoint, FineTuningTrial>> {
        (0..count).map(move |number| self.clone().with(|trial| trial.part = Part::Run(number)).planned())
    }
}
