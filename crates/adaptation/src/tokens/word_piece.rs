//! BERT's tokenizer from a bare vocabulary, as transformers' `BertTokenizer` makes it from `vocab.txt`.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::model_error::ModelError;
use crate::model_files as files;
use sources::excerpt;

/// What `tokenizer_config.json` says of it; the defaults are those of transformers.
pub(super) struct WordPiece {
    lower_case: bool,
    /// `None`: as `lower_case`.
    strip_accents: Option<bool>,
    chinese_characters: bool,
}

impl Default for WordPiece {
    fn default() -> Self {
        Self { lower_case: true, strip_accents: None, chinese_characters: true }
    }
}

impl WordPiece {
    /// Reads `tokenizer_config.json`.
    pub(super) fn read(path: &Path) -> Result<Self, ModelError> {
        let keys = files::object(path)?;
        let refused = |key: &str, found: &Value, allowed: &str| {
            let (key, found, allowed) = (key.to_owned(), excerpt(&found.to_string()), allowed.to_owned());
            ModelError::Setting { path: path.to_owned(), key, found, allowed }
        };
        let get = |key: &str| keys.get(key).filter(|value| !value.is_null());
        let flag = |key: &str| match get(key) {
            None => Ok(None),
            Some(Value::Bool(on)) => Ok(Some(*on)),
            Some(other) => Err(refused(key, other, "true or false")),
        };
        if flag("do_basic_tokenize")? == Some(false) {
            return Err(refused("do_basic_tokenize", &Value::Bool(false), "true"));
        }
        for (key, token) in [("unk_token", "[UNK]"), ("cls_token", "[CLS]"), ("sep_token", "[SEP]")] {
            // Either the token itself, or a table with it as its content.
            if let Some(value) = get(key).filter(|value| value.get("content").unwrap_or(value) != token) {
                return Err(refused(key, value, token));
            }
        }
        Ok(Self {
            lower_case: flag("do_lower_case")?.unwrap_or(true),
            strip_accents: flag("strip_accents")?,
            chinese_characters: flag("tokenize_chinese_chars")?.unwrap_or(true),
        })
    }

    /// The content of a `tokenizer.json` with these tokens, a line each.
    pub(super) fn tokenizer(&self, vocabulary: &str) -> Value {
        let lines = vocabulary.lines().enumerate();
        let ids: Map<String, Value> = lines.map(|(id, token)| (token.to_owned(), id.into())).collect();
        let special = |token: &&str| {
            ids.get(*token).map(|id| {
                json!({ "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": true })
            })
        };
        let specials: Vec<Value> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].iter().filter_map(special).collect();
        // A vocabulary without them is refused later, as any tokenizer that does not frame sentences by them.
        let id = |token: &str| ids.get(token).cloned().unwrap_or_else(|| 0.into());
        json!({
            "version": "1.0",
            "added_tokens": specials,
            "normalizer": {
                "type": "BertNormalizer",
                "clean_text": true,
                "handle_chinese_chars": self.chinese_characters,
                "strip_accents": self.strip_accents,
                "lowercase": self.lower_case,
            },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": {
                "type": "BertProcessing",
                "sep": ["[SEP]", id("[SEP]")],
                "cls": ["[CLS]", id("[CLS]")],
            },
            "model": {
                "type": "WordPiece",
                "unk_token": "[UNK]",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": ids,
            },
        })
    }
}
