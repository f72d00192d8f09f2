//! One run: what determines it, and what it yields.

use adaptation::data::{draw, draw_with_replacement};
use adaptation::method::Recipe;
use adaptation::training::Plan;
use adaptation::{AdamWSettings, Generation, Method, PromptedText, Site, StepSchedule};
use anyhow::Context;
use dynamics::random::{Generator, stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::inputs::GatheredModel;
use crate::adaptation::Sampling;

/// Everything that determines the outcome of a run.
#[derive(Clone, Debug, Serialize)]
pub struct NlgTrial {
    /// Hash of the model's files.
    pub model: String,
    /// Hash of the data as the model takes it.
    pub data: String,
    /// The experiment's seed.
    pub seed: u64,
    /// Number of the run: the same one means the same examples, start of the adapters and order of batches.
    pub number: usize,
    /// How the model is fine-tuned; `None`: not at all.
    pub tuning: Option<Tuning>,
    /// Beams.
    pub beams: usize,
    /// Most tokens of a text.
    pub most_tokens: usize,
    /// Power of the length.
    pub length_penalty: f64,
    /// Steps between two checkpoints, if any: how it is run, not what comes out.
    #[serde(skip)]
    pub checkpoint_every: Option<u64>,
}

/// How a model is fine-tuned.
#[derive(Clone, Debug, Serialize)]
pub struct Tuning {
    /// Parametrization of `ΔW`.
    pub method: Method,
    /// Adapted are the 2-D weights with both sides of at least this length.
    pub smallest_side: usize,
    /// Training examples n.
    pub examples: usize,
    /// How they are drawn.
    pub sampling: Sampling,
    /// Steps.
    pub steps: u64,
    /// Examples of a step.
    pub batch: usize,
    /// Whether dropout is on.
    pub dropout: bool,
    /// AdamW's ϵ.
    pub epsilon: f64,
    /// Step size η.
    pub step_size: f64,
    /// Steps between two records of the training loss.
    pub record_every: u64,
    /// Steps between two measurements of the loss on dev, if any before the end.
    pub validate_every: Option<u64>,
}

/// What a run yields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NlgOutcome {
    /// The loss of the first batch before the first step: that of the frozen model.
    pub initial_loss: Option<f64>,
    /// Training losses along the run.
    pub training: Vec<(u64, f64)>,
    /// Losses on dev along the run; of the frozen model at step 0.
    pub validation: Vec<(u64, f64)>,
    /// The step at which it diverged.
    pub diverged_at: Option<u64>,
    /// A text for every meaning representation; none if it diverged.
    pub texts: Vec<WrittenText>,
}

/// A text that a model has written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrittenText {
    /// Without what ends it.
    pub text: String,
    /// Whether the model ended it itself.
    pub is_finished: bool,
}

impl NlgTrial {
    /// The random stream for one purpose: the same for every method of runs of the same number.
    pub fn stream(&self, purpose: &str) -> Generator {
        stream(self.seed, &["nlg", purpose, &format!("trial {}", self.number)])
    }

    /// How texts are searched for.
    pub fn generation(&self, model: &GatheredModel) -> Generation {
        let Self { beams, most_tokens, length_penalty, .. } = *self;
        Generation { beams, most_tokens, ends: model.ends.clone(), length_penalty }
    }

    /// How long, how fast, in which order.
    pub fn plan(&self, tuning: &Tuning) -> Plan {
        let Tuning { steps, batch, dropout, step_size, .. } = *tuning;
        let schedule = StepSchedule::Constant;
        Plan { steps, batch, whole_batches: true, step_size, schedule, dropout, seed: self.stream("batches").random() }
    }

    /// The training examples.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn examples(&self, tuning: &Tuning, model: &GatheredModel) -> anyhow::Result<Vec<PromptedText>> {
        let (size, mut rng) = (model.train.len(), self.stream("subset"));
        let drawn = match tuning.sampling {
            Sampling::WithReplacement => draw_with_replacement(size, tuning.examples, &mut rng),
            Sampling::WithoutReplacement => draw(size, tuning.examples, 0, &mut rng).map(|drawn| drawn.train),
        };
        let drawn = drawn.context("E2E")?;
        Ok(drawn.into_iter().map(|index| model.train[index].clone()).collect())
    }
}

impl Tuning {
    /// The constants of AdamW.
    pub fn optimizer(&self) -> AdamWSettings {
        let discrepant_step = self.method.discrepant_step();
        AdamWSettings { epsilon: self.epsilon, discrepant_step, ..AdamWSettings::default() }
    }

    /// The adapted matrices: those the method can adapt.
    pub fn sites(&self, model: &GatheredModel) -> Vec<Site> {
        let mut sites = model.network.sites_from(self.smallest_side);
        sites.retain(|site| self.method.takes_embeddings() || !site.is_embedding());
        sites
    }
}
