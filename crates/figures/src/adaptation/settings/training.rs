//! `[training]`: batches and steps.

use std::collections::BTreeMap;

use lab::Invalid;
use lab::checked::{Count, PositiveSingle, Steps, UpTo};
use serde::{Deserialize, Serialize};

use super::known_tasks;

/// `[training]`: batches and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSettings {
    /// Steps of a run.
    pub steps: Steps,
    /// Other numbers of steps for some tasks.
    #[serde(default)]
    pub steps_of: BTreeMap<String, Steps>,
    /// Examples of a step.
    pub batch: Count,
    /// What becomes of an incomplete last batch of an epoch.
    pub incomplete_batch: IncompleteBatch,
    /// How training examples are drawn from the pool.
    pub sampling: Sampling,
    /// Whether the encoder's dropout is on.
    pub dropout: bool,
    /// AdamW's ϵ.
    pub epsilon: PositiveSingle,
    /// Steps between two records of the training loss.
    pub record_every: Steps,
    /// Steps between two evaluations on the way; without it only at the end.
    pub evaluate_every: Option<Steps>,
    /// Examples of dev that are evaluated on, if not all.
    pub dev_examples: Option<Count>,
    /// Steps between two checkpoints, from which a killed run goes on; without it, it starts again.
    pub checkpoint_every: Option<Steps>,
}

/// The key `incomplete_batch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncompleteBatch {
    /// The authors'.
    LeftOut,
    /// It is a step like the others.
    Kept,
}

/// The key `sampling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// The authors': an example can come several times.
    WithReplacement,
    /// All examples are different.
    WithoutReplacement,
}

/// Most examples; the largest task has half as many.
const MOST_EXAMPLES: usize = 1_000_000;

/// A number of training examples.
pub type Examples = UpTo<MOST_EXAMPLES>;

impl TrainingSettings {
    /// Checks the section `[training]` of runs with so many examples.
    pub fn check(&self, examples: &[Examples]) -> Result<(), Invalid> {
        let fewest = examples.iter().map(|n| n.get()).min().unwrap_or(MOST_EXAMPLES);
        let (most, why) = match self.incomplete_batch {
            IncompleteBatch::LeftOut => (fewest, " (the fewest examples: an incomplete batch is left out)"),
            IncompleteBatch::Kept => (MOST_EXAMPLES, ""),
        };
        let allowed = format!("a whole number from 1 to {most}{why}");
        Invalid::unless(*self.batch <= most, "training.batch", self.batch, allowed)?;
        let shortest = self.fewest_steps();
        let allowed = format!("a whole number from 1 to the steps ({shortest})");
        Invalid::unless(*self.record_every <= shortest, "training.record_every", self.record_every, allowed)?;
        let known = known_tasks();
        if let Some(task) = self.steps_of.keys().find(|task| !known.contains(&task.as_str())) {
            return Err(Invalid::new("training.steps_of", task, known.join(", ")));
        }
        let examples = self.dev_examples.map_or(2, Count::get);
        Invalid::unless(examples >= 2, "training.dev_examples", examples, "a whole number from 2, or no such key: all")
    }

    /// Steps of the shortest run.
    pub fn fewest_steps(&self) -> u64 {
        self.steps_of.values().map(|steps| **steps).min().unwrap_or(*self.steps).min(*self.steps)
    }

    /// Steps of a run on a task.
    pub fn steps(&self, task: &str) -> u64 {
        self.steps_of.get(task).map_or(*self.steps, |steps| **steps)
    }
}
