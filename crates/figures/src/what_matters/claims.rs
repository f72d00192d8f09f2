//! What the factorial says of the choices.

use lab::statistics::{Estimate, paired_by_key};
use lab::{Evidence, Finding, Side};

use super::escape_claims::{ESCAPE, FLOOR, escape_times, floors};
use super::escapes::EscapeRow;
use super::settings::Settings;
use crate::adaptation::*;

const LEADS: &str = "what-matters/deep-lora-leads";
const HEAD: &str = "what-matters/lead-rests-on-pooler-and-head";
const ZERO: &str = "what-matters/zero-at-the-output-is-better";
const WIDTH: &str = "what-matters/full-width-is-better";
const EPSILON: &str = "what-matters/lead-rests-on-epsilon";

pub(super) fn findings(settings: &Settings, rows: &[RunRow], escapes: &[EscapeRow]) -> Vec<Finding> {
    if !settings.encoder.is_pretrained() || *settings.training.steps < 500 {
        let ids = [LEADS, HEAD, ZERO, WIDTH, EPSILON, ESCAPE, FLOOR];
        return ids.map(|id| Finding::untested(id, "a made-up encoder, or fewer than 500 steps")).into();
    }
    let epsilons: Vec<f64> = settings.experiment.epsilons.iter().map(|epsilon| **epsilon).collect();
    let mut findings = Vec::new();
    for task in distinct(rows, |row| row.task.clone()) {
        let here: Vec<&RunRow> = rows.iter().filter(|row| row.task == task).collect();
        let case = format!("{}, {task}", settings.encoder.source);
        let of = |network: &str, epsilon: f64| -> Vec<&RunRow> {
            here.iter().copied().filter(|row| row.head == network && row.epsilon == epsilon).collect()
        };
        let networks: Vec<&str> = settings.experiment.networks.iter().map(|network| network.name.as_str()).collect();
        let (before, authors) = (networks[0], networks[networks.len() - 1]);
        for network in &networks {
            let rows = of(network, epsilons[0]);
            for (id, contrast) in
                [(LEADS, (DEEP_LORA, LORA)), (ZERO, (LORA_PEFT, LORA)), (WIDTH, (DEEP_LORA, DEEP_LORA_NARROW))]
            {
                findings.push(direction(id, &rows, contrast).case(format!("{case}, {network}")));
            }
        }
        let (rows_before, rows_authors) = (of(before, epsilons[0]), of(authors, epsilons[0]));
        findings.push(match networks.len() {
            1 => Finding::untested(HEAD, "only one pooler and head"),
            _ => interaction(HEAD, &rows_authors, &rows_before).case(&case),
        });
        for &epsilon in &epsilons[1..] {
            let rows = of(authors, epsilon);
            findings.push(interaction(EPSILON, &rows, &rows_authors).case(format!("{case}, ϵ = {epsilon:e}")));
        }
        let escapes: Vec<&EscapeRow> = escapes.iter().filter(|row| row.task == task).collect();
        findings.extend(escape_times(&escapes, &case));
        let of_authors: Vec<&EscapeRow> = escapes.into_iter().filter(|row| row.head == authors).collect();
        findings.extend(floors(&of_authors, &epsilons, &case));
    }
    findings
}

/// The mean difference of two methods is above 0.
fn direction(id: &'static str, rows: &[&RunRow], contrast: (&str, &str)) -> Finding {
    let compared = Compared::between(rows.iter().copied(), contrast);
    match compared.difference() {
        None => Finding::untested(id, "no pair of trained runs"),
        Some(estimate) => {
            Finding::new(id, estimate.to_string(), Evidence::Direction { estimate, side: Side::Above, value: 0.0 })
        }
    }
    .note(compared.notes())
}

/// Deep LoRA's lead is larger under one condition than under another, paired by seed.
fn interaction(id: &'static str, rows: &[&RunRow], others: &[&RunRow]) -> Finding {
    let [one, other] = [rows, others].map(|rows| Compared::of(rows.iter().copied()));
    // Where no score is defined there is no lead, not one of 0.
    let has_lead = one.difference().is_some() && other.difference().is_some();
    match Estimate::crossed(&paired_by_key(&one.by_run(), &other.by_run())).filter(|_| has_lead) {
        None => Finding::untested(id, "no seed with trained runs and a score under both conditions"),
        Some(estimate) => {
            Finding::new(id, estimate.to_string(), Evidence::Direction { estimate, side: Side::Above, value: 0.0 })
        }
    }
    .note(one.notes_beside(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_without_any_score_have_no_lead_to_compare() {
        let row = |method: &str, score| RunRow { method: method.into(), ..any_row(0, 64, score) };
        let [scored, undefined] =
            [[Some(0.5), Some(0.25)], [None, None]].map(|[lora, deep]| [row(LORA, lora), row(DEEP_LORA, deep)]);
        let of = |one: &[RunRow], other: &[RunRow]| {
            interaction("id", &one.iter().collect::<Vec<_>>(), &other.iter().collect::<Vec<_>>())
        };
        assert!(matches!(of(&undefined, &scored).evidence, Evidence::None { .. }));
        assert!(matches!(of(&scored, &scored).evidence, Evidence::Direction { .. }));
    }
}
