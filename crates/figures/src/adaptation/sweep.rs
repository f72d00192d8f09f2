//! `experiments/NAME.toml` of a fine-tuning experiment: what all of them have, and the plan that follows from it.
//!
//! Tasks, numbers of examples, ranks, step sizes and methods are lists, and the plan is every combination of them. A figure
//! has room for few of these: [`Own::VARIED`] says which lists may have several values.

use std::fmt::Debug;

use adaptation::Selection;
use charts::significant;
use lab::checked::{Count, Distinct, Positive, Trials};
use lab::{Check, Gathering, Invalid, Planned};
use serde::{Deserialize, Serialize};

use super::band::Band;
use super::inputs::FineTuningInputs;
use super::methods::{MethodName, MethodSettings};
use super::plan::{Common, Run, RunPoint};
use super::settings::*;
use super::task::GatheredTask;
use super::trial::FineTuningTrial;
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
    pub examples: Option<Distinct<Count>>,
    /// Inner widths r, of the methods that have one.
    pub ranks: Distinct<Count>,
    /// Step sizes η.
    pub step_sizes: Distinct<Positive>,
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

impl<E: Own> FineTuningSettings<E> {
    /// The numbers of examples; empty for the whole pool.
    pub fn examples(&self) -> &[Count] {
        self.examples.as_deref().unwrap_or(&[])
    }

    /// The numbers of examples of a task.
    pub fn examples_of(&self, task: &GatheredTask) -> Vec<usize> {
        match &self.examples {
            Some(examples) => examples.iter().map(|n| n.get()).collect(),
            None => vec![task.train.len()],
        }
    }

    /// Gets encoder and tasks.
    ///
    /// # Errors
    /// If they are not to be had, or the settings do not fit them.
    pub fn gather(&self, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        let inputs = FineTuningInputs::gather(&self.encoder, &self.sources, &self.tasks, gathering)?;
        self.ranks.iter().enumerate().try_for_each(|(i, rank)| inputs.check_rank(&format!("ranks.{i}"), **rank))?;
        self.methods.check_initial_ranks(&self.ranks, inputs.encoder.encoder.config().hidden_size)?;
        if self.training.sampling == Sampling::WithoutReplacement {
            inputs.check_pool(self.examples())?;
        }
        inputs.check_dev(self.seed, self.training.dev_examples)?;
        inputs.warn_of_reach(self.seed, &self.encoder, &self.head, self.adapted, gathering);
        Ok(inputs)
    }

    /// What all runs have in common.
    pub fn common<'a>(&'a self, inputs: &'a FineTuningInputs) -> Common<'a> {
        let Self { seed, adapted, encoder, head, training, .. } = self;
        Common { seed: *seed, inputs, encoder, head: *head, adapted: *adapted, training }
    }

    /// The run of a method on a task.
    pub fn run(
        &self,
        common: &Common<'_>,
        task: &GatheredTask,
        (name, rank): (MethodName, usize),
        step_size: f64,
        examples: usize,
    ) -> Run {
        let step_size = self.methods.step_size(name, step_size);
        common.run(task, name.label(), self.methods.method(name, rank), step_size, examples)
    }

    /// Every task that is there, n, method, r, step size, draw of the head and seed; each run changed as `change` says.
    pub fn plan(
        &self,
        inputs: &FineTuningInputs,
        change: impl Fn(&mut FineTuningTrial),
    ) -> Vec<Planned<RunPoint, FineTuningTrial>> {
        let common = self.common(inputs);
        let mut plan = Vec::new();
        for task in &inputs.tasks {
            for examples in self.examples_of(task) {
                for (name, rank) in self.ranked_methods() {
                    for step_size in &self.step_sizes {
                        let run = self.run(&common, task, (name, rank), **step_size, examples).with(&change);
                        plan.extend(run.seeds(self.head.draws.crossed(*self.trials)));
                    }
                }
            }
        }
        plan
    }

    /// Every method with every rank; one without a rank once.
    pub fn ranked_methods(&self) -> Vec<(MethodName, usize)> {
        let of = |&name: &MethodName| {
            let ranks = if name.is_ranked() { &self.ranks[..] } else { &self.ranks[..1] };
            ranks.iter().map(move |rank| (name, rank.get()))
        };
        self.methods.names.iter().flat_map(of).collect()
    }

    /// Seeds, and draws of the head where there are several, in words.
    pub fn repetitions(&self) -> String {
        match self.head.draws {
            Draws::Crossed(draws) if *draws > 1 => {
                format!("{draws} draws of pooler and head × {} seeds, mean with its two-way 95 % interval", self.trials)
            }
            _ => self.band.over_seeds(*self.trials),
        }
    }

    /// Which matrices are adapted, in words, and by which methods not all of them.
    fn adapted_in_words(&self) -> String {
        let (adapted, left_out) = (adapted_in_words(self.adapted), self.methods.without_embeddings());
        // No other selection has embeddings.
        if self.adapted == Selection::AllDense && !left_out.is_empty() {
            format!("{adapted} ({left_out})")
        } else {
            adapted.to_owned()
        }
    }

    /// What it was run with, for the figure, after its place in the paper.
    pub fn subtitle(&self, place: &str) -> String {
        let Self { encoder, head, training, .. } = self;
        let single = |name: &str, values: Vec<String>| {
            if let [value] = &values[..] { format!(", {name} = {value}") } else { String::new() }
        };
        let ranked = self.methods.names.iter().any(|name| name.is_ranked());
        let ranks = self.ranks.iter().filter(|_| ranked).map(|rank| rank.to_string()).collect();
        format!(
            "{place}; {}, {}, {}, {}{}{}{}, {} steps of {}; {}",
            encoder.source,
            encoder.pooling.words(),
            head.deviation.words(),
            self.adapted_in_words(),
            single("n", self.examples().iter().map(|n| n.to_string()).collect()),
            single("r", ranks),
            single("η", self.step_sizes.iter().map(|step| significant(**step, 1)).collect()),
            training.steps,
            training.batch,
            self.repetitions()
        )
    }
}
