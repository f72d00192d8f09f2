//! Runs the trials of a plan: those in the store are read, the others run and are stored as they finish. Other processes may
//! work on the same plan: what one of them runs is waited for, or taken over if it dies.

mod survey;
mod work;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;

pub(crate) use self::survey::{Survey, survey};
use self::work::Work;
use crate::memory::{self, Need};
use crate::progress::Style;
use crate::shard::Shard;
use crate::store::{self, Failure, Key, Store, Stored};
use crate::{Experiment, Finished, FinishedOf, LabError, Plan, Planned, Trial, TrialError};

/// What became of a plan.
pub(crate) struct Ran<E: Experiment> {
    /// Trials with an outcome, in plan order.
    pub(crate) finished: Vec<FinishedOf<E>>,
    /// Label and reason of the others, in plan order.
    pub(crate) failed: Vec<(String, TrialError)>,
    /// Wall-clock seconds of all finished trials, equal ones counted once; reused ones have those of their own run.
    pub(crate) seconds: f64,
    /// Where the outcomes of the plan are in the store, or would be.
    pub(crate) keys: HashSet<Key>,
}

impl<E: Experiment> Ran<E> {
    /// Adds what became of a later stage.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.finished.append(&mut later.finished);
        self.failed.append(&mut later.failed);
        self.seconds += later.seconds;
        self.keys.extend(later.keys);
    }

    /// Makes sure that a later stage has points of its own.
    pub(crate) fn refuse_repeated_points(&self, later: &Plan<E>) -> Result<(), LabError> {
        let finished = self.finished.iter().map(|finished| finished.at.to_string());
        let used: HashSet<String> = finished.chain(self.failed.iter().map(|(label, _)| label.clone())).collect();
        match later.iter().map(|planned| planned.at.to_string()).find(|label| used.contains(label)) {
            Some(label) => Err(LabError::DuplicateLabel { experiment: E::NAME, label }),
            None => Ok(()),
        }
    }
}

/// How a plan is run.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// Number of threads.
    pub(crate) threads: usize,
    /// Stored trials are set aside at the start, so that all are run.
    pub(crate) fresh: bool,
    /// Whatever memory they may need.
    pub(crate) force: bool,
    /// Only these.
    pub(crate) shard: Option<Shard>,
    pub(crate) style: Style,
}

/// Runs `plan`, or nothing of it if a trial needs more memory than there is.
pub(crate) fn run<E: Experiment>(
    plan: Plan<E>,
    inputs: &E::Inputs,
    store: &Store,
    how: How,
) -> Result<Ran<E>, LabError> {
    let labels = labels::<E>(&plan)?;
    let jobs = jobs::<E>(&plan, &labels, store, how)?;
    let missing: Vec<_> = jobs.iter().filter(|job| job.is_missing()).collect();
    let own = jobs.iter().filter(|job| job.own).count();
    let share = how.shard.map_or(String::new(), |shard| format!("{shard}: {own} of "));
    let (all, known) = (jobs.len(), own - missing.len());
    tracing::info!("{}: {share}{all} trials, {known} of them stored, {} to run", E::NAME, missing.len());
    if !how.force {
        check_memory::<E>(&missing, inputs, how.threads)?;
    }
    Work::new(&missing, inputs, store, how).run(missing)?;
    copy_to_equal_trials::<E>(&jobs)?;
    let ends: Vec<_> = jobs.into_iter().map(|job| (job.key, job.own, job.end.into_inner())).collect();

    let mut ran = Ran { finished: Vec::new(), failed: Vec::new(), seconds: 0.0, keys: HashSet::new() };
    for ((Planned { at, .. }, label), (key, own, end)) in plan.into_iter().zip(labels).zip(ends) {
        let first = ran.keys.insert(key);
        match end.unwrap_or_else(PoisonError::into_inner) {
            _ if !own => {}
            Some(End { result: Ok(Stored { seconds, outcome }), reused }) => {
                ran.seconds += if first { seconds } else { 0.0 };
                ran.finished.push(Finished { at, outcome, seconds, reused });
            }
            Some(End { result: Err(error), .. }) => ran.failed.push((label, error)),
            None => ran.failed.push((label, TrialError::Failed(anyhow!("it was not run")))),
        }
    }
    Ok(ran)
}

/// A trial of the plan and, once known, its end.
struct Job<'a, E: Experiment> {
    planned: &'a Planned<E::Point, E::Trial>,
    label: &'a str,
    key: Key,
    /// Whether it is this process's share.
    own: bool,
    /// An earlier job with the same trial at another point, whose end is this one's too.
    same_as: Option<usize>,
    /// Why it failed in an earlier run.
    failed_before: Option<Failure>,
    end: Mutex<Option<End<E>>>,
}

struct End<E: Experiment> {
    result: Result<Stored<<E::Trial as Trial>::Outcome>, TrialError>,
    /// Whether it need not be run.
    reused: bool,
}

impl<E: Experiment> Job<'_, E> {
    fn is_missing(&self) -> bool {
        self.own && self.same_as.is_none() && self.end.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn set(&self, end: End<E>) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }
}

fn jobs<'a, E: Experiment>(
    plan: &'a Plan<E>,
    labels: &'a [String],
    store: &Store,
    how: How,
) -> Result<Vec<Job<'a, E>>, LabError> {
    let keys: Vec<Key> = plan.iter().map(|planned| store::key::<E>(&planned.trial)).collect::<Result<_, _>>()?;
    let mut first_of = HashMap::new();
    let firsts: Vec<usize> =
        keys.iter().enumerate().map(|(place, key)| *first_of.entry(*key).or_insert(place)).collect();
    // Equal trials cost nothing more, and go with the first.
    let cost = |(place, planned): (usize, &Planned<_, _>)| if firsts[place] == place { planned.cost } else { 0.0 };
    let costs: Vec<f64> = plan.iter().enumerate().map(cost).collect();
    let own = how.shard.map_or_else(|| vec![true; plan.len()], |shard| shard.own(&costs));
    let job = |place: usize| {
        let (key, first) = (keys[place], firsts[place]);
        let own = own[first];
        if how.fresh && own {
            store.set_aside(key)?;
        }
        let end = if own { known::<E>(store, key) } else { None };
        let same_as = (end.is_none() && first != place).then_some(first);
        let failed_before = if own && end.is_none() { store.failure(key) } else { None };
        if let (Some(End { result: Err(error), .. }), true) = (&end, first == place) {
            tracing::error!("{}: {}: {}", E::NAME, labels[place], describe(error));
        }
        Ok(Job { planned: &plan[place], label: &labels[place], key, own, same_as, failed_before, end: Mutex::new(end) })
    };
    (0..plan.len()).map(job).collect()
}

/// The end of a trial that an earlier run knows: an outcome, or that it diverges.
fn known<E: Experiment>(store: &Store, key: Key) -> Option<End<E>> {
    let stored = || store.load(key).map(|stored| End { result: Ok(stored), reused: true });
    let diverged = || store.failure(key).filter(Failure::is_lasting);
    stored().or_else(|| diverged().map(|failure| End { result: Err(failure.error()), reused: true }))
}

/// Gives the jobs that are the same as others the end of those.
fn copy_to_equal_trials<E: Experiment>(jobs: &[Job<'_, E>]) -> Result<(), LabError> {
    for job in jobs {
        let Some(first) = job.same_as else { continue };
        let copy = match &*jobs[first].end.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(End { result: Ok(stored), .. }) => Ok(stored.copy()?),
            Some(End { result: Err(TrialError::Diverged { iteration, loss }), .. }) => {
                Err(TrialError::Diverged { iteration: *iteration, loss: *loss })
            }
            Some(End { result: Err(TrialError::Failed(error)), .. }) => Err(TrialError::Failed(anyhow!("{error:#}"))),
            None => continue,
        };
        job.set(End { result: copy, reused: true });
    }
    Ok(())
}

/// The names of the points, which must differ.
fn labels<E: Experiment>(plan: &Plan<E>) -> Result<Vec<String>, LabError> {
    let labels: Vec<String> = plan.iter().map(|planned| planned.at.to_string()).collect();
    let mut seen = HashSet::new();
    match labels.iter().find(|label| !seen.insert(*label)) {
        Some(label) => Err(LabError::DuplicateLabel { experiment: E::NAME, label: label.clone() }),
        None => Ok(labels),
    }
}

/// Compares what the jobs that have no end yet need with the memory there is.
fn check_memory<E: Experiment>(missing: &[&Job<'_, E>], inputs: &E::Inputs, threads: usize) -> Result<(), LabError> {
    let needs = missing.iter().map(|Job { planned, label, .. }| Need {
        label,
        kernels: planned.kernels,
        memory: planned.trial.memory(inputs),
    });
    memory::check(E::NAME, &needs.collect::<Vec<_>>(), threads)
}

/// A failed trial's reason with its causes, on one line.
pub(crate) fn describe(error: &TrialError) -> String {
    match error {
        TrialError::Failed(error) => format!("failed: {error:#}"),
        diverged => diverged.to_string(),
    }
}
