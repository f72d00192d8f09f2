//! `experiments/compressed-vs-narrow.toml`: its fields, what is allowed, and the networks it names.

use lab::checked::{Count, Depth, Distinct, NotNegative, Positive, Trials};
use lab::{Check, Experiment, Invalid};
use serde::{Deserialize, Serialize};

use super::CompressedVsNarrow;
use crate::checks::{check_init_scale, check_runs};
use crate::matrix::{
    DrawSettings, InitializationSettings, LossSettings, Network, ProblemSettings, ScheduleSettings, Start,
    check_partly_observed, check_rank_guess, of_means, recipe,
};
use crate::palette;

/// `experiments/compressed-vs-narrow.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(super) seed: u64,
    pub(super) trials: Trials,
    pub(super) rank_guesses: Distinct<Count>,
    pub(super) depth: Depth,
    pub(super) init_scale: Positive,
    pub(super) step_size: Positive,
    pub(super) discrepant_step: NotNegative,
    #[serde(default)]
    pub(super) initialization: InitializationSettings,
    pub(super) problem: ProblemSettings,
    pub(super) schedule: ScheduleSettings,
}

impl Check for Settings {
    fn check(&self) -> Result<(), Invalid> {
        check_partly_observed("problem.observed_fraction", self.problem.observed_fraction)?;
        check_runs(*self.trials, &[3, self.rank_guesses.len()])?;
        self.problem.check_drawn(CompressedVsNarrow::NAME, self.seed, *self.trials)?;
        let draw = self.problem.draw;
        draw.check_value("depth".to_owned(), *self.depth, &[recipe::DEPTH])?;
        for (i, &rank) in self.rank_guesses.iter().enumerate() {
            check_rank_guess(&format!("rank_guesses.{i}"), rank, self.problem.size)?;
            draw.check_value(format!("rank_guesses.{i}"), *rank, &recipe::RANK_GUESSES)?;
        }
        check_init_scale("init_scale", *self.init_scale, *self.depth)?;
        self.initialization.check("initialization", &self.problem)?;
        self.schedule.check("schedule", &self.problem)
    }
}

/// A kind of network, as small as the rank guess allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of width 2r̂, from a random start.
    Narrow,
    /// The compressed network of a network of full width.
    Compressed,
    /// From the top r̂ singular vectors of the observed entries.
    Spectral,
}

impl Kind {
    /// In the order of figures.
    pub(super) const ALL: [Self; 3] = [Self::Narrow, Self::Compressed, Self::Spectral];

    /// What tables and figures call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Narrow => "random narrow",
            Self::Compressed => "compressed",
            Self::Spectral => "spectral",
        }
    }

    /// Its colour.
    pub(super) fn hue(self) -> charts::Hue {
        match self {
            Self::Narrow => palette::NARROW,
            Self::Compressed => palette::COMPRESSED,
            Self::Spectral => palette::SPECTRAL,
        }
    }

    /// What the values read off the paper's figure call it, if it is there.
    pub(super) fn reported(self) -> Option<&'static str> {
        match self {
            Self::Narrow => Some("random"),
            Self::Compressed => Some("compressed"),
            Self::Spectral => None,
        }
    }

    /// Expected duration of a run, relative to the others.
    pub(super) fn cost(self, rank_guess: usize) -> f64 {
        let weight = match self {
            Self::Narrow => 6,
            Self::Compressed => 2,
            Self::Spectral => 1,
        };
        (weight * rank_guess) as f64
    }
}

impl Settings {
    /// Whether the problem, the networks and the training are the paper's; others do not bear on its numbers.
    pub(super) fn as_in_the_paper(&self) -> bool {
        let ProblemSettings { size, rank, observed_fraction, loss, .. } = self.problem;
        let ScheduleSettings { max_iterations, tolerance, record_every } = self.schedule;
        (*size, *rank, *observed_fraction, loss) == (1000, 5, 0.2, LossSettings::Mean)
            && (*self.depth, *self.init_scale, *self.step_size, *self.discrepant_step) == (3, 1e-3, 5e3, 0.01)
            && self.initialization == InitializationSettings::Explicit
            && (*max_iterations, *tolerance, *record_every) == (200_000, 1e-10, 100)
    }

    pub(super) fn subtitle(&self) -> String {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        let Settings { depth, init_scale, step_size, discrepant_step, trials, .. } = self;
        format!(
            "Figure 6 of the paper (spectral: not in it); d = {size}, r = {rank}, p = {observed_fraction}, L = {depth}, ε = {init_scale}, η = {step_size}, \
             γ = {discrepant_step}; {}",
            of_means(**trials, "trials")
        )
    }

    /// What is random in a trial. From the seed everything: networks of the same trial share target and observed entries.
    /// Of the authors' draw only the initial factors: all trials share those.
    pub(super) fn start(&self, trial: usize) -> Start {
        let (experiment, seed) = (CompressedVsNarrow::NAME, self.seed);
        let (instance, initialization) = match self.problem.draw {
            DrawSettings::Seeded => (trial, 0),
            DrawSettings::Authors => (0, trial),
        };
        Start { experiment, seed, instance, initialization }
    }

    /// How many trials a network has: where nothing of its start is random, one.
    pub(super) fn trials_of(&self, kind: Kind) -> usize {
        match (self.problem.draw, kind) {
            (DrawSettings::Authors, Kind::Spectral) => 1,
            _ => *self.trials,
        }
    }

    /// The networks for one rank guess.
    pub(super) fn networks(&self, rank_guess: usize) -> [(Kind, Network); 3] {
        let (depth, init_scale, discrepant_step) = (*self.depth, *self.init_scale, *self.discrepant_step);
        let compressed = self.initialization.network(depth, init_scale, rank_guess, discrepant_step);
        [
            (Kind::Narrow, Network::Deep { depth, width: 2 * rank_guess, init_scale }),
            (Kind::Compressed, compressed),
            (Kind::Spectral, Network::Spectral { depth, init_scale, rank_guess, discrepant_step }),
        ]
    }
}
