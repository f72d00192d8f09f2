//! `experiments/lora-compressed-vs-narrow.toml`: its fields, what is allowed, and the networks it names.

use adaptation::adapter::{Compressed, DeepLora, FullWidth};
use adaptation::{Method, Selection};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::checks::{check_init_scale_single, check_not_negative, check_positive, check_runs};
use crate::palette;

/// `experiments/lora-compressed-vs-narrow.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: usize,
    pub(super) tasks: Vec<String>,
    pub(super) examples: usize,
    pub(super) rank: usize,
    pub(super) depth: usize,
    pub(super) init_scale: f64,
    pub(super) step_size: f64,
    pub(super) compressed_step_size: f64,
    pub(super) discrepant_step: f64,
    pub(super) adapted: Selection,
    pub(super) evaluate_every: u64,
    pub(super) encoder: EncoderSettings,
    pub(super) training: TrainingSettings,
    #[serde(default)]
    pub(super) sources: Sources,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[Twin::ALL.len(), self.tasks.len()])?;
        check_tasks(&self.tasks)?;
        Invalid::unless(self.examples >= 1, "examples", self.examples, "an integer from 1")?;
        let even = self.rank >= 2 && self.rank.is_multiple_of(2);
        Invalid::unless(even, "rank", self.rank, "an even integer from 2")?;
        check_deep(self.depth, "depth")?;
        check_init_scale_single("init_scale", self.init_scale, self.depth)?;
        check_positive("step_size", self.step_size)?;
        check_positive("compressed_step_size", self.compressed_step_size)?;
        check_not_negative("discrepant_step", self.discrepant_step)?;
        Invalid::unless(self.evaluate_every >= 1, "evaluate_every", self.evaluate_every, "an integer from 1")?;
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
    pub(super) fn hue(self) -> charts::Hue {
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
        let Settings { rank, depth, init_scale, discrepant_step, .. } = *self;
        match network {
            Twin::Original => (Method::FullWidth(FullWidth { depth, init_scale }), self.step_size),
            Twin::Compressed => {
                let settings = Compressed { rank, depth, init_scale, discrepant_step };
                (Method::Compressed(settings), self.compressed_step_size)
            }
            Twin::Narrow => (Method::DeepLora(DeepLora { rank, depth, init_scale }), self.step_size),
        }
    }

    pub(super) fn subtitle(&self) -> String {
        format!(
            "{}, {}, n = {}, r = {}, L = {}; η = {:e}, compressed {:e} with γ = {}; {}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.examples,
            self.rank,
            self.depth,
            self.step_size,
            self.compressed_step_size,
            self.discrepant_step,
            over_seeds(self.trials)
        )
    }
}
