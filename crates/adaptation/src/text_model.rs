//! What a training loop asks of a model that writes texts, whatever its architecture: losses, gradients of adapters, texts.

use faer::Par;

use crate::method::Recipe;
use crate::tokens::TokenError;
use crate::{
    AdamW, AdapterError, Adapters, Dropout, Generation, Method, PromptedText, Real, SequenceError, Site, Template,
    TextTokenizer,
};

/// A frozen model that adapters are trained on, to write texts behind prompts: a [`LanguageModel`](crate::LanguageModel), or a
/// [`TextToText`](crate::TextToText), whose prompts are its sources.
pub trait TextModel<T: Real>: Sync {
    /// Prompts with their texts, packed.
    type Batch: Send + Sync;
    /// Buffers of a step, reused.
    type Work: Default + Send;
    /// The model that texts are written with.
    type Writer: TextWriter;

    /// All sites: its 2-D weights.
    fn sites(&self) -> Vec<Site>;

    /// (outputs, inputs) of a dense layer, (vocabulary, hidden) of an embedding.
    ///
    /// # Panics
    /// If the model has no such site.
    fn shape(&self, site: Site) -> (usize, usize);

    /// Those sites with both sides of at least this length. The authors of the paper adapt those from 512 on.
    fn sites_from(&self, least: usize) -> Vec<Site> {
        let is_large = |site: &Site| <[usize; 2]>::from(self.shape(*site)).into_iter().all(|side| side >= least);
        self.sites().into_iter().filter(is_large).collect()
    }

    /// The tokens of a prompt, as the model reads it before it writes.
    ///
    /// # Errors
    /// If the prompt cannot be turned into tokens.
    fn prompt(&self, tokenizer: &TextTokenizer, template: &Template, prompt: &str) -> Result<Vec<u32>, TokenError>;

    /// The tokens of a prompt, and of its text with the token that ends it.
    ///
    /// # Errors
    /// If one of them cannot be turned into tokens.
    fn prompted(
        &self,
        tokenizer: &TextTokenizer,
        template: &Template,
        prompt: &str,
        text: &str,
    ) -> Result<PromptedText, TokenError> {
        let prompt = self.prompt(tokenizer, template, prompt)?;
        Ok(PromptedText { prompt, ..template.prompted(tokenizer, "", text)? })
    }

    /// Whether the model can take a prompt with its text.
    ///
    /// # Errors
    /// What is wrong with them, and where.
    fn check(&self, text: &PromptedText) -> Result<(), SequenceError>;

    /// A batch of these, which the model must be able to take.
    ///
    /// # Panics
    /// If a prompt or a text is empty.
    fn batch<'a>(&self, texts: impl IntoIterator<Item = &'a PromptedText>) -> Self::Batch;

    /// Number of target tokens of a batch, which its loss is the mean over.
    fn targets(&self, batch: &Self::Batch) -> usize;

    /// About how many tokens a step on a batch multiplies a site's weight with, or looks up in it.
    fn tokens(&self, batch: &Self::Batch, site: Site) -> usize;

    /// Brings the rows of embeddings that a batch looks up to what they are after all steps so far: before every pass over it, see
    /// [`AdamW::catch_up`].
    fn catch_up(&self, optimizer: &mut AdamW<T>, adapters: &mut Adapters<T>, batch: &Self::Batch);

    /// The mean over all target tokens of `−log softmax(logits)[target]`, without dropout.
    ///
    /// # Panics
    /// If the batch is empty, or the model cannot take it.
    fn loss(&self, batch: &Self::Batch, adapters: &Adapters<T>, work: &mut Self::Work, par: Par) -> f64;

    /// The same with dropout, where the model has it, and the gradient of every adapter's applied form, in its place in `adapters`.
    ///
    /// # Panics
    /// As [`loss`](Self::loss); if an adapter is on a weight that the model does not have.
    fn loss_and_gradient(
        &self,
        batch: &Self::Batch,
        adapters: &mut Adapters<T>,
        dropout: &Dropout,
        work: &mut Self::Work,
        par: Par,
    ) -> f64;

    /// The adapters of a method on these sites, drawn from `seed`, for steps on batches such as this one. A method that is made
    /// from the gradient of the first batch takes this as the first, without dropout.
    ///
    /// # Errors
    /// If the method does not fit a site.
    ///
    /// # Panics
    /// As [`loss_and_gradient`](Self::loss_and_gradient), if the method asks for the gradient.
    fn adapters(
        &self,
        method: &Method,
        sites: &[Site],
        batch: &Self::Batch,
        seed: u64,
        par: Par,
    ) -> Result<Adapters<T>, AdapterError> {
        let probe = method.needs_gradient().then(|| {
            let mut probe = Adapters::probe(sites, |site| self.shape(site));
            self.loss_and_gradient(batch, &mut probe, &Dropout::Off, &mut Self::Work::default(), par);
            probe
        });
        method.adapters(sites, |site| self.shape(site), |site| self.tokens(batch, site), probe.as_ref(), seed)
    }

    /// The model with every adapter's `ΔW` added to its weight, which must be up to date: see [`AdamW::catch_up_all`].
    ///
    /// # Panics
    /// If an adapter is on a weight that the model does not have.
    fn writer(&self, adapters: &Adapters<T>) -> Self::Writer;
}

/// A model that writes texts.
pub trait TextWriter: Sync {
    /// What is written behind each prompt.
    ///
    /// # Errors
    /// If the model cannot take a prompt, or not with so many tokens behind it.
    ///
    /// # Panics
    /// If there are no beams or no tokens to write.
    fn write(&self, prompts: &[Vec<u32>], how: &Generation, par: Par) -> Result<Vec<Vec<u32>>, SequenceError>;
}
