//! `experiments/nlg.toml`.

use std::path::PathBuf;

use lab::checked::{Count, Distinct, PositiveSingle, Steps, Trials, UpTo};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};
use texts::e2e::Version;

use super::made_up;
use crate::adaptation::{Band, MethodSettings, Sampling, Sources};
use crate::checks::check_runs;

/// `experiments/nlg.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Every random number derives from it.
    pub seed: u64,
    /// Seeds.
    pub trials: Trials,
    /// What is drawn around means.
    #[serde(default)]
    pub band: Band,
    /// Sources of language models.
    pub models: Distinct<String>,
    /// Training examples n; E2E has fewer rows than what is allowed.
    pub examples: UpTo<1_000_000>,
    /// Inner width r, of the methods that have one.
    pub rank: Count,
    /// Step size η.
    pub step_size: PositiveSingle,
    /// Adapted are the 2-D weights with both sides of at least this length.
    pub smallest_side: Count,
    /// The E2E data.
    pub data: DataSettings,
    /// How meaning representation and text are put together.
    pub template: TemplateSettings,
    /// The methods.
    pub methods: MethodSettings,
    /// Batches and steps.
    pub training: TextTrainingSettings,
    /// How texts are written.
    pub generation: GenerationSettings,
    /// What is made of the texts.
    pub scores: ScoreSettings,
    /// Further sources of models.
    #[serde(default)]
    pub sources: Sources,
}

/// `[data]`: the E2E data.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    /// Which of the two releases.
    pub version: Version,
    /// Most tokens of a meaning representation, and of a text.
    pub most_tokens: UpTo<MOST_TOKENS>,
    /// Meaning representations of dev that texts are written for, if not all.
    pub meanings: Option<Count>,
}

/// `[template]`: how meaning representation and text are put together for a decoder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateSettings {
    /// Between the two: [`NEW_LINE`], or this text.
    pub separator: String,
}

/// Settings have no control characters, so the line break has a name.
const NEW_LINE: &str = "newline";

impl Settings {
    /// What tables and figures call the data: their release, or that they are made up.
    pub fn data_name(&self) -> &'static str {
        let is_made_up = self.models.iter().any(|name| made_up::MODELS.contains(&name.as_str()));
        if is_made_up { made_up::DATA } else { self.data.version.name() }
    }
}

impl TemplateSettings {
    /// What stands between the two.
    pub fn text(&self) -> &str {
        if self.separator == NEW_LINE { "\n" } else { &self.separator }
    }
}

/// `[training]`: batches and steps.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextTrainingSettings {
    /// Steps of a run.
    pub steps: Steps,
    /// Examples of a step.
    pub batch: Count,
    /// How training examples are drawn.
    pub sampling: Sampling,
    /// Whether the model's dropout is on.
    pub dropout: bool,
    /// AdamW's ϵ.
    pub epsilon: PositiveSingle,
    /// Steps between two records of the training loss.
    pub record_every: Steps,
    /// Steps between two measurements of the loss on dev; without it only at the end.
    pub validate_every: Option<Steps>,
    /// Steps between two checkpoints; without it, a killed run starts again.
    pub checkpoint_every: Option<Steps>,
}

/// `[generation]`: how texts are written.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationSettings {
    /// Beams; 1 is greedy search. Every one of them keeps keys and values of its own.
    pub beams: UpTo<100>,
    /// Most tokens of a text.
    pub most_tokens: UpTo<MOST_TOKENS>,
    /// Power of the length that a beam's log-probability is divided by.
    pub length_penalty: f64,
}

/// `[scores]`: what is made of the texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreSettings {
    /// Whether the frozen model, without fine-tuning, writes too.
    pub frozen: bool,
    /// Meaning representations whose texts are shown side by side.
    pub shown: Count,
    /// Directory of a WordNet, for METEOR's synonyms.
    pub wordnet: Option<PathBuf>,
}

/// Most tokens of a text; those of E2E have fewer than 100.
const MOST_TOKENS: usize = 1000;

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        let Self { training, generation, .. } = self;
        check_runs(*self.trials, &[self.models.len(), self.methods.names.len()])?;
        let is_made_up = |name: &String| made_up::MODELS.contains(&name.as_str());
        let made_up = self.models.iter().filter(|name| is_made_up(name)).count();
        let all_or_none = made_up == 0 || made_up == self.models.len();
        let allowed = format!("models that are made in code ({}) only among themselves", made_up::MODELS.join(", "));
        Invalid::unless(all_or_none, "models", self.models.join(", "), allowed)?;
        let most = *self.examples;
        let allowed = format!("a whole number from 1 to the examples ({most}): an incomplete batch is left out");
        Invalid::unless(*training.batch <= most, "training.batch", training.batch, allowed)?;
        let steps = *training.steps;
        for (key, every) in [
            ("training.record_every", Some(training.record_every)),
            ("training.validate_every", training.validate_every),
        ] {
            let allowed = format!("a whole number from 1 to the steps ({steps})");
            every.map_or(Ok(()), |every| Invalid::unless(*every <= steps, key, every, allowed))?;
        }
        let separator = &self.template.separator;
        Invalid::unless(!separator.is_empty(), "template.separator", "\"\"", "a text that is not empty")?;
        let penalty = generation.length_penalty;
        Invalid::unless(penalty.is_finite(), "generation.length_penalty", penalty, "a finite number")?;
        // There the ranks are a list.
        let renamed = |invalid: Invalid| match invalid.key.as_str() {
            "ranks.0" => Invalid { key: "rank".to_owned(), ..invalid },
            _ => invalid,
        };
        self.methods.check(&[*self.rank], steps).map_err(renamed)
    }
}
