//! Numerical ranks of the learned updates, few examples: LoRA against Deep LoRA.

mod claims;
mod draw;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::reference::{read_reference, reference_table};

no_keys!(
    /// Only the tasks are varied.
    ByTask,
    &[]
);

/// `experiments/learned-ranks.toml`.
pub type Settings = FineTuningSettings<ByTask>;

/// One learned `ΔW`: a row of `learned-ranks.csv`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) encoder: String,
    pub(super) task: String,
    pub(super) method: String,
    pub(super) head_draw: usize,
    pub(super) trial: usize,
    pub(super) matrix: String,
    pub(super) spectral_norm: f64,
    pub(super) numerical_rank: usize,
}

/// The experiment.
pub struct LearnedRanks;

impl Experiment for LearnedRanks {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "learned-ranks";
    const ABOUT: &'static str = "Few-shot fine-tuning: numerical rank of every learned update (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA and Deep LoRA, and shows how many of the adapted \
        matrices end with an update ΔW of which numerical rank; an update of spectral norm up to 1e-3 counts as rank 0.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        settings.gather(gathering)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        Ok(settings.plan(inputs, |trial| trial.keep = Keep::Spectra))
    }

    fn tables(_: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows = finished.iter().flat_map(|run| {
            run.outcome.spectra.iter().map(|spectrum| Row {
                encoder: run.at.encoder.clone(),
                task: run.at.task.clone(),
                method: run.at.method.clone(),
                head_draw: run.at.head_draw,
                trial: run.at.trial,
                matrix: spectrum.site.name(),
                spectral_norm: spectrum.singular_values.first().copied().unwrap_or(0.0),
                numerical_rank: spectrum.numerical_rank,
            })
        });
        Ok(vec![
            Table::new(Self::NAME, rows)?,
            Table::companion(Self::NAME, "scores", finished.iter().map(RunRow::of))?,
            timing_table(Self::NAME, finished)?,
            reference_table(Self::NAME)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let runs: Vec<RunRow> = results.read("learned-ranks.scores")?;
        let reference = read_reference(results, Self::NAME)?;
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &rows, &runs, &reference))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<Row>(Self::NAME)?, &results.read("learned-ranks.scores")?))
    }
}
