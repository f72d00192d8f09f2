//! Texts that a decoder writes behind prompts: greedy search, or beams.

use faer::{Mat, MatRef, Par};

use super::beams::Beams;
use super::{Cache, Decoder};
use crate::kernels::columns::{column, column_mut};
use crate::{Batch, Real, SequenceError};

/// How texts are searched for.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Sequences that are kept for a prompt; 1 is greedy search. From 1.
    pub beams: usize,
    /// Most tokens that are written behind a prompt. From 1.
    pub most_tokens: usize,
    /// Tokens that end a text.
    pub ends: Vec<u32>,
    /// A text's score is its log-probability over its length to this power; it bears on beams alone.
    pub length_penalty: f64,
}

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
        assert!(how.beams >= 1 && how.most_tokens >= 1, "a beam, and a token to write");
        let limit = self.config().positions;
        for prompt in prompts {
            self.config().check(prompt)?;
            let found = prompt.len().saturating_add(how.most_tokens);
            if found > limit {
                return Err(SequenceError::TooLong { found, limit });
            }
        }
        Ok(self.search(prompts, how, par))
    }

    fn search(&self, prompts: &[Vec<u32>], how: &Generation, par: Par) -> Vec<Vec<u32>> {
        let mut searches: Vec<Beams> = prompts.iter().map(|_| Beams::new()).collect();
        // Which prompts are still worked on; their running beams follow each other in the cache.
        let mut open: Vec<usize> = (0..prompts.len()).collect();
        let mut cache = Cache::new(self.config(), prompts.len());
        let mut batch = Batch::new();
        prompts.iter().for_each(|prompt| batch.push_ids(prompt));
        while !open.is_empty() {
            let states = self.hidden_states(&batch, &mut cache, par);
            let logits = self.logits(last_tokens(&batch, states.as_ref()).as_ref(), par);
            let (mut first, mut kept) = (0, Vec::new());
            batch.clear();
            for &prompt in &open {
                let search = &mut searches[prompt];
                let running = search.running();
                let parents = search.step(logits.subcols(first, running), how);
                kept.extend(parents.iter().map(|parent| first + parent));
                search.newest().for_each(|token| batch.push_ids(&[token]));
                first += running;
            }
            open.retain(|&prompt| searches[prompt].running() > 0);
            cache.select(&kept);
        }
        searches.into_iter().map(Beams::best).collect()
    }
}

/// The hidden states of the sequences' last tokens, hidden × sequences.
fn last_tokens<T: Real>(batch: &Batch, states: MatRef<'_, T>) -> Mat<T> {
    let mut last = Mat::zeros(states.nrows(), batch.sequences());
    for sequence in 0..batch.sequences() {
        column_mut(last.as_mut(), sequence).copy_from_slice(column(states, batch.range(sequence).end - 1));
    }
    last
}
