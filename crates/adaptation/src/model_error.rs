//! Why a pretrained encoder or decoder cannot be used; each reason is one whole sentence.

use std::path::PathBuf;

/// Why a pretrained encoder or decoder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A directory lacks a file of the encoder.
    #[error("{directory} has no {wanted}{hint}")]
    Absent {
        /// Which directory.
        directory: PathBuf,
        /// The names that were looked for.
        wanted: &'static str,
        /// What to do, if something can be told from what is there.
        hint: &'static str,
    },
    /// A file is only the pointer that git-lfs puts in the place of a large file.
    #[error(
        "{path} is not the file itself but a git-lfs pointer to it; to download the file, run in its repository: git lfs pull"
    )]
    LfsPointer {
        /// Which file.
        path: PathBuf,
    },
    /// A text file is not UTF-8.
    #[error("{path}, line {line}: not UTF-8")]
    NotUtf8 {
        /// Which file.
        path: PathBuf,
        /// The first such line, from 1.
        line: usize,
    },
    /// A file is not JSON.
    #[error("{path} is not JSON: {reason}")]
    Json {
        /// Which file.
        path: PathBuf,
        /// What is wrong, where.
        reason: serde_json::Error,
    },
    /// A file is JSON, but not an object of keys and values.
    #[error("{path} is {found}, not a JSON object {{ \"key\": value, … }}")]
    NotAnObject {
        /// Which file.
        path: PathBuf,
        /// What it is instead, cut.
        found: String,
    },
    /// A key of `config.json` or of another JSON file is missing.
    #[error("{path} has no key {key}; it must be {allowed}")]
    MissingKey {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// What its value may be.
        allowed: &'static str,
    },
    /// A key has a value that this encoder cannot have.
    #[error("{path}: {key} is {found}, allowed: {allowed}")]
    Setting {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// Its value, cut.
        found: String,
        /// What it may be.
        allowed: String,
    },
    /// A weights' file is damaged: cut short, or no safetensors at all.
    #[error("{path} is cut short or no safetensors file: {reason}")]
    Weights {
        /// Which file.
        path: PathBuf,
        /// What is wrong, cut.
        reason: String,
    },
    /// A GGUF file is damaged: cut short, or none at all.
    #[error("{path} is damaged or no GGUF file: {reason}")]
    Gguf {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A directory has several GGUF files.
    #[error("{path} has {found} GGUF files, allowed: one (or the path of one of them)")]
    SeveralGguf {
        /// Which directory.
        path: PathBuf,
        /// How many files.
        found: usize,
    },
    /// A weight of a GGUF file is of a number type that is not read.
    #[error("{path}: tensor {name} is of type {found}, allowed: F32, F16, Q8_0, Q4_1")]
    GgufType {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A decoder's weight is missing.
    #[error("{path} has no tensor {name}; it must be there, of shape {expected:?}")]
    NoTensor {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// The shape by the configuration.
        expected: Vec<usize>,
    },
    /// A weight is there that a model of this configuration does not have.
    #[error(
        "{path}: tensor {name} has no place in a model of {architecture}'s architecture with {layers} layers; it would be ignored"
    )]
    NoPlace {
        /// Which file.
        path: PathBuf,
        /// Which tensor, cut.
        name: String,
        /// The architecture.
        architecture: &'static str,
        /// Number of layers by the configuration.
        layers: usize,
    },
    /// A weight should be there twice, and is not.
    #[error("{path}: tensor {name} is not equal to {of}, whose copy it would have to be")]
    NoCopy {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// What it should be equal to.
        of: &'static str,
    },
    /// A weight is missing.
    #[error("{path} has no tensor {name} (nor {prefix}.{name})")]
    Missing {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// What its name may have before it.
        prefix: &'static str,
    },
    /// A weight is there that an encoder of this configuration does not have.
    #[error(
        "{path}: tensor {name} has no place in the encoder that config.json describes ({layers} layers); it would be ignored"
    )]
    Unexpected {
        /// Which file.
        path: PathBuf,
        /// Which tensor, cut.
        name: String,
        /// Number of layers by the configuration.
        layers: usize,
    },
    /// A weight has another shape than the configuration says.
    #[error("{path}: tensor {name} is {found:?}, by the configuration it must be {expected:?}")]
    Shape {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// The shape by the configuration.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A weight is of a number type that is not read.
    #[error("{path}: tensor {name} is of type {found}, allowed: F32, F16, BF16, F64")]
    Type {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// An entry of a weight is no number to compute with.
    #[error(
        "{path}: tensor {name} has {value:e} at {index:?} (counted from 0), allowed: numbers from -{limit:e} to {limit:e}"
    )]
    Entry {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// Its first such entry: an index for each dimension.
        index: Vec<usize>,
        /// What is there.
        value: f64,
        /// The largest magnitude allowed.
        limit: f64,
    },
    /// A weight makes every hidden state the same, whatever is read.
    #[error("{path}: {name} {what}, so that every sentence would look the same to the encoder")]
    Constant {
        /// Which file.
        path: PathBuf,
        /// Which tensor.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The pooler is to be used, and there is none.
    #[error(
        "the encoder has no pooler, so encoder.pooling = \"pooler\" is not possible; set it to \"random-pooler\" or \"mean\""
    )]
    NoPooler,
    /// The pooler is to be used, and gives the same for everything.
    #[error(
        "{why}, so that encoder.pooling = \"pooler\" would give the same for every sentence; set encoder.pooling = \"mean\""
    )]
    ConstantPooler {
        /// Which weights do that.
        why: &'static str,
    },
    /// The limit of tokens cannot be had.
    #[error(
        "encoder.max_tokens is {found}, allowed: an integer from {least} to the tokens that the encoder has positions for (= {positions}, by max_position_embeddings)"
    )]
    MaxTokens {
        /// The limit asked for.
        found: usize,
        /// The least there may be.
        least: usize,
        /// Number of tokens that the encoder has positions for.
        positions: usize,
    },
    /// A file is not a tokenizer.
    #[error("cannot read {path} as a tokenizer: {reason}")]
    Tokenizer {
        /// Which file.
        path: PathBuf,
        /// What is wrong, cut.
        reason: String,
    },
    /// The tokenizer is not of the kind that the encoder's architecture has.
    #[error("{path}: does not {framing}")]
    OtherTokenizer {
        /// Which file.
        path: PathBuf,
        /// What it should do with sentences.
        framing: &'static str,
    },
    /// The tokenizer has tokens that the model does not know.
    #[error("{path} has {tokens} tokens, but the model only {vocabulary} word embeddings (vocab_size)")]
    Vocabulary {
        /// The tokenizer's file.
        path: PathBuf,
        /// Number of tokens.
        tokens: usize,
        /// Number of the model's word embeddings.
        vocabulary: usize,
    },
}
