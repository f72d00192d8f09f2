//! The cases: which network is trained on which problem, and the least time an iteration of it can take.

use crate::BenchError;
use crate::encoder::STEPS;
use crate::machine::Limits;

/// Rank of every target.
pub const RANK: usize = 10;
/// Factors of a deep network, small factors of a compressed one.
pub const DEPTH: usize = 3;

/// One iteration to be measured, by its criterion id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Case {
    /// `group/name`, as in `cargo bench -p dynamics --bench step`.
    pub id: &'static str,
    /// Side d of the target.
    pub size: usize,
    /// Observed fraction p.
    pub fraction: f64,
    /// What is trained.
    pub network: Network,
}

/// A network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Network {
    /// A deep factorization, the paper's original if its width is d.
    Deep {
        /// Width w of the inner layers.
        width: usize,
    },
    /// The compressed twin.
    Compressed {
        /// Rank guess r̂.
        rank: usize,
        /// Discrepant step γ; with 0 the bases are fixed.
        discrepancy: f64,
    },
}

const fn deep(id: &'static str, size: usize, fraction: f64, width: usize) -> Case {
    Case { id, size, fraction, network: Network::Deep { width } }
}

const fn compressed(id: &'static str, rank: usize, discrepancy: f64) -> Case {
    Case { id, size: 1000, fraction: 0.2, network: Network::Compressed { rank, discrepancy } }
}

/// All cases, in the order of the tables.
pub const CASES: [Case; 8] = [
    deep("original/d1000", 1000, 0.2, 1000),
    deep("original-full/d1000", 1000, 1.0, 1000),
    deep("original/d100-w100", 100, 0.3, 100),
    compressed("compressed/d1000-r5", 5, 0.01),
    compressed("compressed/d1000-r20", 20, 0.01),
    compressed("compressed-fixed/d1000-r5", 5, 0.0),
    deep("narrow/d1000-w10", 1000, 0.2, 10),
    deep("narrow/d100-w10", 100, 0.3, 10),
];

/// The case of this id.
///
/// # Errors
/// If there is none.
pub fn find(id: &str) -> Result<Case, BenchError> {
    let unknown = || BenchError::UnknownCase {
        id: id.to_owned(),
        known: CASES.iter().map(|case| case.id).chain(STEPS.iter().map(|step| step.id)).collect(),
    };
    CASES.into_iter().find(|case| case.id == id).ok_or_else(unknown)
}

/// Inner widths up to which the residual and the left gradient take one pass over the entries.
const ONE_PASS: usize = 32;
/// What a first cache holds.
const FIRST_CACHE: usize = 32 << 10;
/// What a cache hands out at a time.
const LINE: usize = 64;

impl Case {
    /// What is before the slash of the id: goals are set for such groups.
    pub fn group(&self) -> &'static str {
        self.id.split('/').next().unwrap_or(self.id)
    }

    /// Whether every entry is observed.
    pub fn is_full(&self) -> bool {
        self.fraction == 1.0
    }

    /// The network and its problem in a few words.
    pub fn description(&self) -> String {
        let observed = if self.is_full() { "all observed".to_owned() } else { format!("p = {}", self.fraction) };
        match self.network {
            Network::Deep { width } if width == self.size => format!("d = w = {width}, {observed}"),
            Network::Deep { width } => format!("d = {}, w = {width}, {observed}", self.size),
            Network::Compressed { rank, discrepancy } => format!("r̂ = {rank}, γ = {discrepancy}, {observed}"),
        }
    }

    /// The least seconds an iteration can take on a machine with these limits: its operations at the rate of a large
    /// product, or its reads from the second cache, whichever takes longer.
    ///
    /// Dense are the L products that a sparse residual leaves (three of them for L = 3), all 2L without one. The
    /// loss over the observed entries and its two gradients are three multiply-adds per entry and unit of inner width.
    /// Each entry's column of one factor is read for the residual (the left gradient comes with it), of the other
    /// for the right gradient; long columns are cut so that the first cache holds the pieces, and
    /// then reads cost nothing. With fixed bases all is one product with a matrix of `k⁴` numbers, on one thread.
    pub fn floor_seconds(&self, limits: &Limits, threads: usize) -> f64 {
        let d = self.size as f64;
        let entries = (self.fraction * d * d).floor();
        let (k, dense) = match self.network {
            Network::Compressed { rank, discrepancy: 0.0 } => {
                let bytes = 8.0 * (2.0 * rank as f64).powi(4);
                return bytes / (limits.cache_read_bytes_per_second / threads as f64);
            }
            Network::Compressed { rank, .. } => (2 * rank, 3.0 * d * (2.0 * rank as f64).powi(2)),
            // W2 W1 and the two products that pull its gradient back.
            Network::Deep { width } => (width, 3.0 * d * (width as f64).powi(2)),
        };
        let sampled = 3.0 * entries * k as f64;
        let flops = 2.0 * (dense + if self.is_full() { 3.0 * d * d * k as f64 } else { sampled });
        let line_bytes = (8 * k).div_ceil(LINE) * LINE;
        let from_second_cache = k <= ONE_PASS && self.size * line_bytes > FIRST_CACHE;
        let bytes = if from_second_cache { 2.0 * entries * line_bytes as f64 } else { 0.0 };
        (flops / limits.gemm_f64_flop_per_second).max(bytes / limits.cache_read_bytes_per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { gemm_f64_flop_per_second: 1e11, gemm_f32_flop_per_second: 2e11, cache_read_bytes_per_second: 2e11 };

    fn floor(id: &str) -> f64 {
        find(id).unwrap().floor_seconds(&LIMITS, 2)
    }

    #[test]
    fn floors_are_those_reckoned_by_hand() {
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-12;
        // 6 GFLOP dense and 1.2 GFLOP sampled; 12 GFLOP dense; 51.2 MB of cache lines; 80 KB on one of two threads.
        assert!(close(floor("original/d1000"), 0.072));
        assert!(close(floor("original-full/d1000"), 0.12));
        assert!(close(floor("compressed/d1000-r5"), 256e-6));
        assert!(close(floor("compressed-fixed/d1000-r5"), 0.8e-6));
    }

    #[test]
    fn an_unknown_id_names_the_known_ones() {
        let error = find("original/d10").unwrap_err().to_string();
        assert!(error.contains("\"original/d10\"") && error.contains("narrow/d100-w10"), "{error}");
    }
}
