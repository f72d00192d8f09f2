//! Statements about every trial.

use lab::{Evidence, Finding};

use crate::summary::{range, short};

/// A matrix run recovers the target if its recovery error ends below this: a hundredth of what Figure 1 shows as overfitting,
/// and far above the training loss at which runs stop.
pub const RECOVERED: f64 = 1e-5;

/// What one trial says of a statement about every trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds there.
    Holds,
    /// It does not.
    Differs,
    /// A run has no row. The statement cannot be said to hold in every trial.
    Failed,
    /// What the statement supposes is not so.
    LeftOut(LeftOut),
}

/// Why a trial is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// In words, if all are.
    pub all: &'static str,
    /// In words, after their number: "1 of 3 originals do not recover the target".
    pub some: &'static str,
}

/// The run did not learn.
pub const NOT_TRAINED: LeftOut = LeftOut { all: "no run was trained", some: "trials are not trained" };

/// The original went elsewhere.
pub const NOT_RECOVERED: LeftOut =
    LeftOut { all: "no original recovers the target", some: "originals do not recover the target" };

impl Outcome {
    /// Of a trial whose runs are there.
    pub fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Differs }
    }
}

/// A statement about every trial, given what all trials of the settings say. Those that failed are trials too; those left
/// out are counted in the note.
pub fn every_trial(id: &'static str, measured: impl Into<String>, outcomes: &[Outcome]) -> Finding {
    let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let (holding, failed) = (count(Outcome::Holds), count(Outcome::Failed));
    let judged = holding + count(Outcome::Differs);
    let mut reasons: Vec<LeftOut> = Vec::new();
    for outcome in outcomes {
        if let Outcome::LeftOut(why) = outcome
            && !reasons.contains(why)
        {
            reasons.push(*why);
        }
    }
    let finding = match (judged, failed, reasons.first()) {
        (0, 0, Some(why)) => Finding::untested(id, why.all),
        (0, ..) => Finding::untested(id, "no run to judge by"),
        _ => Finding::new(id, measured, Evidence::EveryTrial { holding, n: judged + failed }),
    };
    let left_out = reasons.iter().map(|why| (count(Outcome::LeftOut(*why)), why.some));
    let notes = left_out.chain((failed > 0).then_some((failed, "runs failed")));
    let notes: Vec<String> = notes.map(|(count, what)| format!("{count} of {} {what}", outcomes.len())).collect();
    finding.note(notes.join("; "))
}

/// Every y is at most `most`: of each of `runs` runs, not on average. Those without a point failed.
pub fn at_most(id: &'static str, most: f64, points: &[(f64, f64)], runs: usize) -> Finding {
    let Some((least, largest)) = range(points) else {
        return Finding::untested(id, "no run to judge by");
    };
    let mut outcomes: Vec<Outcome> = points.iter().map(|point| Outcome::of(point.1 <= most)).collect();
    outcomes.resize(runs.max(points.len()), Outcome::Failed);
    every_trial(id, format!("{} to {}", short(least), short(largest)), &outcomes)
}
