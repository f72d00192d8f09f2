//! What the trials of matrix experiments hold in memory at most: the peaks that `scaling` measures, rounded up.

use lab::Memory;

use super::{
    EvolutionTrial, MatrixTrial, Network, ProblemSettings, ScaleMethod, ScaleTrial, TargetSettings, TheoremTrial,
};

/// Square matrices of a dense singular value decomposition: what is decomposed, both bases, room to work.
const DECOMPOSITION: usize = 16;
/// Matrices for each factor in training: its value, its gradient, the products on both of its sides.
const PER_FACTOR: usize = 4;
/// Square matrices of a dense residual and of a target kept dense, with room for their transposes.
const DENSE: usize = 4;
/// Bytes of an observed entry in the sparse layout: its places by row and by column, target and residual along both.
const PER_ENTRY: usize = 40;
/// Matrices as high as the target and as wide as the small factors: bases, gradients, products, and those of the set-up.
const PER_BASIS: usize = 16;
/// Bytes of an unobserved entry that is held out: its place and its value, and as much while they are sorted.
const PER_HELD_OUT: usize = 24;
/// Entries of the largest target that is kept dense whatever is observed of it.
const KEPT_DENSE: usize = 4_000_000;

/// `iterations / every` records and the one of the start.
fn records(iterations: u64, every: u64) -> usize {
    usize::try_from(iterations / every.max(1)).unwrap_or(usize::MAX).saturating_add(1)
}

impl MatrixTrial {
    /// What it holds at most; the settings are called `problem.size`, `depth`, `width`, `rank_guess` and `record_every`.
    pub(super) fn estimate(&self) -> Memory {
        let ProblemSettings { size, rank, observed_fraction, .. } = self.problem;
        let (size, rank) = (*size, *rank);
        let entries = (*observed_fraction * (size as f64).powi(2)) as usize;
        let records = self.snapshots.min(records(*self.schedule.max_iterations, *self.schedule.record_every));
        // A record's two halves, once more while they are stored.
        let snapshots = [2, 2, 4, rank, size, records];
        let memory = Memory::default()
            .and("problem.size", 8, &[DECOMPOSITION.max(DENSE), size, size])
            .and("problem.size", PER_ENTRY, &[entries])
            .and("schedule.record_every", 8, &snapshots);
        let factors = |depth: usize, width: usize| {
            let key = if PER_FACTOR * depth > DECOMPOSITION { "depth" } else { "problem.size" };
            memory.clone().and(key, 8, &[PER_FACTOR, depth, size, width])
        };
        match self.network {
            Network::Deep { depth, width, .. } | Network::Independent { depth, width, .. } if width <= size => {
                factors(depth, width)
            }
            Network::Deep { depth, width, .. } | Network::Independent { depth, width, .. } => {
                memory.and("width", 8, &[PER_FACTOR, depth, width, width])
            }
            Network::Compressed { depth, .. } | Network::CompressedExact { depth, .. } => factors(depth, size),
            Network::Sampled { depth, rank_guess, .. } | Network::Spectral { depth, rank_guess, .. } => memory
                .and("rank_guess", 8, &[PER_BASIS, size, 2, rank_guess])
                .and("depth", 8, &[PER_FACTOR, depth, 2, rank_guess, 2, rank_guess]),
        }
    }
}

impl ScaleTrial {
    /// What it holds at most; the settings are called as in `experiments/scaling.toml`.
    pub(super) fn estimate(&self) -> Memory {
        let size = self.size;
        let (depth, width) = (*self.network.depth, self.network.rank_guess.saturating_mul(2));
        let squares = match (self.problem.target, self.method) {
            (TargetSettings::Gaussian, ScaleMethod::Sampled) => DECOMPOSITION,
            (_, ScaleMethod::Sampled) => 0,
            (_, ScaleMethod::Explicit) => DECOMPOSITION,
            (TargetSettings::Gaussian, ScaleMethod::Original) => DECOMPOSITION,
            (TargetSettings::Factors, ScaleMethod::Original) => 0,
        };
        let full = if self.method == ScaleMethod::Sampled { 0 } else { PER_FACTOR };
        Memory::default()
            .and("sizes", 8, &[squares, size, size])
            .and("sizes", 8, &[2, size.saturating_mul(size).min(KEPT_DENSE)])
            .and("sizes", PER_ENTRY, &[size, *self.problem.observed_per_row])
            .and(if full * depth > DECOMPOSITION { "network.depth" } else { "sizes" }, 8, &[full, depth, size, size])
            .and("network.rank_guess", 8, &[PER_BASIS, size, width])
            .and("network.depth", 8, &[PER_FACTOR, depth, width, width])
            .and("held_out_entries", PER_HELD_OUT, &[self.held_out_entries])
    }
}

impl EvolutionTrial {
    /// What it holds at most: every factor at every iteration.
    pub(super) fn estimate(&self) -> Memory {
        let (size, depth) = (*self.problem.size, self.depth);
        Memory::default()
            .and("problem.size", 8, &[DECOMPOSITION, size, size])
            .and("depth", 8, &[PER_FACTOR, depth, size, size])
            .and("iterations", 8, &[records(self.iterations, 1), depth, size, size])
    }
}

impl TheoremTrial {
    /// What it holds at most: the original's product at every record.
    pub(super) fn estimate(&self) -> Memory {
        let (size, depth) = (*self.case.size, *self.case.depth);
        Memory::default()
            .and("cases.size", 8, &[2 * DECOMPOSITION, size, size])
            .and("cases.depth", 8, &[PER_FACTOR, depth, size, size])
            .and("records", 8, &[records(*self.case.iterations, self.record_every), size, size])
    }
}

#[cfg(test)]
mod tests;
