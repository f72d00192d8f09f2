//! What the paper says of generation, and whether the tables bear it out.

use charts::significant;
use lab::statistics::mean_among;
use lab::{Evidence, Finding, Side};
use texts::e2e::Version;

use super::made_up;
use super::rows::Row;
use super::scores::{References, ScoreRow, difference};
use super::settings::Settings;
use crate::adaptation::{DEEP_LORA_NARROW, LORA, distinct};

const PAPER: &str = "nlg/deep-lora-generates";
const HERE: &str = "nlg/deep-lora-generates-here";

/// The paper's model, and the release it was run on.
const PAPERS_MODEL: &str = "t5-base";
/// Steps of the paper's runs.
const PAPERS_STEPS: u64 = 400;
/// Inner width of the paper's Deep LoRA is that of LoRA.
const CONTRAST: (&str, &str) = (DEEP_LORA_NARROW, LORA);

pub(super) fn findings(settings: &Settings, rows: &[Row], scores: &[ScoreRow]) -> Vec<Finding> {
    let both = |reason: &'static str| vec![Finding::untested(PAPER, reason), Finding::untested(HERE, reason)];
    if settings.models.iter().any(|name| made_up::MODELS.contains(&name.as_str())) {
        return both("the model is a random one");
    }
    if *settings.training.steps < PAPERS_STEPS {
        return both("fewer than the paper's 400 steps");
    }
    let mut findings = Vec::new();
    for model in distinct(rows, |row| row.model.clone()) {
        let is_papers = model == PAPERS_MODEL && settings.data.version == Version::Cleaned;
        let id = if is_papers { PAPER } else { HERE };
        let named = |finding: Finding| {
            let case = format!("{model}, {}", finding.case);
            if is_papers { finding } else { finding.case(case) }
        };
        findings.extend(leads(id, &model, rows, scores).into_iter().map(named));
    }
    let reasons = [
        (PAPER, "needs t5-base and the cleaned release: --profile t5-base"),
        (HERE, "this is the paper's model and release"),
    ];
    for (id, reason) in reasons {
        if !findings.iter().any(|finding| finding.id == id) {
            findings.push(Finding::untested(id, reason));
        }
    }
    findings
}

/// In every score against one reference, the mean of Deep LoRA − LoRA is above 0.
fn leads(id: &'static str, model: &str, rows: &[Row], scores: &[ScoreRow]) -> Vec<Finding> {
    let own: Vec<ScoreRow> = scores.iter().filter(|row| row.model == model).cloned().collect();
    if own.is_empty() {
        return vec![Finding::untested(id, "no run wrote texts").note(notes(model, rows))];
    }
    let was_run = |method: &str| rows.iter().any(|row| row.model == model && row.method == method);
    let were_run = was_run(CONTRAST.0) && was_run(CONTRAST.1);
    let finding = |name: String| {
        let here = |row: &ScoreRow| row.references == References::One && row.score == name;
        let finding = match difference(CONTRAST, rows, &own, here) {
            None if !were_run => Finding::untested(id, "lora and deep-lora-narrow were not both run"),
            None => Finding::untested(id, "no pair of trained runs"),
            Some(estimate) => {
                Finding::new(id, estimate.to_string(), Evidence::Direction { estimate, side: Side::Above, value: 0.0 })
            }
        };
        finding.note(notes(model, rows)).case(name)
    };
    distinct(&own, |row| row.score.clone()).into_iter().map(finding).collect()
}

/// What must be known beside a difference: runs left out, unequal fit of the pairs that are compared.
fn notes(model: &str, rows: &[Row]) -> String {
    let of =
        |method: &str| -> Vec<&Row> { rows.iter().filter(|row| row.model == model && row.method == method).collect() };
    let (first, second) = (of(CONTRAST.0), of(CONTRAST.1));
    let untrained = first.iter().chain(&second).filter(|row| !row.is_trained()).count();
    let mut notes = Vec::new();
    if untrained > 0 {
        notes.push(format!("runs not trained, left out: {untrained}"));
    }
    let of_trained = |rows: &[&Row]| -> Vec<(usize, f64)> {
        let trained = rows.iter().filter(|row| row.is_trained());
        trained.filter_map(|row| Some((row.trial, row.training_loss?))).collect()
    };
    let (first, second) = (of_trained(&first), of_trained(&second));
    if let (Some(one), Some(other)) = (mean_among(&first, &second), mean_among(&second, &first))
        && one.max(other) > 2.0 * one.min(other)
    {
        notes.push(format!(
            "at equal steps, not at equal fit: training loss {} ({}) and {} ({})",
            significant(one, 2),
            CONTRAST.0,
            significant(other, 2),
            CONTRAST.1
        ));
    }
    notes.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fit_is_that_of_the_pairs_that_are_compared() {
        let row = |method: &str, trial, training_loss| Row {
            model: "m".into(),
            data: "original".into(),
            method: method.into(),
            rank: 8,
            trial,
            examples: 16,
            steps: 400,
            step_size: 1e-4,
            initial_loss: Some(3.0),
            training_loss: Some(training_loss),
            validation_loss: None,
            texts: 0,
            finished_texts: 0,
            slots: 0,
            missing_slots: 0,
            wrong_slots: 0,
            diverged_at_step: None,
        };
        let rows = |second: f64| {
            let (one, other) = CONTRAST;
            [row(one, 0, 0.1), row(other, 0, 0.1), row(one, 1, 5.0), row(other, 1, second)]
        };
        assert_eq!(notes("m", &rows(0.9)), "runs not trained, left out: 1");
        let unequal = [row(CONTRAST.0, 0, 0.5), row(CONTRAST.1, 0, 0.1)];
        assert!(notes("m", &unequal).starts_with("at equal steps, not at equal fit: training loss 0.50 ("));
    }
}
