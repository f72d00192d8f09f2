//! A batch of sources with their targets.

use crate::{Batch, PromptedText, T5Config, TextBatch};

/// Sources, and what the decoder reads and writes for each, both packed one after the other. Of a [`PromptedText`] the prompt is the
/// source and the text is the target. The decoder reads the start and then the target, whose last token is a target alone.
#[derive(Clone, Debug)]
pub struct PairBatch {
    sources: Batch,
    targets: TextBatch,
    start: u32,
}

impl PairBatch {
    /// An empty batch.
    pub fn new(config: &T5Config) -> Self {
        Self { sources: Batch::new(), targets: TextBatch::new(), start: config.start }
    }

    /// Empties it, to be filled again.
    pub fn clear(&mut self) {
        self.sources.clear();
        self.targets.clear();
    }

    /// Appends a source with its target, which T5 must be able to take, see [`T5Config::check`].
    ///
    /// # Panics
    /// If one of them is empty.
    pub fn push(&mut self, PromptedText { prompt, text }: &PromptedText) {
        assert!(!prompt.is_empty(), "a source");
        self.sources.push_ids(prompt);
        self.targets.push_parts(&[self.start], text);
    }

    /// The sources' tokens.
    pub fn sources(&self) -> &Batch {
        &self.sources
    }

    /// The tokens that the decoder reads, and its targets.
    pub fn targets(&self) -> &TextBatch {
        &self.targets
    }
}
