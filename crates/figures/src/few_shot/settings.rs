//! `experiments/few-shot.toml`: its fields and what is allowed.

use adaptation::Selection;
use charts::{Hue, significant};
use lab::checked::{Count, Distinct, Positive, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::checks::{check_list, check_runs};
use crate::palette;

/// Most runs that choose step sizes: each is a file of the store.
const MOST_CHOICES: usize = 100_000;

/// `experiments/few-shot.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) further_trials: Trials,
    #[serde(default)]
    pub(super) band: Band,
    pub(super) tasks: Distinct<String>,
    pub(super) examples: Distinct<Count>,
    pub(super) adapted: Selection,
    pub(super) step_size: Positive,
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
    pub(super) step_sizes: Distinct<Positive>,
    pub(super) trials: Trials,
    pub(super) validation_examples: Count,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        let places = [self.tasks.len(), self.examples.len()];
        check_runs(*self.trials, &[places[0], places[1], self.methods.names.len()])?;
        check_tasks(&self.tasks)?;
        self.methods.check()?;
        self.training.check()?;
        if self.choice.methods.is_empty() {
            return Ok(());
        }
        let is_known = |name| self.methods.names.contains(&name);
        check_list("choice.methods", &self.choice.methods, is_known, "one of methods.names")?;
        self.choice.check(places)
    }
}

impl ChoiceSettings {
    fn check(&self, [tasks, examples]: [usize; 2]) -> Result<(), Invalid> {
        let factors = [tasks, examples, self.methods.len(), self.step_sizes.len()];
        let runs = factors.into_iter().fold(1_usize, usize::saturating_mul);
        let allowed = format!(
            "so many that there are at most {MOST_CHOICES} runs that choose, of each of which the store keeps a file ({runs} \
             for a trial)"
        );
        Invalid::unless(runs.saturating_mul(*self.trials) <= MOST_CHOICES, "choice.trials", self.trials, allowed)?;
        let most = u32::MAX as usize;
        let fits = (2..=most).contains(&*self.validation_examples);
        let allowed = format!("a whole number from 2 to {most}");
        Invalid::unless(fits, "choice.validation_examples", self.validation_examples, allowed)
    }
}

/// The protocol with the paper's step size.
pub(super) const PAPERS: &str = "paper's step size";
/// The protocol with step sizes of its own.
pub(super) const CHOSEN: &str = "chosen step size";

/// Whether the paper has the method.
fn is_papers(name: MethodName) -> bool {
    matches!(name, MethodName::Lora | MethodName::DeepLora)
}

impl Settings {
    /// What is kept apart of each pool for the choice.
    pub(super) fn reserved(&self) -> Reserved {
        if self.choice.methods.is_empty() {
            return Reserved::default();
        }
        Reserved {
            validation: *self.choice.validation_examples,
            subsets: *self.choice.trials,
            subset: self.examples.iter().map(|n| n.get()).max().unwrap_or(0),
        }
    }

    /// Seeds of a method: the paper has LoRA and Deep LoRA.
    pub(super) fn trials_of(&self, name: MethodName) -> usize {
        if is_papers(name) { *self.trials } else { *self.further_trials }
    }

    /// The methods of the figure with their hues: the paper's, and those whose step size was chosen. One that was never
    /// tuned is only in the tables.
    pub(super) fn drawn(&self) -> Vec<(&'static str, Hue)> {
        let names = self.methods.names.iter().copied();
        let drawn = names.filter(|&name| is_papers(name) || self.choice.methods.contains(&name));
        drawn.map(|name| (self.methods.label(name), palette::method(name))).collect()
    }

    /// Whether the paper has values for a task.
    pub(super) fn shows_paper(&self, task: &str) -> bool {
        task == PAPERS_TASK && self.encoder.is_pretrained()
    }

    pub(super) fn subtitle(&self) -> String {
        let drawn = self.drawn();
        let labels = self.methods.names.iter().map(|&name| self.methods.label(name));
        let absent: Vec<&str> = labels.filter(|label| drawn.iter().all(|(other, _)| other != label)).collect();
        let absent = match absent.len() {
            0 => String::new(),
            _ => format!("; not drawn, as they ran at the paper's step size only: {}", absent.join(", ")),
        };
        format!(
            "paper: Section 5, few-shot STS-B; {}, {}, r = {}, {} steps of {}, paper's step size {}; {}{absent}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.methods.rank,
            self.training.steps,
            self.training.batch,
            significant(*self.step_size, 1),
            self.band.over_seeds(*self.trials)
        )
    }
}
