//! Invariant subspaces (Theorem 2.1): block structure, recursion of ρ and exact compression, along whole runs.

mod claims;
mod draw;
mod settings;

use std::fmt;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};

pub use self::settings::Settings;
use crate::drawing::drawing;
use crate::matrix::{BlockRow, DistanceRow, TheoremCase, TheoremTrial, block_rows, distance_rows};

const DISTANCES: &str = "invariant-subspace.distance";

/// What is varied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    case: String,
    trial: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, trial {}", self.case, self.trial)
    }
}

pub struct InvariantSubspaces;

impl Experiment for InvariantSubspaces {
    type Settings = Settings;
    type Inputs = ();
    type Point = Point;
    type Trial = TheoremTrial;

    const NAME: &'static str = "invariant-subspace";
    const ABOUT: &'static str = "Block structure of every factor along gradient descent (Theorem 2.1)";
    const LONG_ABOUT: &'static str = "Checks Theorem 2.1 of the paper by numbers. Under full observation, in bases fixed \
        at initialization, every factor of a deep factorization keeps the form [W̃ 0; 0 ρ I] along gradient descent: \
        only a block of twice the target's rank learns, ρ follows a scalar recursion, and the block trained alone \
        gives the end-to-end product of the whole up to √m ∏ρ. Heavy ball keeps the form, Adam and RMSprop do not.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<()> {
        Ok(())
    }

    fn plan(settings: &Settings, (): &()) -> anyhow::Result<Plan<Self>> {
        let mut plan = Vec::new();
        for case in &settings.cases {
            let most = settings.max_iterations;
            let iterations = if most < case.iterations { most } else { case.iterations };
            let case = TheoremCase { iterations, ..case.clone() };
            for trial in 0..*settings.trials {
                plan.push(Planned {
                    at: Point { case: case.name.clone(), trial },
                    kernels: Kernels::Sequential,
                    cost: (*case.depth as u64 * *iterations) as f64 * (*case.size as f64).powi(3),
                    trial: TheoremTrial {
                        experiment: Self::NAME,
                        seed: settings.seed,
                        trial,
                        record_every: iterations.div_ceil(*settings.records),
                        case: case.clone(),
                    },
                });
            }
        }
        Ok(plan)
    }

    fn tables(_: &Settings, (): &(), finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let blocks = finished.iter().flat_map(|run| block_rows(&run.at.case, run.at.trial, &run.outcome));
        let distances = finished.iter().flat_map(|run| distance_rows(&run.at.case, run.at.trial, &run.outcome));
        Ok(vec![Table::new(Self::NAME, blocks)?, Table::companion(Self::NAME, "distance", distances)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let blocks: Vec<BlockRow> = results.read(Self::NAME)?;
        let distances: Vec<DistanceRow> = results.read(DISTANCES)?;
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &blocks, &distances))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        Ok(claims::findings(settings, &results.read(Self::NAME)?, &results.read(DISTANCES)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::given::{refused, settings};

    #[test]
    fn every_profile_is_valid() {
        for (profile, cases) in [("paper", 10), ("quick", 10), ("smoke", 10)] {
            let plan = InvariantSubspaces::plan(&settings("invariant-subspace", profile), &()).unwrap();
            assert_eq!(plan.len(), cases, "{profile}");
        }
    }

    #[test]
    fn bad_values_are_named() {
        for (set, key) in [
            ("cases.2.rank=15", "cases.2.rank"),
            ("cases.2.size=2", "cases.2.rank"),
            ("cases.2.name=L = 3, ε = 1", "cases.2.name"),
            ("cases=[]", "cases"),
            ("cases.2.layer_scales=[1.0]", "cases.2.layer_scales"),
        ] {
            assert_eq!(refused::<Settings>("invariant-subspace", &[set]).0, key, "{set}");
        }
    }
}
