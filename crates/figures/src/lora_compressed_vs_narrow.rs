//! Full-width Deep LoRA (the original), its compressed twin, and a random narrow one: training loss and dev score against
//! the steps.

use adaptation::adapter::{Compressed, DeepLora, FullWidth};
use adaptation::{Method, Selection};
use charts::{Axis, Figure, Lines, Series};
use lab::{
    Check, Claim, Drawing, Experiment, Inputs, Invalid, LabError, Memory, Planned, Results, Table, TrialContext,
    TrialError,
};
use serde::{Deserialize, Serialize};

use crate::adaptation::*;
use crate::drawing::drawing;
use crate::matrix::{check_init_scale_single, check_not_negative, check_positive, check_runs};
use crate::statements::Statement;

/// `experiments/lora-compressed-vs-narrow.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    tasks: Vec<String>,
    examples: usize,
    rank: usize,
    depth: usize,
    init_scale: f64,
    step_size: f64,
    compressed_step_size: f64,
    discrepant_step: f64,
    adapted: Selection,
    evaluate_every: u64,
    encoder: EncoderSettings,
    training: TrainingSettings,
    #[serde(default)]
    sources: Sources,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[NETWORKS.len(), self.tasks.len()])?;
        check_tasks(&self.tasks)?;
        Invalid::unless(self.examples >= 1, "examples", self.examples, "an integer from 1")?;
        let even = self.rank >= 2 && self.rank.is_multiple_of(2);
        Invalid::unless(even, "rank", self.rank, "an even integer from 2")?;
        check_deep(self.depth, "depth")?;
        check_init_scale_single("init_scale", self.init_scale, self.depth)?;
        check_positive("step_size", self.step_size)?;
        check_positive("compressed_step_size", self.compressed_step_size)?;
        check_not_negative("discrepant_step", self.discrepant_step)?;
        Invalid::unless(self.evaluate_every >= 1, "evaluate_every", self.evaluate_every, "an integer from 1")?;
        check_formed(self.adapted)?;
        self.training.check()
    }
}

const ORIGINAL: &str = "original (full width)";
const COMPRESSED: &str = "compressed";
const NARROW: &str = "random narrow";
/// The networks with their hues, as in the matrix experiments.
const NETWORKS: [(&str, usize); 3] = [(ORIGINAL, 0), (COMPRESSED, 1), (NARROW, 3)];

impl Settings {
    /// A network's method and step size.
    fn method(&self, network: &str) -> (Method, f64) {
        let Settings { rank, depth, init_scale, discrepant_step, .. } = *self;
        match network {
            ORIGINAL => (Method::FullWidth(FullWidth { depth, init_scale }), self.step_size),
            COMPRESSED => {
                let settings = Compressed { rank, depth, init_scale, discrepant_step };
                (Method::Compressed(settings), self.compressed_step_size)
            }
            _ => (Method::DeepLora(DeepLora { rank, depth, init_scale }), self.step_size),
        }
    }

    fn subtitle(&self) -> String {
        format!(
            "{}, {}, n = {}, r = {}, L = {}; η = {:e}, compressed {:e} with γ = {}; {}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.examples,
            self.rank,
            self.depth,
            self.step_size,
            self.compressed_step_size,
            self.discrepant_step,
            over_seeds(self.trials)
        )
    }
}

/// What was recorded at one step of one run: a row of `lora-compressed-vs-narrow.csv`.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    task: String,
    metric: String,
    network: String,
    trial: usize,
    step: u64,
    training_loss: f64,
    score: Option<f64>,
}

/// The experiment.
pub struct LoraCompressedVsNarrow;

impl Experiment for LoraCompressedVsNarrow {
    type Settings = Settings;
    type Trial = FineTuningTrial;
    type Outcome = FineTuningOutcome;

    const NAME: &'static str = "lora-compressed-vs-narrow";
    const ABOUT: &'static str = "Fine-tuning: full-width Deep LoRA, its compressed twin, a narrow one (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes the query and value matrices of a frozen encoder on a few labelled sentences \
        with Deep LoRA of full width (the original), with its compressed twin, and with one as narrow from a random start. \
        Shows training loss and dev score against the steps.";

    fn gather(settings: &Settings, inputs: &Inputs) -> anyhow::Result<()> {
        let Settings { encoder, sources, tasks, .. } = settings;
        gather(encoder, sources, tasks, inputs)?;
        check_rank("rank", settings.rank, encoder, tasks)?;
        Ok(check_pool(&[settings.examples], 0, encoder, tasks)?)
    }

    fn plan(settings: &Settings) -> Vec<Planned<FineTuningTrial>> {
        let mut plan = Vec::new();
        for inventory in inventories(&settings.encoder, &settings.tasks) {
            let Settings { seed, adapted, ref encoder, ref training, .. } = *settings;
            let common = Common { seed, inventory: &inventory, pooling: encoder.pooling, adapted, training };
            for (network, _) in NETWORKS {
                let (method, step_size) = settings.method(network);
                let trial = common.trial("paper", method, settings.rank, step_size, settings.examples);
                let trial = FineTuningTrial {
                    name: network.to_owned(),
                    evaluate_every: Some(settings.evaluate_every),
                    ..trial
                };
                let runs = (0..settings.trials).map(Part::Run);
                plan.extend(runs.map(|part| FineTuningTrial { part, ..trial.clone() }.planned()));
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
        let rows = finished.iter().flat_map(|run| {
            run.outcome.records.iter().map(|record| Row {
                task: run.trial.task.clone(),
                metric: run.trial.metric.clone(),
                network: run.trial.name.clone(),
                trial: run.trial.part.number(),
                step: record.step,
                training_loss: record.training_loss,
                score: record.metric,
            })
        });
        Ok(vec![Table::new(Self::NAME, rows)?, timing_table(Self::NAME, finished)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let mut figure = Figure::new("Full-width Deep LoRA, its compressed twin, and a narrow one")
            .subtitle(settings.subtitle())
            .panel_size(460, 310)
            .shared_legend();
        for task in distinct(&rows, |row| row.task.clone()) {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.task == task).collect();
            let x = || Axis::linear("step");
            let mut loss = Lines::new(format!("{task}: training loss")).x(x()).y(Axis::log("training loss"));
            let mut score =
                Lines::new(format!("{task}: dev score")).x(x()).y(Axis::linear(metric_label(&rows[0].metric)));
            for (network, hue) in NETWORKS {
                let series =
                    |curve: crate::summary::Averaged| Series::new(network, curve.mean).band(curve.band).hue(hue);
                loss = loss.series(series(banded(curve(&rows, network, |row| Some(row.training_loss)))));
                score = score.series(series(banded(curve(&rows, network, |row| row.score))).markers());
            }
            figure = figure.panel(loss).panel(score);
        }
        Ok(vec![drawing(Self::NAME, &figure)?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let rows: Vec<Row> = results.read(Self::NAME)?;
        let tested = settings.encoder.is_pretrained() && settings.training.steps >= 200;
        let mut claims = Vec::new();
        for task in distinct(&rows, |row| row.task.clone()) {
            let rows: Vec<&Row> = rows.iter().filter(|row| row.task == task).collect();
            let means =
                |value: fn(&Row) -> Option<f64>| NETWORKS.map(|(network, _)| banded(curve(&rows, network, value)).mean);
            let [loss, score] = [means(|row| Some(row.training_loss)), means(|row| row.score)];
            claims.push(tracks(
                &format!(
                    "{task}: the compressed network's training loss is nearer to the original's than the narrow one's"
                ),
                &loss,
                tested,
            ));
            claims.push(tracks(
                &format!(
                    "{task}: the compressed network's dev score is nearer to the original's than the narrow one's"
                ),
                &score,
                tested,
            ));
            let lag = gap(&loss[0], &loss[2], |original, narrow| narrow - original);
            let claim = format!("{task}: the narrow network's training loss lags behind the original's");
            let measured = lag.map(|lag| format!("{lag:.3} above it on average over the steps"));
            let statement = Statement { claim: &claim, paper: "it does", tested };
            claims.push(statement.judged(measured, lag.is_some_and(|lag| lag > 0.0)));
        }
        Ok(claims)
    }
}

/// A quantity of all runs of a network, by step.
fn curve(rows: &[&Row], network: &str, value: impl Fn(&Row) -> Option<f64>) -> Vec<(f64, f64)> {
    let rows = rows.iter().filter(|row| row.network == network);
    rows.filter_map(|row| Some((row.step as f64, value(row)?))).collect()
}

/// The mean over the steps of a difference of two curves; `None` if they share no step.
fn gap(a: &[(f64, f64)], b: &[(f64, f64)], difference: impl Fn(f64, f64) -> f64) -> Option<f64> {
    let at = |step: f64| b.iter().find(|point| point.0 == step);
    let gaps: Vec<f64> = a.iter().filter_map(|&(step, y)| Some(difference(y, at(step)?.1))).collect();
    (!gaps.is_empty()).then(|| gaps.iter().sum::<f64>() / gaps.len() as f64)
}

/// Of the curves of original, compressed and narrow network, the second is nearer to the first than the third is.
fn tracks(claim: &str, [original, compressed, narrow]: &[Vec<(f64, f64)>; 3], tested: bool) -> Claim {
    let distance = |curve: &[(f64, f64)]| gap(original, curve, |a, b| (a - b).abs());
    let found = distance(compressed).zip(distance(narrow));
    let measured = found.map(|(near, far)| format!("mean distance {near:.3} (compressed), {far:.3} (narrow)"));
    let statement = Statement { claim, paper: "compressed tracks the original", tested };
    statement.judged(measured, found.is_some_and(|(near, far)| near < far))
}
