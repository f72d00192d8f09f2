//! `experiments/invariant-subspace.toml`: its fields and what is allowed.

use std::collections::{BTreeSet, HashSet};

use lab::checked::{NotEmpty, Steps, Trials};
use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::checks::check_runs;
use crate::matrix::TheoremCase;

/// `experiments/invariant-subspace.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) max_iterations: Steps,
    pub(super) records: Steps,
    pub(super) cases: NotEmpty<TheoremCase>,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(*self.trials, &[self.cases.len()])?;
        let mut names = HashSet::new();
        self.cases.iter().enumerate().try_for_each(|(i, case)| {
            case.check(&format!("cases.{i}"))?;
            let unique = names.insert(&case.name);
            Invalid::unless(unique, format!("cases.{i}.name"), &case.name, "a name that no other case has")
        })
    }
}

impl Settings {
    /// The names of the cases, in the order of the tables.
    pub(super) fn names(&self) -> Vec<&str> {
        self.cases.iter().map(|case| case.name.as_str()).collect()
    }

    pub(super) fn subtitle(&self) -> String {
        let sizes: BTreeSet<_> = self.cases.iter().map(|case| (*case.size, *case.rank)).collect();
        let sizes: Vec<_> = sizes.iter().map(|(size, rank)| format!("d = {size}, r = {rank}")).collect();
        format!("Theorem 2.1; full observation; {}; the largest over all layers", sizes.join(" and "))
    }
}
