//! The runs that claims about the final updates are made from.

use adaptation::spectrum::ZERO_NORM;

use super::rows::{Row, SpectrumRow};
use crate::adaptation::{Notes, RecordRow, distinct};

/// The trained runs of one task.
pub struct TrainedRuns<'a> {
    /// Cosines of their matrices at the kept steps.
    pub rows: Vec<&'a Row>,
    /// Singular values of their final updates.
    pub spectra: Vec<&'a SpectrumRow>,
    /// Their records.
    pub losses: Vec<&'a RecordRow>,
    /// Runs that are not trained, which are left out.
    untrained: usize,
    /// Runs without a record. No statement holds in every run then.
    pub failed: usize,
}

impl<'a> TrainedRuns<'a> {
    /// Those of `task`, on which so many were planned.
    pub fn new(
        rows: &'a [Row],
        spectra: &'a [SpectrumRow],
        losses: &'a [RecordRow],
        task: &str,
        planned: usize,
    ) -> Self {
        let losses = of_task(losses, task, |row| &row.task);
        let end = |run: usize| losses.iter().rfind(|row| row.trial == run);
        let mut untrained = distinct(&losses, |row| row.trial);
        let failed = planned.saturating_sub(untrained.len());
        untrained.retain(|&run| end(run).is_some_and(|end| !end.is_trained()));
        let is_kept = |run: usize| !untrained.contains(&run);
        Self {
            rows: of_task(rows, task, |row| &row.task).into_iter().filter(|row| is_kept(row.trial)).collect(),
            spectra: of_task(spectra, task, |row| &row.task).into_iter().filter(|row| is_kept(row.trial)).collect(),
            losses: losses.iter().copied().filter(|row| is_kept(row.trial)).collect(),
            untrained: untrained.len(),
            failed,
        }
    }

    /// The first singular values of all matrices.
    pub fn first(&self) -> Vec<&SpectrumRow> {
        self.spectra.iter().copied().filter(|row| row.index == 1).collect()
    }

    /// Those of the matrices of numerical rank 0: nothing was learned in them, and their singular values and vectors are
    /// rounding.
    pub fn of_rank_0(&self) -> Vec<&SpectrumRow> {
        self.first().into_iter().filter(|row| row.singular_value <= ZERO_NORM).collect()
    }

    /// What must be known of its runs, and what becomes of the matrices of rank 0.
    pub fn notes(&self, rank_0: &str) -> Notes {
        let what = format!("matrices of rank 0 (σ_1 at most {ZERO_NORM:e}), {rank_0}");
        Notes::default().count(self.failed, "runs failed").untrained(self.untrained).part(
            self.of_rank_0().len(),
            self.first().len(),
            &what,
        )
    }
}

fn of_task<'a, R>(rows: &'a [R], task: &str, of: fn(&R) -> &String) -> Vec<&'a R> {
    rows.iter().filter(|row| of(row) == task).collect()
}
