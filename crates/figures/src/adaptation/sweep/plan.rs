//! From the settings to inputs and plan.

use lab::{Gathering, Planned};

use super::{FineTuningSettings, Own};
use crate::adaptation::inputs::FineTuningInputs;
use crate::adaptation::methods::MethodName;
use crate::adaptation::plan::{Common, Run, RunPoint};
use crate::adaptation::settings::{Examples, Sampling};
use crate::adaptation::task::GatheredTask;
use crate::adaptation::trial::FineTuningTrial;

impl<E: Own> FineTuningSettings<E> {
    /// The numbers of examples; empty for the whole pool.
    pub fn examples(&self) -> &[Examples] {
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
        let hidden = inputs.encoder.encoder.config().hidden_size;
        self.methods.check_initial_ranks(&self.ranks, hidden, "hidden size")?;
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
}
