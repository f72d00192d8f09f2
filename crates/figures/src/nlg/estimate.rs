//! What a run holds in memory at most, beside the model and the data.

use lab::Memory;

use super::inputs::Inputs;
use super::trial::NlgTrial;
use crate::adaptation::memory_of_adapter;

/// Hidden states that a layer keeps of a token for the way back.
const PER_LAYER: usize = 10;
/// Numbers of an intermediate state that it keeps.
const INTERMEDIATE: usize = 4;

/// What a run holds at most; nothing is known of a model that was not gathered.
pub(super) fn memory(trial: &NlgTrial, inputs: &Inputs) -> Memory {
    let (Ok(model), Some(tuning)) = (inputs.model(&trial.model), &trial.tuning) else { return Memory::default() };
    let config = model.network.decoder().config();
    let longest = model.train.iter().map(|text| text.prompt.len() + text.text.len()).max().unwrap_or(0);
    let tokens = tuning.batch.saturating_mul(longest);
    let per_token = PER_LAYER * config.hidden_size + INTERMEDIATE * config.intermediate_size;
    let memory = Memory::default().and("training.batch", 4, &[tokens, config.layers, per_token]);
    let shapes = tuning.sites(model).into_iter().map(|site| config.shape(site));
    shapes.fold(memory, |memory, shape| memory_of_adapter(memory, &tuning.method, shape))
}
