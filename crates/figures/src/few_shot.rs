//! Few-shot fine-tuning: the dev score against the number of training examples, LoRA against Deep LoRA, at the paper's
//! step size and at one chosen per method.

use adaptation::{Method, Selection};
use charts::{Axis, Figure, Lines, Series};
use lab::{
    Check, Claim, Drawing, Experiment, Inputs, Invalid, LabError, Memory, Planned, Results, Table, TrialContext,
    TrialError,
};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::matrix::{check_list, check_positive, check_runs, check_trials};
use crate::reference::{ReferenceRow, read_reference, reference_points, reference_table};
use crate::statements::Statement;
use crate::summary::mean;

/// `experiments/few-shot.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    further_trials: usize,
    tasks: Vec<String>,
    examples: Vec<usize>,
    adapted: Selection,
    step_size: f64,
    encoder: EncoderSettings,
    methods: MethodSettings,
    training: TrainingSettings,
    choice: ChoiceSettings,
    #[serde(default)]
    sources: Sources,
}

/// `[choice]`: how a step size is chosen for each task, n and method.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceSettings {
    methods: Vec<MethodName>,
    step_sizes: Vec<f64>,
    trials: usize,
    validation_examples: usize,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        let grid = [self.tasks.len(), self.examples.len(), self.methods.names.len()];
        check_runs(self.trials, &grid)?;
        check_trials("further_trials", self.further_trials)?;
        check_tasks(&self.tasks)?;
        check_list("examples", &self.examples, |n| n >= 1, "an integer from 1")?;
        check_positive("step_size", self.step_size)?;
        self.methods.check()?;
        self.training.check()?;
        let ChoiceSettings { methods, step_sizes, trials, validation_examples } = &self.choice;
        if methods.is_empty() {
            return Ok(());
        }
        check_list("choice.methods", methods, |name| self.methods.names.contains(&name), "one of methods.names")?;
        check_list("choice.step_sizes", step_sizes, |step| step > 0.0 && step.is_finite(), "a number greater than 0")?;
        check_trials("choice.trials", *trials)?;
        let most = u32::MAX as usize;
        let fits = (2..=most).contains(validation_examples);
        let allowed = format!("an integer from 2 to {most}");
        Invalid::unless(fits, "choice.validation_examples", validation_examples, allowed)
    }
}

const PAPERS: &str = "paper's step size";
const CHOSEN: &str = "chosen step size";

impl Settings {
    /// What is kept apart of each pool for the choice.
    fn reserved(&self) -> Reserved {
        if self.choice.methods.is_empty() {
            return Reserved::default();
        }
        Reserved {
            validation: self.choice.validation_examples,
            subsets: self.choice.trials,
            subset: self.examples.iter().copied().max().unwrap_or(0),
        }
    }

    fn trial(&self, protocol: &str, at: &Setting, step_size: f64, part: Part) -> FineTuningTrial {
        let common = Common {
            seed: self.seed,
            inventory: &at.inventory,
            pooling: self.encoder.pooling,
            adapted: self.adapted,
            training: &self.training,
        };
        let trial = common.trial(protocol, at.method, self.methods.rank, step_size, at.examples);
        FineTuningTrial { part, reserved: self.reserved(), ..trial }
    }

    /// Seeds of a method: the paper has LoRA and Deep LoRA.
    fn trials_of(&self, name: MethodName) -> usize {
        let is_papers = matches!(name, MethodName::Lora | MethodName::DeepLora);
        if is_papers { self.trials } else { self.further_trials }
    }

    /// Every task that is there, n and method, in the order of the tables.
    fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        for inventory in inventories(&self.encoder, &self.tasks) {
            for &examples in &self.examples {
                for &name in &self.methods.names {
                    let method = self.methods.method(name, self.methods.rank);
                    settings.push(Setting { inventory: inventory.clone(), examples, name, method });
                }
            }
        }
        settings
    }

    /// Those for which a step size is chosen.
    fn chosen_settings(&self) -> impl Iterator<Item = Setting> {
        self.settings().into_iter().filter(|at| self.choice.methods.contains(&at.name))
    }

    /// Whether the numbers mean something: a pretrained encoder, the paper's steps, a few seeds.
    fn in_earnest(&self) -> bool {
        self.encoder.is_pretrained() && self.training.steps >= 500 && self.trials >= 3
    }

    fn subtitle(&self) -> String {
        let few = self.methods.names.iter().any(|&name| self.trials_of(name) != self.trials);
        let further = if few { format!(" ({} of Sine-LoRA, AdaLoRA)", self.further_trials) } else { String::new() };
        format!(
            "{}, {}, r = {}, {} steps of {}; {}{further}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.methods.rank,
            self.training.steps,
            self.training.batch,
            over_seeds(self.trials)
        )
    }
}

/// A point of the figure, but for the seed and the step size.
struct Setting {
    inventory: Inventory,
    examples: usize,
    name: MethodName,
    method: Method,
}

/// One run that helped to choose a step size: a row of `few-shot.selection.csv`.
#[derive(Debug, Serialize, Deserialize)]
struct ChoiceRow {
    task: String,
    metric: String,
    method: String,
    examples: usize,
    rank: usize,
    step_size: f64,
    trial: usize,
    validation_score: Option<f64>,
    training_loss: f64,
    diverged_at_step: Option<u64>,
    chosen: bool,
}

/// The step size whose runs have the best mean validation score, the smaller of equal ones. One with a run that diverged is
/// out of the question; an undefined score (constant predictions) counts as 0. `None` if none is left.
fn chosen(runs: &[Run], task: &str, examples: usize, method: &str) -> Option<f64> {
    let runs: Vec<&Run> = runs
        .iter()
        .filter(|run| matches!(run.trial.part, Part::Choice(_)))
        .filter(|run| {
            (run.trial.task.as_str(), run.trial.examples, run.trial.name.as_str()) == (task, examples, method)
        })
        .collect();
    let mut steps = distinct(&runs, |run| run.trial.step_size);
    let diverged = |step: f64| runs.iter().any(|run| run.trial.step_size == step && run.outcome.diverged_at.is_some());
    steps.retain(|&step| !diverged(step));
    steps.sort_by(f64::total_cmp);
    let mean = |step: f64| {
        let scores = runs.iter().filter(|run| run.trial.step_size == step);
        mean(&scores.map(|run| run.outcome.metric.unwrap_or(0.0)).collect::<Vec<_>>())
    };
    let means = steps.into_iter().filter_map(|step| Some((step, mean(step)?)));
    // Of equal ones max_by takes the last.
    means.rev().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(step, _)| step)
}

/// The experiment.
pub struct FewShot;

impl Experiment for FewShot {
    type Settings = Settings;
    type Trial = FineTuningTrial;
    type Outcome = FineTuningOutcome;

    const NAME: &'static str = "few-shot";
    const ABOUT: &'static str = "Few-shot fine-tuning: dev score against training examples (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder with LoRA, Deep LoRA and two further methods on a few \
        labelled sentences, and shows the score on the dev split against their number: once with the paper's step size \
        for all methods, once with a step size chosen for each method, task and number of examples from one grid on a \
        part of the training pool that is kept apart.";

    fn gather(settings: &Settings, inputs: &Inputs) -> anyhow::Result<()> {
        let Settings { encoder, sources, tasks, .. } = settings;
        gather(encoder, sources, tasks, inputs)?;
        check_rank("methods.rank", settings.methods.rank, encoder, tasks)?;
        Ok(check_pool(&settings.examples, settings.reserved().total(), encoder, tasks)?)
    }

    fn plan(settings: &Settings) -> Vec<Planned<FineTuningTrial>> {
        let mut plan = Vec::new();
        for at in settings.settings() {
            for trial in 0..settings.trials_of(at.name) {
                plan.push(settings.trial(PAPERS, &at, settings.step_size, Part::Run(trial)).planned());
            }
        }
        for at in settings.chosen_settings() {
            for &step_size in &settings.choice.step_sizes {
                for trial in 0..settings.choice.trials {
                    let trial = settings.trial("choice", &at, step_size, Part::Choice(trial));
                    let (evaluated, divergence) = (Evaluated::Validation, Divergence::Counts);
                    plan.push(FineTuningTrial { evaluated, divergence, ..trial }.planned());
                }
            }
        }
        plan
    }

    fn plan_next(settings: &Settings, finished: &[Run]) -> Vec<Planned<FineTuningTrial>> {
        let mut plan = Vec::new();
        for at in settings.chosen_settings() {
            let (task, method) = (&at.inventory.task, at.method.label());
            let step_size = chosen(finished, task, at.examples, method);
            if step_size.is_none() {
                tracing::warn!("{task}, n = {}, {method}: every step size of choice.step_sizes diverged", at.examples);
            }
            for trial in 0..settings.trials_of(at.name) {
                plan.extend(step_size.map(|step| settings.trial(CHOSEN, &at, step, Part::Run(trial)).planned()));
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
        let is_run = |run: &&Run| matches!(run.trial.part, Part::Run(_));
        let rows: Vec<RunRow> = finished.iter().filter(is_run).map(RunRow::of).collect();
        let choices = finished.iter().filter(|run| !is_run(run)).map(|run| {
            let RunRow { task, metric, method, examples, rank, step_size, trial, score, .. } = RunRow::of(run);
            ChoiceRow {
                chosen: chosen(finished, &task, examples, &method) == Some(step_size),
                validation_score: score,
                training_loss: run.outcome.training_loss(),
                diverged_at_step: run.outcome.diverged_at,
                task,
                metric,
                method,
                examples,
                rank,
                step_size,
                trial,
            }
        });
        Ok(vec![
            Table::companion(Self::NAME, "selection", choices)?,
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
        let protocols = distinct(&rows, |row| row.protocol.clone());
        let (columns, width) = grid(tasks.len(), protocols.len());
        let mut figure = Figure::new("Few-shot fine-tuning: LoRA and Deep LoRA")
            .subtitle(settings.subtitle())
            .columns(columns)
            .panel_size(width, 310)
            .shared_legend();
        for protocol in protocols {
            for task in &tasks {
                let rows: Vec<&RunRow> =
                    rows.iter().filter(|row| row.protocol == protocol && row.task == *task).collect();
                if let Some(first) = rows.first() {
                    let title = format!("{task}, {}", in_title(&protocol, settings.step_size));
                    figure = figure.panel(panel(title, &first.metric, &rows, settings, &reference, task == "stsb"));
                }
            }
        }
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let differences: Vec<DifferenceRow> = results.read("few-shot.differences")?;
        let mut claims = Vec::new();
        for protocol in distinct(&differences, |row| row.protocol.clone()) {
            for task in distinct(&differences, |row| row.task.clone()) {
                let rows: Vec<&DifferenceRow> =
                    differences.iter().filter(|row| row.protocol == protocol && row.task == task).collect();
                claims.extend(judged(&rows, &format!("{task}, {protocol}"), settings.in_earnest()));
            }
        }
        Ok(claims)
    }
}

fn in_title(protocol: &str, step_size: f64) -> String {
    if protocol == PAPERS { format!("{protocol} {step_size:e}") } else { format!("{protocol} per n") }
}

fn panel(
    title: String,
    metric: &str,
    rows: &[&RunRow],
    settings: &Settings,
    reference: &[ReferenceRow],
    is_papers_task: bool,
) -> Lines {
    let ticks = settings.examples.iter().map(|&n| n as f64);
    let x = Axis::log("training examples n").ticks(ticks);
    let mut panel = Lines::new(title).x(x).y(Axis::linear(metric_label(metric)));
    for (hue, &name) in settings.methods.names.iter().enumerate() {
        let method = settings.methods.method(name, settings.methods.rank).label();
        let points = rows.iter().filter(|row| row.method == method);
        let curve = banded(scored(points.copied(), |row| row.examples as f64));
        if !curve.mean.is_empty() {
            panel = panel.series(Series::new(method, curve.mean).band(curve.band).hue(hue).markers());
        }
        let reported = reference_points(reference, method, metric);
        if is_papers_task && settings.encoder.is_pretrained() && !reported.is_empty() {
            panel = panel.series(Series::new(format!("{method}, paper (BERT-base)"), reported).hue(hue).paper());
        }
    }
    panel
}

/// The paper's two findings, on one task with one protocol.
fn judged(rows: &[&DifferenceRow], place: &str, tested: bool) -> [Claim; 2] {
    // The paper's numbers of examples.
    let mut rows: Vec<&&DifferenceRow> = rows.iter().filter(|row| row.examples <= 256 && row.mean.is_some()).collect();
    rows.sort_by_key(|row| row.examples);
    let text = |row: &&&DifferenceRow| Some(format!("{}{} (n = {})", row.interval()?, row.doubts(), row.examples));
    let measured = (!rows.is_empty()).then(|| rows.iter().filter_map(text).collect::<Vec<_>>().join(", "));
    let higher = rows.iter().all(|row| row.mean > Some(0.0));
    // A lead of chance is none: with the fewest examples its interval must be above 0.
    let leads = rows.first().is_some_and(|few| few.low.is_some_and(|low| low > 0.0));
    let widens = leads && rows.first().zip(rows.last()).is_some_and(|(few, many)| few.mean > many.mean);
    let [all, gap] = [
        format!("{place}: Deep LoRA scores higher than LoRA at every n to 256"),
        format!("{place}: the fewer examples, the larger Deep LoRA's lead"),
    ];
    let paper = "+0.07 (n = 16), +0.02 (64), +0.01 (256) on stsb";
    [
        Statement { claim: &all, paper, tested }.judged(measured.clone(), higher),
        Statement { claim: &gap, paper, tested }.judged(measured, widens),
    ]
}
