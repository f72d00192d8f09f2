//! The least time a case can take on a machine, reckoned from its operations and reads.

use adaptation::{Config, Selection, Site};

use crate::case::{Adapter, BATCH, Batches, Case, DEPTH, Descent, FineTuning, Network, Work};
use crate::limits::Limits;

/// Inner widths up to which the residual and the left gradient take one pass over the entries.
const ONE_PASS: usize = 32;
/// What a first cache holds.
const FIRST_CACHE: usize = 32 << 10;
/// What a cache hands out at a time.
const LINE: usize = 64;

/// The least seconds of a case on a machine with these limits; `encoder` is what adapters are trained on.
pub fn seconds(case: &Case, limits: &Limits, threads: usize, encoder: &Config) -> f64 {
    match &case.work {
        Work::Descent(descent) => of_descent(descent, limits, threads),
        Work::FineTuning(step) => of_step(step, limits, encoder),
    }
}

/// The operations at the rate of a large product, or the reads from the second cache, whichever takes longer.
///
/// Dense are the L products that a sparse residual leaves (three of them for L = 3), all 2L without one. The
/// loss over the observed entries and its two gradients are three multiply-adds per entry and unit of inner width.
/// Each entry's column of one factor is read for the residual (the left gradient comes with it), of the other
/// for the right gradient; long columns are cut so that the first cache holds the pieces, and
/// then reads cost nothing. With fixed bases all is one product with a matrix of `k⁴` numbers, on one thread.
fn of_descent(descent: &Descent, limits: &Limits, threads: usize) -> f64 {
    let d = descent.size as f64;
    let entries = (descent.fraction * d * d).floor();
    let (k, dense) = match descent.network {
        Network::Compressed { rank, discrepancy: 0.0 } => {
            let bytes = 8.0 * (2.0 * rank as f64).powi(4);
            return bytes / (limits.cache_read_bytes_per_second / threads as f64);
        }
        Network::Compressed { rank, .. } => (2 * rank, 3.0 * d * (2.0 * rank as f64).powi(2)),
        // W2 W1 and the two products that pull its gradient back.
        Network::Deep { width } => (width, 3.0 * d * (width as f64).powi(2)),
    };
    let sampled = 3.0 * entries * k as f64;
    let flops = 2.0 * (dense + if descent.is_full() { 3.0 * d * d * k as f64 } else { sampled });
    let line_bytes = (8 * k).div_ceil(LINE) * LINE;
    let from_second_cache = k <= ONE_PASS && descent.size * line_bytes > FIRST_CACHE;
    let bytes = if from_second_cache { 2.0 * entries * line_bytes as f64 } else { 0.0 };
    (flops / limits.gemm_f64_flop_per_second).max(bytes / limits.cache_read_bytes_per_second)
}

/// A mean step: the frozen encoder's operations, those of full-width adapters, and AdamW's passage over their states. Narrow
/// adapters add next to nothing to the encoder's.
fn of_step(step: &FineTuning, limits: &Limits, config: &Config) -> f64 {
    let frozen = of_encoder(&step.batches, config);
    let (flops, bytes) = match step.adapter {
        Adapter::Lora | Adapter::DeepLora => (frozen, 0.0),
        Adapter::FullWidth => {
            let sites = Selection::AllDense.sites(config);
            let all = sites.iter().map(|&site| of_full_width(site, config.shape(site), step.batches.mean_tokens()));
            all.fold((frozen, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        }
    };
    flops / limits.gemm_f32_flop_per_second + bytes / limits.memory_bytes_per_second
}

/// Operations of a full-width adapter in a step, in the form that has fewer ([`adaptation::adapter::merged_is_cheaper`]), and bytes
/// of its parameters and their two moments, read and written once. Of an embedding's last factor only the batch's rows count.
fn of_full_width(site: Site, (m, n): (usize, usize), tokens: f64) -> (f64, f64) {
    let tokens = if site == Site::Pooler { BATCH as f64 } else { tokens };
    let (m, n, short, inner) = (m as f64, n as f64, m.min(n) as f64, DEPTH as f64 - 2.0);
    let merged = 3.0 * short * short * (inner * short + m.max(n)) + tokens * m * n;
    let last = if site.is_embedding() { n } else { m + n };
    let factored = 3.0 * inner * short * short * n + 3.0 * tokens * short * last;
    let multiplications = if site.is_embedding() { factored } else { merged.min(factored) };
    let rows = if site.is_embedding() { tokens } else { m };
    let parameters = short * n + inner * short * short + rows * short;
    (2.0 * multiplications, 6.0 * size_of::<f32>() as f64 * parameters)
}

/// The dense operations of the frozen encoder in a mean step. Forward every weight once per token, and
/// queries times keys and probabilities times values per pair of tokens of a sequence; backward the weights once more,
/// for the activations' gradient, and twice the attention's products. Of the last layer the pooler reads the first token
/// alone: only keys and values are of all tokens there.
fn of_encoder(batches: &Batches, config: &Config) -> f64 {
    let (hidden, intermediate) = (config.hidden_size as f64, config.intermediate_size as f64);
    let keys_values = 2.0 * hidden * hidden;
    let others = 2.0 * hidden * hidden + 2.0 * hidden * intermediate;
    let layer =
        |tokens: f64, queries: f64| 4.0 * (keys_values * tokens + others * queries) + 12.0 * queries * tokens * hidden;
    let of_one = |&tokens: &usize| {
        let tokens = tokens as f64;
        (config.layers as f64 - 1.0) * layer(tokens, tokens) + layer(tokens, 1.0)
    };
    let all: f64 = batches.lengths.iter().flatten().map(of_one).sum();
    all / batches.lengths.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::find;

    #[test]
    fn floors_are_those_reckoned_by_hand() {
        let limits = Limits {
            gemm_f64_flop_per_second: 1e11,
            gemm_f32_flop_per_second: 2e11,
            cache_read_bytes_per_second: 2e11,
            memory_bytes_per_second: 1e10,
        };
        let floor = |id: &str| seconds(&find(id).unwrap(), &limits, 2, &Config::mini_lm());
        let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-12;
        // 6 GFLOP dense and 1.2 GFLOP sampled; 12 GFLOP dense; 51.2 MB of cache lines; 80 KB on one of two threads.
        assert!(close(floor("original/d1000"), 0.072));
        assert!(close(floor("original-full/d1000"), 0.12));
        assert!(close(floor("compressed/d1000-r5"), 256e-6));
        assert!(close(floor("compressed-fixed/d1000-r5"), 0.8e-6));
        // 8.8 million weights of five layers, 4 operations each and token: 72.5 GFLOP; their attention: 6.0 GFLOP. Of the
        // last layer 0.3 million for every token, and 1.5 million for 16: 2.5 GFLOP.
        assert!((floor("lora-step/128") - 81.0e9 / 2e11).abs() < 1e-3);
        // A square weight of 768, multiplied out: 3 · 768² · (768 + 768) + 480 · 768² = 3.0 billion; three factors of 590 thousand.
        let (flops, bytes) = of_full_width(Site::Query(0), (768, 768), 480.0);
        assert!(close(flops, 2.0 * 3_001_024_512.0) && close(bytes, 24.0 * 1_769_472.0), "{flops} {bytes}");
        // An embedding, row by row: 3 · 768³ and 3 · 480 · 768² to multiply; two factors, and 480 rows of the third.
        let (flops, bytes) = of_full_width(Site::WordEmbeddings, (30_000, 768), 480.0);
        assert!(close(flops, 2.0 * 2_208_301_056.0) && close(bytes, 24.0 * (2.0 * 589_824.0 + 480.0 * 768.0)));
    }
}
