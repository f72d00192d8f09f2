//! The numerical rank of every learned `ΔW`: LoRA against Deep LoRA.

use charts::{Axis, Bars, Figure, Histogram};
use lab::{Claim, Drawing, Experiment, Inputs, LabError, Memory, Planned, Results, Table, TrialContext, TrialError};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::reference::{ReferenceRow, read_reference, reference_points, reference_table};
use crate::statements::Statement;
use crate::summary::{deviation, mean};

/// One learned `ΔW`: a row of `learned-ranks.csv`.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    protocol: String,
    task: String,
    method: String,
    step_size: f64,
    trial: usize,
    matrix: String,
    spectral_norm: f64,
    numerical_rank: usize,
}

/// The experiment.
pub struct LearnedRanks;

impl Experiment for LearnedRanks {
    type Settings = PairExperiment;
    type Trial = FineTuningTrial;
    type Outcome = FineTuningOutcome;

    const NAME: &'static str = "learned-ranks";
    const ABOUT: &'static str = "Few-shot fine-tuning: numerical rank of every learned update (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA and Deep LoRA, and shows how many of the adapted \
        matrices end with an update ΔW of which numerical rank; an update of spectral norm up to 1e-3 counts as rank 0.";

    fn gather(settings: &PairExperiment, inputs: &Inputs) -> anyhow::Result<()> {
        settings.gather(inputs)
    }

    fn plan(settings: &PairExperiment) -> Vec<Planned<FineTuningTrial>> {
        settings.plan(&Keep::Spectra)
    }

    fn memory(trial: &FineTuningTrial) -> Memory {
        trial.memory()
    }

    fn run(trial: &FineTuningTrial, context: &TrialContext) -> Result<FineTuningOutcome, TrialError> {
        run(trial, context)
    }

    fn tables(_: &PairExperiment, finished: &[Run]) -> Result<Vec<Table>, LabError> {
        let rows = finished.iter().flat_map(|run| {
            run.outcome.spectra.iter().map(|spectrum| Row {
                protocol: run.trial.protocol.clone(),
                task: run.trial.task.clone(),
                method: run.trial.name.clone(),
                step_size: run.trial.step_size,
                trial: run.trial.part.number(),
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
                    let (heights, errors): (Vec<f64>, Vec<_>) = shares
                        .into_iter()
                        .map(|(mean, deviation)| (mean, (mean - deviation, mean + deviation)))
                        .unzip();
                    let bars = Bars::new(method, heights).hue(hue);
                    panel = panel.bars(if settings.trials > 1 { bars.errors(errors) } else { bars });
                }
                if settings.rank == 8 && *task == PAPERS_TASK && settings.encoder.is_pretrained() {
                    for (method, hue) in [(DEEP_LORA, 5), (LORA, 6)] {
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

    fn claims(settings: &PairExperiment, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let tested = settings.encoder.is_pretrained() && settings.training.steps >= 500;
        let mut claims = Vec::new();
        for protocol in &settings.protocols {
            for task in distinct(&rows, |row| row.task.clone()) {
                let place = format!("{task}, {}", protocol.name);
                let of = |method: &str| -> Vec<usize> {
                    let rows = rows.iter().filter(|row| row.protocol == protocol.name && row.task == task);
                    rows.filter(|row| row.method == method).map(|row| row.numerical_rank).collect()
                };
                claims.extend(judged(&place, &of(LORA), &of(DEEP_LORA), settings.rank, tested));
            }
        }
        Ok(claims)
    }
}

/// Mean and deviation over trials of the share (in %) of matrices of each rank from 0 to `largest`.
fn shares(rows: &[Row], protocol: &str, task: &str, method: &str, largest: usize) -> Vec<(f64, f64)> {
    let rows: Vec<&Row> =
        rows.iter().filter(|row| row.protocol == protocol && row.task == task && row.method == method).collect();
    let trials = distinct(&rows, |row| row.trial);
    let share = |rank: usize, trial: usize| {
        let ranks: Vec<usize> = rows.iter().filter(|row| row.trial == trial).map(|row| row.numerical_rank).collect();
        100.0 * ranks.iter().filter(|found| **found == rank).count() as f64 / ranks.len() as f64
    };
    (0..=largest)
        .map(|rank| trials.iter().map(|&trial| share(rank, trial)).collect::<Vec<_>>())
        // Without a trial there is no bar, and of a single one no deviation.
        .map(|shares| (mean(&shares).unwrap_or(f64::NAN), deviation(&shares).unwrap_or(f64::NAN)))
        .collect()
}

/// The paper's shares (in %) of rank 0 to 8.
fn reported(reference: &[ReferenceRow], method: &str) -> Vec<f64> {
    let counts = reference_points(reference, method, "count");
    let total: f64 = counts.iter().map(|point| point.1).sum();
    let count = |rank: usize| counts.iter().find(|point| point.0 == rank as f64).map_or(0.0, |point| point.1);
    (0..=8).map(|rank| 100.0 * count(rank) / total).collect()
}

/// The paper's findings on the ranks of all matrices and trials of one task and protocol.
fn judged(place: &str, lora: &[usize], deep: &[usize], rank: usize, tested: bool) -> [Claim; 3] {
    let count = |ranks: &[usize], holds: &dyn Fn(usize) -> bool| ranks.iter().filter(|found| holds(**found)).count();
    let text = |part: usize, ranks: &[usize]| (!ranks.is_empty()).then(|| format!("{part} of {}", ranks.len()));
    let full = count(lora, &|found| found == rank);
    let zero = count(deep, &|found| found == 0);
    let learned: Vec<usize> = deep.iter().copied().filter(|found| *found > 0).collect();
    let low = count(&learned, &|found| 2 * found <= rank);
    let statement = |claim: &str, paper, measured, holds| Statement { claim, paper, tested }.judged(measured, holds);
    [
        statement(
            &format!("{place}: every update of LoRA has full rank"),
            "74 of 74",
            text(full, lora),
            full == lora.len(),
        ),
        statement(
            &format!("{place}: most updates of Deep LoRA have rank 0"),
            "40 of 74",
            text(zero, deep),
            2 * zero > deep.len(),
        ),
        statement(
            &format!("{place}: of Deep LoRA's other updates most have at most half the rank"),
            "28 of 34",
            text(low, &learned),
            2 * low > learned.len(),
        ),
    ]
}
