//! From the settings to a plan: what is varied, and the trial that goes with it.

use std::fmt;

use lab::checked::Steps;
use lab::{Kernels, Planned};

use super::inputs::{GatheredModel, Inputs};
use super::settings::Settings;
use super::trial::{NlgTrial, Tuning};
use crate::adaptation::MethodName;

/// What tables and figures call a model that was not fine-tuned.
pub const FROZEN: &str = "frozen model";

/// What is varied.
#[derive(Clone, Debug, PartialEq)]
pub struct NlgPoint {
    /// The model's source.
    pub model: String,
    /// What tables and figures call the method.
    pub method: &'static str,
    /// Inner width r; 0 for full width.
    pub rank: usize,
    /// Training examples n; 0 for the frozen model.
    pub examples: usize,
    /// Steps; 0 for the frozen model.
    pub steps: u64,
    /// Step size η; 0 for the frozen model.
    pub step_size: f64,
    /// Number of the run: the same one means the same examples and order of batches.
    pub trial: usize,
}

impl fmt::Display for NlgPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, method, rank, examples, step_size, trial, .. } = self;
        if *examples == 0 {
            return write!(f, "{model}, {method}");
        }
        let width = if *rank == 0 { String::new() } else { format!(", r = {rank}") };
        write!(f, "{model}, n = {examples}, {method}{width}, η = {step_size:e}, trial {trial}")
    }
}

/// Every model as it is and with every method and seed.
pub(super) fn plan(settings: &Settings, inputs: &Inputs) -> Vec<Planned<NlgPoint, NlgTrial>> {
    let mut plan = Vec::new();
    for model in &inputs.models {
        plan.extend(settings.scores.frozen.then(|| frozen(settings, model)));
        for number in 0..*settings.trials {
            plan.extend(settings.methods.names.iter().map(|&name| tuned(settings, model, name, number)));
        }
    }
    plan
}

fn frozen(settings: &Settings, model: &GatheredModel) -> Planned<NlgPoint, NlgTrial> {
    let at = NlgPoint {
        model: model.name.clone(),
        method: FROZEN,
        rank: 0,
        examples: 0,
        steps: 0,
        step_size: 0.0,
        trial: 0,
    };
    planned(settings, model, at, None)
}

fn tuned(settings: &Settings, model: &GatheredModel, name: MethodName, number: usize) -> Planned<NlgPoint, NlgTrial> {
    let Settings { training, methods, .. } = settings;
    let (method, rank) = methods.method(name, *settings.rank);
    let tuning = Tuning {
        method,
        smallest_side: *settings.smallest_side,
        examples: *settings.examples,
        sampling: training.sampling,
        steps: *training.steps,
        batch: *training.batch,
        dropout: training.dropout,
        epsilon: *training.epsilon,
        step_size: methods.step_size(name, *settings.step_size),
        record_every: *training.record_every,
        validate_every: training.validate_every.map(Steps::get),
    };
    let at = NlgPoint {
        model: model.name.clone(),
        method: name.label(),
        rank,
        examples: tuning.examples,
        steps: tuning.steps,
        step_size: tuning.step_size,
        trial: number,
    };
    planned(settings, model, at, Some(tuning))
}

/// With all threads, one at a time: a run of a small language model holds gigabytes.
fn planned(
    settings: &Settings,
    model: &GatheredModel,
    at: NlgPoint,
    tuning: Option<Tuning>,
) -> Planned<NlgPoint, NlgTrial> {
    let generation = settings.generation;
    let trial = NlgTrial {
        model: model.hash.clone(),
        data: model.data.clone(),
        seed: settings.seed,
        number: at.trial,
        tuning,
        beams: *generation.beams,
        most_tokens: *generation.most_tokens,
        length_penalty: generation.length_penalty,
        checkpoint_every: settings.training.checkpoint_every.map(Steps::get),
    };
    Planned { cost: 1.0 + at.steps as f64, at, trial, kernels: Kernels::Parallel }
}
