//! What Figure 2 says, and whether the tables bear it out.

use adaptation::spectrum::ZERO_NORM;
use lab::{Evidence, Finding, Results};

use super::rows::{LossRow, Row, SpectrumRow};
use super::settings::Settings;
use crate::adaptation::{Notes, by_encoder, distinct, is_trained};
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
    let places: Vec<(&String, Place)> =
        tasks.iter().map(|task| (task, Place::new(&rows, &spectra, &losses, task))).collect();
    let low = |id: &'static str| {
        places.iter().map(|(task, place)| low_rank(id, place, *settings.singular_values).case(*task)).collect()
    };
    let early = |id: &'static str| {
        places.iter().map(|(task, place)| found_early(id, place, *settings.training.steps).case(*task)).collect()
    };
    let mut findings = by_encoder(&settings.encoder, LOW, low);
    findings.extend(by_encoder(&settings.encoder, EARLY, early));
    Ok(findings)
}

/// The trained runs of one task.
struct Place<'a> {
    rows: Vec<&'a Row>,
    spectra: Vec<&'a SpectrumRow>,
    losses: Vec<&'a LossRow>,
    /// Runs that are not trained, which are left out.
    untrained: usize,
}

impl<'a> Place<'a> {
    fn new(rows: &'a [Row], spectra: &'a [SpectrumRow], losses: &'a [LossRow], task: &str) -> Self {
        let losses = of_task(losses, task, |row| &row.task);
        let end = |run: usize| losses.iter().rfind(|row| row.trial == run);
        let mut untrained = distinct(&losses, |row| row.trial);
        untrained.retain(|&run| end(run).is_some_and(|end| !is_trained(end.training_loss, end.constant_loss)));
        let is_kept = |run: usize| !untrained.contains(&run);
        Self {
            rows: of_task(rows, task, |row| &row.task).into_iter().filter(|row| is_kept(row.trial)).collect(),
            spectra: of_task(spectra, task, |row| &row.task).into_iter().filter(|row| is_kept(row.trial)).collect(),
            losses: losses.iter().copied().filter(|row| is_kept(row.trial)).collect(),
            untrained: untrained.len(),
        }
    }

    /// The first singular values of all matrices.
    fn first(&self) -> Vec<&SpectrumRow> {
        self.spectra.iter().copied().filter(|row| row.index == 1).collect()
    }

    /// Those of the matrices of numerical rank 0: nothing was learned in them, and their singular values and vectors are
    /// rounding.
    fn of_rank_0(&self) -> Vec<&SpectrumRow> {
        self.first().into_iter().filter(|row| row.singular_value <= ZERO_NORM).collect()
    }

    /// What must be known of its runs, and what becomes of the matrices of rank 0.
    fn notes(&self, rank_0: &str) -> Notes {
        let what = format!("of {} matrices have rank 0 (σ_1 at most {ZERO_NORM:e}) and {rank_0}", self.first().len());
        let notes = Notes::default().untrained(self.untrained).count(self.of_rank_0().len(), &what);
        notes.recorded(self.losses.iter().map(|row| row.constant_loss))
    }
}

fn of_task<'a, R>(rows: &'a [R], task: &str, of: fn(&R) -> &String) -> Vec<&'a R> {
    rows.iter().filter(|row| of(row) == task).collect()
}

/// In every run, the last of the kept singular values is below a tenth of the first, in every matrix that is not of rank 0.
fn low_rank(id: &'static str, place: &Place<'_>, count: usize) -> Finding {
    let last = |first: &SpectrumRow| {
        let same = |row: &&&SpectrumRow| row.matrix == first.matrix && row.trial == first.trial && row.index == count;
        Some(place.spectra.iter().find(same)?.singular_value)
    };
    let asked: Vec<&SpectrumRow> = place.first().into_iter().filter(|first| first.singular_value > ZERO_NORM).collect();
    let shares: Vec<(f64, f64)> =
        asked.iter().filter_map(|first| Some((first.trial as f64, last(first)? / first.singular_value))).collect();
    let notes = place
        .notes("count as low rank")
        .count(asked.len() - shares.len(), &format!("matrices have no σ_{count} in the table and are left out"));
    let of_rank_0 = place.of_rank_0();
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
        n => Finding::new(id, measured, Evidence::EveryTrial { holding, n }),
    }
    .note(notes.text())
}

/// In every run that is trained: when the mean cosine first exceeds 0.9, in the first half of the steps, more than a tenth of
/// the fall of the training loss is still to come. Matrices of rank 0 have no subspace to find.
fn found_early(id: &'static str, place: &Place<'_>, steps: u64) -> Finding {
    let of_rank_0 = place.of_rank_0();
    let has_subspace = |row: &Row| !of_rank_0.iter().any(|of| (of.trial, &of.matrix) == (row.trial, &row.matrix));
    let rows: Vec<&Row> = place.rows.iter().copied().filter(|row| has_subspace(row)).collect();
    let runs = distinct(&rows, |row| row.trial);
    let found: Vec<(bool, String)> =
        runs.iter().filter_map(|&run| found_in(run, &rows, &place.losses, steps)).collect();
    let holding = found.iter().filter(|(holds, _)| *holds).count();
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    match found.len() {
        0 => Finding::untested(id, "no trained run with an update above rank 0"),
        n => Finding::new(id, texts.join("; "), Evidence::EveryTrial { holding, n }),
    }
    .note(place.notes("are left out of the mean cosine").text())
}

/// Whether one run finds its subspaces early, and when it finds them.
fn found_in(run: usize, rows: &[&Row], losses: &[&LossRow], steps: u64) -> Option<(bool, String)> {
    let cosines =
        averaged(rows.iter().filter(|row| row.trial == run).map(|row| (row.step as f64, row.mean_cosine))).mean;
    let losses: Vec<&LossRow> = losses.iter().copied().filter(|row| row.trial == run).collect();
    let (first, last) = (losses.first()?, losses.last()?);
    let fall = first.training_loss - last.training_loss;
    let Some(&(step, _)) = cosines.iter().find(|point| point.1 >= 0.9).filter(|_| fall > 0.0) else {
        return Some((false, "the mean cosine stays below 0.9, or the loss does not fall".to_owned()));
    };
    if step >= steps as f64 {
        let text = format!("the mean cosine reaches 0.9 only at the last step, {step}, where it is 1 by definition");
        return Some((false, text));
    }
    let at = losses.iter().rfind(|row| row.step as f64 <= step).unwrap_or(first);
    let left = (at.training_loss - last.training_loss) / fall;
    let rest = match left > 0.0 {
        true => format!("{:.0} % of the fall of the loss are still to come", 100.0 * left),
        false => "the loss falls no further".to_owned(),
    };
    let holds = step <= steps as f64 / 2.0 && left > 0.1;
    Some((holds, format!("the mean cosine reaches 0.9 at step {step} of {steps}, when {rest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(trial: usize, matrix: &str, index: usize, singular_value: f64) -> SpectrumRow {
        SpectrumRow { task: "t".into(), trial, matrix: matrix.into(), index, singular_value }
    }

    fn loss(trial: usize, step: u64, training_loss: f64) -> LossRow {
        LossRow { task: "t".into(), trial, step, training_loss, constant_loss: Some(1.0), score: None }
    }

    fn cosine(matrix: &str, step: u64, mean_cosine: f64) -> Row {
        let (task, matrix) = ("t".into(), matrix.into());
        Row { task, trial: 0, matrix, step, mean_cosine, smallest_cosine: 0.0 }
    }

    #[test]
    fn matrices_that_learned_nothing_count_as_low_rank() {
        let judge = |values: &[SpectrumRow]| low_rank("id", &Place::new(&[], values, &[], "t"), 2);
        let learned = [value(0, "a", 1, 1.0), value(0, "a", 2, 0.01)];
        let rounding = [value(0, "b", 1, 1e-7), value(0, "b", 2, 0.9e-7), value(1, "a", 1, 0.0), value(1, "a", 2, 0.0)];
        let found = judge(&[&learned[..], &rounding].concat());
        assert_eq!(found.evidence, Evidence::EveryTrial { holding: 2, n: 2 });
        assert_eq!(found.measured, "1.0e-2 to 1.0e-2 of σ_1");
        assert_eq!(found.note, "2 of 3 matrices have rank 0 (σ_1 at most 1e-3) and count as low rank");
        let flat = judge(&[value(0, "a", 1, 2e-3), value(0, "a", 2, 1e-3)]);
        assert_eq!(flat.evidence, Evidence::EveryTrial { holding: 0, n: 1 });
    }

    #[test]
    fn a_matrix_without_the_last_singular_value_is_said() {
        let found = low_rank("id", &Place::new(&[], &[value(0, "a", 1, 1.0)], &[], "t"), 2);
        assert!(matches!(found.evidence, Evidence::None { .. }));
        assert_eq!(found.note, "1 matrices have no σ_2 in the table and are left out");
    }

    #[test]
    fn a_run_whose_loss_is_not_a_number_is_left_out() {
        let losses = [loss(0, 0, 2.0), loss(0, 10, f64::NAN)];
        let spectra = [value(0, "a", 1, 1.0), value(0, "a", 2, 0.01)];
        let found = low_rank("id", &Place::new(&[], &spectra, &losses, "t"), 2);
        assert!(matches!(found.evidence, Evidence::None { .. }));
        assert_eq!(found.note, "1 runs are not trained and left out");
    }

    #[test]
    fn only_matrices_that_learned_something_have_a_subspace_to_find() {
        let losses = [loss(0, 0, 2.0), loss(0, 2, 1.5), loss(0, 10, 0.5)];
        let spectra = [value(0, "a", 1, 1.0), value(0, "b", 1, 1e-7)];
        let rows = [cosine("a", 2, 0.95), cosine("b", 2, 0.1), cosine("a", 10, 1.0), cosine("b", 10, 1.0)];
        let found = found_early("id", &Place::new(&rows, &spectra, &losses, "t"), 10);
        assert_eq!(found.evidence, Evidence::EveryTrial { holding: 1, n: 1 });
        assert_eq!(found.note, "1 of 2 matrices have rank 0 (σ_1 at most 1e-3) and are left out of the mean cosine");
        let late = found_early("id", &Place::new(&rows[1..], &spectra, &losses, "t"), 10);
        assert_eq!(late.evidence, Evidence::EveryTrial { holding: 0, n: 1 });
        assert!(late.measured.contains("only at the last step, 10, where it is 1 by definition"), "{}", late.measured);
    }
}
