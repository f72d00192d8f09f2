//! What the paper's table of GLUE says, and whether ours bears it out.

use lab::statistics::Estimate;
use lab::{Evidence, Finding, Side};

use super::{Settings, of_task};
use crate::adaptation::*;
use crate::authors;

const LEADS: [&str; 2] = ["glue-table/deep-lora-leads", "glue-table/deep-lora-leads-here"];
const OVERALL: [&str; 2] = ["glue-table/overall", "glue-table/overall-here"];
const SIZE: &str = "glue-table/size-of-the-lead";

pub(super) fn findings(settings: &Settings, runs: &[RunRow]) -> anyhow::Result<Vec<Finding>> {
    if settings.encoder.is_pretrained() && *settings.training.steps < 600 {
        let ids = [LEADS[0], LEADS[1], OVERALL[0], OVERALL[1], SIZE];
        return Ok(ids.map(|id| Finding::untested(id, "fewer than the paper's 1000 steps (SST-2: 600)")).into());
    }
    let mut findings = by_encoder(&settings.encoder, LEADS, |id| leads(id, runs));
    findings.extend(by_encoder(&settings.encoder, OVERALL, |id| vec![overall(id, runs)]));
    findings.extend(match settings.encoder.source.as_str() {
        PAPERS_ENCODER => sizes(runs)?,
        _ => vec![Finding::untested(SIZE, NEEDS_PAPERS_ENCODER)],
    });
    Ok(findings)
}

/// Deep LoRA − LoRA in points, for every task that was run.
fn differences_in_points(runs: &[RunRow]) -> Vec<(String, Option<Estimate>, String)> {
    let of = |task: String| {
        let percent: Vec<RunRow> = of_task(runs, &task).into_iter().map(RunRow::in_percent).collect();
        let compared = Compared::of(&percent);
        (task, compared.difference(), compared.notes())
    };
    distinct(runs, |run| run.task.clone()).into_iter().map(of).collect()
}

/// On every task, the mean of Deep LoRA − LoRA is above 0.
fn leads(id: &'static str, runs: &[RunRow]) -> Vec<Finding> {
    let finding = |(task, difference, notes): (String, Option<Estimate>, String)| {
        match difference {
            None => Finding::untested(id, "no pair of trained runs"),
            Some(estimate) => Finding::new(
                id,
                format!("{estimate} points"),
                Evidence::Direction { estimate, side: Side::Above, value: 0.0 },
            ),
        }
        .case(task)
        .note(notes)
    };
    differences_in_points(runs).into_iter().map(finding).collect()
}

/// The mean over the tasks of the paper's table of Deep LoRA − LoRA is above 0: tasks are the sample.
fn overall(id: &'static str, runs: &[RunRow]) -> Finding {
    let glue: Vec<RunRow> = runs.iter().filter(|run| run.task != "movie-sentiment").cloned().collect();
    let all = differences_in_points(&glue);
    let means: Vec<f64> =
        all.iter().filter_map(|(_, difference, _)| difference.map(|estimate| estimate.mean)).collect();
    let finding = match Estimate::of(&means) {
        None if all.is_empty() => Finding::untested(id, "no task of GLUE was run"),
        None => Finding::untested(id, "no pair of trained runs with a score on a task of GLUE"),
        Some(estimate) => {
            let measured = format!("{estimate} points over {} of 8 tasks", means.len());
            Finding::new(id, measured, Evidence::Direction { estimate, side: Side::Above, value: 0.0 })
        }
    };
    let compared = glue.iter().filter(|run| [DEEP_LORA, LORA].contains(&run.method.as_str()));
    let notes = ["the tasks are the sample, not the seeds".to_owned(), Notes::of_runs(compared).text()];
    finding.note(notes.into_iter().filter(|note| !note.is_empty()).collect::<Vec<_>>().join("; "))
}

/// On every task, ours against the authors' own runs.
fn sizes(runs: &[RunRow]) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (task, difference, notes) in differences_in_points(runs) {
        let Some(theirs) = authors::difference_in_points("glue_fewshot_1024", &task, 1024)? else { continue };
        let finding = match difference {
            None => Finding::untested(SIZE, "no pair of trained runs"),
            Some(ours) => Finding::new(SIZE, format!("{ours} points"), Evidence::Size { ours, theirs }),
        };
        findings.push(finding.case(task).paper(format!("{theirs} points")).note(notes));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: &str, task: &str, training_loss: f64) -> RunRow {
        let (method, task) = (method.into(), task.into());
        RunRow { method, task, training_loss, ..any_row(0, 1024, Some(0.5)) }
    }

    fn of(task: &str, training_loss: f64) -> Finding {
        overall("id", &[row(LORA, task, training_loss), row(DEEP_LORA, task, training_loss)])
    }

    #[test]
    fn tasks_without_a_trained_pair_were_still_run() {
        let reason = |finding: &Finding| match finding.evidence {
            Evidence::None { reason } => reason,
            _ => "",
        };
        assert_eq!(reason(&of("movie-sentiment", 0.5)), "no task of GLUE was run");
        let untrained = of("rte", 2.0);
        assert_eq!(reason(&untrained), "no pair of trained runs with a score on a task of GLUE");
        assert!(untrained.note.ends_with("runs not trained, left out: 2"), "{}", untrained.note);
        assert!(of("rte", 0.5).measured.ends_with("over 1 of 8 tasks"));
    }
}
