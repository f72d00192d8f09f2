//! What the authors drew, figure by figure: one chain of keys from JAX's `PRNGKey(0)`, and whose key is which.
//!
//! The chain is the target, the observed entries if there are unobserved ones, then the networks
//! (`experiments/authors/authors-draw.json` has values that JAX made so).

use dynamics::random::jax::Key;
use dynamics::{DeepFactorization, DynamicsError, Observed, Target};
use lab::Invalid;

use super::{Network, ProblemSettings};

/// Widths of Figure 1.
pub const WIDTHS: [usize; 10] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
/// Depths of Figure 1, in the order of its draws.
pub const DEPTHS: [usize; 2] = [3, 2];
/// Rank guesses of Figure 6.
pub const RANK_GUESSES: [usize; 6] = [5, 8, 11, 14, 17, 20];
/// The depth of all other figures.
pub const DEPTH: usize = 3;

/// What the authors drew for one figure.
pub struct Recipe {
    experiment: &'static str,
    size: usize,
    rank: usize,
    observed_fraction: f64,
    /// Networks of one kind, on the one target and the one observed set.
    trials: usize,
    networks: Networks,
}

/// The networks of a figure, in the order of their draws.
#[derive(Clone, Copy)]
enum Networks {
    /// One of full width, behind the compressed ones too.
    Original,
    /// Figure 1: by depth, then width, then trial.
    ByWidth,
    /// Figure 6: the narrow ones by rank guess, then trial; then so the originals behind the compressed ones.
    ByRankGuess,
}

#[rustfmt::skip]
const RECIPES: [Recipe; 5] = [
    Recipe { experiment: "depth-width-sweep", size: 100, rank: 10, observed_fraction: 0.3, trials: 5, networks: Networks::ByWidth },
    Recipe { experiment: "svd-evolution", size: 30, rank: 3, observed_fraction: 1.0, trials: 1, networks: Networks::Original },
    Recipe { experiment: "factorization", size: 1000, rank: 10, observed_fraction: 1.0, trials: 1, networks: Networks::Original },
    Recipe { experiment: "completion", size: 1000, rank: 5, observed_fraction: 0.2, trials: 1, networks: Networks::Original },
    Recipe { experiment: "compressed-vs-narrow", size: 1000, rank: 5, observed_fraction: 0.2, trials: 5, networks: Networks::ByRankGuess },
];

impl Recipe {
    /// The recipe of an experiment.
    ///
    /// # Panics
    /// If it has none: [`ProblemSettings::check`] refuses the authors' draw there.
    pub(super) fn of(experiment: &str) -> &'static Self {
        RECIPES.iter().find(|recipe| recipe.experiment == experiment).expect("settings are checked")
    }

    /// The target and the observed entries.
    pub(super) fn instance(&self) -> Result<(Target, Observed), DynamicsError> {
        let size = self.size;
        let target = Target::truncated(key(0).normal(size, size).as_ref(), self.rank)?;
        if self.observed_fraction == 1.0 {
            return Ok((target, Observed::Full));
        }
        let entries = size * size;
        let count = (self.observed_fraction * entries as f64).floor() as usize;
        let drawn = key(1).choice(entries as u32, count);
        Ok((target, Observed::at(size, size, drawn.into_iter().map(|number| number as usize).collect())?))
    }

    /// The initial factors of a trial's network; of a compressed one, those of the original behind it.
    ///
    /// # Panics
    /// If the authors drew no such network: settings are checked.
    pub(super) fn factors(&self, network: &Network, trial: usize) -> Result<DeepFactorization, DynamicsError> {
        let place = self.place(network, trial).expect("settings are checked");
        let (depth, width, scale) = match *network {
            Network::Deep { depth, width, init_scale } | Network::Independent { depth, width, init_scale, .. } => {
                (depth, width, init_scale)
            }
            Network::Compressed { depth, init_scale, .. }
            | Network::CompressedExact { depth, init_scale }
            | Network::Sampled { depth, init_scale, .. }
            | Network::Spectral { depth, init_scale, .. } => (depth, self.size, init_scale),
        };
        let side = |l: usize| if l == 0 || l == depth { self.size } else { width };
        let shapes: Vec<_> = (0..depth).map(|l| (side(l + 1), side(l))).collect();
        DeepFactorization::new(key(place).factors(&shapes, scale))
    }

    /// Where the key of a network is in the chain; `None` if the authors drew no such network.
    fn place(&self, network: &Network, trial: usize) -> Option<usize> {
        let position = |list: &[usize], value: usize| list.iter().position(|listed| *listed == value);
        if trial >= self.trials {
            return None;
        }
        let after_instance = if self.observed_fraction < 1.0 { 2 } else { 1 };
        let among_networks = match (self.networks, *network) {
            (Networks::Original, Network::Deep { depth: DEPTH, width, .. }) if width == self.size => 0,
            (Networks::Original, Network::Compressed { depth: DEPTH, .. })
            | (Networks::Original, Network::CompressedExact { depth: DEPTH, .. }) => 0,
            (Networks::ByWidth, Network::Deep { depth, width, .. }) => {
                let width = position(&WIDTHS, width)?;
                match position(&DEPTHS, depth)? {
                    0 => width * self.trials + trial,
                    // One key is thrown away before each width.
                    _ => WIDTHS.len() * self.trials + width * (1 + self.trials) + 1 + trial,
                }
            }
            (Networks::ByRankGuess, Network::Deep { depth: DEPTH, width, .. }) if width % 2 == 0 => {
                position(&RANK_GUESSES, width / 2)? * self.trials + trial
            }
            (Networks::ByRankGuess, Network::Compressed { depth: DEPTH, rank_guess, .. }) => {
                (RANK_GUESSES.len() + position(&RANK_GUESSES, rank_guess)?) * self.trials + trial
            }
            _ => return None,
        };
        Some(after_instance + among_networks)
    }

    /// Checks that the authors drew such a problem, and so many trials of it.
    pub(super) fn check(&self, problem: &ProblemSettings, seed: u64, trials: usize) -> Result<(), Invalid> {
        let ProblemSettings { size, rank, observed_fraction, .. } = *problem;
        let theirs = "with problem.draw = \"authors\", and any with \"seeded\"";
        Invalid::unless(seed == 0, "seed", seed, format!("0 {theirs}"))?;
        let most = if self.trials == 1 { "1".to_owned() } else { format!("at most {}", self.trials) };
        Invalid::unless(trials <= self.trials, "trials", trials, format!("{most} {theirs}"))?;
        Invalid::unless(*size == self.size, "problem.size", size, format!("{} {theirs}", self.size))?;
        Invalid::unless(*rank == self.rank, "problem.rank", rank, format!("{} {theirs}", self.rank))?;
        let fits = *observed_fraction == self.observed_fraction;
        let allowed = format!("{} {theirs}", self.observed_fraction);
        Invalid::unless(fits, "problem.observed_fraction", observed_fraction, allowed)
    }
}

/// The key at a place of the chain.
fn key(place: usize) -> Key {
    Key::new(0).chain().nth(place).expect("the chain has no end")
}

#[cfg(test)]
mod tests;
