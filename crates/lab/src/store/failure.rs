//! What is kept of a trial that failed: the reason, for `--status` and for the other processes of the experiment.

use serde::{Deserialize, Serialize};

use crate::process::{self, Process};
use crate::{TrialError, provenance};

/// The file `HASH.failed`. It goes when the trial is finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// By the clock of that machine: for people.
    at: String,
    /// All but the number and loss of a divergence.
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    diverged: Option<(u64, f64)>,
    process: Process,
}

impl Failure {
    pub(super) fn of(error: &TrialError) -> Self {
        let (reason, diverged) = match error {
            TrialError::Diverged { iteration, loss } => ("diverged".to_owned(), Some((*iteration, *loss))),
            TrialError::Failed(error) => (format!("{error:#}"), None),
        };
        Self { at: provenance::now(), reason, diverged, process: process::this().clone() }
    }

    /// Whether the trial would fail again: divergence depends on nothing but the trial.
    pub(crate) fn is_lasting(&self) -> bool {
        self.diverged.is_some()
    }

    /// The same, as the trial's end.
    pub(crate) fn error(&self) -> TrialError {
        match self.diverged {
            Some((iteration, loss)) => TrialError::Diverged { iteration, loss },
            None => TrialError::Failed(anyhow::anyhow!("{} ({}, {})", self.reason, self.process, self.at)),
        }
    }
}
