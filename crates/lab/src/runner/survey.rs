//! A look at a plan that runs nothing of it.

use std::collections::HashSet;

use crate::store::{self, Key, Standing, Store, Stored};
use crate::{Experiment, Finished, FinishedOf, LabError, Plan, Planned};

/// How the trials of a plan stand.
pub(crate) struct Survey<E: Experiment> {
    pub(crate) finished: Vec<FinishedOf<E>>,
    /// Of each trial of the plan, in its order.
    pub(crate) standings: Vec<(String, Standing)>,
    pub(crate) keys: HashSet<Key>,
}

impl<E: Experiment> Survey<E> {
    /// Number of trials that are neither finished nor failed.
    pub(crate) fn open(&self) -> usize {
        let open = |standing: &Standing| matches!(standing, Standing::Running(_) | Standing::Waiting);
        self.standings.iter().filter(|(_, standing)| open(standing)).count()
    }
}

/// Looks at what is stored of `plan`. Nothing is run.
pub(crate) fn survey<E: Experiment>(plan: Plan<E>, store: &Store) -> Result<Survey<E>, LabError> {
    let mut survey = Survey { finished: Vec::new(), standings: Vec::new(), keys: HashSet::new() };
    for Planned { at, trial, .. } in plan {
        let key = store::key::<E>(&trial)?;
        survey.keys.insert(key);
        let label = at.to_string();
        match store.load(key) {
            Some(Stored { seconds, outcome }) => {
                survey.standings.push((label, Standing::Finished));
                survey.finished.push(Finished { at, outcome, seconds, reused: true });
            }
            None => survey.standings.push((label, store.standing(key))),
        }
    }
    Ok(survey)
}
