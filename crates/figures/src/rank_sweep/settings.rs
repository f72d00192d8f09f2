//! `experiments/rank-sweep.toml`: its fields and what is allowed.

use adaptation::Selection;
use lab::checked::{Count, Distinct, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::checks::check_runs;

/// `experiments/rank-sweep.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    #[serde(default)]
    pub(super) band: Band,
    pub(super) tasks: Distinct<String>,
    pub(super) examples: Count,
    pub(super) ranks: Distinct<Count>,
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
        check_runs(*self.trials, &[2, self.tasks.len(), self.protocols.len(), self.ranks.len()])?;
        check_tasks(&self.tasks)?;
        check_protocols(&self.protocols, &self.tasks)?;
        self.methods.check()?;
        self.training.check()
    }
}

impl Settings {
    /// Whether the runs are as long as the paper's.
    pub(super) fn in_earnest(&self) -> bool {
        *self.training.steps >= 200
    }

    pub(super) fn subtitle(&self) -> String {
        format!(
            "paper: Section 5, varying rank; {}, {}, n = {}, {} steps of {}; {}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.examples,
            self.training.steps,
            self.training.batch,
            self.band.over_seeds(*self.trials)
        )
    }
}
