//! Experiments with LoRA and Deep LoRA at one n and r: their settings and their plan.

use adaptation::Selection;
use lab::checked::{Count, Distinct, Trials};
use lab::{Check, Gathering, Invalid, Planned};
use serde::{Deserialize, Serialize};

use super::band::Band;
use super::inputs::FineTuningInputs;
use super::plan::{Common, RunPoint};
use super::settings::{
    EncoderSettings, PairSettings, Protocol, Sources, TrainingSettings, adapted_in_words, check_protocols, check_tasks,
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
    pub trials: Trials,
    /// What is drawn around means.
    #[serde(default)]
    pub band: Band,
    /// Names of tasks.
    pub tasks: Distinct<String>,
    /// Training examples n.
    pub examples: Count,
    /// Inner width r.
    pub rank: Count,
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
        check_runs(*self.trials, &[2, self.tasks.len(), self.protocols.len()])?;
        check_tasks(&self.tasks)?;
        check_protocols(&self.protocols, &self.tasks)?;
        self.methods.check()?;
        self.training.check()
    }
}

impl PairExperiment {
    /// What it was run with, for the figure, after its place in the paper.
    pub fn subtitle(&self, place: &str) -> String {
        format!(
            "{place}; {}, {}, n = {}, r = {}, {} steps of {}; {}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.examples,
            self.rank,
            self.training.steps,
            self.training.batch,
            self.band.over_seeds(*self.trials)
        )
    }

    /// Gets encoder and tasks.
    ///
    /// # Errors
    /// If they are not to be had, or the settings do not fit them.
    pub fn gather(&self, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        let inputs = FineTuningInputs::gather(&self.encoder, &self.sources, &self.tasks, gathering)?;
        inputs.check_rank("rank", *self.rank)?;
        inputs.check_pool(&[self.examples], 0)?;
        inputs.check_dev(self.seed, self.training.dev_examples)?;
        Ok(inputs)
    }

    /// Every task that is there, protocol, method and seed.
    pub fn plan(&self, inputs: &FineTuningInputs, keep: &Keep) -> Vec<Planned<RunPoint, FineTuningTrial>> {
        let Self { seed, adapted, ref encoder, ref training, .. } = *self;
        let (rank, examples) = (*self.rank, *self.examples);
        let common = Common { seed, inputs, pooling: encoder.pooling, adapted, training };
        let mut plan = Vec::new();
        for task in &inputs.tasks {
            for protocol in &self.protocols {
                for (method, step_size) in self.methods.pair(protocol, &task.name, rank) {
                    let run = common.run(&protocol.name, task, (method, rank), step_size, examples);
                    plan.extend(run.with(|trial| trial.keep = keep.clone()).seeds(*self.trials));
                }
            }
        }
        plan
    }
}
