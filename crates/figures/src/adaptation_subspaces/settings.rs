//! `experiments/adaptation-subspaces.toml`: its fields and what is allowed.

use adaptation::Selection;
use charts::significant;
use lab::checked::{Count, Depth, Distinct, NotNegative, Positive, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::checks::{check_init_scale_single, check_runs};

/// `experiments/adaptation-subspaces.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    #[serde(default)]
    pub(super) band: Band,
    pub(super) tasks: Distinct<String>,
    /// Without it, the whole training pool.
    pub(super) examples: Option<Count>,
    pub(super) depth: Depth,
    pub(super) init_scale: Positive,
    pub(super) step_size: Positive,
    pub(super) final_step_size: NotNegative,
    pub(super) adapted: Selection,
    pub(super) kept_steps: Vec<u64>,
    pub(super) singular_values: Count,
    pub(super) subspace: Count,
    pub(super) encoder: EncoderSettings,
    pub(super) training: TrainingSettings,
    #[serde(default)]
    pub(super) sources: Sources,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(*self.trials, &[self.tasks.len()])?;
        check_tasks(&self.tasks)?;
        check_deep(self.depth, "depth")?;
        check_init_scale_single("init_scale", *self.init_scale, *self.depth)?;
        let falls = *self.final_step_size <= *self.step_size;
        Invalid::unless(falls, "final_step_size", self.final_step_size, "a number from 0 to step_size")?;
        check_formed(self.adapted)?;
        let enough = *self.singular_values >= 2;
        Invalid::unless(enough, "singular_values", self.singular_values, "a whole number from 2")?;
        self.training.check()?;
        let steps = *self.training.steps;
        for (i, &step) in self.kept_steps.iter().enumerate() {
            let ascends = i == 0 || self.kept_steps[i - 1] < step;
            let allowed = format!("ascending whole numbers from 0, the last one the steps ({steps})");
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
            "paper: Figure 2; {}, {task}, {}, full width, L = {}, ε = {}, η from {} to {}, n = {examples}; {}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.depth,
            self.init_scale,
            significant(*self.step_size, 1),
            significant(*self.final_step_size, 1),
            self.band.over_seeds(*self.trials)
        )
    }
}
