//! Experiments with LoRA and Deep LoRA at one n and r: their settings and their plan.

use adaptation::Selection;
use lab::{Check, Inputs, Invalid, Planned};
use serde::{Deserialize, Serialize};

use super::draw::Part;
use super::settings::{
    EncoderSettings, PairSettings, Protocol, Sources, TrainingSettings, adapted_in_words, check_protocols, check_tasks,
    over_seeds,
};
use super::shelf::{check_pool, check_rank, gather, inventories};
use super::trial::{Common, FineTuningTrial, Keep};
use crate::matrix::check_runs;

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

    /// Puts encoder and tasks on the shelf.
    ///
    /// # Errors
    /// If they are not to be had, or the settings do not fit them.
    pub fn gather(&self, inputs: &Inputs) -> anyhow::Result<()> {
        let Self { encoder, sources, tasks, .. } = self;
        gather(encoder, sources, tasks, inputs)?;
        check_rank("rank", self.rank, encoder, tasks)?;
        Ok(check_pool(&[self.examples], 0, encoder, tasks)?)
    }

    /// Every task that is there, protocol, method and seed.
    pub fn plan(&self, keep: &Keep) -> Vec<Planned<FineTuningTrial>> {
        let mut plan = Vec::new();
        for inventory in inventories(&self.encoder, &self.tasks) {
            let Self { seed, adapted, ref encoder, ref training, rank, .. } = *self;
            let common = Common { seed, inventory: &inventory, pooling: encoder.pooling, adapted, training };
            for protocol in &self.protocols {
                for (method, step_size) in self.methods.pair(protocol, &inventory.task, rank) {
                    let trial = common.trial(&protocol.name, method, rank, step_size, self.examples);
                    let trial = FineTuningTrial { keep: keep.clone(), ..trial };
                    let runs = (0..self.trials).map(Part::Run);
                    plan.extend(runs.map(|part| FineTuningTrial { part, ..trial.clone() }.planned()));
                }
            }
        }
        plan
    }
}
