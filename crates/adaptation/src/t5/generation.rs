//! Texts that T5 writes for sources.

use faer::{MatRef, Par};

use super::{T5, T5Cache};
use crate::generation::{Generation, Reader, last_tokens, search};
use crate::kernels::columns::Buffer;
use crate::{Batch, Real, SequenceError};

impl<T: Real> T5<T> {
    /// What is written for each source: as transformers' `generate(do_sample=False, early_stopping=False)` of each source alone,
    /// whose `num_beams`, `max_new_tokens`, `eos_token_id` and `length_penalty` the settings are (`max_length` counts the start too,
    /// and is one more than `max_new_tokens`). A text that came to its end has the token for it as its last; the start is not in it.
    ///
    /// All sources are worked on together, those whose text is finished no more.
    ///
    /// # Errors
    /// If T5 cannot take a source (see [`T5Config::check`](super::T5Config::check)).
    ///
    /// # Panics
    /// If there are no beams or no tokens to write.
    pub fn generate(&self, sources: &[Vec<u32>], how: &Generation, par: Par) -> Result<Vec<Vec<u32>>, SequenceError> {
        how.check();
        let mut batch = Batch::new();
        for source in sources {
            self.config().check(source)?;
            batch.push_ids(source);
        }
        let start = [self.config().start];
        let first = vec![&start[..]; sources.len()];
        let cache = self.cache_with_room(&batch, how.most_tokens, par);
        Ok(search(&first, how, &mut Behind { t5: self, cache, logits: Buffer::default(), par }, par))
    }
}

/// T5 behind what it has read.
struct Behind<'a, T: Real> {
    t5: &'a T5<T>,
    cache: T5Cache<T>,
    /// vocabulary × targets.
    logits: Buffer<T>,
    par: Par,
}

impl<T: Real> Reader<T> for Behind<'_, T> {
    fn read(&mut self, batch: &Batch) -> MatRef<'_, T> {
        let states = self.t5.decode(batch, &mut self.cache, self.par);
        let (vocabulary, targets) = (self.t5.config().vocabulary, batch.sequences());
        let logits = self.logits.write(vocabulary, targets);
        self.t5.write_logits(last_tokens(batch, states.as_ref()).as_ref(), logits, self.par);
        self.logits.read(vocabulary, targets)
    }

    fn select(&mut self, sequences: &[usize]) {
        self.cache.select(sequences, self.par);
    }
}
