//! A frozen decoder of Llama's architecture (SmolLM2 among them), forward and backward, and the texts that it writes.
//!
//! As in the [encoder](crate::Encoder), the sequences of a [`Batch`](crate::Batch) lie one after the other without padding, and a
//! token is a column. Texts are written by one pass, [`Decoder::hidden_states`]: it reads a batch's new tokens behind those that a [`Cache`]
//! holds. With an empty cache it is a pass over whole sequences, with one token a sequence it is a step of generation.
//!
//! | module | what |
//! |---|---|
//! | `architecture` | the network, from the embedding to the logits |
//! | `rotary`, `pointwise` | its parts |
//! | `weights`, `weight` | what is frozen, and what files call it |
//! | `generation` | the texts that it writes |
//! | `training` | the loss of texts, and the gradient of adapters |
//! | `text_model` | what it has in common with others |
//! | `load`, `config`, `keys`, `tokenizer` | GGUF files, and directories of transformers |
//!
//! Invariant: the bits of a token's hidden state depend on neither the number of threads nor the other sequences of the batch.

mod architecture;
mod config;
mod generation;
mod keys;
mod load;
mod pointwise;
mod rotary;
mod text_model;
mod tokenizer;
mod training;
mod weight;
mod weights;

pub use config::DecoderConfig;
pub use load::PretrainedDecoder;
pub use tokenizer::TextTokenizer;
pub use training::{LanguageModel, PromptedText, Template, TextActivations, TextBatch};
pub use weight::Weight;
pub use weights::Decoder;

use crate::generation::Cache;
