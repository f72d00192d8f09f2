//! What a fine-tuning run yields.

use adaptation::{Reach, Site};
use serde::{Deserialize, Serialize};

use super::spectra::{Alignment, SiteSpectrum};

/// What the loop recorded at one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// Steps done.
    pub step: u64,
    /// Mean of the batches' losses since the record before.
    pub training_loss: f64,
    /// The metric on dev, where it was measured.
    pub metric: Option<f64>,
    /// The metric on the training examples, without dropout, where it was measured.
    pub training_metric: Option<f64>,
}

/// How one `ΔW` leaves the origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escape {
    /// The adapted matrix.
    pub site: Site,
    /// σ_1 of the loss's gradient with respect to `ΔW` at the first batch, without dropout.
    pub gradient_norm: f64,
    /// Steps done when ‖ΔW‖_F first exceeds [`adaptation::spectrum::ZERO_NORM`]; `None` if it never does.
    pub step: Option<u64>,
}

/// What a run yields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FineTuningOutcome {
    /// The training loss of the best constant: a run that ends above it has learned nothing.
    pub constant_loss: f64,
    /// The logits that the frozen pooler and head can give.
    pub reach: Reach,
    /// The records, the last one of the end.
    pub records: Vec<TrainingRecord>,
    /// The metric at the end; `None` if it diverged, or if the metric is undefined (constant predictions).
    pub metric: Option<f64>,
    /// The step at which it diverged.
    pub diverged_at: Option<u64>,
    /// Singular values, if they are kept.
    pub spectra: Vec<SiteSpectrum>,
    /// Subspaces against the final ones, if they are kept.
    pub alignments: Vec<Alignment>,
    /// When the updates leave the origin, if that is kept.
    pub escapes: Vec<Escape>,
}

impl FineTuningOutcome {
    /// The last recorded training loss; NaN without records.
    pub fn training_loss(&self) -> f64 {
        self.records.last().map_or(f64::NAN, |record| record.training_loss)
    }
}
