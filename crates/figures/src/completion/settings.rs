//! `experiments/completion.toml`: its fields, what is allowed, and the networks it names.

use lab::checked::{Count, Depth, Distinct, NotNegative, Positive, Trials};
use lab::{Check, Experiment, Invalid};
use serde::{Deserialize, Serialize};

use super::Completion;
use crate::checks::{check_init_scale, check_runs};
use crate::label::number;
use crate::matrix::*;
use crate::palette;

/// `experiments/completion.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) depth: Depth,
    pub(super) init_scale: Positive,
    pub(super) step_size: Positive,
    pub(super) rank_guess: Count,
    #[serde(default)]
    pub(super) initialization: InitializationSettings,
    pub(super) discrepant_steps: Distinct<NotNegative>,
    pub(super) spectral_discrepant_step: NotNegative,
    pub(super) original_tolerance: NotNegative,
    pub(super) trajectory_records: Count,
    pub(super) problem: ProblemSettings,
    pub(super) schedule: ScheduleSettings,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_partly_observed("problem.observed_fraction", self.problem.observed_fraction)?;
        self.problem.check_drawn(Completion::NAME, self.seed, *self.trials)?;
        self.problem.draw.check_value("depth".to_owned(), *self.depth, &[recipe::DEPTH])?;
        self.schedule.check("schedule", &self.problem)?;
        check_runs(*self.trials, &[self.discrepant_steps.len() + 2])?;
        check_init_scale("init_scale", *self.init_scale, *self.depth)?;
        check_rank_guess("rank_guess", self.rank_guess, self.problem.size)?;
        self.initialization.check("initialization", &self.problem)?;
        check_tolerance("original_tolerance", self.original_tolerance, &self.problem)
    }
}

impl Settings {
    /// The networks, the original first.
    pub(super) fn networks(&self) -> Vec<Compared> {
        let (depth, init_scale, rank_guess) = (*self.depth, *self.init_scale, *self.rank_guess);
        let (width, tolerance) = (*self.problem.size, self.schedule.tolerance);
        let mut networks = vec![Compared {
            name: ORIGINAL.to_owned(),
            hue: palette::ORIGINAL,
            network: Network::Deep { depth, width, init_scale },
            tolerance: self.original_tolerance,
        }];
        for (k, discrepant_step) in self.discrepant_steps.iter().map(|step| **step).enumerate() {
            networks.push(Compared {
                name: compressed(discrepant_step),
                hue: match discrepant_step {
                    0.0 => palette::FIXED,
                    _ if k == 0 => palette::COMPRESSED,
                    _ => palette::case(k),
                },
                network: self.initialization.network(depth, init_scale, rank_guess, discrepant_step),
                tolerance,
            });
        }
        let discrepant_step = *self.spectral_discrepant_step;
        networks.push(Compared {
            name: format!("spectral, γ = {}", number(discrepant_step)),
            hue: palette::SPECTRAL,
            network: Network::Spectral { depth, init_scale, rank_guess, discrepant_step },
            tolerance,
        });
        networks
    }

    /// Whether the instance is as large as the paper's.
    pub(super) fn at_papers_size(&self) -> bool {
        *self.problem.size >= 1000
    }

    pub(super) fn subtitle(&self) -> String {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        format!(
            "Figure 5 of the paper; d = {size}, r = {rank}, r̂ = {}, L = {}, p = {observed_fraction}, ε = {}, η = {}{}",
            self.rank_guess,
            self.depth,
            self.init_scale,
            self.step_size,
            over_trials(*self.trials)
        )
    }
}

/// What the tables call the original.
pub(super) const ORIGINAL: &str = "original";

/// What the tables call a compressed network.
pub(super) fn compressed(discrepant_step: f64) -> String {
    format!("compressed, γ = {}", number(discrepant_step))
}
