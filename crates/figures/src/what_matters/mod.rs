//! Which choice Deep LoRA's advantage rests on: pooler and head, LoRA's start, width, AdamW's ϵ.

mod claims;
mod draw;
mod effects;
mod escape_claims;
mod escapes;
mod settings;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

pub use self::settings::Settings;
use crate::adaptation::*;
use crate::drawing::drawing;

/// The experiment.
pub struct WhatMatters;

impl Experiment for WhatMatters {
    type Settings = Settings;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "what-matters";
    const ABOUT: &'static str = "Fine-tuning: which choice Deep LoRA's advantage rests on (in addition to the paper)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA in both orientations and Deep LoRA, narrow and of \
        full width, behind several poolers and heads, and with several ϵ of AdamW. Shows scores, training losses and main \
        effects, and when every update leaves the origin.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &Settings, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        settings.gather(gathering)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        Ok(settings::plan(settings, inputs))
    }

    fn tables(settings: &Settings, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows: Vec<RunRow> = finished.iter().map(RunRow::of).collect();
        Ok(vec![
            Table::companion(Self::NAME, "differences", differences(&rows))?,
            Table::companion(Self::NAME, "effects", effects::effects(settings, &rows))?,
            Table::companion(Self::NAME, "escapes", finished.iter().flat_map(|run| escapes::rows(settings, run)))?,
            Table::new(Self::NAME, rows)?,
            timing_table(Self::NAME, finished)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, results)?)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        let escapes: Vec<escapes::EscapeRow> = results.read("what-matters.escapes")?;
        Ok(claims::findings(settings, &results.read::<RunRow>(Self::NAME)?, &escapes))
    }
}
