//! What a fine-tuning run holds in memory at most, the encoder and the data, which all runs share, not counted.

use adaptation::adapter::Width;
use adaptation::{Config, Method};
use lab::Memory;

use super::inputs::FineTuningInputs;
use super::trial::FineTuningTrial;

/// Copies of each parameter: its value, its gradient, two moments of the optimizer.
const PER_PARAMETER: usize = 4;
/// Matrices for each factor of a product that is multiplied out: those, and the products on both of its sides.
const PER_FACTOR: usize = 6;
/// Hidden states that a layer keeps of a token for the way back.
const PER_LAYER: usize = 12;

/// What a run holds at most; nothing is known of a task that was not gathered.
pub(super) fn memory(trial: &FineTuningTrial, inputs: &FineTuningInputs) -> Memory {
    let Ok(task) = inputs.task(&trial.task) else { return Memory::default() };
    let config = inputs.encoder.encoder.config();
    let longest = task.train.iter().map(|example| example.ids.len()).max().unwrap_or(0);
    let tokens = trial.batch.min(trial.examples).saturating_mul(longest);
    let Config { hidden_size, intermediate_size, heads, layers, .. } = *config;
    let per_token = PER_LAYER * hidden_size + 3 * intermediate_size + 2 * heads * longest;
    let sites = trial.sites(config).into_iter();
    let memory = Memory::default().and("training.batch", 4, &[tokens, layers, per_token]);
    sites.fold(memory, |memory, site| memory_of_adapter(memory, &trial.method, config.shape(site)))
}

/// With an adapter of a weight of this shape.
pub fn memory_of_adapter(memory: Memory, method: &Method, (m, n): (usize, usize)) -> Memory {
    let (sides, width) = (m + n, m.min(n));
    let full = |memory: Memory, depth: usize| {
        memory.and("depth", 4, &[PER_FACTOR, depth, width, width]).and("depth", 4, &[PER_FACTOR, sides, width])
    };
    let thin = |memory: Memory, rank: usize| memory.and("rank", 4, &[PER_PARAMETER, rank, sides]);
    match method {
        Method::Lora(settings) => thin(memory, settings.rank),
        Method::DeepLora(settings) => match settings.rank {
            Width::Full => full(memory, settings.depth),
            Width::Narrow(rank) => thin(memory, rank).and("depth", 4, &[PER_FACTOR, settings.depth, rank, rank]),
        },
        // Made from the factors of full width.
        Method::Compressed(settings) => full(thin(memory, settings.rank), settings.depth),
        Method::SineLora(settings) => thin(memory, settings.rank).and("rank", 4, &[2, m, n]),
        // Beside the optimizer's moments, those of importance.
        Method::Adalora(settings) => {
            let rank = settings.initial_rank;
            thin(memory, rank).and("rank", 4, &[2, rank, sides])
        }
    }
}
