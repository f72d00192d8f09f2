//! The dev score against the rank r of the adapters, with few examples: LoRA against Deep LoRA.

mod claims;
mod draw;
mod settings;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

pub use self::settings::Settings;
use crate::adaptation::*;
use crate::drawing::drawing;
use crate::reference::reference_table;

/// The experiment.
pub struct RankSweep;

impl Experiment for RankSweep {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "rank-sweep";
    const ABOUT: &'static str = "Few-shot fine-tuning: dev score against the rank of the adapters (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder on a few labelled sentences with LoRA and Deep LoRA of \
        several ranks, and shows the score on the dev split against the rank: how much does it matter to guess it right?";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        let Settings { encoder, sources, tasks, .. } = settings;
        let inputs = FineTuningInputs::gather(encoder, sources, tasks, gathering)?;
        settings.ranks.iter().try_for_each(|&rank| inputs.check_rank("ranks", *rank))?;
        inputs.check_pool(&[settings.examples], 0)?;
        inputs.check_dev(settings.seed, settings.training.dev_examples)?;
        Ok(inputs)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        let Settings { seed, adapted, ref encoder, ref training, .. } = *settings;
        let common = Common { seed, inputs, pooling: encoder.pooling, adapted, training };
        let mut plan: Plan<Self> = Vec::new();
        for task in &inputs.tasks {
            for protocol in &settings.protocols {
                for rank in settings.ranks.iter().map(|rank| rank.get()) {
                    for (method, step_size) in settings.methods.pair(protocol, &task.name, rank) {
                        let run = common.run(&protocol.name, task, (method, rank), step_size, *settings.examples);
                        plan.extend(run.seeds(*settings.trials));
                    }
                }
            }
        }
        Ok(plan)
    }

    fn tables(_: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows: Vec<RunRow> = finished.iter().map(RunRow::of).collect();
        Ok(vec![
            Table::companion(Self::NAME, "differences", differences(&rows))?,
            Table::new(Self::NAME, rows)?,
            timing_table(Self::NAME, finished)?,
            reference_table(Self::NAME)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<RunRow> = results.read(Self::NAME)?;
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &rows)?)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<RunRow>(Self::NAME)?))
    }
}
