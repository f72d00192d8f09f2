//! A frozen encoder of the BERT family, forward and backward, for adapters alone.
//!
//! The architecture is BERT's (Devlin et al., arXiv 1810.04805) as in Hugging Face transformers, exact GELU (erf), LayerNorm
//! after each residual sum; MPNet differs by what [`Architecture`](crate::Architecture) says. The gradient is computed for what is trained and nothing else: of activations down to the lowest
//! adapted site, and of the adapters' applied forms; no gradient of a frozen weight is ever formed.
//!
//! The sequences of a [`Batch`](crate::Batch) lie one after the other, without padding; a token is a column. The batch is cut into
//! blocks of whole sequences with about 128 tokens (`block`). All threads take blocks through one layer before the next, so
//! that the layer's weights stay in the cache and a block's activations near its thread.
//!
//! | module | what |
//! |---|---|
//! | `network` | [`Network`]: a pass over all layers, [`Activations`] |
//! | `block` | the unit of work: some sequences, and every buffer of them |
//! | `embeddings`, `layer`, `pooling` | the parts of a network, each with its way back |
//! | `normalization` | LayerNorm with residual sum and dropout in one pass over a token |
//!
//! What the decoder shares is in [`parts`](crate::parts) and [`kernels`](crate::kernels).
//!
//! Invariant: a block computes its share of the adapters' gradients, and the shares are summed in the order of the blocks, which
//! depends on nothing but the batch. So the bits are the same for any number of threads.
//!
//! With [`Pooling::Pooler`], which reads the first tokens' hidden states alone, the last layer has keys and values of all tokens,
//! and queries and all that follows of the first ones: the same bits as if it had all.
//!
//! `docs/kernels.md` (section "The encoder") explains the kernels, what a step costs, and what was tried.

mod block;
mod embeddings;
mod layer;
mod network;
mod normalization;
mod pooling;

pub use network::{Activations, Network};
pub use pooling::Pooling;

use crate::Site;

/// The sites of a layer.
const LAYER_SITES: [fn(usize) -> Site; 6] =
    [Site::Query, Site::Key, Site::Value, Site::AttentionOutput, Site::Intermediate, Site::Output];
