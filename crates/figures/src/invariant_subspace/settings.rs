//! `experiments/invariant-subspace.toml`: its fields and what is allowed.

use std::collections::{BTreeSet, HashSet};

use lab::{Check, Invalid};
use serde::{Deserialize, Serialize};

use crate::checks::{check_runs, check_steps};
use crate::matrix::TheoremCase;

/// `experiments/invariant-subspace.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: usize,
    pub(super) max_iterations: u64,
    pub(super) records: u64,
    pub(super) cases: Vec<TheoremCase>,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_runs(self.trials, &[self.cases.len()])?;
        check_steps("max_iterations", self.max_iterations)?;
        Invalid::unless(self.records >= 1, "records", self.records, "an integer from 1")?;
        Invalid::unless(!self.cases.is_empty(), "cases", "[]", "at least one table")?;
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
        let sizes: BTreeSet<_> = self.cases.iter().map(|case| (case.size, case.rank)).collect();
        let sizes: Vec<_> = sizes.iter().map(|(size, rank)| format!("d = {size}, r = {rank}")).collect();
        format!("Theorem 2.1; full observation; {}; the largest over all layers", sizes.join(" and "))
    }
}
