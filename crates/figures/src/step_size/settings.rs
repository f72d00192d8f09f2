//! `experiments/step-size.toml`: its fields and what is allowed.

use adaptation::Selection;
use lab::checked::{Count, Distinct, Positive, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::checks::check_runs;

/// `experiments/step-size.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    #[serde(default)]
    pub(super) band: Band,
    pub(super) tasks: Distinct<String>,
    pub(super) examples: Distinct<Count>,
    pub(super) step_sizes: Distinct<Positive>,
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
        check_runs(*self.trials, &grid)?;
        check_tasks(&self.tasks)?;
        self.methods.check()?;
        self.training.check()
    }
}

impl Settings {
    pub(super) fn subtitle(&self) -> String {
        format!(
            "not in the paper; {}, {}, r = {}, {} steps of {}; {}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.methods.rank,
            self.training.steps,
            self.training.batch,
            self.band.over_seeds(*self.trials)
        )
    }

    /// Whether the numbers mean something: a pretrained encoder, the paper's steps, a grid that shows a width.
    pub(super) fn in_earnest(&self) -> bool {
        self.encoder.is_pretrained() && *self.training.steps >= 500 && self.step_sizes.len() >= 5
    }
}
