//! What Figure 2 says, and whether the tables bear it out.

use adaptation::spectrum::ZERO_NORM;
use lab::{Evidence, Finding, Results};

use super::rows::{Row, SpectrumRow};
use super::settings::Settings;
use super::trained_runs::TrainedRuns;
use crate::adaptation::{RecordRow, by_encoder, distinct};
use crate::summary::{averaged, range};

const LOW: [&str; 2] = ["adaptation-subspaces/low-rank", "adaptation-subspaces/low-rank-here"];
const EARLY: [&str; 2] = ["adaptation-subspaces/found-early", "adaptation-subspaces/found-early-here"];

pub(super) fn findings(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
    let rows: Vec<Row> = results.read("adaptation-subspaces")?;
    let spectra: Vec<SpectrumRow> = results.read("adaptation-subspaces.spectra")?;
    let losses: Vec<RecordRow> = results.read("adaptation-subspaces.loss")?;
    if settings.encoder.is_pretrained() && *settings.training.steps < 500 {
        let ids = [LOW, EARLY].concat();
        return Ok(ids.into_iter().map(|id| Finding::untested(id, "fewer than 500 steps")).collect());
    }
    let tasks = distinct(&rows, |row| row.task.clone());
    let of_tasks: Vec<(&String, TrainedRuns)> =
        tasks.iter().map(|task| (task, TrainedRuns::new(&rows, &spectra, &losses, task, *settings.trials))).collect();
    let low = |id: &'static str| {
        of_tasks
            .iter()
            .map(|(task, trained)| low_rank(id, trained, *settings.experiment.singular_values).case(*task))
            .collect()
    };
    let early = |id: &'static str| {
        of_tasks.iter().map(|(task, trained)| found_early(id, trained, *settings.training.steps).case(*task)).collect()
    };
    let mut findings = by_encoder(&settings.encoder, LOW, low);
    findings.extend(by_encoder(&settings.encoder, EARLY, early));
    Ok(findings)
}

/// In every run, the last of the kept singular values is below a tenth of the first, in every matrix that is not of rank 0.
fn low_rank(id: &'static str, trained: &TrainedRuns<'_>, count: usize) -> Finding {
    let last = |first: &SpectrumRow| {
        let same = |row: &&&SpectrumRow| row.matrix == first.matrix && row.trial == first.trial && row.index == count;
        Some(trained.spectra.iter().find(same)?.singular_value)
    };
    let asked: Vec<&SpectrumRow> =
        trained.first().into_iter().filter(|first| first.singular_value > ZERO_NORM).collect();
    let shares: Vec<(f64, f64)> =
        asked.iter().filter_map(|first| Some((first.trial as f64, last(first)? / first.singular_value))).collect();
    let notes = trained
        .notes("counted as low rank")
        .count(asked.len() - shares.len(), &format!("matrices without σ_{count} in the table, left out"));
    let of_rank_0 = trained.of_rank_0();
    let judged = shares.iter().map(|share| share.0).chain(of_rank_0.iter().map(|first| first.trial as f64));
    let runs = distinct(&judged.collect::<Vec<_>>(), |run| *run);
    let holds = |run: &&f64| shares.iter().filter(|share| share.0 == **run).all(|share| share.1 < 0.1);
    let holding = runs.iter().filter(holds).count();
    let measured = match range(&shares) {
        Some((least, most)) => format!("{least:.1e} to {most:.1e} of σ_1"),
        None => "every matrix has rank 0".to_owned(),
    };
    match runs.len() {
        0 => Finding::untested(id, "no trained run with these singular values"),
        n => Finding::new(id, measured, Evidence::EveryTrial { holding, n: n + trained.failed }),
    }
    .note(notes.text())
}

/// The authors draw the matrices whose largest cosine at this step is above [`EARLY_COSINE`].
const EARLY_STEP: u64 = 30;
const EARLY_COSINE: f64 = 0.5;

/// In every run that is trained: when the cosine first exceeds 0.9, in the first half of the steps, more than a tenth of the
/// fall of the training loss is still to come. The cosine is the authors': the largest of a matrix, on average over the
/// matrices they draw. The mean cosine of all matrices, a stricter measure, is said beside it. Matrices of rank 0 have no
/// subspace to find.
fn found_early(id: &'static str, trained: &TrainedRuns<'_>, steps: u64) -> Finding {
    let of_rank_0 = trained.of_rank_0();
    let has_subspace = |row: &Row| !of_rank_0.iter().any(|of| (of.trial, &of.matrix) == (row.trial, &row.matrix));
    let rows: Vec<&Row> = trained.rows.iter().copied().filter(|row| has_subspace(row)).collect();
    let drawn = drawn(&rows);
    let runs = distinct(&rows, |row| row.trial);
    let largest = |row: &Row| row.largest_cosine;
    let theirs = runs.iter().filter_map(|&run| found_in(run, &drawn, largest, &trained.losses, steps));
    let theirs: Vec<(bool, String)> = theirs.collect();
    let ours = runs.iter().filter_map(|&run| found_in(run, &rows, |row| row.mean_cosine, &trained.losses, steps));
    let said = |found: &[(bool, String)]| found.iter().map(|one| one.1.clone()).collect::<Vec<_>>().join("; ");
    let count = distinct(&drawn, |row| (row.trial, &row.matrix)).len();
    let of = distinct(&rows, |row| (row.trial, &row.matrix)).len();
    let measured = format!(
        "largest cosine of the {count} of {of} matrices with more than {EARLY_COSINE} at step {EARLY_STEP}: {}. Mean cosine \
         of all: {}",
        said(&theirs),
        said(&ours.collect::<Vec<_>>())
    );
    match theirs.len() {
        0 => Finding::untested(id, "no trained run with an update above rank 0 that the authors would draw"),
        n => {
            let holding = theirs.iter().filter(|one| one.0).count();
            Finding::new(id, measured, Evidence::EveryTrial { holding, n: n + trained.failed })
        }
    }
    .note(trained.notes("left out").text())
}

/// The rows of the matrices that the authors draw.
pub(super) fn drawn<'a>(rows: &[&'a Row]) -> Vec<&'a Row> {
    let is_early = |row: &&&Row| row.step == EARLY_STEP && row.largest_cosine > EARLY_COSINE;
    let early: Vec<(usize, &String)> = rows.iter().filter(is_early).map(|row| (row.trial, &row.matrix)).collect();
    rows.iter().copied().filter(|row| early.contains(&(row.trial, &row.matrix))).collect()
}

/// Whether one run finds its subspaces early, and when it finds them.
fn found_in(
    run: usize,
    rows: &[&Row],
    cosine: fn(&Row) -> f64,
    losses: &[&RecordRow],
    steps: u64,
) -> Option<(bool, String)> {
    let of_run = rows.iter().filter(|row| row.trial == run);
    let cosines = averaged(of_run.map(|row| (row.step as f64, cosine(row)))).mean;
    if cosines.is_empty() {
        return None;
    }
    let losses: Vec<&RecordRow> = losses.iter().copied().filter(|row| row.trial == run).collect();
    let (first, last) = (losses.first()?, losses.last()?);
    let fall = first.training_loss - last.training_loss;
    let Some(&(step, _)) = cosines.iter().find(|point| point.1 >= 0.9).filter(|_| fall > 0.0) else {
        return Some((false, "it stays below 0.9, or the loss does not fall".to_owned()));
    };
    if step >= steps as f64 {
        let text = format!("it reaches 0.9 only at the last step, {step}, where it is 1 by definition");
        return Some((false, text));
    }
    let at = losses.iter().rfind(|row| row.step as f64 <= step).unwrap_or(first);
    let left = (at.training_loss - last.training_loss) / fall;
    let rest = match left > 0.0 {
        true => format!("{:.0} % of the fall of the loss are still to come", 100.0 * left),
        false => "the loss falls no further".to_owned(),
    };
    let holds = step <= steps as f64 / 2.0 && left > 0.1;
    Some((holds, format!("it reaches 0.9 at step {step} of {steps}, when {rest}")))
}

#[cfg(test)]
mod tests;
