//! From sentences to the token ids an encoder reads.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sources::excerpt;
use tokenizers::{EncodeInput, Encoding};

use crate::data::{Example, Label};

/// Why sentences could not be turned into tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file is not a tokenizer.
    #[error("cannot read {path} as a tokenizer")]
    Load {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tokenizer is not of the kind BERT uses.
    #[error("{path}: does not put [CLS] before and [SEP] behind each sentence")]
    NotBert {
        /// The file.
        path: PathBuf,
    },
    /// The tokenizer has tokens the model does not know.
    #[error("the tokenizer has {tokens} tokens, but the model only {vocabulary} word embeddings")]
    Vocabulary {
        /// Number of tokens.
        tokens: usize,
        /// Number of the model's word embeddings.
        vocabulary: usize,
    },
    /// The limit asked for is longer than what the model can read.
    #[error("sequences of up to {limit} tokens are wanted, but the model has only {positions} position embeddings")]
    Positions {
        /// The limit.
        limit: usize,
        /// Number of the model's position embeddings.
        positions: usize,
    },
    /// An example has too many tokens.
    #[error("{tokens} tokens, but at most {limit} are allowed: {text:?}")]
    TooLong {
        /// Its number of tokens.
        tokens: usize,
        /// The limit.
        limit: usize,
        /// The (first) sentence.
        text: String,
    },
    /// The tokenizer gave up.
    #[error("cannot tokenize {text:?}")]
    Encode {
        /// The (first) sentence.
        text: String,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The tokens of a sentence or of a pair: `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Indices into the vocabulary.
    pub ids: Vec<u32>,
    /// 0, from the second sentence on 1.
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

/// A model's tokenizer, without the padding and truncation its file may ask for.
#[derive(Clone)]
pub struct Tokenizer(tokenizers::Tokenizer);

impl Tokenizer {
    /// Reads `tokenizer.json`.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let bad = |source| TokenError::Load { path: path.to_owned(), source };
        let mut inner = tokenizers::Tokenizer::from_file(path).map_err(bad)?;
        inner.with_truncation(None).map_err(bad)?;
        inner.with_padding(None);
        let tokenizer = Self(inner);
        let [cls, sep] = ["[CLS]", "[SEP]"].map(|token| tokenizer.0.token_to_id(token));
        let frame = tokenizer.encode("", Some("")).map(|tokens| tokens.ids).unwrap_or_default();
        if frame.iter().map(|id| Some(*id)).eq([cls, sep, sep]) && cls.is_some() && sep.is_some() {
            return Ok(tokenizer);
        }
        Err(TokenError::NotBert { path: path.to_owned() })
    }

    /// Refuses a model with fewer word embeddings (`vocabulary`) than tokens, or fewer position embeddings
    /// (`positions`) than the `limit` of tokens in a sequence.
    pub fn check(&self, vocabulary: usize, positions: usize, limit: usize) -> Result<(), TokenError> {
        let largest = self.0.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        if largest > vocabulary {
            return Err(TokenError::Vocabulary { tokens: largest, vocabulary });
        }
        if limit > positions {
            return Err(TokenError::Positions { limit, positions });
        }
        Ok(())
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
