//! Text to token ids and back.

use std::path::Path;

use serde_json::{Map, Value, json};
use sources::excerpt;

use tokenizers::AddedToken;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use crate::gguf::{Gguf, Metadata};
use crate::model_error::ModelError;
use crate::model_files as files;
use crate::tokens::{TokenError, framed};

/// The tokenizer of a model that writes texts. It adds nothing before or behind a text.
#[derive(Clone)]
pub struct TextTokenizer(tokenizers::Tokenizer);

/// Kinds of tokens in GGUF files.
const NORMAL: i64 = 1;
const CONTROL: i64 = 3;
const OF_USER: i64 = 4;
const UNUSED: i64 = 5;

/// Where tokens are.
const TOKENS: &str = "tokenizer.ggml.tokens";
const KINDS: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";

/// What ends a text of bytes.
const END_OF_BYTES: &str = "<|end|>";

impl TextTokenizer {
    /// Reads a `tokenizer.json`; a decoder of so many embeddings must know all of its tokens.
    ///
    /// # Errors
    /// If the file cannot be read, is no tokenizer, has too many tokens, or adds tokens to a text.
    pub fn load(path: &Path, vocabulary: usize) -> Result<Self, ModelError> {
        Self::parse(path, &files::bytes(path)?, vocabulary)
    }

    /// A tokenizer that adds nothing to a text.
    fn parse(path: &Path, json: &[u8], vocabulary: usize) -> Result<Self, ModelError> {
        let (tokenizer, added) = Self::read(path, json, vocabulary)?;
        if added.is_empty() {
            return Ok(tokenizer);
        }
        let reason = "it adds tokens to a text, which is not known".to_owned();
        Err(ModelError::Tokenizer { path: path.to_owned(), reason })
    }

    /// As [`load`](Self::load), of a tokenizer that puts one of these tokens behind a text. It is left out here, and returned.
    pub(crate) fn load_ending(path: &Path, vocabulary: usize, ends: &[u32]) -> Result<(Self, u32), ModelError> {
        let (tokenizer, added) = Self::read(path, &files::bytes(path)?, vocabulary)?;
        match added[..] {
            [end] if ends.contains(&end) => Ok((tokenizer, end)),
            _ => {
                let reason = "it must put the token that ends a text behind it, and nothing else".to_owned();
                Err(ModelError::Tokenizer { path: path.to_owned(), reason })
            }
        }
    }

    /// A tokenizer, and the tokens that it adds to a text, which are left out here.
    fn read(path: &Path, json: &[u8], vocabulary: usize) -> Result<(Self, Vec<u32>), ModelError> {
        let bad = |reason: String| ModelError::Tokenizer { path: path.to_owned(), reason: excerpt(&reason) };
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(|error| bad(error.to_string()))?;
        inner.with_truncation(None).map_err(|error| bad(error.to_string()))?;
        inner.with_padding(None);
        let tokens = inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        if tokens > vocabulary {
            return Err(ModelError::Vocabulary { path: path.to_owned(), tokens, vocabulary });
        }
        let empty = framed(&inner, "").map_err(|error| bad(error.to_string()))?;
        Ok((Self(inner), empty.get_ids().to_vec()))
    }

    /// A tokenizer whose tokens are the bytes of a text, and one more, 256, that ends it: for tests.
    pub fn of_bytes() -> Self {
        let letters = ByteLevel::alphabet();
        let mut letters: Vec<char> = letters.into_iter().collect();
        letters.sort_unstable();
        let ids = letters.into_iter().map(String::from).chain([END_OF_BYTES.to_owned()]).zip(0..).collect();
        let mut inner = tokenizers::Tokenizer::new(BPE::new(ids, Vec::new()));
        let bytes = ByteLevel::new(false, false, false);
        inner.with_pre_tokenizer(Some(bytes)).with_decoder(Some(bytes));
        inner.add_special_tokens([AddedToken::from(END_OF_BYTES, true)]).expect("a token of the vocabulary");
        Self(inner)
    }

    /// The tokenizer in the metadata of a GGUF file, and the tokens that end a text.
    pub(super) fn of_gguf(gguf: &Gguf) -> Result<(Self, Vec<u32>), ModelError> {
        let keys = &gguf.metadata;
        for (key, allowed) in [("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.pre", "smollm")] {
            let words = format!("\"{allowed}\" (others cut texts in another way)");
            if keys.text(key, &words)? != allowed {
                return Err(keys.refused(key, &words));
            }
        }
        for flag in ["add_bos_token", "add_eos_token", "add_space_prefix"] {
            let key = format!("tokenizer.ggml.{flag}");
            if keys.get(&key).is_some() && keys.flag(&key)? {
                return Err(keys.refused(&key, "false"));
            }
        }
        let json = byte_level(keys)?.to_string();
        let vocabulary = keys.texts(TOKENS)?.len();
        let tokenizer = Self::parse(keys.path(), json.as_bytes(), vocabulary)?;
        let (end, allowed) = ("tokenizer.ggml.eos_token_id", "the id of a token");
        if keys.get(end).is_none() {
            return Ok((tokenizer, Vec::new()));
        }
        let id = u32::try_from(keys.integer_from_0(end, allowed)?).ok().filter(|&id| (id as usize) < vocabulary);
        Ok((tokenizer, vec![id.ok_or_else(|| keys.refused(end, allowed))?]))
    }

    /// The ids of a text's tokens. Special tokens may be written out: `<|im_start|>`.
    ///
    /// # Errors
    /// If the text cannot be turned into tokens.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenError> {
        let encoding = self.0.encode_fast(text, false);
        let encoding = encoding.map_err(|source| TokenError::Encode { text: excerpt(text), source })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of tokens, without the special ones.
    ///
    /// # Errors
    /// If the library cannot put them together.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenError> {
        self.0.decode(ids, true).map_err(|source| TokenError::Decode { source })
    }
}

/// The content of a `tokenizer.json`: GPT-2's byte-level BPE (Radford et al., 2019) after digits are put apart, as SmolLM's.
fn byte_level(keys: &Metadata) -> Result<Value, ModelError> {
    let (tokens, kinds) = (keys.texts(TOKENS)?, keys.integers(KINDS)?);
    if kinds.len() != tokens.len() {
        return Err(keys.refused(KINDS, "a list as long as tokenizer.ggml.tokens"));
    }
    if kinds.iter().any(|kind| ![NORMAL, CONTROL, OF_USER, UNUSED].contains(kind)) {
        return Err(keys.refused(KINDS, "a list of 1 (normal), 3 (control), 4 (of the user) and 5 (unused)"));
    }
    let merges = keys.texts(MERGES)?.into_iter().map(|merge| merge.split_once(' '));
    let merges: Option<Vec<_>> = merges.collect();
    let merges = merges.ok_or_else(|| keys.refused(MERGES, "a list of two tokens each with a space between"))?;
    let ids: Map<String, Value> = tokens.iter().enumerate().map(|(id, &token)| (token.to_owned(), id.into())).collect();
    let added = tokens.iter().zip(&kinds).enumerate().filter(|(_, (_, kind))| [CONTROL, OF_USER].contains(kind));
    let added: Vec<Value> = added
        .map(|(id, (token, &kind))| {
            json!({ "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": kind == CONTROL })
        })
        .collect();
    let bytes =
        |regex| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex });
    Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{ "type": "Digits", "individual_digits": true }, bytes(true)],
        },
        "decoder": bytes(true),
        "model": { "type": "BPE", "vocab": ids, "merges": merges, "fuse_unk": false, "byte_fallback": false },
    }))
}
