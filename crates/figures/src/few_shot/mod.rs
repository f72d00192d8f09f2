//! Few-shot fine-tuning: the dev score against the number of training examples, LoRA against Deep LoRA.

mod claims;
mod draw;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::reference::reference_table;

no_keys!(
    /// The numbers of examples are varied.
    ByExamples,
    &[Varied::Examples]
);

/// `experiments/few-shot.toml`.
pub type Settings = FineTuningSettings<ByExamples>;

/// The experiment.
pub struct FewShot;

impl Experiment for FewShot {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "few-shot";
    const ABOUT: &'static str = "Few-shot fine-tuning: dev score against training examples (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA (in both orientations) and Deep LoRA (narrow and of \
        full width) on a few labelled sentences, and shows the score on the dev split against their number. Several draws of \
        the frozen pooler and head are crossed with the seeds.";
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
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, results)?)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        claims::findings(settings, &results.read(Self::NAME)?)
    }
}
