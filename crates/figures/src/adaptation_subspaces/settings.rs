//! `experiments/adaptation-subspaces.toml`: its fields and what is allowed.

use adaptation::Selection;
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::checks::{check_init_scale_single, check_not_negative, check_positive, check_runs};

/// `experiments/adaptation-subspaces.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: usize,
    pub(super) tasks: Vec<String>,
    /// Without it, the whole training pool.
    pub(super) examples: Option<usize>,
    pub(super) depth: usize,
    pub(super) init_scale: f64,
    pub(super) step_size: f64,
    pub(super) final_step_size: f64,
    pub(super) adapted: Selection,
    pub(super) kept_steps: Vec<u64>,
    pub(super) singular_values: usize,
    pub(super) subspace: usize,
    pub(super) encoder: EncoderSettings,
    pub(super) training: TrainingSettings,
    #[serde(default)]
    pub(super) sources: Sources,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[self.tasks.len()])?;
        check_tasks(&self.tasks)?;
        Invalid::unless(self.examples != Some(0), "examples", 0, "an integer from 1, or no such key: all")?;
        check_deep(self.depth, "depth")?;
        check_init_scale_single("init_scale", self.init_scale, self.depth)?;
        check_positive("step_size", self.step_size)?;
        check_not_negative("final_step_size", self.final_step_size)?;
        let allowed = "a number from 0 to step_size";
        Invalid::unless(self.final_step_size <= self.step_size, "final_step_size", self.final_step_size, allowed)?;
        check_formed(self.adapted)?;
        Invalid::unless(self.singular_values >= 2, "singular_values", self.singular_values, "an integer from 2")?;
        Invalid::unless(self.subspace >= 1, "subspace", self.subspace, "an integer from 1")?;
        self.training.check()?;
        let steps = self.training.steps;
        for (i, &step) in self.kept_steps.iter().enumerate() {
            let ascends = i == 0 || self.kept_steps[i - 1] < step;
            let allowed = format!("ascending integers from 0, the last one the steps ({steps})");
            Invalid::unless(ascends && step <= steps, format!("kept_steps.{i}"), step, allowed)?;
        }
        let last = self.kept_steps.last().copied();
        let text = last.map_or("[]".to_owned(), |last| last.to_string());
        Invalid::unless(last == Some(steps), "kept_steps", text, format!("a list that ends with the steps ({steps})"))
    }
}

impl Settings {
    pub(super) fn subtitle(&self, task: &str) -> String {
        let examples = self.examples.map_or("all".to_owned(), |n| n.to_string());
        format!(
            "{}, {task}, {}, full width, L = {}, ε = {}, η from {:e} to {:e}, n = {examples}, {} seed{}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.depth,
            self.init_scale,
            self.step_size,
            self.final_step_size,
            self.trials,
            if self.trials == 1 { "" } else { "s" }
        )
    }
}
