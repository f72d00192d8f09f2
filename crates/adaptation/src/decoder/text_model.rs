//! A decoder as one of the models that write texts.

use faer::Par;

use crate::tokens::TokenError;
use crate::{
    AdamW, Adapters, Decoder, Dropout, Generation, LanguageModel, PromptedText, Real, SequenceError, Site, Template,
    TextActivations, TextBatch, TextModel, TextTokenizer, TextWriter,
};

impl<T: Real> TextWriter for Decoder<T> {
    fn write(&self, prompts: &[Vec<u32>], how: &Generation, par: Par) -> Result<Vec<Vec<u32>>, SequenceError> {
        self.generate(prompts, how, par)
    }
}

impl<T: Real> TextModel<T> for LanguageModel<T> {
    type Batch = TextBatch;
    type Work = TextActivations<T>;
    type Writer = Decoder<T>;

    fn sites(&self) -> Vec<Site> {
        self.decoder().config().sites().collect()
    }

    fn shape(&self, site: Site) -> (usize, usize) {
        self.decoder().config().shape(site)
    }

    fn prompt(&self, tokenizer: &TextTokenizer, template: &Template, prompt: &str) -> Result<Vec<u32>, TokenError> {
        template.prompt(tokenizer, prompt)
    }

    fn check(&self, text: &PromptedText) -> Result<(), SequenceError> {
        text.check(self.decoder().config())
    }

    fn batch<'a>(&self, texts: impl IntoIterator<Item = &'a PromptedText>) -> TextBatch {
        let mut batch = TextBatch::new();
        texts.into_iter().for_each(|text| batch.push(text));
        batch
    }

    fn targets(&self, batch: &TextBatch) -> usize {
        batch.targets()
    }

    fn tokens(&self, batch: &TextBatch, site: Site) -> usize {
        if site == Site::Head { batch.targets() } else { batch.batch().tokens() }
    }

    fn catch_up(&self, optimizer: &mut AdamW<T>, adapters: &mut Adapters<T>, batch: &TextBatch) {
        optimizer.catch_up(adapters, batch.batch());
    }

    fn loss(&self, batch: &TextBatch, adapters: &Adapters<T>, work: &mut TextActivations<T>, par: Par) -> f64 {
        self.loss(batch, adapters, work, par)
    }

    /// Llama has no dropout.
    fn loss_and_gradient(
        &self,
        batch: &TextBatch,
        adapters: &mut Adapters<T>,
        _: &Dropout,
        work: &mut TextActivations<T>,
        par: Par,
    ) -> f64 {
        self.loss_and_gradient(batch, adapters, work, par)
    }

    fn writer(&self, adapters: &Adapters<T>) -> Decoder<T> {
        self.decoder().with(adapters)
    }
}
