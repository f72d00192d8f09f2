//! The scores of a run's texts, and one method's against another's.

use std::sync::PoisonError;

use lab::statistics::{Estimate, paired};
use serde::{Deserialize, Serialize};
use texts::rouge::{self, Stemming};
use texts::{Corpus, bleu};

use super::inputs::{GatheredModel, Inputs};
use super::rows::{FinishedRun, Row};
use crate::adaptation::{COMPRESSED, DEEP_LORA, DEEP_LORA_NARROW, LORA, LORA_PEFT, distinct};

/// What is subtracted from what: the second of each from the first.
pub(super) const CONTRASTS: [(&str, &str); 5] =
    [(DEEP_LORA_NARROW, LORA), (DEEP_LORA_NARROW, LORA_PEFT), (DEEP_LORA, LORA), (COMPRESSED, LORA), (LORA_PEFT, LORA)];

/// With which references a text is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum References {
    /// The text of each row of dev alone: a meaning representation counts as often as it has rows. The authors'.
    One,
    /// All texts of its meaning representation, which counts once. The E2E challenge's.
    All,
}

/// A score of a run: a row of `nlg.scores.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScoreRow {
    /// The model's source.
    pub model: String,
    /// The method.
    pub method: String,
    /// Number of the run.
    pub trial: usize,
    /// What the texts are compared with.
    pub references: References,
    /// The score's name.
    pub score: String,
    /// From 0 to 100.
    pub value: f64,
}

/// The names of the scores, without METEOR's, which says how it matches words.
const NAMES: [&str; 5] = ["BLEU", "ROUGE-1", "ROUGE-2", "ROUGE-L", "ROUGE-Lsum"];

/// All scores of a run; none if it wrote no texts.
pub(super) fn of_run(run: &FinishedRun, inputs: &Inputs) -> anyhow::Result<Vec<ScoreRow>> {
    let Some(model) = inputs.models.iter().find(|model| model.name == run.at.model) else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    if run.outcome.texts.is_empty() {
        return Ok(rows);
    }
    let texts: Vec<&str> = run.outcome.texts.iter().map(|text| text.text.as_str()).collect();
    for references in [References::One, References::All] {
        let row = |(score, value): (String, f64)| ScoreRow {
            model: run.at.model.clone(),
            method: run.at.method.to_owned(),
            trial: run.at.trial,
            references,
            score,
            value,
        };
        rows.extend(scores(&texts, model, references, inputs)?.into_iter().map(row));
    }
    Ok(rows)
}

fn scores(
    texts: &[&str],
    model: &GatheredModel,
    references: References,
    inputs: &Inputs,
) -> anyhow::Result<Vec<(String, f64)>> {
    let groups = texts.iter().zip(&model.groups);
    let (texts, beside): (Vec<&str>, Vec<Vec<&str>>) = match references {
        References::One => {
            let rows =
                groups.flat_map(|(text, group)| group.references.iter().map(move |one| (*text, vec![one.as_str()])));
            rows.unzip()
        }
        References::All => {
            groups.map(|(text, group)| (*text, group.references.iter().map(String::as_str).collect())).unzip()
        }
    };
    let corpus = Corpus::new(&texts, &beside)?;
    let rouge = rouge::mean(&corpus, Stemming::None);
    let of_words = [rouge.rouge_1, rouge.rouge_2, rouge.rouge_l, rouge.rouge_lsum].map(|overlap| 100.0 * overlap.f);
    let values = [bleu::bleu(&corpus).score].into_iter().chain(of_words);
    // A panic while it was held left nothing half done that matters: it only remembers words.
    let mut meteor = inputs.meteor.lock().unwrap_or_else(PoisonError::into_inner);
    let of_meteor = (meteor.name().to_owned(), 100.0 * meteor.mean(&corpus));
    Ok(NAMES.map(str::to_owned).into_iter().zip(values).chain([of_meteor]).collect())
}

/// The difference of two methods in one score: a row of `nlg.differences.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DifferenceRow {
    /// The model's source.
    pub model: String,
    /// What is subtracted from what.
    pub difference: String,
    /// What the texts are compared with.
    pub references: References,
    /// The score's name.
    pub score: String,
    /// Pairs of trained runs of the same number.
    pub pairs: usize,
    /// Mean of the differences, of scores from 0 to 100; empty without pairs.
    pub mean: Option<f64>,
    /// Lower end of its 95 % confidence interval; empty with fewer than two pairs.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// One method minus another in one score of a model, over the pairs of trained runs; `None` without pairs.
pub(super) fn difference(
    (one, other): (&str, &str),
    rows: &[Row],
    scores: &[ScoreRow],
    of: impl Fn(&ScoreRow) -> bool,
) -> Option<Estimate> {
    let is_trained = |score: &ScoreRow| {
        let of_run = |row: &&Row| (&row.model, &row.method, row.trial) == (&score.model, &score.method, score.trial);
        rows.iter().find(of_run).is_some_and(Row::is_trained)
    };
    let values = |method: &str| -> Vec<(usize, f64)> {
        let own = scores.iter().filter(|score| score.method == method && of(score) && is_trained(score));
        own.map(|score| (score.trial, score.value)).collect()
    };
    Estimate::of(&paired(&values(one), &values(other)))
}

/// Every one of [`CONTRASTS`] in every score of every model; nothing of a method that was not run.
pub(super) fn differences(rows: &[Row], scores: &[ScoreRow]) -> Vec<DifferenceRow> {
    let all: Vec<&ScoreRow> = scores.iter().collect();
    let mut found = Vec::new();
    for (model, references, name) in distinct(&all, |row| (row.model.clone(), row.references, row.score.clone())) {
        let here = |row: &ScoreRow| row.model == model && row.references == references && row.score == name;
        let has = |method: &str| scores.iter().any(|row| here(row) && row.method == method);
        for contrast in CONTRASTS.into_iter().filter(|(one, other)| has(one) && has(other)) {
            let estimate = difference(contrast, rows, scores, here);
            let interval = estimate.and_then(|estimate| estimate.interval());
            found.push(DifferenceRow {
                model: model.clone(),
                difference: format!("{} - {}", contrast.0, contrast.1),
                references,
                score: name.clone(),
                pairs: estimate.map_or(0, |estimate| estimate.n),
                mean: estimate.map(|estimate| estimate.mean),
                low: interval.map(|ends| ends.0),
                high: interval.map(|ends| ends.1),
            });
        }
    }
    found
}
