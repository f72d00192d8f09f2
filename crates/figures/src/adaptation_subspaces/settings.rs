//! `[experiment]` of `experiments/adaptation-subspaces.toml`: its keys and what is allowed.

use charts::significant;
use lab::Invalid;
use lab::checked::{Count, NotNegative};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;

/// `experiments/adaptation-subspaces.toml`.
pub type Settings = FineTuningSettings<Kept>;

/// `[experiment]`: what is kept along a run, and how its step size falls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub(super) final_step_size: NotNegative,
    pub(super) kept_steps: Vec<u64>,
    pub(super) singular_values: Count,
    pub(super) subspace: Count,
}

impl Own for Kept {
    const VARIED: &'static [Varied] = &[];

    fn check(&self, settings: &Settings) -> Result<(), Invalid> {
        let only = settings.methods.names[..] == [MethodName::DeepLora];
        Invalid::unless(
            only,
            "methods.names",
            settings.methods.names.len(),
            "[\"deep-lora\"]: the figure is about it alone",
        )?;
        let draws = settings.head.draws.shared();
        Invalid::unless(draws == 1, "head.draws", draws, "1: matrices are told apart by the trial alone")?;
        let falls = *self.final_step_size <= *settings.step_sizes[0];
        Invalid::unless(falls, "experiment.final_step_size", self.final_step_size, "a number from 0 to the step size")?;
        let enough = *self.singular_values >= 2;
        Invalid::unless(enough, "experiment.singular_values", self.singular_values, "a whole number from 2")?;
        let steps = *settings.training.steps;
        for (i, &step) in self.kept_steps.iter().enumerate() {
            let ascends = i == 0 || self.kept_steps[i - 1] < step;
            let allowed = format!("ascending whole numbers from 0, the last one the steps ({steps})");
            Invalid::unless(ascends && step <= steps, format!("experiment.kept_steps.{i}"), step, allowed)?;
        }
        let last = self.kept_steps.last().copied();
        let text = last.map_or("[]".to_owned(), |last| last.to_string());
        let allowed = format!("a list that ends with the steps ({steps})");
        Invalid::unless(last == Some(steps), "experiment.kept_steps", text, allowed)
    }
}

/// What it was run with, for the figure.
pub(super) fn subtitle(settings: &Settings, task: &str) -> String {
    let place = settings.subtitle(&format!("paper: Figure 2; {task}"));
    format!("{place}; η falls to {}", significant(*settings.experiment.final_step_size, 1))
}
