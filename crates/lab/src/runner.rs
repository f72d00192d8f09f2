//! Runs the trials of a plan: those in the store are read, the others run and are stored as they finish.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files;
use crate::memory::{self, Need};
use crate::panics;
use crate::progress::{Progress, Style};
use crate::store::{self, Key, Store};
use crate::{Experiment, Finished, Kernels, LabError, Planned, TrialError};

/// What became of a plan.
pub(crate) struct Ran<T, O> {
    /// Trials with an outcome, in plan order.
    pub(crate) finished: Vec<Finished<T, O>>,
    /// Label and reason of the others, in plan order.
    pub(crate) failed: Vec<(String, TrialError)>,
}

impl<T, O> Ran<T, O> {
    /// Adds what became of a later stage.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.finished.append(&mut later.finished);
        self.failed.append(&mut later.failed);
    }

    /// Makes sure that a later stage does not use the labels of this one.
    pub(crate) fn refuse_repeated_labels<E: Experiment>(&self, later: &[Planned<T>]) -> Result<(), LabError> {
        let finished = self.finished.iter().map(|finished| &finished.label);
        let used: HashSet<&String> = finished.chain(self.failed.iter().map(|(label, _)| label)).collect();
        match later.iter().find(|planned| used.contains(&planned.label)) {
            Some(planned) => Err(LabError::DuplicateLabel { experiment: E::NAME, label: planned.label.clone() }),
            None => Ok(()),
        }
    }
}

/// How a plan is run.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// Number of threads.
    pub(crate) threads: usize,
    /// Stored trials are run again, and replaced.
    pub(crate) fresh: bool,
    /// Whatever memory they may need.
    pub(crate) force: bool,
}

/// Runs `plan`, or nothing of it if a trial needs more memory than there is.
pub(crate) fn run<E: Experiment>(
    plan: Vec<Planned<E::Trial>>,
    store: &Store,
    How { threads, fresh, force }: How,
    style: Style,
) -> Result<Ran<E::Trial, E::Outcome>, LabError> {
    refuse_duplicate_labels::<E>(&plan)?;
    let mut jobs = Vec::with_capacity(plan.len());
    let mut first_of = HashMap::new();
    for (place, planned) in plan.iter().enumerate() {
        let key = store::key::<E>(&planned.trial)?;
        let first = *first_of.entry(key).or_insert(place);
        let stored = if fresh { None } else { store.load(key) };
        if fresh {
            files::remove_directory(&store.scratch(key));
        }
        let same_as = (stored.is_none() && first != place).then_some(first);
        let reused = stored.is_some() || same_as.is_some();
        jobs.push(Job { planned, key, reused, same_as, end: Mutex::new(stored.map(Ok)) });
    }
    let reused = jobs.iter().filter(|job| job.reused).count();
    tracing::info!("{}: {} trials, {reused} of them stored, {} to run", E::NAME, jobs.len(), jobs.len() - reused);
    if !force {
        check_memory::<E>(&jobs, threads)?;
    }
    run_missing::<E>(&jobs, store, threads, style);
    copy_to_equal_trials(&jobs)?;
    let ends: Vec<_> = jobs.into_iter().map(|job| (job.reused, job.end.into_inner())).collect();

    let mut ran = Ran { finished: Vec::new(), failed: Vec::new() };
    for (Planned { label, trial, .. }, (reused, end)) in plan.into_iter().zip(ends) {
        match end.unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(store::Stored { seconds, outcome })) => {
                ran.finished.push(Finished { label, trial, outcome, seconds, reused });
            }
            Some(Err(error)) => ran.failed.push((label, error)),
            None => ran.failed.push((label, TrialError::Failed(anyhow!("it was not run")))),
        }
    }
    Ok(ran)
}

/// A trial of the plan and, once known, its end.
struct Job<'a, T, O> {
    planned: &'a Planned<T>,
    key: Key,
    /// Whether it need not be run.
    reused: bool,
    /// An earlier job with the same trial under another label, whose end is this one's too.
    same_as: Option<usize>,
    end: Mutex<Option<End<O>>>,
}

type End<O> = Result<store::Stored<O>, TrialError>;

/// Gives the jobs that are the same as others the end of those.
fn copy_to_equal_trials<T, O: Serialize + DeserializeOwned>(jobs: &[Job<'_, T, O>]) -> Result<(), LabError> {
    for job in jobs {
        let Some(first) = job.same_as else { continue };
        let copy = match &*jobs[first].end.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(stored)) => Some(Ok(stored.copy()?)),
            Some(Err(TrialError::Diverged { iteration, loss })) => {
                Some(Err(TrialError::Diverged { iteration: *iteration, loss: *loss }))
            }
            Some(Err(TrialError::Failed(error))) => Some(Err(TrialError::Failed(anyhow!("{error:#}")))),
            None => None,
        };
        *job.end.lock().unwrap_or_else(PoisonError::into_inner) = copy;
    }
    Ok(())
}

fn refuse_duplicate_labels<E: Experiment>(plan: &[Planned<E::Trial>]) -> Result<(), LabError> {
    let mut seen = HashSet::new();
    match plan.iter().find(|planned| !seen.insert(&planned.label)) {
        Some(planned) => Err(LabError::DuplicateLabel { experiment: E::NAME, label: planned.label.clone() }),
        None => Ok(()),
    }
}

/// Compares what the jobs that have no end yet need with the memory there is.
fn check_memory<E: Experiment>(jobs: &[Job<'_, E::Trial, E::Outcome>], threads: usize) -> Result<(), LabError> {
    let missing = jobs.iter().filter(|job| !job.reused).map(|Job { planned, .. }| Need {
        label: &planned.label,
        kernels: planned.kernels,
        memory: E::memory(&planned.trial),
    });
    memory::check(E::NAME, &missing.collect::<Vec<_>>(), threads)
}

/// Runs the jobs that have no end yet: first those that want all threads, one at a time, then the others side by side.
fn run_missing<E: Experiment>(jobs: &[Job<'_, E::Trial, E::Outcome>], store: &Store, threads: usize, style: Style) {
    let mut missing: Vec<_> = jobs.iter().filter(|job| !job.reused).collect();
    missing.sort_by(|a, b| b.planned.cost.total_cmp(&a.planned.cost));
    let total: f64 = missing.iter().map(|job| job.planned.cost).sum();
    let progress = Progress::new(E::NAME, missing.len(), style);
    let run = |job: &Job<'_, E::Trial, E::Outcome>, threads: usize| {
        let end = run_one::<E>(job, store, threads, &progress, total);
        *job.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    };

    let (parallel, sequential): (Vec<_>, Vec<_>) =
        missing.into_iter().partition(|job| job.planned.kernels == Kernels::Parallel);
    for job in parallel {
        // On a thread of the pool: entering it from outside, each time a kernel forks, is slower.
        rayon::scope(|pool| pool.spawn(|_| run(job, threads)));
    }
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(sequential.len()) {
            scope.spawn(|| {
                while let Some(job) = sequential.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run(job, 1);
                }
            });
        }
    });
}

/// Runs one trial, stores its outcome, and reports its end.
fn run_one<E: Experiment>(
    job: &Job<'_, E::Trial, E::Outcome>,
    store: &Store,
    threads: usize,
    progress: &Progress,
    total_cost: f64,
) -> End<E::Outcome> {
    let Planned { label, trial, cost, .. } = job.planned;
    let scratch = store.scratch(job.key);
    let context = progress.start(label, threads, scratch.clone());
    let result = panics::catching(|| E::run(trial, &context)).unwrap_or_else(|panic| Err(TrialError::Failed(panic)));
    let seconds = context.elapsed().as_secs_f64();
    drop(context);
    progress.end(label, cost / total_cost, seconds, result.is_ok());
    match result {
        Ok(outcome) => {
            match store.save(job.key, seconds, &outcome) {
                Ok(()) => files::remove_directory(&scratch),
                // The outcome is still in memory and its tables can still be written, so this does not end the run.
                Err(error) => {
                    tracing::warn!("{}: {label}: not stored for later runs: {:#}", E::NAME, anyhow::Error::from(error));
                }
            }
            Ok(store::Stored { seconds, outcome })
        }
        Err(error) => {
            tracing::error!("{}: {label}: {}", E::NAME, describe(&error));
            Err(error)
        }
    }
}

/// A failed trial's reason with its causes, on one line.
pub(crate) fn describe(error: &TrialError) -> String {
    match error {
        TrialError::Failed(error) => format!("failed: {error:#}"),
        diverged => diverged.to_string(),
    }
}
