//! The dev score against the rank r of the adapters, with few examples: LoRA against Deep LoRA.

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
use crate::reference::{read_reference, reference_table};
use crate::statements::Statement;

/// `experiments/rank-sweep.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    seed: u64,
    trials: usize,
    tasks: Vec<String>,
    examples: usize,
    ranks: Vec<usize>,
    adapted: Selection,
    protocols: Vec<Protocol>,
    encoder: EncoderSettings,
    methods: PairSettings,
    training: TrainingSettings,
    #[serde(default)]
    sources: Sources,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[2, self.tasks.len(), self.protocols.len(), self.ranks.len()])?;
        check_tasks(&self.tasks)?;
        Invalid::unless(self.examples >= 1, "examples", self.examples, "an integer from 1")?;
        check_list("ranks", &self.ranks, |rank| rank >= 1, "an integer from 1")?;
        check_protocols(&self.protocols, &self.tasks)?;
        self.methods.check()?;
        self.training.check()
    }
}

impl Settings {
    /// Whether the numbers mean something: a pretrained encoder, about the paper's steps, a few seeds.
    fn in_earnest(&self) -> bool {
        self.encoder.is_pretrained() && self.training.steps >= 400 && self.trials >= 3
    }

    fn subtitle(&self) -> String {
        format!(
            "{}, {}, n = {}, {} steps of {}; {}",
            self.encoder.source,
            adapted_in_words(self.adapted),
            self.examples,
            self.training.steps,
            self.training.batch,
            over_seeds(self.trials)
        )
    }
}

/// The experiment.
pub struct RankSweep;

impl Experiment for RankSweep {
    type Settings = Settings;
    type Trial = FineTuningTrial;
    type Outcome = FineTuningOutcome;

    const NAME: &'static str = "rank-sweep";
    const ABOUT: &'static str = "Few-shot fine-tuning: dev score against the rank of the adapters (section 5)";
    const LONG_ABOUT: &'static str = "Fine-tunes a frozen encoder on a few labelled sentences with LoRA and Deep LoRA of \
        several ranks, and shows the score on the dev split against the rank: how much does it matter to guess it right?";

    fn gather(settings: &Settings, inputs: &Inputs) -> anyhow::Result<()> {
        let Settings { encoder, sources, tasks, .. } = settings;
        gather(encoder, sources, tasks, inputs)?;
        settings.ranks.iter().try_for_each(|&rank| check_rank("ranks", rank, encoder, tasks))?;
        Ok(check_pool(&[settings.examples], 0, encoder, tasks)?)
    }

    fn plan(settings: &Settings) -> Vec<Planned<FineTuningTrial>> {
        let mut plan = Vec::new();
        for inventory in inventories(&settings.encoder, &settings.tasks) {
            let Settings { seed, adapted, ref encoder, ref training, .. } = *settings;
            let common = Common { seed, inventory: &inventory, pooling: encoder.pooling, adapted, training };
            for protocol in &settings.protocols {
                for &rank in &settings.ranks {
                    for (method, step_size) in settings.methods.pair(protocol, &inventory.task, rank) {
                        let trial = common.trial(&protocol.name, method, rank, step_size, settings.examples);
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

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Claim>> {
        let rows: Vec<RunRow> = results.read(Self::NAME)?;
        let tested = settings.in_earnest();
        let mut claims = Vec::new();
        for protocol in &settings.protocols {
            for task in distinct(&rows, |row| row.task.clone()) {
                let rows = at(&rows, &protocol.name, &task);
                let [lora, deep] =
                    PAIR.map(|(method, _)| mean_scores(rows.iter().copied(), method, |row| row.rank as f64));
                let place = format!("{task}, {}", protocol.name);
                let falls = format!("{place}: LoRA's score falls as the rank grows");
                let level = format!("{place}: Deep LoRA's score does not depend on the rank");
                let statement = |claim, paper| Statement { claim, paper, tested };
                claims.push(statement(&falls, "from 0.54 at 8 to 0.18 at 64 on stsb").falls(1.1, &lora));
                claims.push(statement(&level, "0.64 to 0.67 on stsb").level(1.1, &deep));
            }
        }
        Ok(claims)
    }
}
