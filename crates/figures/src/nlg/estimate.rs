//! What a run holds in memory at most, beside the model and the data.

use lab::Memory;

use super::inputs::Inputs;
use super::trial::NlgTrial;
use crate::adaptation::memory_of_adapter;

/// What a run holds at most; nothing is known of a model that was not gathered.
pub(super) fn memory(trial: &NlgTrial, inputs: &Inputs) -> Memory {
    let (Ok(model), Some(tuning)) = (inputs.model(trial), &trial.tuning) else { return Memory::default() };
    let longest = model.train.iter().map(|text| text.prompt.len() + text.text.len()).max().unwrap_or(0);
    let tokens = tuning.batch.saturating_mul(longest);
    let memory = Memory::default().and("training.batch", 4, &[tokens, model.network.kept_of_token()]);
    let shapes = tuning.sites(model).into_iter().map(|site| model.network.shape(site));
    shapes.fold(memory, |memory, shape| memory_of_adapter(memory, &tuning.method, shape))
}
