//! Texts that a decoder writes behind prompts.

use faer::{MatRef, Par};

use super::{Cache, Decoder};
use crate::generation::{Generation, Reader, last_tokens, search};
use crate::kernels::columns::Buffer;
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
        let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
        let cache = Cache::with_room(self.config(), prompts.len(), longest + how.most_tokens);
        Ok(search(&first, how, &mut Behind { decoder: self, cache, logits: Buffer::default(), par }, par))
    }
}

/// A decoder behind what it has read.
struct Behind<'a, T: Real> {
    decoder: &'a Decoder<T>,
    cache: Cache<T>,
    /// vocabulary × sequences.
    logits: Buffer<T>,
    par: Par,
}

impl<T: Real> Reader<T> for Behind<'_, T> {
    fn read(&mut self, batch: &Batch) -> MatRef<'_, T> {
        let states = self.decoder.hidden_states(batch, &mut self.cache, self.par);
        let (vocabulary, sequences) = (self.decoder.config().vocabulary, batch.sequences());
        let logits = self.logits.write(vocabulary, sequences);
        self.decoder.write_logits(last_tokens(batch, states.as_ref()).as_ref(), logits, self.par);
        self.logits.read(vocabulary, sequences)
    }

    fn select(&mut self, sequences: &[usize]) {
        self.cache.select(sequences, self.par);
    }
}
