//! A pretrained encoder with its tokenizer, from a directory as Hugging Face transformers writes it.

use std::path::{Path, PathBuf};

use crate::config::keys;
use crate::data::Example;
use crate::model_error::ModelError;
use crate::model_files;
use crate::tokens::{Tokenizer, TooLong};
use crate::weight_files::WeightFiles;
use crate::weights::Linear;
use crate::{Architecture, Encoder, Labelled, Pooling, Real};
use sources::excerpt;

/// The limit of tokens in the paper.
const MOST_TOKENS: usize = 128;

/// `[CLS]`, a token, `[SEP]`, or what they are called.
const LEAST_TOKENS: usize = 3;

/// Most names of a list in a message.
const MOST_NAMES: usize = 10;

/// A pretrained encoder with its tokenizer.
pub struct Pretrained {
    /// The encoder.
    pub encoder: Encoder<f32>,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Hash of `config.json` and all files of weights (BLAKE3, in hexadecimal digits).
    pub hash: String,
    /// How its weights were changed while they were loaded, if they were: `BF16 converted to F32`.
    pub converted: Option<String>,
    /// What the user should know about the files, a sentence each.
    pub warnings: Vec<String>,
}

impl Pretrained {
    /// Reads the encoder in a directory, which has
    ///
    /// - `config.json` of a BERT or MPNet model;
    /// - `model.safetensors` with numbers of type F32, F16, BF16 or F64, or `model.safetensors.index.json` and the files it
    ///   names;
    /// - `tokenizer.json`, or for BERT `vocab.txt` (WordPiece), with `tokenizer_config.json` if it is not of lower case.
    ///
    /// Weights are checked as by [`Encoder::load`], and the tokenizer must not have more tokens than the encoder knows.
    ///
    /// # Errors
    /// If a file is missing, cannot be read or is damaged, or if the encoder is not a usable one.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        let config = find(directory, &["config.json"], "config.json", no_hint)?;
        let weights = ["model.safetensors", "model.safetensors.index.json"];
        let weights = find(directory, &weights, "model.safetensors (nor model.safetensors.index.json)", weights_hint)?;
        let (sizes, unknown) = keys::read(&config)?;
        let mut warnings: Vec<String> = unknown_keys(&config, sizes.architecture, &unknown).into_iter().collect();
        let tokens_path = match sizes.architecture {
            Architecture::Bert => {
                find(directory, &["tokenizer.json", "vocab.txt"], "tokenizer.json (nor vocab.txt)", no_hint)?
            }
            Architecture::Mpnet => find(directory, &["tokenizer.json"], "tokenizer.json", no_hint)?,
        };
        let tokenizer = if tokens_path.ends_with("vocab.txt") {
            let (tokenizer, guessed) = Tokenizer::from_vocabulary(&tokens_path)?;
            warnings.extend(guessed);
            tokenizer
        } else {
            Tokenizer::load(&tokens_path, sizes.architecture)?
        };
        if tokenizer.vocabulary() > sizes.vocabulary {
            let (tokens, vocabulary) = (tokenizer.vocabulary(), sizes.vocabulary);
            return Err(ModelError::Vocabulary { path: tokens_path, tokens, vocabulary });
        }
        let weights = WeightFiles::read(&weights)?;
        let hash = hash([model_files::bytes(&config)?.as_slice()].into_iter().chain(weights.contents()));
        let (encoder, converted) = Encoder::from_files(sizes, &weights)?;
        Ok(Self { encoder, tokenizer, hash, converted, warnings })
    }

    /// Examples as the encoder takes them; those of more than [`Encoder::max_tokens`] are left out.
    ///
    /// # Errors
    /// If an example cannot be turned into tokens, or not into such as the encoder knows.
    pub fn encode(&self, examples: &[Example]) -> Result<Vec<Labelled>, Box<dyn std::error::Error + Send + Sync>> {
        let limit = self.encoder.max_tokens(None)?;
        let encoded = self.tokenizer.encode_all(examples, limit, TooLong::Drop)?.examples;
        let labelled: Vec<Labelled> = encoded.into_iter().map(Labelled::from).collect();
        let config = self.encoder.config();
        labelled.iter().try_for_each(|example| config.check(&example.ids, &example.token_types))?;
        Ok(labelled)
    }
}

impl<T: Real> Encoder<T> {
    /// Refuses pooling by the pooler where there is none, or where it gives the same for every sentence.
    ///
    /// # Errors
    /// [`ModelError::NoPooler`], [`ModelError::ConstantPooler`].
    pub fn check_pooling(&self, pooling: Pooling) -> Result<(), ModelError> {
        if pooling == Pooling::Mean {
            return Ok(());
        }
        let pooler = self.pooler.as_ref().ok_or(ModelError::NoPooler)?;
        let is_zero =
            |linear: &Linear<T>| linear.weight().col_iter().all(|column| column.iter().all(|x| *x == T::of(0.0)));
        if is_zero(pooler) {
            return Err(ModelError::ConstantPooler { why: "the weight of the encoder's pooler is all zero" });
        }
        if self.layers.iter().all(|layer| is_zero(&layer.value) || is_zero(&layer.attention_output)) {
            let why = "attention is all zero in every layer of the encoder, its first token never hears of the others";
            return Err(ModelError::ConstantPooler { why });
        }
        Ok(())
    }

    /// The most tokens of a sequence: `wanted`, or else the paper's 128, or fewer where the encoder has fewer positions.
    ///
    /// # Errors
    /// If `wanted` is more than there are positions, or less than `[CLS]`, a token and `[SEP]`.
    pub fn max_tokens(&self, wanted: Option<usize>) -> Result<usize, ModelError> {
        let positions = self.tokens_limit();
        let found = wanted.unwrap_or(MOST_TOKENS.min(positions));
        if (LEAST_TOKENS..=positions).contains(&found) {
            return Ok(found);
        }
        Err(ModelError::MaxTokens { found, least: LEAST_TOKENS, positions })
    }
}

/// The first of these files that is there.
fn find(
    directory: &Path,
    names: &[&str],
    wanted: &'static str,
    hint: fn(&Path) -> &'static str,
) -> Result<PathBuf, ModelError> {
    let found = names.iter().map(|name| directory.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| ModelError::Absent { directory: directory.to_owned(), wanted, hint: hint(directory) })
}

fn no_hint(_: &Path) -> &'static str {
    ""
}

fn weights_hint(directory: &Path) -> &'static str {
    if directory.join("pytorch_model.bin").is_file() {
        "; pytorch_model.bin is not read, because such a file can run code: save it as safetensors (in transformers, \
         model.save_pretrained(directory, safe_serialization=True))"
    } else {
        ""
    }
}

/// A warning of keys that nothing is known about.
fn unknown_keys(path: &Path, architecture: Architecture, keys: &[String]) -> Option<String> {
    let more = keys.len().saturating_sub(MOST_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let names = keys.iter().take(MOST_NAMES).map(|key| excerpt(key)).collect::<Vec<_>>().join(", ");
    let (path, title) = (path.display(), architecture.title());
    (!keys.is_empty())
        .then(|| format!("{path}: unknown keys are ignored, as if the encoder were plain {title}: {names}{more}"))
}

/// Hash of files, each with its length.
pub(crate) fn hash<'a>(contents: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hasher = blake3::Hasher::new();
    for bytes in contents {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finalize().to_hex().to_string()
}
