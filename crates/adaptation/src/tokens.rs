//! From sentences to the token ids an encoder reads.

mod word_piece;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rayon::prelude::*;
use sources::excerpt;
use tokenizers::{EncodeInput, Encoding};

use self::word_piece::WordPiece;
use crate::Architecture;
use crate::data::{Example, Label};
use crate::model_error::ModelError;
use crate::model_files as files;

/// Why sentences could not be turned into tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// An example has too many tokens.
    #[error("{tokens} tokens, but at most {limit} are allowed: {text:?}")]
    TooLong {
        /// Its number of tokens.
        tokens: usize,
        /// The limit.
        limit: usize,
        /// The (first) sentence, cut.
        text: String,
    },
    /// The tokenizer gave up.
    #[error("cannot tokenize {text:?}")]
    Encode {
        /// The (first) sentence, cut.
        text: String,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Tokens cannot be put together.
    #[error("cannot make a text of tokens")]
    Decode {
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The tokens of a sentence or of a pair: `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`; of MPNet
/// `<s> first </s>` or `<s> first </s></s> second </s>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Indices into the vocabulary.
    pub ids: Vec<u32>,
    /// 0, from the second sentence on 1; always 0 for an architecture without types.
    pub token_types: Vec<u8>,
}

impl Tokens {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token: never so for what a [`Tokenizer`] makes.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl From<&Encoding> for Tokens {
    fn from(encoding: &Encoding) -> Self {
        let token_types = encoding.get_type_ids().iter().map(|&kind| u8::from(kind != 0)).collect();
        Self { ids: encoding.get_ids().to_vec(), token_types }
    }
}

/// What happens to examples with more tokens than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    /// They are left out and counted, as in the paper.
    Drop,
    /// They are an error.
    Refuse,
}

/// Examples as an encoder reads them.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The tokens and the label of each example kept, in their order.
    pub examples: Vec<(Tokens, Label)>,
    /// Number of examples left out because of their length.
    pub dropped: usize,
}

/// The tokens of an input with those that a tokenizer puts around it: for a first look at a tokenizer. The library panics where
/// a template names a token or a sentence that is not there.
pub(crate) fn framed<'a>(
    tokenizer: &tokenizers::Tokenizer,
    input: impl Into<EncodeInput<'a>>,
) -> tokenizers::Result<Encoding> {
    let encode = || tokenizer.encode_fast(input, true);
    let lacking = |_| Err("its post_processor names tokens or sentences that are not there".into());
    catch_unwind(AssertUnwindSafe(encode)).unwrap_or_else(lacking)
}

/// A model's tokenizer, without the padding and truncation its file may ask for.
#[derive(Clone)]
pub struct Tokenizer(tokenizers::Tokenizer);

impl Tokenizer {
    /// Reads `tokenizer.json` of an encoder of this architecture.
    ///
    /// # Errors
    /// If the file cannot be read, is no tokenizer, or not one of the architecture's kind.
    pub fn load(path: &Path, architecture: Architecture) -> Result<Self, ModelError> {
        Self::parse(path, files::text(path)?.as_bytes(), architecture)
    }

    /// Makes BERT's WordPiece tokenizer of a `vocab.txt`, a token a line, as `tokenizer_config.json` beside it says; without that
    /// file in lower case, the default of transformers, and with a warning.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_vocabulary(path: &Path) -> Result<(Self, Option<String>), ModelError> {
        let config = path.with_file_name("tokenizer_config.json");
        let (settings, warning) = if config.is_file() {
            (WordPiece::read(&config)?, None)
        } else {
            let path = path.display();
            let text =
                format!("{path}: no tokenizer_config.json beside it, so words are read in lower case (do_lower_case)");
            (WordPiece::default(), Some(text))
        };
        let json = settings.tokenizer(&files::text(path)?).to_string();
        Ok((Self::parse(path, json.as_bytes(), Architecture::Bert)?, warning))
    }

    /// A tokenizer from the content of a `tokenizer.json`; `path` is what complaints name.
    fn parse(path: &Path, json: &[u8], architecture: Architecture) -> Result<Self, ModelError> {
        let bad = |reason: tokenizers::Error| ModelError::Tokenizer {
            path: path.to_owned(),
            reason: excerpt(&reason.to_string()),
        };
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(bad)?;
        inner.with_truncation(None).map_err(bad)?;
        inner.with_padding(None);
        let tokenizer = Self(inner);
        // Likely a word of no vocabulary, which needs the token for unknown ones.
        framed(&tokenizer.0, "\u{2603}").and_then(|_| framed(&tokenizer.0, ("", ""))).map_err(bad)?;
        let frame = architecture.frame().iter().map(|token| tokenizer.0.token_to_id(token)).collect::<Option<Vec<_>>>();
        let found = tokenizer.encode("", Some("")).ok();
        let types_fit =
            |tokens: &Tokens| architecture.has_token_types() || tokens.token_types.iter().all(|&kind| kind == 0);
        if found.is_some_and(|tokens| types_fit(&tokens) && Some(tokens.ids) == frame) {
            return Ok(tokenizer);
        }
        Err(ModelError::OtherTokenizer { path: path.to_owned(), framing: architecture.framing() })
    }

    /// Number of word embeddings that a model needs for all tokens.
    pub fn vocabulary(&self) -> usize {
        self.0.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }

    /// The tokens of a sentence, or of a pair.
    pub fn encode(&self, first: &str, second: Option<&str>) -> Result<Tokens, TokenError> {
        let input: EncodeInput = match second {
            Some(second) => (first, second).into(),
            None => first.into(),
        };
        let encoding = self.0.encode_fast(input, true);
        encoding.map(|e| Tokens::from(&e)).map_err(|source| TokenError::Encode { text: excerpt(first), source })
    }

    /// The tokens of all examples with at most `limit` of them (`[CLS]` and `[SEP]` count).
    pub fn encode_all(&self, examples: &[Example], limit: usize, too_long: TooLong) -> Result<Encoded, TokenError> {
        let encode = |example: &Example| {
            let tokens = self.encode(&example.first, example.second.as_deref())?;
            match too_long {
                _ if tokens.len() <= limit => Ok(Some((tokens, example.label))),
                TooLong::Drop => Ok(None),
                TooLong::Refuse => {
                    Err(TokenError::TooLong { tokens: tokens.len(), limit, text: excerpt(&example.first) })
                }
            }
        };
        let all: Vec<Option<_>> = examples.par_iter().map(encode).collect::<Result<_, _>>()?;
        let kept: Vec<_> = all.into_iter().flatten().collect();
        Ok(Encoded { dropped: examples.len() - kept.len(), examples: kept })
    }
}
