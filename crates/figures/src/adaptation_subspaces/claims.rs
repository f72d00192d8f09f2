//! What Figure 2 says, and whether the tables bear it out.

use lab::{Evidence, Finding, Results};

use super::rows::{LossRow, Row, SpectrumRow};
use super::settings::Settings;
use crate::adaptation::{UNRECORDED, by_encoder, distinct};
use crate::summary::{averaged, range};

const LOW: [&str; 2] = ["adaptation-subspaces/low-rank", "adaptation-subspaces/low-rank-here"];
const EARLY: [&str; 2] = ["adaptation-subspaces/found-early", "adaptation-subspaces/found-early-here"];

pub(super) fn findings(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
    let rows: Vec<Row> = results.read("adaptation-subspaces")?;
    let spectra: Vec<SpectrumRow> = results.read("adaptation-subspaces.spectra")?;
    let losses: Vec<LossRow> = results.read("adaptation-subspaces.loss")?;
    if settings.encoder.is_pretrained() && *settings.training.steps < 500 {
        let ids = [LOW, EARLY].concat();
        return Ok(ids.into_iter().map(|id| Finding::untested(id, "fewer than 500 steps")).collect());
    }
    let tasks = distinct(&rows, |row| row.task.clone());
    let low = |id: &'static str| {
        let of = |task: &String| {
            let (untrained, note) = untrained(&of_task(&losses, task, |row| &row.task));
            let mut spectra = of_task(&spectra, task, |row| &row.task);
            spectra.retain(|row| !untrained.contains(&row.trial));
            low_rank(id, &spectra, *settings.singular_values).note(note)
        };
        tasks.iter().map(|task| of(task).case(task)).collect()
    };
    let early = |id: &'static str| {
        let of = |task: &String| {
            let losses = of_task(&losses, task, |row| &row.task);
            found_early(id, &of_task(&rows, task, |row| &row.task), &losses, settings)
        };
        tasks.iter().map(|task| of(task).case(task)).collect()
    };
    let mut findings = by_encoder(&settings.encoder, LOW, low);
    findings.extend(by_encoder(&settings.encoder, EARLY, early));
    Ok(findings)
}

fn of_task<'a, R>(rows: &'a [R], task: &str, of: fn(&R) -> &String) -> Vec<&'a R> {
    rows.iter().filter(|row| of(row) == task).collect()
}

/// The runs that are not trained, and what must be known of them.
fn untrained(losses: &[&LossRow]) -> (Vec<usize>, String) {
    let end = |trial: usize| losses.iter().rfind(|row| row.trial == trial);
    let mut runs = distinct(losses, |row| row.trial);
    let unknown = runs.iter().filter_map(|&trial| end(trial)).any(|end| end.constant_loss.is_none());
    let learned_nothing = |end: &&LossRow| end.constant_loss.is_some_and(|constant| end.training_loss >= constant);
    runs.retain(|&trial| end(trial).is_some_and(learned_nothing));
    let note = match (runs.len(), unknown) {
        (0, false) => String::new(),
        (0, true) => UNRECORDED.to_owned(),
        (count, _) => format!("{count} runs are not trained and left out"),
    };
    (runs, note)
}

/// In every run, the last of the kept singular values is below a tenth of the first, in every matrix.
fn low_rank(id: &'static str, spectra: &[&SpectrumRow], count: usize) -> Finding {
    let share = |first: &&&SpectrumRow| {
        let same = |row: &&&SpectrumRow| row.matrix == first.matrix && row.trial == first.trial && row.index == count;
        Some((first.trial as f64, spectra.iter().find(same)?.singular_value / first.singular_value))
    };
    let shares: Vec<(f64, f64)> = spectra.iter().filter(|row| row.index == 1).filter_map(|row| share(&row)).collect();
    let Some((least, most)) = range(&shares) else { return Finding::untested(id, "no trained run") };
    let runs = distinct(&shares, |share| share.0);
    let holds = |run: &&f64| shares.iter().filter(|share| share.0 == **run).all(|share| share.1 < 0.1);
    let holding = runs.iter().filter(holds).count();
    Finding::new(id, format!("{least:.1e} to {most:.1e} of σ_1"), Evidence::EveryTrial { holding, n: runs.len() })
}

/// In every run that is trained: when the mean cosine first exceeds 0.9, in the first half of the steps, more than a tenth of
/// the fall of the training loss is still to come.
fn found_early(id: &'static str, rows: &[&Row], losses: &[&LossRow], settings: &Settings) -> Finding {
    let steps = *settings.training.steps as f64;
    let mut texts = Vec::new();
    let (mut holding, mut n) = (0, 0);
    let (untrained, note) = untrained(losses);
    for run in distinct(rows, |row| row.trial).into_iter().filter(|run| !untrained.contains(run)) {
        let cosines =
            averaged(rows.iter().filter(|row| row.trial == run).map(|row| (row.step as f64, row.mean_cosine))).mean;
        let losses: Vec<&&LossRow> = losses.iter().filter(|row| row.trial == run).collect();
        let (Some(first), Some(last)) = (losses.first(), losses.last()) else { continue };
        n += 1;
        let fall = first.training_loss - last.training_loss;
        match cosines.iter().find(|point| point.1 >= 0.9).filter(|_| fall > 0.0) {
            None => texts.push("the mean cosine stays below 0.9, or the loss does not fall".to_owned()),
            Some(&(step, _)) => {
                let at = losses.iter().rfind(|row| row.step as f64 <= step).unwrap_or(first);
                let left = (at.training_loss - last.training_loss) / fall;
                let rest = match left > 0.0 {
                    true => format!("{:.0} % of the fall of the loss are still to come", 100.0 * left),
                    false => "the loss falls no further".to_owned(),
                };
                texts.push(format!("the mean cosine reaches 0.9 at step {step} of {steps}, when {rest}"));
                holding += usize::from(step <= steps / 2.0 && left > 0.1);
            }
        }
    }
    match n {
        0 => Finding::untested(id, "no trained run").note(note),
        n => Finding::new(id, texts.join("; "), Evidence::EveryTrial { holding, n }).note(note),
    }
}
