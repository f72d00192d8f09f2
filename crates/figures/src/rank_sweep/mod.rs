//! The dev score against the rank r of the adapters, with few examples: LoRA against Deep LoRA.

mod claims;
mod settings;

use charts::{Axis, Figure, Lines};
use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};

pub use self::settings::Settings;
use crate::adaptation::*;
use crate::drawing::drawing;
use crate::reference::{read_reference, reference_table};

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
        settings.ranks.iter().try_for_each(|&rank| inputs.check_rank("ranks", rank))?;
        inputs.check_pool(&[settings.examples], 0)?;
        Ok(inputs)
    }

    fn plan(settings: &Settings, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        let Settings { seed, adapted, ref encoder, ref training, .. } = *settings;
        let common = Common { seed, inputs, pooling: encoder.pooling, adapted, training };
        let mut plan: Plan<Self> = Vec::new();
        for task in &inputs.tasks {
            for protocol in &settings.protocols {
                for &rank in &settings.ranks {
                    for (method, step_size) in settings.methods.pair(protocol, &task.name, rank) {
                        let run = common.run(&protocol.name, task, (method, rank), step_size, settings.examples);
                        plan.extend(run.seeds(settings.trials));
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
        let reference = read_reference(results, Self::NAME)?;
        let tasks = distinct(&rows, |row| row.task.clone());
        let (columns, width) = grid(tasks.len(), settings.protocols.len());
        let mut figure = Figure::new("The rank of the adapters, with few examples")
            .subtitle(settings.subtitle())
            .columns(columns)
            .panel_size(width, 310)
            .shared_legend();
        for protocol in &settings.protocols {
            for rows in tasks.iter().map(|task| at(&rows, &protocol.name, task)).filter(|rows| !rows.is_empty()) {
                let ticks = settings.ranks.iter().map(|&rank| rank as f64);
                let metric = &rows[0].metric;
                let mut panel = Lines::new(format!("{}, {}", rows[0].task, protocol.in_title(&rows[0].task)))
                    .x(Axis::log("rank r").ticks(ticks))
                    .y(Axis::linear(metric_label(metric)).include(0.0))
                    .many(score_series(&rows, &PAIR, |row| row.rank as f64));
                if rows[0].task == PAPERS_TASK && settings.encoder.is_pretrained() {
                    panel = panel.many(reported_series(&reference, metric));
                }
                figure = figure.panel(panel);
            }
        }
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<RunRow>(Self::NAME)?))
    }
}
