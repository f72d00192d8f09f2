//! `experiments/few-shot.toml`: its fields and what is allowed.

use adaptation::Selection;
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::checks::{check_list, check_positive, check_runs, check_trials};

/// `experiments/few-shot.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: usize,
    pub(super) further_trials: usize,
    pub(super) tasks: Vec<String>,
    pub(super) examples: Vec<usize>,
    pub(super) adapted: Selection,
    pub(super) step_size: f64,
    pub(super) encoder: EncoderSettings,
    pub(super) methods: MethodSettings,
    pub(super) training: TrainingSettings,
    pub(super) choice: ChoiceSettings,
    #[serde(default)]
    pub(super) sources: Sources,
}

/// `[choice]`: how a step size is chosen for each task, n and method.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceSettings {
    pub(super) methods: Vec<MethodName>,
    pub(super) step_sizes: Vec<f64>,
    pub(super) trials: usize,
    pub(super) validation_examples: usize,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[self.tasks.len(), self.examples.len(), self.methods.names.len()])?;
        check_trials("further_trials", self.further_trials)?;
        check_tasks(&self.tasks)?;
        check_list("examples", &self.examples, |n| n >= 1, "an integer from 1")?;
        check_positive("step_size", self.step_size)?;
        self.methods.check()?;
        self.training.check()?;
        let ChoiceSettings { methods, step_sizes, trials, validation_examples } = &self.choice;
        if methods.is_empty() {
            return Ok(());
        }
        check_list("choice.methods", methods, |name| self.methods.names.contains(&name), "one of methods.names")?;
        check_list("choice.step_sizes", step_sizes, |step| step > 0.0 && step.is_finite(), "a number greater than 0")?;
        check_trials("choice.trials", *trials)?;
        let most = u32::MAX as usize;
        let allowed = format!("an integer from 2 to {most}");
        let fits = (2..=most).contains(validation_examples);
        Invalid::unless(fits, "choice.validation_examples", validation_examples, allowed)
    }
}

/// The protocol with the paper's step size.
pub(super) const PAPERS: &str = "paper's step size";
/// The protocol with step sizes of its own.
pub(super) const CHOSEN: &str = "chosen step size";

impl Settings {
    /// What is kept apart of each pool for the choice.
    pub(super) fn reserved(&self) -> Reserved {
        if self.choice.methods.is_empty() {
            return Reserved::default();
        }
        Reserved {
            validation: self.choice.validation_examples,
            subsets: self.choice.trials,
            subset: self.examples.iter().copied().max().unwrap_or(0),
        }
    }

    /// Seeds of a method: the paper has LoRA and Deep LoRA.
    pub(super) fn trials_of(&self, name: MethodName) -> usize {
        let is_papers = matches!(name, MethodName::Lora | MethodName::DeepLora);
        if is_papers { self.trials } else { self.further_trials }
    }

    pub(super) fn subtitle(&self) -> String {
        let few = self.methods.names.iter().any(|&name| self.trials_of(name) != self.trials);
        let further = if few { format!(" ({} of Sine-LoRA, AdaLoRA)", self.further_trials) } else { String::new() };
        format!(
            "{}, {}, r = {}, {} steps of {}; {}{further}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.methods.rank,
            self.training.steps,
            self.training.batch,
            over_seeds(self.trials)
        )
    }
}
