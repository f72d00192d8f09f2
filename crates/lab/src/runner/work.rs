//! The trials that are to be run, each by one process: claimed, run, stored.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{End, How, Job, describe};
use crate::progress::Progress;
use crate::store::{Store, Stored, Turn};
use crate::{Experiment, Kernels, LabError, Planned, Trial, TrialError, files, panics, stopping};

/// Between two looks at trials of other processes, at first and at most.
const WAITS: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];
/// And for each of these trials: many workers must not keep a file server busy with waiting.
const WAIT_PER_TRIAL: Duration = Duration::from_millis(10);

pub(super) struct Work<'a, E: Experiment> {
    inputs: &'a E::Inputs,
    store: &'a Store,
    how: How,
    progress: Progress,
    total_cost: f64,
    /// Set when outcomes cannot be stored and are therefore of no use: no more trials are run.
    broken: Mutex<Option<LabError>>,
    stopped: AtomicBool,
}

impl<'a, E: Experiment> Work<'a, E> {
    pub(super) fn new(missing: &[&Job<'_, E>], inputs: &'a E::Inputs, store: &'a Store, how: How) -> Self {
        let progress = Progress::new(E::NAME, missing.len(), how.style);
        let total_cost = missing.iter().map(|job| job.planned.cost).sum();
        Self { inputs, store, how, progress, total_cost, broken: Mutex::default(), stopped: AtomicBool::new(false) }
    }

    /// Gives each job an end: its own, or that which it has in another process.
    pub(super) fn run<'j>(self, mut missing: Vec<&'j Job<'j, E>>) -> Result<(), LabError> {
        missing.sort_by(|a, b| b.planned.cost.total_cmp(&a.planned.cost));
        let [mut wait, most] = WAITS;
        loop {
            let before = missing.len();
            missing = self.pass(missing);
            if let Some(error) = self.broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return Err(LabError::NotStored { experiment: E::NAME, source: error.into() });
            }
            if missing.is_empty() {
                return Ok(());
            }
            if missing.len() < before {
                continue;
            }
            if wait == WAITS[0] {
                tracing::info!("{}: {} trials are run by other processes: waiting for them", E::NAME, missing.len());
            }
            let least = WAIT_PER_TRIAL * u32::try_from(missing.len()).unwrap_or(u32::MAX);
            std::thread::sleep(wait.min(self.store.beat() / 2).max(least));
            wait = (wait * 3 / 2).min(most);
        }
    }

    /// Tries each job: first those that want all threads, one at a time, then the others side by side. Returns those that
    /// other processes run.
    fn pass<'j>(&self, missing: Vec<&'j Job<'j, E>>) -> Vec<&'j Job<'j, E>> {
        let elsewhere = Mutex::new(Vec::new());
        let attempt = |job: &'j Job<'j, E>, threads: usize| {
            if !self.attempt(job, threads) {
                elsewhere.lock().unwrap_or_else(PoisonError::into_inner).push(job);
            }
        };
        let (parallel, sequential): (Vec<_>, Vec<_>) =
            missing.into_iter().partition(|job| job.planned.kernels == Kernels::Parallel);
        for job in parallel {
            // On a thread of the pool: entering it from outside, each time a kernel forks, is slower.
            rayon::scope(|pool| pool.spawn(|_| attempt(job, self.how.threads)));
        }
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.how.threads.min(sequential.len()) {
                scope.spawn(|| {
                    while let Some(job) = sequential.get(next.fetch_add(1, Ordering::Relaxed)) {
                        attempt(job, 1);
                    }
                });
            }
        });
        elsewhere.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the job its end, unless another process runs it.
    fn attempt(&self, job: &Job<'_, E>, threads: usize) -> bool {
        stopping::stay_if_stopping();
        if self.stopped.load(Ordering::Relaxed) || self.ended_elsewhere(job) {
            return true;
        }
        match self.store.claim(job.key) {
            Turn::Elsewhere => false,
            Turn::Mine(_lease) => {
                // Another process may have stored it between the look and the claim.
                if !self.ended_elsewhere(job) {
                    if self.how.fresh {
                        // What another process, which had the trial when all was set aside, left to go on from.
                        files::remove_directory(&self.store.scratch(job.key));
                    }
                    job.set(End { result: self.run_one(job, threads), reused: false });
                }
                true
            }
        }
    }

    /// Takes the end that another process has given the trial since this one began, if one has.
    fn ended_elsewhere(&self, job: &Job<'_, E>) -> bool {
        let result = match self.store.load(job.key) {
            Some(stored) => Ok(stored),
            None => match self.store.failure(job.key) {
                Some(failure) if job.failed_before.as_ref() != Some(&failure) => Err(failure.error()),
                _ => return false,
            },
        };
        if let Err(error) = &result {
            tracing::error!("{}: {}: {}", E::NAME, job.label, describe(error));
        }
        self.progress.ended_elsewhere(job.label, job.planned.cost / self.total_cost);
        job.set(End { result, reused: true });
        true
    }

    /// Runs one trial, stores its outcome, and reports its end.
    fn run_one(&self, job: &Job<'_, E>, threads: usize) -> Result<Stored<<E::Trial as Trial>::Outcome>, TrialError> {
        let (label, Planned { trial, cost, .. }) = (job.label, job.planned);
        let context = self.progress.start(label, threads, self.store.scratch(job.key));
        let result = panics::catching(|| trial.run(self.inputs, &context))
            .unwrap_or_else(|panic| Err(TrialError::Failed(panic)));
        let seconds = context.elapsed().as_secs_f64();
        drop(context);
        self.progress.end(label, cost / self.total_cost, seconds, result.is_ok());
        match result {
            Ok(outcome) => Ok(self.keep(job, Stored { seconds, outcome })),
            Err(error) => {
                tracing::error!("{}: {label}: {}", E::NAME, describe(&error));
                self.store.fail(job.key, &error);
                Err(error)
            }
        }
    }

    /// Stores the outcome, unless another process was faster with it: the first one counts.
    fn keep<O>(&self, job: &Job<'_, E>, new: Stored<O>) -> Stored<O>
    where
        O: serde::Serialize + serde::de::DeserializeOwned,
    {
        let first = self.store.load(job.key);
        let saved = match &first {
            Some(_) => Ok(()),
            None => self.store.save(job.key, new.seconds, &new.outcome),
        };
        match saved {
            Ok(()) => files::remove_directory(&self.store.scratch(job.key)),
            Err(error) if self.how.shard.is_some() => {
                self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                self.stopped.store(true, Ordering::Relaxed);
            }
            // The outcome is still in memory and its tables can still be written, so this does not end the run.
            Err(error) => {
                let error = anyhow::Error::from(error);
                tracing::warn!("{}: {}: not stored for later runs: {error:#}", E::NAME, job.label);
            }
        }
        first.unwrap_or(new)
    }
}
