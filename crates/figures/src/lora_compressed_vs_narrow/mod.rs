//! Full-width Deep LoRA (the original), its compressed network, and a random narrow one: training loss and dev score against
//! the steps.

mod claims;
mod draw;

use charts::Hue;
use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::palette;

no_keys!(
    /// Only the tasks are varied.
    ByTask,
    &[]
);

/// `experiments/lora-compressed-vs-narrow.toml`.
pub type Settings = FineTuningSettings<ByTask>;

/// The methods of the figure as networks: what the tables call the method, what the figure calls the network, and its hue, as
/// in the matrix experiments.
const NETWORKS: [(&str, &str, Hue); 3] = [
    (DEEP_LORA, "original (full width)", palette::ORIGINAL),
    (COMPRESSED, "compressed", palette::COMPRESSED),
    (DEEP_LORA_NARROW, "random narrow", palette::NARROW),
];

/// The experiment.
pub struct LoraCompressedVsNarrow;

impl Experiment for LoraCompressedVsNarrow {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "lora-compressed-vs-narrow";
    const ABOUT: &'static str = "Fine-tuning: full-width Deep LoRA, its compressed network, a narrow one (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder on a few labelled sentences with Deep LoRA of full width (the \
        original), with its compressed network, and with one as narrow from a random start. Shows training loss and dev score \
        against the steps.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        settings.gather(gathering)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        Ok(settings.plan(inputs, |_| {}))
    }

    fn tables(_: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        Ok(vec![
            Table::new(Self::NAME, finished.iter().flat_map(RecordRow::of))?,
            Table::companion(Self::NAME, "runs", finished.iter().map(RunRow::of))?,
            timing_table(Self::NAME, finished)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &results.read::<RecordRow>(Self::NAME)?)?)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<RecordRow>(Self::NAME)?))
    }
}
