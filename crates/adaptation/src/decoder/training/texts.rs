//! Texts behind their prompts: how they become tokens, and a batch of them.

use serde::Serialize;

use crate::decoder::TextTokenizer;
use crate::tokens::TokenError;
use crate::{Batch, DecoderConfig, SequenceError};

/// How a prompt and a text are put together: prompt, separator, text, end of text. The loss is that of text and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Between prompt and text.
    pub separator: String,
    /// The token that ends a text.
    pub end: u32,
}

/// A prompt (with the separator behind it) and a text (with the token that ends it), as tokens; neither is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PromptedText {
    /// What is given.
    pub prompt: Vec<u32>,
    /// What is to be written.
    pub text: Vec<u32>,
}

impl Template {
    /// The tokens of a prompt with the separator behind it: what a text is to be written behind.
    ///
    /// # Errors
    /// If the prompt cannot be turned into tokens.
    pub fn prompt(&self, tokenizer: &TextTokenizer, prompt: &str) -> Result<Vec<u32>, TokenError> {
        tokenizer.encode(&format!("{prompt}{}", self.separator))
    }

    /// The tokens of both. No token goes across the border, so that the prompt's are those that are [given](Self::prompt) later.
    ///
    /// # Errors
    /// If one of them cannot be turned into tokens.
    pub fn prompted(&self, tokenizer: &TextTokenizer, prompt: &str, text: &str) -> Result<PromptedText, TokenError> {
        let mut text = tokenizer.encode(text)?;
        text.push(self.end);
        Ok(PromptedText { prompt: self.prompt(tokenizer, prompt)?, text })
    }
}

impl PromptedText {
    /// Whether a decoder of this configuration can take both together.
    ///
    /// # Errors
    /// What is wrong with them, and where: places count from the prompt's first token.
    pub fn check(&self, config: &DecoderConfig) -> Result<(), SequenceError> {
        if self.prompt.is_empty() || self.text.is_empty() {
            return Err(SequenceError::Empty);
        }
        config.check(&[&self.prompt[..], &self.text].concat())
    }
}

/// A batch of prompts with texts, packed one after the other. A text's last token is a target alone: nothing is asked behind it.
#[derive(Clone, Debug, Default)]
pub struct TextBatch {
    batch: Batch,
    /// Places of the tokens behind which a target is, rising.
    places: Vec<usize>,
    /// The target behind each of them.
    ids: Vec<u32>,
}

impl TextBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties it, to be filled again without allocating.
    pub fn clear(&mut self) {
        self.batch.clear();
        self.places.clear();
        self.ids.clear();
    }

    /// Appends a prompt with its text, which the decoder must be able to take, see [`PromptedText::check`].
    ///
    /// # Panics
    /// If the prompt or the text is empty.
    pub fn push(&mut self, PromptedText { prompt, text }: &PromptedText) {
        self.push_parts(prompt, text);
    }

    /// As [`push`](Self::push).
    pub(crate) fn push_parts(&mut self, prompt: &[u32], text: &[u32]) {
        assert!(!prompt.is_empty() && !text.is_empty(), "a prompt and a text");
        let first = self.batch.tokens() + prompt.len() - 1;
        self.places.extend(first..first + text.len());
        self.ids.extend_from_slice(text);
        self.batch.push_parts(prompt, &text[..text.len() - 1]);
    }

    /// The tokens that are read, as [`AdamW::catch_up`](crate::AdamW::catch_up) asks for them.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Number of target tokens.
    pub fn targets(&self) -> usize {
        self.ids.len()
    }

    /// Places of the tokens behind which a target is, and the targets.
    pub(crate) fn places_and_ids(&self) -> (&[usize], &[u32]) {
        (&self.places, &self.ids)
    }
}
