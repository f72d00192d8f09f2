//! Matrix sensing (Kwon et al.): a low-rank matrix from random linear measurements, the original against compressed networks.

mod claims;
mod draw;
mod instance;
mod network;
mod rows;
mod settings;
mod trial;

use std::fmt;

use lab::{Drawing, Experiment, Finding, FinishedOf, Gathering, Kernels, Plan, Planned, Results, Table};

pub use self::instance::LastInstance;
pub use self::settings::Settings;
pub use self::trial::SensingTrial;
use crate::drawing::drawing;
use crate::matrix::Start;

pub struct Sensing;

/// One network in one trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// What the tables call the network.
    network: String,
    trial: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, trial {}", self.network, self.trial)
    }
}

impl Experiment for Sensing {
    type Settings = Settings;
    type Inputs = LastInstance;
    type Point = Point;
    type Trial = SensingTrial;

    const NAME: &'static str = "sensing";
    const ABOUT: &'static str = "Matrix sensing, original against compressed networks (Kwon et al.)";
    const LONG_ABOUT: &'static str = "Recovers a low-rank matrix from random linear measurements with a deep \
        factorization of full width (the original), with its compressed network, its bases moving and fixed, and with the \
        network of Kwon et al. that starts from the singular vectors of the measurements. Shows the training loss and the \
        relative error against iterations and against seconds. Not in the paper: the experiment is that of Kwon et al., arXiv \
        2311.05061.";
    const CLAIMS: &'static str = crate::CLAIMS;

    fn gather(_: &Settings, _: &Gathering) -> anyhow::Result<LastInstance> {
        Ok(LastInstance::default())
    }

    /// One network at a time on all threads: each reads all measurements in every iteration.
    fn plan(settings: &Settings, _: &LastInstance) -> anyhow::Result<Plan<Self>> {
        let mut plan = Vec::new();
        for trial in 0..*settings.trials {
            for compared in settings.networks() {
                let start =
                    Start { experiment: Self::NAME, seed: settings.seed, instance: trial, initialization: trial };
                plan.push(Planned {
                    at: Point { network: compared.name, trial },
                    trial: SensingTrial {
                        start,
                        problem: settings.problem.clone(),
                        network: compared.network,
                        depth: *settings.depth,
                        init_scale: *settings.init_scale,
                        step_size: *settings.step_size,
                        max_iterations: *settings.max_iterations,
                        tolerance: *settings.tolerance,
                        record_every: *settings.record_every,
                    },
                    kernels: Kernels::Parallel,
                    cost: 1.0,
                });
            }
        }
        Ok(plan)
    }

    fn tables(_: &Settings, _: &LastInstance, finished: &[FinishedOf<Self>]) -> anyhow::Result<Vec<Table>> {
        let records = finished.iter().flat_map(|run| rows::records(&run.at, &run.outcome));
        let clock = finished.iter().flat_map(|run| rows::clock(&run.at, &run.outcome));
        Ok(vec![Table::new(Self::NAME, records)?, Table::companion(Self::NAME, "timing", clock)?])
    }

    fn draw(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Drawing>> {
        let (records, clock) = (results.read(Self::NAME)?, results.read("sensing.timing")?);
        Ok(vec![drawing(Self::NAME, &draw::figure(settings, &records, &clock))?])
    }

    fn claims(settings: &Settings, results: &Results) -> anyhow::Result<Vec<Finding>> {
        let (records, clock) = (results.read::<rows::Row>(Self::NAME)?, results.read("sensing.timing")?);
        Ok(claims::findings(settings, &rows::curves(&records), &clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::given::{refused, settings};

    #[test]
    fn every_profile_is_valid() {
        for (profile, runs) in [("paper", 4), ("quick", 8), ("smoke", 4)] {
            let settings: Settings = settings("sensing", profile);
            assert_eq!(Sensing::plan(&settings, &LastInstance::default()).unwrap().len(), runs, "{profile}");
            assert_eq!(settings.at_papers_size(), profile == "paper");
        }
    }

    #[test]
    fn bad_values_are_named() {
        for (set, key) in [
            ("problem.rank=101", "problem.rank"),
            ("problem.measurements=0", "problem.measurements"),
            ("rank_guess=101", "rank_guess"),
            ("init_scale=1e-200", "init_scale"),
            ("discrepant_step=0.0", "discrepant_step"),
            ("tolerance=1.0", "tolerance"),
        ] {
            assert_eq!(refused::<Settings>("sensing", &[set]).0, key, "{set}");
        }
    }
}
