//! The dev score against the rank r of the adapters, with few examples: LoRA against Deep LoRA.

mod claims;
mod draw;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::reference::reference_table;

no_keys!(
    /// The ranks are varied.
    ByRank,
    &[Varied::Ranks]
);

/// `experiments/rank-sweep.toml`.
pub type Settings = FineTuningSettings<ByRank>;

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
        settings.gather(gathering)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        Ok(settings.plan(inputs, |_| {}))
    }

    fn tables(_: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let mut tables = run_tables(Self::NAME, finished)?;
        tables.push(reference_table(Self::NAME)?);
        Ok(tables)
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<RunRow> = results.read(Self::NAME)?;
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &rows)?)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<RunRow>(Self::NAME)?))
    }
}
