//! Texts that a decoder writes behind prompts.

use faer::{Mat, Par};

use super::{Cache, Decoder};
use crate::generation::{Generation, Reader, last_tokens, search};
use crate::{Batch, Real, SequenceError};

impl<T: Real> Decoder<T> {
    /// What is written behind each prompt: as transformers' `generate(do_sample=False, early_stopping=False)` of each prompt
    /// alone, whose `num_beams`, `max_new_tokens`, `eos_token_id` and `length_penalty` the settings are. A text that came to
    /// its end has the token for it as its last.
    ///
    /// All prompts are worked on together, those whose text is finished no more.
    ///
    /// # Errors
    /// If the decoder cannot take a prompt (see [`DecoderConfig::check`](super::DecoderConfig::check)), or not with so many tokens
    /// behind it.
    ///
    /// # Panics
    /// If there are no beams or no tokens to write.
    pub fn generate(&self, prompts: &[Vec<u32>], how: &Generation, par: Par) -> Result<Vec<Vec<u32>>, SequenceError> {
        how.check();
        let limit = self.config().positions;
        for prompt in prompts {
            self.config().check(prompt)?;
            let found = prompt.len().saturating_add(how.most_tokens);
            if found > limit {
                return Err(SequenceError::TooLong { found, limit });
            }
        }
        let first: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let cache = Cache::new(self.config(), prompts.len());
        Ok(search(&first, how, &mut Behind { decoder: self, cache, par }))
    }
}

/// A decoder behind what it has read.
struct Behind<'a, T: Real> {
    decoder: &'a Decoder<T>,
    cache: Cache<T>,
    par: Par,
}

impl<T: Real> Reader<T> for Behind<'_, T> {
    fn read(&mut self, batch: &Batch) -> Mat<T> {
        let states = self.decoder.hidden_states(batch, &mut self.cache, self.par);
        self.decoder.logits(last_tokens(batch, states.as_ref()).as_ref(), self.par)
    }

    fn select(&mut self, sequences: &[usize]) {
        self.cache.select(sequences);
    }
}
