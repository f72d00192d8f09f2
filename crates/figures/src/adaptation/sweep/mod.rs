//! `experiments/NAME.toml` of a fine-tuning experiment: what all of them have, and the plan that follows from it.
//!
//! Tasks, numbers of examples, ranks, step sizes and methods are lists, and the plan is every combination of them. A figure
//! has room for few of these: [`Own::VARIED`] says which lists may have several values.

mod plan;
mod words;

use std::fmt::Debug;

use adaptation::Selection;
use lab::checked::{Count, Distinct, PositiveSingle, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use super::band::Band;
use super::methods::MethodSettings;
use super::settings::*;
use crate::checks::check_runs;

/// `experiments/NAME.toml`; `E` are the keys that only this experiment has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FineTuningSettings<E> {
    /// Every random number derives from it.
    pub seed: u64,
    /// Seeds.
    pub trials: Trials,
    /// What is drawn around means.
    #[serde(default)]
    pub band: Band,
    /// Names of tasks.
    pub tasks: Distinct<String>,
    /// Training examples n; without it the whole training pool.
    pub examples: Option<Distinct<Examples>>,
    /// Inner widths r, of the methods that have one.
    pub ranks: Distinct<Count>,
    /// Step sizes η.
    pub step_sizes: Distinct<PositiveSingle>,
    /// Adapted matrices.
    pub adapted: Selection,
    /// The pretrained encoder.
    pub encoder: EncoderSettings,
    /// The frozen head.
    pub head: HeadSettings,
    /// The methods.
    pub methods: MethodSettings,
    /// Batches and steps.
    pub training: TrainingSettings,
    /// What only this experiment has.
    pub experiment: E,
    /// Further sources of encoders.
    #[serde(default)]
    pub sources: Sources,
}

/// A list of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Varied {
    /// `examples`.
    Examples,
    /// `ranks`.
    Ranks,
    /// `step_sizes`.
    StepSizes,
}

/// The keys that only one experiment has: its section `[experiment]`.
pub trait Own: Clone + Debug + Serialize {
    /// The lists that may have several values.
    const VARIED: &'static [Varied];

    /// Checks the section.
    ///
    /// # Errors
    /// The first setting that is not allowed.
    fn check(&self, _settings: &FineTuningSettings<Self>) -> Result<(), Invalid> {
        Ok(())
    }
}

/// Makes the type of a section `[experiment]` without keys, which may be left out.
macro_rules! no_keys {
    ($(#[$doc:meta])* $name:ident, $varied:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
        #[serde(from = "Option<crate::adaptation::NoKeys>")]
        pub struct $name {}

        impl From<Option<crate::adaptation::NoKeys>> for $name {
            fn from(_: Option<crate::adaptation::NoKeys>) -> Self {
                Self {}
            }
        }

        impl crate::adaptation::Own for $name {
            const VARIED: &'static [crate::adaptation::Varied] = $varied;
        }
    };
}
pub(crate) use no_keys;

/// A section without keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoKeys {}

impl<E: Own> Check for FineTuningSettings<E> {
    fn check(&self) -> Result<(), Invalid> {
        let lists = [
            (Varied::Examples, "examples", self.examples().len()),
            (Varied::Ranks, "ranks", self.ranks.len()),
            (Varied::StepSizes, "step_sizes", self.step_sizes.len()),
        ];
        for (list, key, length) in lists {
            let single = E::VARIED.contains(&list) || length <= 1;
            Invalid::unless(
                single,
                key,
                format!("a list of {length}"),
                "a list of one: the figure has no axis for it",
            )?;
        }
        let grid = [self.tasks.len(), self.methods.names.len(), self.head.draws.shared().max(1)];
        let lengths = lists.map(|(_, _, length)| length.max(1));
        check_runs(*self.trials, &[grid.as_slice(), &lengths].concat())?;
        check_tasks(&self.tasks)?;
        self.training.check(self.examples())?;
        let ranks: Vec<usize> = self.ranks.iter().map(|rank| rank.get()).collect();
        self.methods.check(&ranks, self.training.fewest_steps())?;
        self.experiment.check(self)
    }
}
