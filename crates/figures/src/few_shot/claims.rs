//! What the paper says of few examples, and whether the tables bear it out.

use lab::statistics::{Estimate, paired_by_key};
use lab::{Evidence, Finding, Side};

use super::Settings;
use crate::adaptation::*;
use crate::authors;

const LEADS: [&str; 2] = ["few-shot/deep-lora-leads", "few-shot/deep-lora-leads-here"];
const FEWER: [&str; 2] = ["few-shot/fewer-examples-larger-lead", "few-shot/fewer-examples-larger-lead-here"];
const SIZE: &str = "few-shot/size-of-the-lead";

/// Steps of the paper's runs. Fewer are said.
const PAPERS_STEPS: u64 = 500;
/// Of so many the authors' runs with 16 examples have fitted them.
const LEAST_STEPS: u64 = 200;

/// The paper's numbers of examples end here.
const MOST: usize = 256;

pub(super) fn findings(settings: &Settings, rows: &[RunRow]) -> anyhow::Result<Vec<Finding>> {
    let rows: Vec<RunRow> = rows.iter().filter(|row| row.examples <= MOST).cloned().collect();
    let steps = *settings.training.steps;
    if settings.encoder.is_pretrained() && steps < LEAST_STEPS {
        let ids = [LEADS[0], LEADS[1], FEWER[0], FEWER[1], SIZE];
        return Ok(ids.map(|id| Finding::untested(id, "fewer than 200 steps")).into());
    }
    let mut findings = by_encoder(&settings.encoder, LEADS, |id| leads(id, &rows, steps));
    findings.extend(by_encoder(&settings.encoder, FEWER, |id| larger_lead(id, &rows)));
    findings.extend(match settings.encoder.source.as_str() {
        PAPERS_ENCODER if steps < PAPERS_STEPS => vec![Finding::untested(SIZE, "fewer than the paper's 500 steps")],
        PAPERS_ENCODER => size_of_the_lead(&rows)?,
        _ => vec![Finding::untested(SIZE, NEEDS_PAPERS_ENCODER)],
    });
    Ok(findings)
}

/// Every place of the table: task and n.
fn places(rows: &[RunRow]) -> Vec<(String, usize)> {
    distinct(rows, |row| (row.task.clone(), row.examples))
}

fn at_place<'a>(rows: &'a [RunRow], (task, examples): &(String, usize)) -> Compared<'a> {
    Compared::of(rows.iter().filter(|row| (&row.task, row.examples) == (task, *examples)))
}

/// At every place, the mean of Deep LoRA − LoRA is above 0.
fn leads(id: &'static str, rows: &[RunRow], steps: u64) -> Vec<Finding> {
    let finding = |place: &(String, usize)| {
        let compared = at_place(rows, place);
        let finding = match compared.difference() {
            None => Finding::untested(id, "no pair of trained runs"),
            Some(estimate) => {
                Finding::new(id, estimate.to_string(), Evidence::Direction { estimate, side: Side::Above, value: 0.0 })
            }
        };
        let (task, examples) = place;
        let shorter = if steps < PAPERS_STEPS { format!(", after {steps} steps") } else { String::new() };
        finding.case(format!("{task}, n = {examples}{shorter}")).note(compared.notes())
    };
    places(rows).iter().map(finding).collect()
}

/// For every task, the difference at the fewest examples minus that at the most, paired by seed, is above 0.
/// The numbers between are not compared.
fn larger_lead(id: &'static str, rows: &[RunRow]) -> Vec<Finding> {
    let mut sizes = distinct(rows, |row| row.examples);
    sizes.sort_unstable();
    let ends = sizes.first().zip(sizes.last()).filter(|(few, many)| few < many);
    let finding = |task: String| {
        let finding = match ends {
            None => Finding::untested(id, "fewer than two n"),
            Some((few, many)) => {
                let at = |examples: usize| at_place(rows, &(task.clone(), examples));
                lead_minus_lead(id, (*few, at(*few)), (*many, at(*many)))
            }
        };
        finding.case(task)
    };
    distinct(rows, |row| row.task.clone()).into_iter().map(finding).collect()
}

/// The lead at one number of examples minus that at another.
fn lead_minus_lead(id: &'static str, few: (usize, Compared<'_>), many: (usize, Compared<'_>)) -> Finding {
    // A place where no score is defined has no lead, not one of 0.
    let lead = |compared: &Compared<'_>| compared.difference().map(|_| compared.by_run());
    let leads = lead(&few.1).zip(lead(&many.1));
    let notes = [&few, &many].map(|(examples, compared)| (examples, compared.notes()));
    let notes = notes.iter().filter(|(_, notes)| !notes.is_empty()).map(|(n, notes)| format!("n = {n}: {notes}"));
    let notes = notes.collect::<Vec<_>>().join("; ");
    match leads.and_then(|(few, many)| Estimate::crossed(&paired_by_key(&few, &many))) {
        None => Finding::untested(id, "no pair of trained runs with a score at two n"),
        Some(estimate) => Finding::new(
            id,
            format!("the lead at n = {} minus that at n = {}: {estimate}", few.0, many.0),
            Evidence::Direction { estimate, side: Side::Above, value: 0.0 },
        ),
    }
    .note(notes)
}

/// At every n on STS-B, ours against the authors' own runs.
fn size_of_the_lead(rows: &[RunRow]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for place in places(rows).iter().filter(|(task, _)| task == PAPERS_TASK) {
        let Some(theirs) = authors::difference("stsb_fewshot", PAPERS_TASK, place.1)? else { continue };
        let compared = at_place(rows, place);
        let finding = match compared.difference() {
            None => Finding::untested(SIZE, "no pair of trained runs"),
            Some(ours) => Finding::new(SIZE, ours.to_string(), Evidence::Size { ours, theirs }),
        };
        findings.push(finding.case(format!("n = {}", place.1)).paper(theirs.to_string()).note(compared.notes()));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: &str, examples: usize, score: Option<f64>, training_loss: f64) -> RunRow {
        RunRow { method: method.into(), training_loss, ..any_row(0, examples, score) }
    }

    fn lead(deep: Option<f64>, training_loss: f64) -> Finding {
        let few = [row(LORA, 16, Some(0.25), 0.5), row(DEEP_LORA, 16, Some(0.5), 0.5)];
        let many = [row(LORA, 256, None, 0.5), row(DEEP_LORA, 256, deep, training_loss)];
        larger_lead("id", &[few, many].concat()).remove(0)
    }

    #[test]
    fn leads_are_compared_at_the_two_n_that_are_said() {
        let found = lead(Some(0.125), 0.5);
        assert!(found.measured.starts_with("the lead at n = 16 minus that at n = 256: +0.125"), "{}", found.measured);
        assert_eq!((found.case.as_str(), found.note.as_str()), ("t", "n = 256: undefined scores, counted as 0: 1"));
    }

    #[test]
    fn no_lead_is_made_of_runs_without_a_score_or_not_trained() {
        assert!(matches!(lead(None, 0.5).evidence, Evidence::None { .. }));
        let untrained = lead(Some(0.125), 2.0);
        assert!(matches!(untrained.evidence, Evidence::None { .. }));
        assert_eq!(untrained.note, "n = 256: pairs with a run that is not trained, left out: 1");
    }
}
