//! T5 as one of the models that write texts.

use faer::Par;

use crate::tokens::TokenError;
use crate::{
    AdamW, Adapters, Dropout, Generation, PairActivations, PairBatch, PromptedText, Real, SequenceError, Site, T5,
    Template, TextModel, TextToText, TextTokenizer, TextWriter,
};

impl<T: Real> TextWriter for T5<T> {
    fn write(&self, prompts: &[Vec<u32>], how: &Generation, par: Par) -> Result<Vec<Vec<u32>>, SequenceError> {
        self.generate(prompts, how, par)
    }
}

impl<T: Real> TextModel<T> for TextToText<T> {
    type Batch = PairBatch;
    type Work = PairActivations<T>;
    type Writer = T5<T>;

    fn sites(&self) -> Vec<Site> {
        self.config().sites().collect()
    }

    fn shape(&self, site: Site) -> (usize, usize) {
        self.config().shape(site)
    }

    /// The source ends as a text does. The separator is a decoder's: a source and its text are not one sequence.
    fn prompt(&self, tokenizer: &TextTokenizer, template: &Template, prompt: &str) -> Result<Vec<u32>, TokenError> {
        let mut ids = tokenizer.encode(prompt)?;
        ids.push(template.end);
        Ok(ids)
    }

    fn check(&self, text: &PromptedText) -> Result<(), SequenceError> {
        self.config().check(&text.prompt)?;
        self.config().check(&text.text)
    }

    fn batch<'a>(&self, texts: impl IntoIterator<Item = &'a PromptedText>) -> PairBatch {
        let mut batch = PairBatch::new(self.config());
        texts.into_iter().for_each(|text| batch.push(text));
        batch
    }

    fn targets(&self, batch: &PairBatch) -> usize {
        batch.targets().targets()
    }

    fn tokens(&self, batch: &PairBatch, site: Site) -> usize {
        self.config().tokens(site, batch.sources().tokens(), batch.targets().targets())
    }

    fn catch_up(&self, optimizer: &mut AdamW<T>, adapters: &mut Adapters<T>, batch: &PairBatch) {
        optimizer.catch_up(adapters, batch.sources());
        optimizer.catch_up(adapters, batch.targets().batch());
    }

    fn loss(&self, batch: &PairBatch, adapters: &Adapters<T>, work: &mut PairActivations<T>, par: Par) -> f64 {
        self.loss(batch, adapters, work, par)
    }

    fn loss_and_gradient(
        &self,
        batch: &PairBatch,
        adapters: &mut Adapters<T>,
        dropout: &Dropout,
        work: &mut PairActivations<T>,
        par: Par,
    ) -> f64 {
        self.loss_and_gradient(batch, adapters, dropout, work, par)
    }

    fn writer(&self, adapters: &Adapters<T>) -> T5<T> {
        self.t5().with(adapters)
    }
}
