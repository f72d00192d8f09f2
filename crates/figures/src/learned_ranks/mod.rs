//! Numerical ranks of the learned updates, few examples: LoRA against Deep LoRA.

mod claims;

use charts::{Axis, Bars, Figure, Histogram};
use lab::statistics::Estimate;
use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Plan, Results, Table};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::reference::{ReferenceRow, read_reference, reference_points, reference_table};

/// One learned `ΔW`: a row of `learned-ranks.csv`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) protocol: String,
    pub(super) task: String,
    pub(super) method: String,
    pub(super) step_size: f64,
    pub(super) trial: usize,
    pub(super) matrix: String,
    pub(super) spectral_norm: f64,
    pub(super) numerical_rank: usize,
}

/// The experiment.
pub struct LearnedRanks;

impl Experiment for LearnedRanks {
    type Settings = PairExperiment;
    type Inputs = FineTuningInputs;
    type Point = RunPoint;
    type Trial = FineTuningTrial;

    const NAME: &'static str = "learned-ranks";
    const ABOUT: &'static str = "Few-shot fine-tuning: numerical rank of every learned update (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA and Deep LoRA, and shows how many of the adapted \
        matrices end with an update ΔW of which numerical rank; an update of spectral norm up to 1e-3 counts as rank 0.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(settings: &PairExperiment, gathering: &Gathering) -> anyhow::Result<FineTuningInputs> {
        settings.gather(gathering)
    }

    fn plan(settings: &PairExperiment, inputs: &FineTuningInputs) -> anyhow::Result<Plan<Self>> {
        Ok(settings.plan(inputs, &Keep::Spectra))
    }

    fn tables(_: &PairExperiment, _: &FineTuningInputs, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let rows = finished.iter().flat_map(|run| {
            run.outcome.spectra.iter().map(|spectrum| Row {
                protocol: run.at.protocol.clone(),
                task: run.at.task.clone(),
                method: run.at.method.clone(),
                step_size: run.at.step_size,
                trial: run.at.part.number(),
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

    fn draw(settings: &PairExperiment, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let reference = read_reference(results, Self::NAME)?;
        let tasks = distinct(&rows, |row| row.task.clone());
        let (columns, width) = grid(tasks.len(), settings.protocols.len());
        let mut figure = Figure::new("Numerical ranks of the learned updates")
            .subtitle(settings.subtitle())
            .columns(columns)
            .panel_size(width, 310)
            .shared_legend();
        for protocol in &settings.protocols {
            for task in &tasks {
                let mut panel = Histogram::new(format!("{task}, {}", protocol.in_title(task)))
                    .categories((0..=settings.rank).map(|rank| rank.to_string()))
                    .x("numerical rank of ΔW")
                    .y(Axis::linear("share of the adapted matrices (%)"));
                for (method, hue) in PAIR {
                    let shares = shares(&rows, &protocol.name, task, method, settings.rank);
                    let bars = Bars::new(method, shares.iter().map(|share| share.mean).collect::<Vec<_>>()).hue(hue);
                    let intervals: Option<Vec<_>> = shares.iter().map(Estimate::interval).collect();
                    panel = panel.bars(intervals.into_iter().fold(bars, Bars::errors));
                }
                if settings.rank == 8 && *task == PAPERS_TASK && settings.encoder.is_pretrained() {
                    for (method, hue) in [(DEEP_LORA, 0), (LORA, 1)] {
                        panel = panel.bars(
                            Bars::new(format!("{method}, paper (BERT-base)"), reported(&reference, method)).hue(hue),
                        );
                    }
                }
                figure = figure.panel(panel);
            }
        }
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &PairExperiment, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read::<Row>(Self::NAME)?, &results.read("learned-ranks.scores")?))
    }
}

/// The share (in %) of matrices of each rank from 0 to `largest`, over trials.
fn shares(rows: &[Row], protocol: &str, task: &str, method: &str, largest: usize) -> Vec<Estimate> {
    let rows: Vec<&Row> =
        rows.iter().filter(|row| row.protocol == protocol && row.task == task && row.method == method).collect();
    let trials = distinct(&rows, |row| row.trial);
    let share = |rank: usize, trial: usize| {
        let ranks: Vec<usize> = rows.iter().filter(|row| row.trial == trial).map(|row| row.numerical_rank).collect();
        100.0 * ranks.iter().filter(|found| **found == rank).count() as f64 / ranks.len() as f64
    };
    let of = |rank| Estimate::of(&trials.iter().map(|&trial| share(rank, trial)).collect::<Vec<_>>());
    (0..=largest).filter_map(of).collect()
}

/// The paper's shares (in %) of rank 0 to 8.
fn reported(reference: &[ReferenceRow], method: &str) -> Vec<f64> {
    let counts = reference_points(reference, method, "count");
    let total: f64 = counts.iter().map(|point| point.1).sum();
    let count = |rank: usize| counts.iter().find(|point| point.0 == rank as f64).map_or(0.0, |point| point.1);
    (0..=8).map(|rank| 100.0 * count(rank) / total).collect()
}
