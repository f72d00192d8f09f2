//! The dev score against the step size: how much LoRA and Deep LoRA depend on it.

use adaptation::Selection;
use charts::{Axis, Figure, Lines};
use lab::{
    Check, Claim, Drawing, Experiment, Inputs, Invalid, LabError, Memory, Planned, Results, Table, TrialContext,
    TrialError,
};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::matrix::{check_list, check_runs};
use crate::statements::Statement;
use crate::summary::range;

/// `experiments/step-size.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    tasks: Vec<String>,
    examples: Vec<usize>,
    step_sizes: Vec<f64>,
    adapted: Selection,
    encoder: EncoderSettings,
    methods: MethodSettings,
    training: TrainingSettings,
    #[serde(default)]
    sources: Sources,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(
            self.trials,
            &[self.tasks.len(), self.examples.len(), self.methods.names.len(), self.step_sizes.len()],
        )?;
        check_tasks(&self.tasks)?;
        check_list("examples", &self.examples, |n| n >= 1, "an integer from 1")?;
        let positive = |step: f64| step > 0.0 && step.is_finite();
        check_list("step_sizes", &self.step_sizes, positive, "a number greater than 0")?;
        self.methods.check()?;
        self.training.check()
    }
}

impl Settings {
    fn subtitle(&self) -> String {
        format!(
            "{}, {}, r = {}, {} steps of {}; {}; diverged or constant counts as 0",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.methods.rank,
            self.training.steps,
            self.training.batch,
            over_seeds(self.trials)
        )
    }

    /// Whether the numbers mean something: a pretrained encoder, the paper's steps, a grid that shows a width.
    fn in_earnest(&self) -> bool {
        self.encoder.is_pretrained() && self.training.steps >= 500 && self.step_sizes.len() >= 5
    }
}

/// The protocol of all runs.
const GRID: &str = "grid";

/// The experiment.
pub struct StepSize;

impl Experiment for StepSize {
    type Settings = Settings;
    type Trial = FineTuningTrial;
    type Outcome = FineTuningOutcome;

    const NAME: &'static str = "step-size";
    const ABOUT: &'static str = "Few-shot fine-tuning: dev score against the step size (in addition to the paper)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA and Deep LoRA at the step sizes of a grid, and \
        shows the score on the dev split against the step size: how robust each is, which the paper calls a simplified \
        setting of hyperparameters.";

    fn gather(settings: &Settings, inputs: &Inputs) -> anyhow::Result<()> {
        let Settings { encoder, sources, tasks, .. } = settings;
        gather(encoder, sources, tasks, inputs)?;
        check_rank("methods.rank", settings.methods.rank, encoder, tasks)?;
        Ok(check_pool(&settings.examples, 0, encoder, tasks)?)
    }

    fn plan(settings: &Settings) -> Vec<Planned<FineTuningTrial>> {
        let mut plan = Vec::new();
        for inventory in inventories(&settings.encoder, &settings.tasks) {
            let Settings { seed, adapted, ref encoder, ref training, .. } = *settings;
            let common = Common { seed, inventory: &inventory, pooling: encoder.pooling, adapted, training };
            for &examples in &settings.examples {
                for &name in &settings.methods.names {
                    for &step_size in &settings.step_sizes {
                        let rank = settings.methods.rank;
                        let trial = common.trial(GRID, settings.methods.method(name, rank), rank, step_size, examples);
                        let trial = FineTuningTrial { divergence: Divergence::Counts, ..trial };
                        let runs = (0..settings.trials).map(Part::Run);
                        plan.extend(runs.map(|part| FineTuningTrial { part, ..trial.clone() }.planned()));
                    }
                }
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

    fn tables(_: &Settings, finished: &[Run]) -> Result<Vec<Table>, LabError> {
        let rows = finished.iter().map(RunRow::of);
        Ok(vec![Table::new(Self::NAME, rows)?, timing_table(Self::NAME, finished)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<RunRow> = results.read(Self::NAME)?;
        let tasks = distinct(&rows, |row| row.task.clone());
        let names = settings.methods.labels();
        let methods: Vec<(&str, usize)> = names.iter().enumerate().map(|(hue, &name)| (name, hue)).collect();
        let (columns, width) = grid(settings.examples.len(), tasks.len());
        let mut figure = Figure::new("How much the score depends on the step size")
            .subtitle(settings.subtitle())
            .columns(columns)
            .panel_size(width, 310)
            .shared_legend();
        for task in &tasks {
            for &examples in &settings.examples {
                let rows: Vec<&RunRow> =
                    at(&rows, GRID, task).into_iter().filter(|row| row.examples == examples).collect();
                if let Some(first) = rows.first() {
                    let panel = Lines::new(format!("{task}, n = {examples}"))
                        .x(Axis::log("step size η"))
                        .y(Axis::linear(metric_label(&first.metric)).include(0.0));
                    figure = figure.panel(panel.many(score_series(&rows, &methods, |row| row.step_size)));
                }
            }
        }
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let rows: Vec<RunRow> = results.read(Self::NAME)?;
        let mut claims = Vec::new();
        for task in distinct(&rows, |row| row.task.clone()) {
            for &examples in &settings.examples {
                let rows: Vec<&RunRow> =
                    at(&rows, GRID, &task).into_iter().filter(|row| row.examples == examples).collect();
                let [lora, deep] =
                    PAIR.map(|(method, _)| mean_scores(rows.iter().copied(), method, |row| row.step_size));
                claims.push(robust(&task, examples, &lora, &deep, settings.in_earnest()));
            }
        }
        Ok(claims)
    }
}

/// Deep LoRA comes near its best score at more step sizes of the grid than LoRA does.
fn robust(task: &str, examples: usize, lora: &[(f64, f64)], deep: &[(f64, f64)], tested: bool) -> Claim {
    let near = |curve: &[(f64, f64)]| {
        let best = range(curve)?.1;
        let near: Vec<_> = curve.iter().copied().filter(|point| point.1 >= best - 0.1 * best.abs()).collect();
        let steps = near.iter().map(|point| format!("{:e}", point.0)).collect::<Vec<_>>().join(", ");
        Some((near.len(), format!("{steps} (best {best:.2})")))
    };
    let found = near(lora).zip(near(deep));
    let holds = found.as_ref().is_some_and(|(lora, deep)| deep.0 > lora.0);
    let claim =
        format!("{task}, n = {examples}: Deep LoRA is within 10 % of its best score at more step sizes than LoRA");
    let statement = Statement { claim: &claim, paper: "a simplified setting of hyperparameters", tested };
    statement.judged(found.map(|(lora, deep)| format!("LoRA: {}; Deep LoRA: {}", lora.1, deep.1)), holds)
}
