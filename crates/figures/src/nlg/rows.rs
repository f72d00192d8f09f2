//! The rows of the tables.

use lab::{Finished, LabError, Table};
use serde::{Deserialize, Serialize};
use texts::slots::{self, Counts};

use super::inputs::{GatheredModel, Inputs, spread};
use super::plan::NlgPoint;
use super::trial::NlgOutcome;

/// A finished run.
pub(super) type FinishedRun = Finished<NlgPoint, NlgOutcome>;

/// One run: a row of `nlg.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The model's source.
    pub model: String,
    /// Release of the E2E data.
    pub data: String,
    /// The method, or that there is none.
    pub method: String,
    /// Inner width r; 0 for full width.
    pub rank: usize,
    /// Number of the run; the same one means the same examples.
    pub trial: usize,
    /// Training examples n.
    pub examples: usize,
    /// Steps.
    pub steps: u64,
    /// Step size η.
    pub step_size: f64,
    /// Loss of the first batch before the first step.
    pub initial_loss: Option<f64>,
    /// The last recorded training loss.
    pub training_loss: Option<f64>,
    /// The loss on dev at the end: one text of each meaning representation.
    pub validation_loss: Option<f64>,
    /// Texts that were written.
    pub texts: usize,
    /// Those that the model ended itself.
    pub finished_texts: usize,
    /// Slots of their meaning representations.
    pub slots: usize,
    /// Slots that a text does not say.
    pub missing_slots: usize,
    /// Slots that a text says wrongly.
    pub wrong_slots: usize,
    /// The step at which the run diverged, if it did.
    pub diverged_at_step: Option<u64>,
}

impl Row {
    fn of(run: &FinishedRun, model: &GatheredModel, data: &str) -> Self {
        let Finished { at, outcome, .. } = run;
        let last = |losses: &[(u64, f64)]| losses.last().map(|loss| loss.1);
        let meanings = model.groups.iter().map(|group| &group.meaning);
        let counts = Counts::of(outcome.texts.iter().map(|text| text.text.as_str()).zip(meanings));
        Self {
            model: at.model.clone(),
            data: data.to_owned(),
            method: at.method.to_owned(),
            rank: at.rank,
            trial: at.trial,
            examples: at.examples,
            steps: at.steps,
            step_size: at.step_size,
            initial_loss: outcome.initial_loss,
            training_loss: last(&outcome.training),
            validation_loss: last(&outcome.validation),
            texts: outcome.texts.len(),
            finished_texts: outcome.texts.iter().filter(|text| text.is_finished).count(),
            slots: counts.slots,
            missing_slots: counts.missing,
            wrong_slots: counts.wrong,
            diverged_at_step: outcome.diverged_at,
        }
    }

    /// Whether it learned anything: one that ends above the frozen model's loss did not, and no claim is made from it. The frozen
    /// model itself has nothing to learn.
    pub fn is_trained(&self) -> bool {
        match (self.initial_loss, self.training_loss) {
            (Some(before), Some(after)) => self.diverged_at_step.is_none() && after < before,
            _ => self.examples == 0,
        }
    }

    /// Percent of the slots that are missing or wrong; `None` without texts.
    pub fn slot_errors(&self) -> Option<f64> {
        let errors = (self.missing_slots + self.wrong_slots) as f64;
        (self.slots > 0).then(|| 100.0 * errors / self.slots as f64)
    }
}

/// A loss at one step of one run: a row of `nlg.losses.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LossRow {
    /// The model's source.
    pub model: String,
    /// The method.
    pub method: String,
    /// Number of the run.
    pub trial: usize,
    /// `training` or `dev`.
    pub split: String,
    /// Steps done.
    pub step: u64,
    /// On training examples the mean of the steps since the row before; on dev that of one text of each meaning representation.
    pub loss: f64,
}

/// What is in [`LossRow::split`].
pub(super) const TRAINING: &str = "training";
/// What is in [`LossRow::split`].
pub(super) const DEV: &str = "dev";

impl LossRow {
    fn of(run: &FinishedRun) -> impl Iterator<Item = Self> {
        let Finished { at, outcome, .. } = run;
        let rows = move |split: &'static str, losses: &[(u64, f64)]| -> Vec<Self> {
            let row = |&(step, loss): &(u64, f64)| Self {
                model: at.model.clone(),
                method: at.method.to_owned(),
                trial: at.trial,
                split: split.to_owned(),
                step,
                loss,
            };
            losses.iter().map(row).collect()
        };
        rows(TRAINING, &outcome.training).into_iter().chain(rows(DEV, &outcome.validation))
    }
}

/// A text for one of the shown meaning representations: a row of `nlg.texts.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TextRow {
    /// The meaning representation.
    pub meaning: String,
    /// Who wrote it: a person, or a model and method.
    pub writer: String,
    /// The text; control characters but line breaks are replaced by U+FFFD.
    pub text: String,
    /// Values that it lacks or has wrong.
    pub slot_errors: String,
}

/// A text with what nobody can see replaced by a mark: models write any character.
fn printable(text: &str) -> String {
    let seen = |c: char| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(seen).collect()
}

/// The texts of people, the frozen model and the first run of every method for meaning representations that are spread evenly
/// over dev.
fn texts(runs: &[FinishedRun], inputs: &Inputs, shown: usize) -> Vec<TextRow> {
    let mut rows = Vec::new();
    let Some(first) = inputs.models.first() else { return rows };
    let several = inputs.models.len() > 1;
    for group in spread(&first.groups, shown) {
        let row = |writer: String, text: &str| {
            let errors: Vec<String> = slots::errors(text, &group.meaning).iter().map(ToString::to_string).collect();
            TextRow {
                meaning: group.meaning.to_string(),
                writer,
                text: printable(text),
                slot_errors: errors.join("; "),
            }
        };
        rows.extend(group.references.first().map(|text| row("a person".to_owned(), text)));
        for run in runs.iter().filter(|run| run.at.trial == 0) {
            let model = inputs.models.iter().find(|model| model.name == run.at.model);
            let place = model.and_then(|model| model.groups.iter().position(|other| other.meaning == group.meaning));
            let writer = match several {
                true => format!("{}, {}", run.at.model, run.at.method),
                false => run.at.method.to_owned(),
            };
            let text = place.and_then(|place| run.outcome.texts.get(place));
            rows.extend(text.map(|text| row(writer, &text.text)));
        }
    }
    rows
}

/// The rows of `nlg.csv`.
pub(super) fn runs(runs: &[FinishedRun], inputs: &Inputs, data: &str) -> Vec<Row> {
    let model_of = |run: &FinishedRun| inputs.models.iter().find(|model| model.name == run.at.model);
    runs.iter().filter_map(|run| Some(Row::of(run, model_of(run)?, data))).collect()
}

/// The tables of runs, losses and texts.
pub(super) fn tables(
    name: &str,
    finished: &[FinishedRun],
    inputs: &Inputs,
    data: &str,
    shown: usize,
) -> anyhow::Result<Vec<Table>> {
    let tables: Result<Vec<Table>, LabError> = [
        Table::new(name, runs(finished, inputs, data)),
        Table::companion(name, "losses", finished.iter().flat_map(LossRow::of)),
        Table::companion(name, "texts", texts(finished, inputs, shown)),
    ]
    .into_iter()
    .collect();
    Ok(tables?)
}
