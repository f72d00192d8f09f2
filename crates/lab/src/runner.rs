//! Runs the trials of a plan: those in the store are read, the others run and are stored as they finish.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;

use crate::files;
use crate::memory::{self, Need};
use crate::panics;
use crate::progress::{Progress, Style};
use crate::store::{self, Key, Store};
use crate::{Experiment, Finished, FinishedOf, Kernels, LabError, Plan, Planned, Trial, TrialError};

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
    /// Stored trials are run again, and replaced.
    pub(crate) fresh: bool,
    /// Whatever memory they may need.
    pub(crate) force: bool,
}

/// Runs `plan`, or nothing of it if a trial needs more memory than there is.
pub(crate) fn run<E: Experiment>(
    plan: Plan<E>,
    inputs: &E::Inputs,
    store: &Store,
    How { threads, fresh, force }: How,
    style: Style,
) -> Result<Ran<E>, LabError> {
    let labels = labels::<E>(&plan)?;
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
        jobs.push(Job { planned, label: &labels[place], key, reused, same_as, end: Mutex::new(stored.map(Ok)) });
    }
    let reused = jobs.iter().filter(|job| job.reused).count();
    tracing::info!("{}: {} trials, {reused} of them stored, {} to run", E::NAME, jobs.len(), jobs.len() - reused);
    if !force {
        check_memory::<E>(&jobs, inputs, threads)?;
    }
    run_missing::<E>(&jobs, inputs, store, threads, style);
    copy_to_equal_trials::<E>(&jobs)?;
    let ends: Vec<_> = jobs.into_iter().map(|job| (job.key, job.reused, job.end.into_inner())).collect();

    let mut ran = Ran { finished: Vec::new(), failed: Vec::new(), seconds: 0.0, keys: HashSet::new() };
    for ((Planned { at, .. }, label), (key, reused, end)) in plan.into_iter().zip(labels).zip(ends) {
        let first = ran.keys.insert(key);
        match end.unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(store::Stored { seconds, outcome })) => {
                ran.seconds += if first { seconds } else { 0.0 };
                ran.finished.push(Finished { at, outcome, seconds, reused });
            }
            Some(Err(error)) => ran.failed.push((label, error)),
            None => ran.failed.push((label, TrialError::Failed(anyhow!("it was not run")))),
        }
    }
    Ok(ran)
}

/// What is stored of `plan`, and all its keys: nothing is run.
pub(crate) fn stored<E: Experiment>(
    plan: Plan<E>,
    store: &Store,
) -> Result<(Vec<FinishedOf<E>>, HashSet<Key>), LabError> {
    let (mut finished, mut keys) = (Vec::new(), HashSet::new());
    for Planned { at, trial, .. } in plan {
        let key = store::key::<E>(&trial)?;
        keys.insert(key);
        if let Some(store::Stored { seconds, outcome }) = store.load(key) {
            finished.push(Finished { at, outcome, seconds, reused: true });
        }
    }
    Ok((finished, keys))
}

/// A trial of the plan and, once known, its end.
struct Job<'a, E: Experiment> {
    planned: &'a Planned<E::Point, E::Trial>,
    label: &'a str,
    key: Key,
    /// Whether it need not be run.
    reused: bool,
    /// An earlier job with the same trial at another point, whose end is this one's too.
    same_as: Option<usize>,
    end: Mutex<Option<End<E>>>,
}

type End<E> = Result<store::Stored<<<E as Experiment>::Trial as Trial>::Outcome>, TrialError>;

/// Gives the jobs that are the same as others the end of those.
fn copy_to_equal_trials<E: Experiment>(jobs: &[Job<'_, E>]) -> Result<(), LabError> {
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
fn check_memory<E: Experiment>(jobs: &[Job<'_, E>], inputs: &E::Inputs, threads: usize) -> Result<(), LabError> {
    let missing = jobs.iter().filter(|job| !job.reused).map(|Job { planned, label, .. }| Need {
        label,
        kernels: planned.kernels,
        memory: planned.trial.memory(inputs),
    });
    memory::check(E::NAME, &missing.collect::<Vec<_>>(), threads)
}

/// Runs the jobs that have no end yet: first those that want all threads, one at a time, then the others side by side.
fn run_missing<E: Experiment>(jobs: &[Job<'_, E>], inputs: &E::Inputs, store: &Store, threads: usize, style: Style) {
    let mut missing: Vec<_> = jobs.iter().filter(|job| !job.reused).collect();
    missing.sort_by(|a, b| b.planned.cost.total_cmp(&a.planned.cost));
    let total: f64 = missing.iter().map(|job| job.planned.cost).sum();
    let progress = Progress::new(E::NAME, missing.len(), style);
    let run = |job: &Job<'_, E>, threads: usize| {
        let end = run_one::<E>(job, inputs, store, threads, &progress, total);
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
    job: &Job<'_, E>,
    inputs: &E::Inputs,
    store: &Store,
    threads: usize,
    progress: &Progress,
    total_cost: f64,
) -> End<E> {
    let (label, Planned { trial, cost, .. }) = (job.label, job.planned);
    let scratch = store.scratch(job.key);
    let context = progress.start(label, threads, scratch.clone());
    let result =
        panics::catching(|| trial.run(inputs, &context)).unwrap_or_else(|panic| Err(TrialError::Failed(panic)));
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
