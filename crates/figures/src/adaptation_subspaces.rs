//! Figure 2: the spectrum of every full-width `ΔW`, and how early its leading left singular subspace is found.

use adaptation::adapter::FullWidth;
use adaptation::{Method, Selection, StepSchedule};
use charts::{Axis, Figure, Lines, Series, Surface};
use lab::{
    Check, Claim, Drawing, Experiment, Finished, Inputs, Invalid, Kernels, LabError, Memory, Planned, Results, Table,
    TrialContext, TrialError,
};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::matrix::{check_init_scale_single, check_not_negative, check_positive, check_runs};
use crate::statements::Statement;
use crate::summary::{averaged, range};

/// `experiments/adaptation-subspaces.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    tasks: Vec<String>,
    /// Without it, the whole training pool.
    examples: Option<usize>,
    depth: usize,
    init_scale: f64,
    step_size: f64,
    final_step_size: f64,
    adapted: Selection,
    kept_steps: Vec<u64>,
    singular_values: usize,
    subspace: usize,
    encoder: EncoderSettings,
    training: TrainingSettings,
    #[serde(default)]
    sources: Sources,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[self.tasks.len()])?;
        check_tasks(&self.tasks)?;
        Invalid::unless(self.examples != Some(0), "examples", 0, "an integer from 1, or no such key: all")?;
        check_deep(self.depth, "depth")?;
        check_init_scale_single("init_scale", self.init_scale, self.depth)?;
        check_positive("step_size", self.step_size)?;
        check_not_negative("final_step_size", self.final_step_size)?;
        let allowed = "a number from 0 to step_size";
        Invalid::unless(self.final_step_size <= self.step_size, "final_step_size", self.final_step_size, allowed)?;
        check_formed(self.adapted)?;
        Invalid::unless(self.singular_values >= 2, "singular_values", self.singular_values, "an integer from 2")?;
        Invalid::unless(self.subspace >= 1, "subspace", self.subspace, "an integer from 1")?;
        self.training.check()?;
        let steps = self.training.steps;
        for (i, &step) in self.kept_steps.iter().enumerate() {
            let ascends = i == 0 || self.kept_steps[i - 1] < step;
            let allowed = format!("ascending integers from 0, the last one the steps ({steps})");
            Invalid::unless(ascends && step <= steps, format!("kept_steps.{i}"), step, allowed)?;
        }
        let last = self.kept_steps.last().copied();
        let text = last.map_or("[]".to_owned(), |last| last.to_string());
        Invalid::unless(last == Some(steps), "kept_steps", text, format!("a list that ends with the steps ({steps})"))
    }
}

impl Settings {
    fn subtitle(&self, task: &str) -> String {
        let examples = self.examples.map_or("all".to_owned(), |n| n.to_string());
        format!(
            "{}, {task}, {}, full width, L = {}, ε = {}, η from {:e} to {:e}, n = {examples}, {} seed{}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.depth,
            self.init_scale,
            self.step_size,
            self.final_step_size,
            self.trials,
            if self.trials == 1 { "" } else { "s" }
        )
    }
}

/// How far a matrix' subspace at one step is from its final one: a row of `adaptation-subspaces.csv`.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    task: String,
    trial: usize,
    matrix: String,
    step: u64,
    mean_cosine: f64,
    smallest_cosine: f64,
}

/// One singular value of a final update: a row of `adaptation-subspaces.spectra.csv`.
#[derive(Debug, Serialize, Deserialize)]
struct SpectrumRow {
    task: String,
    trial: usize,
    matrix: String,
    index: usize,
    singular_value: f64,
}

/// The loss on the way: a row of `adaptation-subspaces.loss.csv`.
#[derive(Debug, Serialize, Deserialize)]
struct LossRow {
    task: String,
    trial: usize,
    step: u64,
    training_loss: f64,
    score: Option<f64>,
}

/// The experiment.
pub struct AdaptationSubspaces;

impl Experiment for AdaptationSubspaces {
    type Settings = Settings;
    type Trial = FineTuningTrial;
    type Outcome = FineTuningOutcome;

    const NAME: &'static str = "adaptation-subspaces";
    const ABOUT: &'static str = "Fine-tuning with full-width Deep LoRA: spectra and subspaces of the updates (Fig. 2)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with Deep LoRA of full width, and shows the largest singular \
        values of every update ΔW at the end, the cosine between its leading left singular subspace on the way and at the \
        end, and the training loss meanwhile. Figure 2 of the paper.";

    fn gather(settings: &Settings, inputs: &Inputs) -> anyhow::Result<()> {
        let Settings { encoder, sources, tasks, .. } = settings;
        gather(encoder, sources, tasks, inputs)?;
        check_rank("subspace", settings.subspace, encoder, tasks)?;
        Ok(check_pool(settings.examples.as_slice(), 0, encoder, tasks)?)
    }

    fn plan(settings: &Settings) -> Vec<Planned<FineTuningTrial>> {
        let mut plan = Vec::new();
        for inventory in inventories(&settings.encoder, &settings.tasks) {
            let Settings { seed, adapted, ref encoder, ref training, depth, init_scale, .. } = *settings;
            let common = Common { seed, inventory: &inventory, pooling: encoder.pooling, adapted, training };
            let method = Method::FullWidth(FullWidth { depth, init_scale });
            let examples = settings.examples.unwrap_or(inventory.pool);
            let trial = common.trial("paper", method, 0, settings.step_size, examples);
            let keep = Keep::Subspaces { steps: settings.kept_steps.clone(), dimension: settings.subspace };
            let schedule = StepSchedule::Linear { to: settings.final_step_size };
            let trial = FineTuningTrial { keep, schedule, ..trial };
            for part in (0..settings.trials).map(Part::Run) {
                // Its products are large enough for all threads.
                plan.push(Planned {
                    kernels: Kernels::Parallel,
                    ..FineTuningTrial { part, ..trial.clone() }.planned()
                });
            }
        }
        plan
    }

    fn memory(trial: &FineTuningTrial) -> Memory {
        trial.memory()
    }

    fn run(trial: &FineTuningTrial, context: &TrialContext) -> Result<FineTuningOutcome, TrialError> {
        run(trial, context)
    }

    fn tables(settings: &Settings, finished: &[Run]) -> Result<Vec<Table>, LabError> {
        let subspaces = finished.iter().flat_map(|Finished { trial, outcome, .. }| {
            outcome.alignments.iter().map(|alignment| Row {
                task: trial.task.clone(),
                trial: trial.part.number(),
                matrix: alignment.site.name(),
                step: alignment.step,
                mean_cosine: alignment.mean_cosine,
                smallest_cosine: alignment.smallest_cosine,
            })
        });
        let spectra = finished.iter().flat_map(|Finished { trial, outcome, .. }| {
            outcome.spectra.iter().flat_map(|spectrum| {
                let values = spectrum.singular_values.iter().take(settings.singular_values).enumerate();
                values.map(|(index, &singular_value)| SpectrumRow {
                    task: trial.task.clone(),
                    trial: trial.part.number(),
                    matrix: spectrum.site.name(),
                    index: index + 1,
                    singular_value,
                })
            })
        });
        let losses = finished.iter().flat_map(|Finished { trial, outcome, .. }| {
            outcome.records.iter().map(|record| LossRow {
                task: trial.task.clone(),
                trial: trial.part.number(),
                step: record.step,
                training_loss: record.training_loss,
                score: record.metric,
            })
        });
        Ok(vec![
            Table::new(Self::NAME, subspaces)?,
            Table::companion(Self::NAME, "spectra", spectra)?,
            Table::companion(Self::NAME, "loss", losses)?,
            timing_table(Self::NAME, finished)?,
        ])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let spectra: Vec<SpectrumRow> = results.read("adaptation-subspaces.spectra")?;
        let losses: Vec<LossRow> = results.read("adaptation-subspaces.loss")?;
        let mut drawings = Vec::new();
        for (place, task) in distinct(&rows, |row| row.task.clone()).into_iter().enumerate() {
            let spectra: Vec<&SpectrumRow> = spectra.iter().filter(|row| row.task == task && row.trial == 0).collect();
            let rows: Vec<&Row> = rows.iter().filter(|row| row.task == task).collect();
            let losses = losses.iter().filter(|row| row.task == task).map(|row| (row.step as f64, row.training_loss));
            let loss = Lines::new("Training loss")
                .x(Axis::linear("step"))
                .y(Axis::linear("training loss"))
                .series(Series::new("", averaged(losses).mean).hue(0));
            let figure = Figure::new("Full-width Deep LoRA: spectra and leading subspaces of the updates")
                .subtitle(settings.subtitle(&task))
                .columns(3)
                .panel_size(400, 320)
                .panel(spectrum_panel(&spectra))
                .panel(cosine_panel(&rows, settings.subspace))
                .panel(loss);
            let name = if place == 0 { Self::NAME.to_owned() } else { format!("{}-{task}", Self::NAME) };
            drawings.push(drawing(&name, &figure)?);
        }
        Ok(drawings)
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let spectra: Vec<SpectrumRow> = results.read("adaptation-subspaces.spectra")?;
        let losses: Vec<LossRow> = results.read("adaptation-subspaces.loss")?;
        let tested = settings.encoder.is_pretrained() && settings.training.steps >= 500;
        let mut claims = Vec::new();
        for task in distinct(&rows, |row| row.task.clone()) {
            let spectra: Vec<&SpectrumRow> = spectra.iter().filter(|row| row.task == task).collect();
            let rows: Vec<&Row> = rows.iter().filter(|row| row.task == task).collect();
            let losses: Vec<&LossRow> = losses.iter().filter(|row| row.task == task).collect();
            claims.push(nearly_low_rank(&task, &spectra, settings.singular_values, tested));
            claims.push(found_early(&task, &rows, &losses, settings, tested));
        }
        Ok(claims)
    }
}

/// The largest singular values of every matrix, as ridges.
fn spectrum_panel(spectra: &[&SpectrumRow]) -> Surface {
    let matrices = distinct(spectra, |row| row.matrix.clone());
    let values: Vec<Vec<f64>> = matrices
        .iter()
        .map(|matrix| spectra.iter().filter(|row| row.matrix == *matrix).map(|row| row.singular_value).collect())
        .collect();
    let longest = values.iter().map(Vec::len).max().unwrap_or(0);
    Surface::new("Final singular values of every ΔW", values)
        .index("adapted matrix")
        .iteration("index i")
        .iterations((1..=longest).map(|index| index as f64).collect::<Vec<_>>())
        .value(Axis::log("σᵢ"))
}

/// The mean cosine of every kind of matrix against the steps.
fn cosine_panel(rows: &[&Row], dimension: usize) -> Lines {
    let title = format!("Cosine of top-{dimension} left subspaces, at step and end");
    let mut panel = Lines::new(title).x(Axis::linear("step")).y(Axis::linear("mean cosine").range(0.0, 1.02));
    for (hue, kind) in distinct(rows, |row| kind(&row.matrix)).into_iter().enumerate() {
        let points = rows.iter().filter(|row| self::kind(&row.matrix) == kind);
        let curve = averaged(points.map(|row| (row.step as f64, row.mean_cosine)));
        panel = panel.series(Series::new(kind, curve.mean).hue(hue).markers());
    }
    panel
}

/// What a matrix is, whatever its layer.
fn kind(matrix: &str) -> &'static str {
    [
        ("query", "query"),
        ("key", "key"),
        ("value", "value"),
        ("attention.output", "attention output"),
        ("intermediate", "intermediate"),
        ("output", "output"),
    ]
    .iter()
    .find(|(part, _)| matrix.contains(part))
    .map_or("other", |(_, name)| name)
}

/// The last of the largest singular values is a small part of the first, in every matrix.
fn nearly_low_rank(task: &str, spectra: &[&SpectrumRow], count: usize, tested: bool) -> Claim {
    let firsts = spectra.iter().filter(|row| row.index == 1);
    let shares: Vec<(f64, f64)> = firsts
        .filter_map(|first| {
            let same =
                |row: &&&SpectrumRow| row.matrix == first.matrix && row.trial == first.trial && row.index == count;
            Some((0.0, spectra.iter().find(same)?.singular_value / first.singular_value))
        })
        .collect();
    let claim = format!("{task}: every final ΔW is nearly of low rank: σ_{count} is below a tenth of σ_1");
    let measured = range(&shares).map(|(least, most)| format!("{least:.1e} to {most:.1e} of σ_1"));
    let holds = range(&shares).is_some_and(|(_, most)| most < 0.1);
    Statement { claim: &claim, paper: "σ falls to about 0 within the first ten", tested }.judged(measured, holds)
}

/// When the mean cosine first exceeds 0.9, the training loss is still above its end by a tenth of all its fall.
fn found_early(task: &str, rows: &[&Row], losses: &[&LossRow], settings: &Settings, tested: bool) -> Claim {
    let cosines = averaged(rows.iter().map(|row| (row.step as f64, row.mean_cosine))).mean;
    let loss = averaged(losses.iter().map(|row| (row.step as f64, row.training_loss))).mean;
    let found = cosines.iter().find(|point| point.1 >= 0.9).copied();
    let at = |step: f64| loss.iter().rfind(|point| point.0 <= step.max(loss[0].0)).map(|point| point.1);
    let measured = found.zip(loss.first().copied()).zip(loss.last().copied()).and_then(|((found, first), last)| {
        let fall = first.1 - last.1;
        (fall > 0.0).then_some((found.0, (at(found.0)? - last.1) / fall))
    });
    let claim = format!("{task}: the leading subspaces are found while the training loss still falls");
    let steps = settings.training.steps;
    let text =
        measured.map_or("the mean cosine stays below 0.9, or the loss does not fall".to_owned(), |(step, left)| {
            format!(
                "mean cosine 0.9 at step {step} of {steps}, when {:.0} % of the fall of the loss are left",
                100.0 * left
            )
        });
    let holds = measured.is_some_and(|(step, left)| step <= steps as f64 / 2.0 && left > 0.1);
    Statement { claim: &claim, paper: "cosine near 1 early, loss still falling", tested }.judged(Some(text), holds)
}
