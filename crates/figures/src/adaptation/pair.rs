//! Experiments with LoRA and Deep LoRA at one n and r: their settings and their plan.

use adaptation::Selection;
use lab::{Check, Gathering, Invalid, Planned};
use serde::{Deserialize, Serialize};

use super::inputs::FineTuningInputs;
use super::plan::{Common, RunPoint};
use super::settings::{
    EncoderSettings, PairSettings, Protocol, Sources, TrainingSettings, adapted_in_words, check_protocols, check_tasks,
    over_seeds,
};
use super::trial::{FineTuningTrial, Keep};
use crate::checks::check_runs;

/// `experiments/learned-ranks.toml` and `experiments/glue-table.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairExperiment {
    /// Every random number derives from it.
    pub seed: u64,
    /// Seeds.
    pub trials: usize,
    /// Names of tasks.
    pub tasks: Vec<String>,
    /// Training examples n.
    pub examples: usize,
    /// Inner width r.
    pub rank: usize,
    /// Adapted matrices.
    pub adapted: Selection,
    /// Step sizes.
    pub protocols: Vec<Protocol>,
    /// Pretrained encoder.
    pub encoder: EncoderSettings,
    /// What Deep LoRA is made of.
    pub methods: PairSettings,
    /// Batches and steps.
    pub training: TrainingSettings,
    /// Further sources of encoders.
    #[serde(default)]
    pub sources: Sources,
}

impl Check for PairExperiment {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[2, self.tasks.len(), self.protocols.len()])?;
        check_tasks(&self.tasks)?;
        Invalid::unless(self.examples >= 1, "examples", self.examples, "an integer from 1")?;
        Invalid::unless(self.rank >= 1, "rank", self.rank, "an integer from 1")?;
        check_protocols(&self.protocols, &self.tasks)?;
        self.methods.check()?;
        self.training.check()
    }
}

impl PairExperiment {
    /// What it was run with, for the figure.
    pub fn subtitle(&self) -> String {
        format!(
            "{}, {}, n = {}, r = {}, {} steps of {}; {}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.examples,
            self.rank,
            self.training.steps,
            self.training.batch,
            over_seeds(self.trials)
        )
    }

    /// Gets encoder and tasks.
    ///
    /// # Errors
    /// If they are not to be had, or the settings do not fit them.
    pub fn gather(&self, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        let inputs = FineTuningInputs::gather(&self.encoder, &self.sources, &self.tasks, gathering)?;
        inputs.check_rank("rank", self.rank)?;
        inputs.check_pool(&[self.examples], 0)?;
        Ok(inputs)
    }

    /// Every task that is there, protocol, method and seed.
    pub fn plan(&self, inputs: &FineTuningInputs, keep: &Keep) -> Vec<Planned<RunPoint, FineTuningTrial>> {
        let Self { seed, adapted, ref encoder, ref training, rank, .. } = *self;
        let common = Common { seed, inputs, pooling: encoder.pooling, adapted, training };
        let mut plan = Vec::new();
        for task in &inputs.tasks {
            for protocol in &self.protocols {
                for (method, step_size) in self.methods.pair(protocol, &task.name, rank) {
                    let run = common.run(&protocol.name, task, (method, rank), step_size, self.examples);
                    plan.extend(run.with(|trial| trial.keep = keep.clone()).seeds(self.trials));
                }
            }
        }
        plan
    }
}
