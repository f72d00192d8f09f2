//! What the paper says of few examples, and whether the tables bear it out.

use lab::statistics::{Estimate, paired};
use lab::{Evidence, Finding, Side};

use super::settings::{PAPERS, Settings};
use crate::adaptation::*;
use crate::authors;

const LEADS: [&str; 2] = ["few-shot/deep-lora-leads", "few-shot/deep-lora-leads-here"];
const FEWER: [&str; 2] = ["few-shot/fewer-examples-larger-lead", "few-shot/fewer-examples-larger-lead-here"];
const SIZE: &str = "few-shot/size-of-the-lead";

/// The paper's numbers of examples end here.
const MOST: usize = 256;

pub(super) fn findings(settings: &Settings, rows: &[RunRow]) -> anyhow::Result<Vec<Finding>> {
    let rows: Vec<RunRow> = rows.iter().filter(|row| row.examples <= MOST).cloned().collect();
    if settings.encoder.is_pretrained() && *settings.training.steps < 500 {
        let ids = [LEADS[0], LEADS[1], FEWER[0], FEWER[1], SIZE];
        return Ok(ids.map(|id| Finding::untested(id, "fewer than the paper's 500 steps")).into());
    }
    let mut findings = by_encoder(&settings.encoder, LEADS, |id| leads(id, &rows));
    findings.extend(by_encoder(&settings.encoder, FEWER, |id| larger_lead(id, &rows)));
    findings.extend(match settings.encoder.source.as_str() {
        "bert-base-cased" => size_of_the_lead(&rows)?,
        _ => vec![Finding::untested(SIZE, "needs bert-base-cased: --profile bert-base")],
    });
    Ok(findings)
}

/// Every place of the table: protocol, task and n.
fn places(rows: &[RunRow]) -> Vec<(String, String, usize)> {
    distinct(rows, |row| (row.protocol.clone(), row.task.clone(), row.examples))
}

fn at_place<'a>(rows: &'a [RunRow], (protocol, task, examples): &(String, String, usize)) -> Compared<'a> {
    Compared::of(rows.iter().filter(|row| (&row.protocol, &row.task, row.examples) == (protocol, task, *examples)))
}

/// At every place, the mean of Deep LoRA − LoRA is above 0.
fn leads(id: &'static str, rows: &[RunRow]) -> Vec<Finding> {
    let finding = |place: &(String, String, usize)| {
        let compared = at_place(rows, place);
        let finding = match compared.difference() {
            None => Finding::untested(id, "no pair of trained runs"),
            Some(estimate) => {
                Finding::new(id, estimate.to_string(), Evidence::Direction { estimate, side: Side::Above, value: 0.0 })
            }
        };
        let (protocol, task, examples) = place;
        finding.case(format!("{task}, n = {examples}, {protocol}")).note(compared.notes())
    };
    places(rows).iter().map(finding).collect()
}

/// For every protocol and task, the difference at the fewest examples minus that at the most, paired by seed, is above 0.
fn larger_lead(id: &'static str, rows: &[RunRow]) -> Vec<Finding> {
    let lead = |protocol: &str, task: &str, examples: usize| -> Vec<(usize, f64)> {
        let of = |method: &str| -> Vec<(usize, f64)> {
            let rows = rows.iter().filter(|row| row.is_trained() && row.method == method);
            let rows = rows
                .filter(|row| (row.protocol.as_str(), row.task.as_str(), row.examples) == (protocol, task, examples));
            rows.map(|row| (row.trial, row.counted())).collect()
        };
        let (deep, lora) = (of(DEEP_LORA), of(LORA));
        let pair =
            |(trial, score): &(usize, f64)| Some((*trial, score - lora.iter().find(|(other, _)| other == trial)?.1));
        deep.iter().filter_map(pair).collect()
    };
    let finding = |(protocol, task): &(String, String)| {
        let mut sizes = distinct(rows, |row| row.examples);
        sizes.sort_unstable();
        let ends = sizes.first().zip(sizes.last()).filter(|(few, many)| few < many);
        let estimate = ends
            .and_then(|(few, many)| Estimate::of(&paired(&lead(protocol, task, *few), &lead(protocol, task, *many))));
        match (ends, estimate) {
            (Some((few, many)), Some(estimate)) => Finding::new(
                id,
                format!("the lead at n = {few} minus that at n = {many}: {estimate}"),
                Evidence::Direction { estimate, side: Side::Above, value: 0.0 },
            ),
            _ => Finding::untested(id, "no pair of trained runs at two n"),
        }
        .case(format!("{task}, {protocol}"))
    };
    distinct(rows, |row| (row.protocol.clone(), row.task.clone())).iter().map(finding).collect()
}

/// At every n on STS-B, ours against the authors' own runs.
fn size_of_the_lead(rows: &[RunRow]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for place in places(rows).iter().filter(|(protocol, task, _)| protocol == PAPERS && task == PAPERS_TASK) {
        let Some(theirs) = authors::difference("stsb_fewshot", PAPERS_TASK, place.2)? else { continue };
        let finding = match at_place(rows, place).difference() {
            None => Finding::untested(SIZE, "no pair of trained runs"),
            Some(ours) => Finding::new(SIZE, ours.to_string(), Evidence::Size { ours, theirs }),
        };
        findings.push(finding.case(format!("n = {}", place.2)).paper(theirs.to_string()));
    }
    Ok(findings)
}
