//! What the paper's table of GLUE says, and whether ours bears it out.

use lab::statistics::Estimate;
use lab::{Evidence, Finding, Side};

use crate::adaptation::*;
use crate::authors;

const LEADS: [&str; 2] = ["glue-table/deep-lora-leads", "glue-table/deep-lora-leads-here"];
const OVERALL: [&str; 2] = ["glue-table/overall", "glue-table/overall-here"];
const SIZE: &str = "glue-table/size-of-the-lead";

pub(super) fn findings(settings: &PairExperiment, runs: &[RunRow]) -> anyhow::Result<Vec<Finding>> {
    if settings.encoder.is_pretrained() && *settings.training.steps < 600 {
        let ids = [LEADS[0], LEADS[1], OVERALL[0], OVERALL[1], SIZE];
        return Ok(ids.map(|id| Finding::untested(id, "fewer than the paper's 1000 steps (SST-2: 600)")).into());
    }
    let mut findings = by_encoder(&settings.encoder, LEADS, |id| leads(id, runs));
    findings.extend(by_encoder(&settings.encoder, OVERALL, |id| overall(id, runs)));
    findings.extend(match settings.encoder.source.as_str() {
        "bert-base-cased" => sizes(runs)?,
        _ => vec![Finding::untested(SIZE, "needs bert-base-cased: --profile bert-base")],
    });
    Ok(findings)
}

/// Deep LoRA − LoRA in points, for every protocol and task that was run.
fn differences_in_points(runs: &[RunRow]) -> Vec<(String, String, Option<Estimate>, String)> {
    let places = distinct(runs, |run| (run.protocol.clone(), run.task.clone()));
    let of = |(protocol, task): (String, String)| {
        let percent: Vec<RunRow> = at(runs, &protocol, &task).into_iter().map(RunRow::in_percent).collect();
        let compared = Compared::of(&percent);
        (protocol, task, compared.difference(), compared.notes())
    };
    places.into_iter().map(of).collect()
}

/// On every task, the mean of Deep LoRA − LoRA is above 0.
fn leads(id: &'static str, runs: &[RunRow]) -> Vec<Finding> {
    let finding = |(protocol, task, difference, notes): (String, String, Option<Estimate>, String)| {
        match difference {
            None => Finding::untested(id, "no pair of trained runs"),
            Some(estimate) => Finding::new(
                id,
                format!("{estimate} points"),
                Evidence::Direction { estimate, side: Side::Above, value: 0.0 },
            ),
        }
        .case(format!("{task}, {protocol}"))
        .note(notes)
    };
    differences_in_points(runs).into_iter().map(finding).collect()
}

/// The mean over the tasks of the paper's table of Deep LoRA − LoRA is above 0: tasks are the sample.
fn overall(id: &'static str, runs: &[RunRow]) -> Vec<Finding> {
    let all = differences_in_points(runs);
    let finding = |protocol: String| {
        let tasks = all.iter().filter(|(other, task, ..)| *other == protocol && task != "movie-sentiment");
        let means: Vec<f64> =
            tasks.filter_map(|(.., difference, _)| difference.map(|estimate| estimate.mean)).collect();
        match Estimate::of(&means) {
            None => Finding::untested(id, "no task of GLUE was run"),
            Some(estimate) => {
                let measured = format!("{estimate} points over {} of 8 tasks", means.len());
                Finding::new(id, measured, Evidence::Direction { estimate, side: Side::Above, value: 0.0 })
            }
        }
        .case(protocol)
        .note("the tasks are the sample, not the seeds")
    };
    distinct(&all, |(protocol, ..)| protocol.clone()).into_iter().map(finding).collect()
}

/// On every task, ours against the authors' own runs.
fn sizes(runs: &[RunRow]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (protocol, task, difference, _) in differences_in_points(runs) {
        let Some(theirs) = authors::difference_in_points("glue_fewshot_1024", &task, 1024)? else { continue };
        let finding = match difference {
            None => Finding::untested(SIZE, "no pair of trained runs"),
            Some(ours) => Finding::new(SIZE, format!("{ours} points"), Evidence::Size { ours, theirs }),
        };
        findings.push(finding.case(format!("{task}, {protocol}")).paper(format!("{theirs} points")));
    }
    Ok(findings)
}
