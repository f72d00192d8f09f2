//! `experiments/lora-compressed-vs-narrow.toml`: its fields, what is allowed, and the networks it names.

use adaptation::adapter::{Compressed, DeepLora, Width};
use adaptation::{Method, Selection};
use charts::{Hue, significant};
use lab::checked::{Count, Depth, Distinct, NotNegative, Positive, Steps, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::checks::{check_init_scale_single, check_runs};
use crate::palette;

/// `experiments/lora-compressed-vs-narrow.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    #[serde(default)]
    pub(super) band: Band,
    pub(super) tasks: Distinct<String>,
    pub(super) examples: Count,
    pub(super) rank: Count,
    pub(super) depth: Depth,
    pub(super) init_scale: Positive,
    pub(super) step_size: Positive,
    pub(super) compressed_step_size: Positive,
    pub(super) discrepant_step: NotNegative,
    pub(super) adapted: Selection,
    pub(super) evaluate_every: Steps,
    pub(super) encoder: EncoderSettings,
    pub(super) training: TrainingSettings,
    #[serde(default)]
    pub(super) sources: Sources,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(*self.trials, &[Twin::ALL.len(), self.tasks.len()])?;
        check_tasks(&self.tasks)?;
        Invalid::unless(self.rank.is_multiple_of(2), "rank", self.rank, "an even whole number from 2")?;
        check_deep(self.depth, "depth")?;
        check_init_scale_single("init_scale", *self.init_scale, *self.depth)?;
        check_formed(self.adapted)?;
        self.training.check()
    }
}

/// The three networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twin {
    /// Deep LoRA of full width.
    Original,
    /// Its compressed twin.
    Compressed,
    /// As narrow, from a random start.
    Narrow,
}

impl Twin {
    /// In the order of tables and figures.
    pub(super) const ALL: [Self; 3] = [Self::Original, Self::Compressed, Self::Narrow];

    /// What tables and figures call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Original => "original (full width)",
            Self::Compressed => "compressed",
            Self::Narrow => "random narrow",
        }
    }

    /// Its colour, as in the matrix experiments.
    pub(super) fn hue(self) -> Hue {
        match self {
            Self::Original => palette::ORIGINAL,
            Self::Compressed => palette::COMPRESSED,
            Self::Narrow => palette::NARROW,
        }
    }
}

impl Settings {
    /// A network's method and step size.
    pub(super) fn method(&self, network: Twin) -> (Method, f64) {
        let (rank, depth, init_scale) = (*self.rank, *self.depth, *self.init_scale);
        let discrepant_step = *self.discrepant_step;
        match network {
            Twin::Original => (Method::DeepLora(DeepLora { rank: Width::Full, depth, init_scale }), *self.step_size),
            Twin::Compressed => {
                let settings = Compressed { rank, depth, init_scale, discrepant_step };
                (Method::Compressed(settings), *self.compressed_step_size)
            }
            Twin::Narrow => {
                (Method::DeepLora(DeepLora { rank: Width::Narrow(rank), depth, init_scale }), *self.step_size)
            }
        }
    }

    pub(super) fn subtitle(&self) -> String {
        format!(
            "paper: Section 5, compressed against narrow; {}, {}, n = {}, r = {}, L = {}; η = {}, compressed {} with γ = {}; {}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.examples,
            self.rank,
            self.depth,
            significant(*self.step_size, 1),
            significant(*self.compressed_step_size, 1),
            self.discrepant_step,
            self.band.over_seeds(*self.trials)
        )
    }
}
