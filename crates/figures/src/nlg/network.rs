//! The frozen model of either architecture.

use std::path::Path;

use adaptation::{
    DecoderConfig, LanguageModel, ModelError, PretrainedDecoder, PretrainedT5, PromptedText, Site, T5Config, Template,
    TextModel, TextToText, TextTokenizer,
};
use anyhow::anyhow;
use lab::{BadInput, Gathering};

/// A frozen model that writes texts.
pub enum Network {
    /// A decoder of Llama's architecture.
    Decoder(LanguageModel<f32>),
    /// T5.
    TextToText(TextToText<f32>),
}

/// A model with all that belongs to it.
pub(super) struct Loaded {
    /// Hash of its files.
    pub hash: String,
    pub network: Network,
    pub tokenizer: TextTokenizer,
    /// Ids of the tokens that end a text; there is at least one.
    pub ends: Vec<u32>,
}

/// Reads a model of either architecture from its files.
pub(super) fn load(name: &str, files: &Path, gathering: &Gathering) -> anyhow::Result<Loaded> {
    let unusable = |error: ModelError| BadInput(anyhow::Error::new(error).context(format!("the model {name}")));
    let (network, tokenizer, ends, hash, converted, warnings) = if PretrainedT5::<f32>::is_in(files) {
        let PretrainedT5 { t5, tokenizer, ends, hash, converted, warnings } =
            PretrainedT5::load(files).map_err(unusable)?;
        (Network::TextToText(TextToText::new(t5)), tokenizer, ends, hash, converted, warnings)
    } else {
        let PretrainedDecoder { decoder, tokenizer, ends, hash, converted, warnings } =
            PretrainedDecoder::load(files).map_err(unusable)?;
        (Network::Decoder(LanguageModel::new(decoder)), tokenizer, ends, hash, converted, warnings)
    };
    warnings.iter().for_each(|warning| gathering.warn(warning));
    if let Some(converted) = converted {
        gathering.record(format!("weights of {name}"), converted);
    }
    if ends.is_empty() {
        return Err(BadInput(anyhow!("the model {name} has no token that ends a text")).into());
    }
    Ok(Loaded { hash, network, tokenizer, ends })
}

impl Network {
    /// Its 2-D weights with both sides of at least this length.
    pub fn sites_from(&self, least: usize) -> Vec<Site> {
        match self {
            Self::Decoder(model) => model.sites_from(least),
            Self::TextToText(model) => model.sites_from(least),
        }
    }

    /// (outputs, inputs) of a dense layer, (vocabulary, hidden) of an embedding.
    pub fn shape(&self, site: Site) -> (usize, usize) {
        match self {
            Self::Decoder(model) => TextModel::shape(model, site),
            Self::TextToText(model) => TextModel::shape(model, site),
        }
    }

    /// Most tokens of prompt and text together, if there is a limit.
    pub fn positions(&self) -> Option<usize> {
        match self {
            Self::Decoder(model) => Some(model.decoder().config().positions),
            Self::TextToText(_) => None,
        }
    }

    /// The tokens of a meaning representation, and of its text with the token that ends it.
    pub(super) fn prompted(
        &self,
        tokenizer: &TextTokenizer,
        template: &Template,
        prompt: &str,
        text: &str,
    ) -> anyhow::Result<PromptedText> {
        let found = match self {
            Self::Decoder(model) => model.prompted(tokenizer, template, prompt, text),
            Self::TextToText(model) => model.prompted(tokenizer, template, prompt, text),
        };
        found.map_err(|error| BadInput(error.into()).into())
    }

    /// About how many numbers are kept of a token for the way back, in all layers.
    pub(super) fn kept_of_token(&self) -> usize {
        let (hidden, intermediate, layers) = match self {
            Self::Decoder(model) => {
                let DecoderConfig { hidden_size, intermediate_size, layers, .. } = *model.decoder().config();
                (hidden_size, intermediate_size, layers)
            }
            Self::TextToText(model) => {
                let T5Config { hidden_size, intermediate_size, encoder_layers, decoder_layers, .. } = *model.config();
                (hidden_size, intermediate_size, encoder_layers.max(2 * decoder_layers))
            }
        };
        layers * (10 * hidden + 4 * intermediate)
    }
}
