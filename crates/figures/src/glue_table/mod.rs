//! The table of GLUE: LoRA and Deep LoRA on eight tasks, with few examples.

mod claims;
mod rows;

use charts::{Axis, Bars, Figure, Histogram};
use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

use self::rows::{NOT_RUN, Row, row};
use crate::adaptation::*;
use crate::drawing::drawing;
use crate::palette;

/// The experiment.
pub struct GlueTable;

impl Experiment for GlueTable {
    type Settings = PairExperiment;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "glue-table";
    const ABOUT: &'static str =
        "Fine-tuning on 1024 examples of each GLUE task: table of LoRA and Deep LoRA (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA and Deep LoRA on some examples of each task of GLUE, \
        and tabulates the dev scores. Tasks whose data is neither in the directory given with --data-dir nor to be downloaded \
        are listed as not run.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &PairExperiment, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        settings.gather(gathering)
    }

    fn plan(settings: &PairExperiment, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        Ok(settings.plan(inputs, &Keep::Nothing))
    }

    fn tables(
        settings: &PairExperiment,
        inputs: &FineTuningInputs,
        finished: &[FinishedOf<Self>],
    ) -> anyhow::Result<Vec<Table>> {
        let runs: Vec<RunRow> = finished.iter().map(RunRow::of).collect();
        let differences = differences(&runs);
        let rows = settings.protocols.iter().flat_map(|protocol| {
            settings.tasks.iter().map(|task| {
                let found = differences.iter().find(|row| row.protocol == protocol.name && row.task == *task);
                let row = row(&protocol.name, task, &at(&runs, &protocol.name, task), found);
                match inputs.task(task) {
                    Ok(_) => row,
                    Err(_) => Row { status: NOT_RUN.to_owned(), ..row },
                }
            })
        });
        Ok(vec![
            Table::new(Self::NAME, rows)?,
            Table::companion(Self::NAME, "runs", runs.clone())?,
            timing_table(Self::NAME, finished)?,
        ])
    }

    fn draw(settings: &PairExperiment, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let mut figure = Figure::new("GLUE with few examples: LoRA and Deep LoRA")
            .subtitle(settings.subtitle())
            .columns(1)
            .panel_size(1000, 280)
            .shared_legend();
        for protocol in &settings.protocols {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.protocol == protocol.name).collect();
            figure = figure.panel(
                Histogram::new(protocol.in_title_of_all())
                    .categories(rows.iter().map(|row| row.label()))
                    .y(Axis::linear("Pearson, Matthews or accuracy (%)"))
                    .bars(bars(
                        LORA,
                        palette::LORA,
                        rows.iter().map(|row| (row.lora_mean_percent, row.lora_deviation_percent)),
                    ))
                    .bars(bars(
                        DEEP_LORA,
                        palette::DEEP_LORA,
                        rows.iter().map(|row| (row.deep_lora_mean_percent, row.deep_lora_deviation_percent)),
                    )),
            );
        }
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &PairExperiment, results: &Results) -> anyhow::Result<Vec<Finding>> {
        claims::findings(settings, &results.read("glue-table.runs")?)
    }
}

/// Bars of (mean, deviation), with whiskers of half a deviation; `None` leaves one out.
fn bars(label: &str, hue: charts::Hue, values: impl Iterator<Item = (Option<f64>, Option<f64>)>) -> Bars {
    let values: Vec<(f64, f64)> =
        values.map(|(mean, deviation)| (mean.unwrap_or(f64::NAN), deviation.unwrap_or(f64::NAN))).collect();
    let errors: Vec<(f64, f64)> =
        values.iter().map(|(mean, deviation)| (mean - deviation / 2.0, mean + deviation / 2.0)).collect();
    let bars = Bars::new(label, values.iter().map(|(mean, _)| *mean).collect::<Vec<_>>()).hue(hue);
    // A single run has no deviation.
    if values.iter().any(|(_, deviation)| *deviation > 0.0) { bars.errors(errors) } else { bars }
}
