//! `experiments/step-size.toml`: its fields and what is allowed.

use adaptation::Selection;
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::checks::{check_list, check_runs};

/// `experiments/step-size.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: usize,
    pub(super) tasks: Vec<String>,
    pub(super) examples: Vec<usize>,
    pub(super) step_sizes: Vec<f64>,
    pub(super) adapted: Selection,
    pub(super) encoder: EncoderSettings,
    pub(super) methods: MethodSettings,
    pub(super) training: TrainingSettings,
    #[serde(default)]
    pub(super) sources: Sources,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        let grid = [self.tasks.len(), self.examples.len(), self.methods.names.len(), self.step_sizes.len()];
        check_runs(self.trials, &grid)?;
        check_tasks(&self.tasks)?;
        check_list("examples", &self.examples, |n| n >= 1, "an integer from 1")?;
        let positive = |step: f64| step > 0.0 && step.is_finite();
        check_list("step_sizes", &self.step_sizes, positive, "a number greater than 0")?;
        self.methods.check()?;
        self.training.check()
    }
}

impl Settings {
    pub(super) fn subtitle(&self) -> String {
        format!(
            "{}, {}, r = {}, {} steps of {}; {}; diverged or constant counts as 0",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.methods.rank,
            self.training.steps,
            self.training.batch,
            over_seeds(self.trials)
        )
    }

    /// Whether the numbers mean something: a pretrained encoder, the paper's steps, a grid that shows a width.
    pub(super) fn in_earnest(&self) -> bool {
        self.encoder.is_pretrained() && self.training.steps >= 500 && self.step_sizes.len() >= 5
    }
}
