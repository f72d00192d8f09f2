//! A frozen T5, forward and backward, and the texts that it writes.
//!
//! As in the [encoder](crate::Encoder), sequences lie one after the other without padding, and a token is a column: the sources of
//! a batch in one matrix, the targets in another.
//!
//! | module | what |
//! |---|---|
//! | `architecture` | the network, from a source's tokens to the logits of a target's |
//! | `pointwise` | its activations |
//! | `cache` | keys and values of the tokens that were read |
//! | `weights` | what is frozen |
//! | `generation` | the texts that it writes |
//! | `training` | the loss of targets, and the gradient of adapters |
//! | `text_model` | what it has in common with others |
//! | `load`, `config`, `keys`, `modules` | directories of transformers |
//!
//! Invariant: the bits of a token's hidden state depend on neither the number of threads nor the other sequences of the batch.

mod architecture;
mod cache;
mod config;
mod generation;
mod keys;
mod load;
mod modules;
mod pointwise;
mod text_model;
mod training;
mod weights;

pub use cache::T5Cache;
pub use config::T5Config;
pub use load::PretrainedT5;
pub(crate) use modules::Modules;
pub use training::{PairActivations, PairBatch, TextToText};
pub use weights::T5;

use weights::Stack;
