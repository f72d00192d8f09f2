//! `experiments/what-matters.toml`: the keys of its own, and the plan.

use lab::checked::{Distinct, PositiveSingle};
use lab::{Invalid, Planned};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;

/// `experiments/what-matters.toml`.
pub type Settings = FineTuningSettings<Factors>;

/// `[experiment]`: what is varied besides the method.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factors {
    /// Poolers and heads.
    pub(super) networks: Vec<FrozenNetwork>,
    /// AdamW's ϵ: the first with all poolers and heads, the others with the last of them.
    pub(super) epsilons: Distinct<PositiveSingle>,
}

/// A pooler and a head.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenNetwork {
    pub(super) name: String,
    pub(super) pooling: PoolingChoice,
    pub(super) deviation: Deviation,
}

impl Own for Factors {
    const VARIED: &'static [Varied] = &[];

    fn check(&self, _: &Settings) -> Result<(), Invalid> {
        let names: Vec<&str> = self.networks.iter().map(|network| network.name.as_str()).collect();
        Invalid::unless(!names.is_empty(), "experiment.networks", "[]", "at least one pooler and head")?;
        names.iter().enumerate().try_for_each(|(i, name)| {
            let is_new = !name.is_empty() && !names[..i].contains(name);
            Invalid::unless(is_new, format!("experiment.networks.{i}.name"), name, "a name, each once")
        })
    }
}

/// Every pooler and head with the first ϵ, the last one with every ϵ.
pub(super) fn plan(settings: &Settings, inputs: &FineTuningInputs) -> Vec<Planned<RunPoint, FineTuningTrial>> {
    let Factors { networks, epsilons } = &settings.experiment;
    let config = inputs.encoder.encoder.config();
    let common = settings.common(inputs);
    let mut plan = Vec::new();
    for (place, network) in networks.iter().enumerate() {
        let epsilons = if place + 1 == networks.len() { &epsilons[..] } else { &epsilons[..1] };
        for epsilon in epsilons {
            for task in &inputs.tasks {
                for (name, rank) in settings.ranked_methods() {
                    for examples in settings.examples_of(task) {
                        let run = settings
                            .run(&common, task, (name, rank), *settings.step_sizes[0], examples)
                            .with_head(&network.name, |head| {
                                head.pooling = network.pooling;
                                head.deviation = network.deviation.of(config);
                            })
                            .with(|trial| {
                                trial.epsilon = **epsilon;
                                trial.keep = Keep::Escapes;
                            });
                        plan.extend(run.seeds(settings.head.draws.crossed(*settings.trials)));
                    }
                }
            }
        }
    }
    plan
}
