//! `experiments/rank-sweep.toml`: its fields and what is allowed.

use adaptation::Selection;
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::checks::{check_list, check_runs};

/// `experiments/rank-sweep.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: usize,
    pub(super) tasks: Vec<String>,
    pub(super) examples: usize,
    pub(super) ranks: Vec<usize>,
    pub(super) adapted: Selection,
    pub(super) protocols: Vec<Protocol>,
    pub(super) encoder: EncoderSettings,
    pub(super) methods: PairSettings,
    pub(super) training: TrainingSettings,
    #[serde(default)]
    pub(super) sources: Sources,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[2, self.tasks.len(), self.protocols.len(), self.ranks.len()])?;
        check_tasks(&self.tasks)?;
        Invalid::unless(self.examples >= 1, "examples", self.examples, "an integer from 1")?;
        check_list("ranks", &self.ranks, |rank| rank >= 1, "an integer from 1")?;
        check_protocols(&self.protocols, &self.tasks)?;
        self.methods.check()?;
        self.training.check()
    }
}

impl Settings {
    /// Whether the runs are as long as the paper's.
    pub(super) fn in_earnest(&self) -> bool {
        self.training.steps >= 200
    }

    pub(super) fn subtitle(&self) -> String {
        format!(
            "{}, {}, n = {}, {} steps of {}; {}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.examples,
            self.training.steps,
            self.training.batch,
            over_seeds(self.trials)
        )
    }
}
